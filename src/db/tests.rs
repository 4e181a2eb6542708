use super::{Db, DbError, Engine, Settings};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Iden, Query};
use std::{path::Path, time::Duration};

#[derive(Clone, Copy, Iden)]
enum Things {
    Table,
    Id,
    Name,
    MadeAt,
}

fn open(dir: &Path) -> Db {
    Db::open(&Settings::sqlite(&dir.join("test.sqlite"))).unwrap()
}

async fn prepared(dir: &Path) -> Db {
    let db = open(dir);
    let made = db.write::<_, DbError, _>(|tx| {
        tx.script("CREATE TABLE things (id INTEGER PRIMARY KEY, name TEXT, made_at DATETIME)")
    });
    made.await.unwrap();
    db
}

async fn insert(db: &Db, id: i64, name: Option<&str>, made: DateTime<Utc>) -> Result<u64, DbError> {
    let name = name.map(str::to_owned);
    db.write(move |tx| {
        let columns = [Things::Id, Things::Name, Things::MadeAt];
        let values = [id.into(), name.clone().into(), made.naive_utc().into()];
        tx.execute(Query::insert().into_table(Things::Table).columns(columns).values_panic(values))
    })
    .await
}

async fn count(db: &Db) -> usize {
    let rows = db.read::<_, DbError, _>(|tx| tx.select(Query::select().column(Things::Id).from(Things::Table)));
    rows.await.unwrap().len()
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    let dir = tempfile::tempdir().unwrap();
    let db = prepared(dir.path()).await;
    let made: DateTime<Utc> = "2026-01-02T03:04:05.000006Z".parse().unwrap();
    insert(&db, 1, Some("Zoë"), made).await.unwrap();
    insert(&db, 2, None, made).await.unwrap();
    let query = |id: i64| {
        let columns = [Things::Name, Things::MadeAt];
        Query::select().columns(columns).from(Things::Table).and_where(Expr::col(Things::Id).eq(id)).to_owned()
    };
    let row = db.read::<_, DbError, _>(move |tx| tx.select_one(&query(1))).await.unwrap().unwrap();
    assert_eq!(row.get::<Option<String>>(0).unwrap().as_deref(), Some("Zoë"));
    assert_eq!(row.get::<DateTime<Utc>>(1).unwrap(), made);
    // SQLAlchemy reads and sorts this text.
    assert_eq!(row.get::<String>(1).unwrap(), "2026-01-02 03:04:05.000006");
    let row = db.read::<_, DbError, _>(move |tx| tx.select_one(&query(2))).await.unwrap().unwrap();
    assert_eq!(row.get::<Option<String>>(0).unwrap(), None);
    assert!(matches!(row.get::<String>(0), Err(DbError::Column { column: 0, .. })));
    assert!(row.get::<String>(7).is_err());
}

#[tokio::test]
async fn a_failed_transaction_leaves_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let db = prepared(dir.path()).await;
    insert(&db, 1, None, Utc::now()).await.unwrap();
    assert!(insert(&db, 1, None, Utc::now()).await.unwrap_err().is_duplicate());
    let failed = db.write::<(), DbError, _>(|tx| {
        tx.script("INSERT INTO things (id) VALUES (2)")?;
        Err(DbError::BrokeOff)
    });
    failed.await.unwrap_err();
    assert_eq!(count(&db).await, 1);
    // Readers do not write, and go back to the pool when they fail.
    for _ in 0..20 {
        db.read::<_, DbError, _>(|tx| tx.script("DELETE FROM things")).await.unwrap_err();
    }
    assert_eq!(count(&db).await, 1);
}

#[tokio::test]
async fn callers_that_stop_waiting_lose_no_connection() {
    let dir = tempfile::tempdir().unwrap();
    let db = prepared(dir.path()).await;
    for _ in 0..20 {
        let slow = db.read::<(), DbError, _>(|_| {
            std::thread::sleep(Duration::from_millis(5));
            Ok(())
        });
        let _ = tokio::time::timeout(Duration::from_millis(1), slow).await;
    }
    insert(&db, 1, None, Utc::now()).await.unwrap();
    assert_eq!(count(&db).await, 1);
}

#[test]
fn connection_strings() {
    let engine = |text: &str| Settings { connection: text.into(), ..Settings::default() }.engine();
    let sqlite = |path: &str| Engine::Sqlite(path.into());
    assert_eq!(engine("sqlite:////var/lib/x.db").unwrap(), sqlite("/var/lib/x.db"));
    assert_eq!(engine("sqlite:///x.db?timeout=3").unwrap(), sqlite("x.db"));
    for bad in ["", "x", "sqlite://", "sqlite:///", "sqlite:///:memory:", "oracle://u:secret@h/d"] {
        let error = engine(bad).unwrap_err();
        assert!(matches!(error, DbError::Connection { .. }) && !error.to_string().contains("secret"), "{error}");
    }
    for bad in ["mysql://u:secret@h", "mysql://u:secret@h:port/d", "postgresql://u:secret@[::1/d"] {
        let error = engine(bad).unwrap_err();
        assert!(matches!(error, DbError::Connection { .. }) && !error.to_string().contains("secret"), "{error}");
    }
}

#[test]
fn servers_in_sqlalchemys_words() {
    let engine = |text: &str| Engine::parse(text).unwrap();
    let address = |text: &str| match engine(text) {
        Engine::Mysql(it) | Engine::Postgres(it) => it,
        Engine::Sqlite(_) => panic!("{text}"),
    };
    let it = address("mysql+pymysql://glance:p%40ss%2F:w@10.0.0.1:3307/glance?charset=utf8&ssl_ca=/etc/ca.pem");
    assert_eq!((it.user.as_deref(), it.password.as_deref()), (Some("glance"), Some("p@ss/:w")));
    assert_eq!((it.host.as_deref(), it.port, it.database.as_str()), (Some("10.0.0.1"), Some(3307), "glance"));
    assert_eq!((it.option("charset"), it.option("ssl_ca")), (Some("utf8"), Some("/etc/ca.pem")));
    assert_eq!(it.to_string(), "10.0.0.1:3307/glance");
    let it = address("postgresql+psycopg2://glance@[fd00::1]:5433/glance");
    assert_eq!((it.host.as_deref(), it.port, it.password), (Some("fd00::1"), Some(5433), None));
    let it = address("postgresql:///glance?host=/var/run/postgresql&user=g");
    assert_eq!((it.host.as_deref(), it.user.as_deref(), it.option("host")), (None, None, Some("/var/run/postgresql")));
    for text in ["mysql://u:p@h/d", "mariadb+mariadbconnector://u:p@h/d", "mysql+mysqldb://u:p@h/d?unix_socket=/s"] {
        assert!(matches!(engine(text), Engine::Mysql(_)), "{text}");
    }
    for text in ["postgres://u:p@h/d", "postgresql://u:p@h/d", "postgresql+asyncpg://u:p@h/d"] {
        assert!(matches!(engine(text), Engine::Postgres(_)), "{text}");
    }
    let settings = Settings { connection: "mysql://u:secret@h/d?password=secret".into(), ..Settings::default() };
    assert!(!format!("{settings:?} {:?}", settings.engine()).contains("secret"));
}

#[test]
fn a_database_that_cannot_be_opened_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("no/such/folder/x.db");
    let error = Db::open(&Settings::sqlite(&missing)).err().unwrap();
    assert!(error.to_string().contains("no/such/folder"), "{error}");
}
