//! What servers do to transactions, on real ones.

use super::{
    Db, DbError, Dialect, Settings, Tx,
    scratch::{self, Scratch},
};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Iden, Query, Value};
use std::{
    sync::{
        Arc, Barrier,
        atomic::{AtomicU32, Ordering},
    },
    time::Duration,
};

#[derive(Clone, Copy, Iden)]
enum Things {
    Table,
    Id,
    Name,
    Size,
    Fine,
    MadeAt,
}

fn settings(scratch: &Scratch) -> Settings {
    Settings { connection: scratch.url.clone(), max_pool_size: 4, max_overflow: 4, ..Settings::default() }
}

async fn prepared(scratch: &Scratch) -> Db {
    let db = Db::open(&settings(scratch)).unwrap();
    db.reach().await.unwrap();
    let made = db.alone::<_, DbError, _>(|tx| {
        let time = if tx.dialect() == Dialect::Mysql { "DATETIME" } else { "TIMESTAMP" };
        tx.script(&format!(
            "CREATE TABLE things (id BIGINT PRIMARY KEY, name VARCHAR(20), size BIGINT, fine BOOLEAN, made_at {time});
             INSERT INTO things (id, name, size) VALUES (1, 'one', 1), (2, 'two', 2)"
        ))
    });
    made.await.unwrap();
    db
}

fn grow(tx: &Tx<'_>, id: i64) -> Result<u64, DbError> {
    let mut statement = Query::update();
    statement.table(Things::Table).value(Things::Size, Expr::col(Things::Size).add(1));
    tx.execute(statement.and_where(Expr::col(Things::Id).eq(id)))
}

async fn size(db: &Db, id: i64) -> i64 {
    let read = db.read::<_, DbError, _>(move |tx| {
        let mut query = Query::select();
        query.column(Things::Size).from(Things::Table).and_where(Expr::col(Things::Id).eq(id));
        tx.select_one(&query)?.ok_or(DbError::BrokeOff)?.get(0)
    });
    read.await.unwrap()
}

fn own_id(tx: &Tx<'_>) -> Result<String, DbError> {
    let mut query = Query::select();
    query.expr(Expr::cust(if tx.dialect() == Dialect::Mysql { "CONNECTION_ID()" } else { "pg_backend_pid()" }));
    Ok(tx.select_one(&query)?.ok_or(DbError::BrokeOff)?.get::<i64>(0)?.to_string())
}

#[tokio::test]
async fn values_come_back_as_they_went_in() {
    for scratch in scratch::servers() {
        let db = prepared(&scratch).await;
        let made: DateTime<Utc> = "2026-01-02T03:04:05.600007Z".parse().unwrap();
        let wrote = db.write::<_, DbError, _>(move |tx| {
            let columns = [Things::Id, Things::Name, Things::Size, Things::Fine, Things::MadeAt];
            let mut statement = Query::insert();
            statement.into_table(Things::Table).columns(columns);
            statement.values_panic([3.into(), "Zoë".into(), u64::MAX.into(), true.into(), made.naive_utc().into()]);
            statement.values_panic([
                4.into(),
                Value::String(None).into(),
                Value::BigInt(None).into(),
                Value::Bool(None).into(),
                // PostgreSQL takes its type from the column.
                Value::String(None).into(),
            ]);
            tx.execute(&statement)
        });
        assert_eq!(wrote.await.unwrap(), 2);
        let rows = db.read::<_, DbError, _>(|tx| {
            let columns = [Things::Name, Things::Size, Things::Fine, Things::MadeAt];
            let mut query = Query::select();
            query.columns(columns).from(Things::Table).and_where(Expr::col(Things::Id).gt(2));
            tx.select(query.order_by(Things::Id, sea_query::Order::Asc))
        });
        let rows = rows.await.unwrap();
        assert_eq!(rows[0].get::<String>(0).unwrap(), "Zoë");
        assert_eq!(rows[0].get::<i64>(1).unwrap(), i64::MAX);
        assert!(rows[0].get::<bool>(2).unwrap());
        let kept = if scratch.kind == "mysql" { "2026-01-02T03:04:05Z".parse().unwrap() } else { made };
        assert_eq!(rows[0].get::<DateTime<Utc>>(3).unwrap(), kept);
        for column in 0..4 {
            assert_eq!(rows[1].get::<Option<String>>(column).unwrap(), None);
        }
        let sum = db.read::<_, DbError, _>(|tx| {
            let mut query = Query::select();
            query.expr(Expr::col(Things::Size).sum()).from(Things::Table).and_where(Expr::col(Things::Id).lt(3));
            tx.select_one(&query)?.ok_or(DbError::BrokeOff)?.get::<i64>(0)
        });
        assert_eq!(sum.await.unwrap(), 3);
    }
}

#[tokio::test]
async fn failures_have_names_and_leave_nothing() {
    for scratch in scratch::servers() {
        let db = prepared(&scratch).await;
        let fails = async |name: &'static str, id: i64| {
            db.write::<_, DbError, _>(move |tx| {
                grow(tx, 1)?;
                let mut statement = Query::insert();
                statement.into_table(Things::Table).columns([Things::Id, Things::Name]);
                tx.execute(statement.values_panic([id.into(), name.into()]))
            })
            .await
            .unwrap_err()
        };
        assert!(fails("x", 1).await.is_duplicate());
        assert!(matches!(fails("more than twenty characters", 5).await, DbError::TooLarge));
        let unfit = if scratch.kind == "mysql" { "\u{1f600}" } else { "\0" };
        assert!(matches!(fails(unfit, 5).await, DbError::Characters));
        assert_eq!(size(&db, 1).await, 1);
        let wrote = db.read::<_, DbError, _>(|tx| grow(tx, 1)).await;
        assert!(wrote.is_err(), "a reader does not write");
        assert_eq!(size(&db, 1).await, 1);
    }
}

#[tokio::test]
async fn what_failed_is_not_committed_behind_the_servers_back() {
    let Some(scratch) = scratch::postgres() else { return };
    let db = prepared(&scratch).await;
    let done = db.write::<_, DbError, _>(|tx| {
        grow(tx, 1)?;
        let _ = tx.script("INSERT INTO things (id) VALUES (1)");
        Ok(())
    });
    assert!(done.await.is_err());
    assert_eq!(size(&db, 1).await, 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_deadlock_is_run_again() {
    for scratch in scratch::servers() {
        let db = prepared(&scratch).await;
        let (runs, both) = (Arc::new(AtomicU32::new(0)), Arc::new(Barrier::new(2)));
        let crossing = |first: i64, second: i64| {
            let (runs, both) = (Arc::clone(&runs), Arc::clone(&both));
            let mine = AtomicU32::new(0);
            db.write::<_, DbError, _>(move |tx| {
                runs.fetch_add(1, Ordering::SeqCst);
                grow(tx, first)?;
                // The first time each holds what the other wants.
                if mine.fetch_add(1, Ordering::SeqCst) == 0 {
                    both.wait();
                }
                grow(tx, second)
            })
        };
        let (one, two) = tokio::join!(crossing(1, 2), crossing(2, 1));
        one.unwrap();
        two.unwrap();
        assert_eq!((size(&db, 1).await, size(&db, 2).await), (3, 4));
        assert!(runs.load(Ordering::SeqCst) >= 3);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_connection_that_breaks_is_replaced() {
    for scratch in scratch::servers() {
        let db = prepared(&scratch).await;
        // Several connections, idle.
        let (a, b, c) = tokio::join!(size(&db, 1), size(&db, 1), size(&db, 1));
        assert_eq!((a, b, c), (1, 1, 1));
        scratch.cut_off_all();
        assert_eq!(size(&db, 1).await, 1);
        scratch.cut_off_all();
        db.write::<_, DbError, _>(|tx| grow(tx, 1)).await.unwrap();
        // In the middle of a transaction.
        let scratch = Arc::new(scratch);
        let (cutter, cut) = (Arc::clone(&scratch), AtomicU32::new(0));
        let grown = db.write::<_, DbError, _>(move |tx| {
            grow(tx, 1)?;
            if cut.fetch_add(1, Ordering::SeqCst) == 0 {
                cutter.cut_off(&own_id(tx)?);
            }
            grow(tx, 1)
        });
        grown.await.unwrap();
        assert_eq!(size(&db, 1).await, 4);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_commit_that_breaks_is_not_repeated() {
    for scratch in scratch::servers() {
        let db = prepared(&scratch).await;
        let (cutter, runs) = (Arc::new(scratch), Arc::new(AtomicU32::new(0)));
        let (scratch, count) = (Arc::clone(&cutter), Arc::clone(&runs));
        let done = db.write::<_, DbError, _>(move |tx| {
            count.fetch_add(1, Ordering::SeqCst);
            grow(tx, 1)?;
            scratch.cut_off(&own_id(tx)?);
            Ok(())
        });
        let error = done.await.unwrap_err();
        assert!(matches!(error, DbError::Unknown(_)), "{error:?}");
        assert_eq!(runs.load(Ordering::SeqCst), 1);
        assert_eq!(size(&db, 1).await, 1);
        drop(cutter);
    }
}

#[tokio::test]
async fn what_nobody_can_reach_is_named_without_its_password() {
    let dead = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
    for scheme in ["mysql", "postgresql"] {
        let settings = Settings {
            connection: format!("{scheme}://u:secret@127.0.0.1:{dead}/d"),
            max_retries: Some(1),
            retry_interval: Duration::from_millis(10),
            ..Settings::default()
        };
        let error = Db::open(&settings).unwrap().reach().await.unwrap_err();
        let words = crate::base::chain(&error).to_string();
        assert!(words.contains(&dead.to_string()) && !words.contains("secret"), "{words}");
    }
    for scratch in scratch::servers() {
        let (front, _) = scratch.url.rsplit_once('/').unwrap();
        let settings = Settings { connection: format!("{front}/larder_no_such_database"), ..settings(&scratch) };
        let error = Db::open(&settings).unwrap().reach().await.unwrap_err();
        assert!(matches!(error, DbError::Unreachable { .. }), "{error:?}");
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn changes_of_the_schema_follow_each_other() {
    for scratch in scratch::servers() {
        let db = prepared(&scratch).await;
        let (inside, most) = (Arc::new(AtomicU32::new(0)), Arc::new(AtomicU32::new(0)));
        let enter = || {
            let (inside, most) = (Arc::clone(&inside), Arc::clone(&most));
            db.alone::<_, DbError, _>(move |tx| {
                most.fetch_max(inside.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                grow(tx, 1)?;
                std::thread::sleep(Duration::from_millis(20));
                inside.fetch_sub(1, Ordering::SeqCst);
                Ok(())
            })
        };
        let (one, two, three) = tokio::join!(enter(), enter(), enter());
        one.and(two).and(three).unwrap();
        // An error gives the lock back, too.
        db.alone::<(), DbError, _>(|_| Err(DbError::BrokeOff)).await.unwrap_err();
        db.alone::<_, DbError, _>(|tx| grow(tx, 1)).await.unwrap();
        assert_eq!((most.load(Ordering::SeqCst), size(&db, 1).await), (1, 5));
    }
}
