use super::{HEAD, LocationCipher, SchemaError, ensure, images, list, locations};
use crate::db::{
    Db, DbError, Dialect, Settings,
    scratch::{self, Scratch},
};
use crate::identity::Caller;
use crate::image::{Image, ImageId, ListQuery, Location, NewImage, query::Limits};
use chrono::{DateTime, TimeDelta, Utc};
use rusqlite::Connection;
use sea_query::SqliteQueryBuilder;
use std::{collections::BTreeMap, path::Path, process::Command};

async fn open(dir: &Path) -> Db {
    let db = Db::open(&Settings::sqlite(&dir.join("catalogue.sqlite"))).unwrap();
    ensure(&db).await.unwrap();
    db
}

fn query(text: &str) -> ListQuery {
    let pairs = text.split('&').filter_map(|it| it.split_once('='));
    let params: Vec<_> = pairs.map(|(name, value)| (name.to_owned(), value.to_owned())).collect();
    ListQuery::parse(&params, Limits { default: 25, max: 1000 }).unwrap()
}

fn start() -> DateTime<Utc> {
    "2026-01-02T03:04:05Z".parse().unwrap()
}

/// `count` images, a second apart, owned by ten projects, every tenth one public.
async fn fill(db: &Db, count: u32) {
    let filled = db.write::<_, DbError, _>(move |tx| {
        for n in 0..count {
            let properties: BTreeMap<_, _> =
                (0..5).map(|it| (format!("property_{it}"), Some(format!("{}", n % 7)))).collect();
            let new = NewImage {
                name: (n % 3 != 0).then(|| format!("image {}", n % 50)),
                visibility: (n % 10 == 0).then_some(crate::image::Visibility::Public),
                tags: [format!("tag-{}", n % 5)].into(),
                properties,
                ..NewImage::default()
            };
            let now = start() + TimeDelta::seconds((n / 3).into());
            let image = new.into_image(ImageId::from_random(n.into()), Some(format!("project-{}", n % 10)), now);
            images::insert(tx, &image)?;
            let url = format!("file:///store/{}", image.id);
            locations::add(
                tx,
                &LocationCipher::default(),
                &image.id,
                &Location { url, metadata: serde_json::Map::new() },
                now,
            )?;
        }
        Ok(())
    });
    filled.await.unwrap();
}

fn project(name: &str) -> Caller {
    Caller { project: Some(name.to_owned()), ..Caller::default() }
}

async fn page(db: &Db, caller: &Caller, text: &str, marker: Option<&Image>) -> Vec<Image> {
    let (caller, query, marker) = (caller.clone(), query(text), marker.cloned());
    db.read::<_, DbError, _>(move |tx| list::page(tx, &LocationCipher::default(), &caller, &query, marker.as_ref()))
        .await
        .unwrap()
        .0
}

fn raw(dir: &Path) -> Connection {
    Connection::open(dir.join("catalogue.sqlite")).unwrap()
}

/// Everything that makes up a schema, without blanks, and without what is ours.
fn schema(connection: &Connection) -> Vec<String> {
    let query = "SELECT type || ' ' || name || ' ' || tbl_name || ' ' || coalesce(sql, '') FROM sqlite_master
                 WHERE tbl_name NOT LIKE 'larder%'";
    let mut statement = connection.prepare(query).unwrap();
    let rows = statement.query_map([], |row| row.get::<_, String>(0)).unwrap();
    let mut rows: Vec<_> = rows.map(|it| it.unwrap().split_whitespace().collect::<Vec<_>>().join(" ")).collect();
    rows.sort();
    rows
}

/// `glance-manage` on a SQLite file; none when Glance is not installed here.
fn glance_manage(file: &Path, action: &str) -> Option<std::process::Output> {
    let config = file.with_extension("conf");
    std::fs::write(&config, format!("[database]\nconnection = sqlite:///{}\n", file.display())).unwrap();
    let target = std::env::var_os("CARGO_TARGET_DIR").map_or_else(|| "target".into(), std::path::PathBuf::from);
    let made = Path::new(env!("CARGO_MANIFEST_DIR")).join(target).join("rig-venv");
    let venv = std::env::var_os("LARDER_RIG_VENV").map_or(made, Into::into);
    let output =
        Command::new(venv.join("bin/glance-manage")).arg("--config-file").arg(config).args(["db", action]).output();
    if output.is_err() {
        assert!(
            std::env::var("CI").as_deref() != Ok("true"),
            "in CI nothing is skipped: tests/setup has not made glance-manage"
        );
        eprintln!("skipped: tests/setup has not made glance-manage");
    }
    output.ok()
}

#[tokio::test]
async fn the_schema_is_glances_own() {
    let dir = tempfile::tempdir().unwrap();
    open(dir.path()).await;
    let theirs = dir.path().join("glance.sqlite");
    let Some(made) = glance_manage(&theirs, "sync") else { return };
    assert!(made.status.success(), "{made:?}");
    assert_eq!(schema(&raw(dir.path())), schema(&Connection::open(&theirs).unwrap()));
    // Glance's tool accepts ours, and finds nothing to do.
    let checked = glance_manage(&dir.path().join("catalogue.sqlite"), "check").unwrap();
    assert!(checked.status.success(), "{checked:?}");
    // And we work on theirs as it is.
    let db = Db::open(&Settings::sqlite(&theirs)).unwrap();
    ensure(&db).await.unwrap();
    fill(&db, 3).await;
    assert_eq!(page(&db, &Caller::admin(), "", None).await.len(), 3);
}

#[tokio::test]
async fn a_second_start_finds_what_was_there() {
    let dir = tempfile::tempdir().unwrap();
    fill(&open(dir.path()).await, 3).await;
    let before = schema(&raw(dir.path()));
    let db = open(dir.path()).await;
    assert_eq!(schema(&raw(dir.path())), before);
    assert_eq!(page(&db, &Caller::admin(), "", None).await.len(), 3);
}

#[tokio::test]
async fn other_schemas_are_refused_and_left_alone() {
    for (script, expected) in [
        ("CREATE TABLE x (y)", "not Glance's"),
        (
            "CREATE TABLE alembic_version (version_num); INSERT INTO alembic_version VALUES ('rocky_contract02')",
            "rocky_contract02",
        ),
        ("CREATE TABLE alembic_version (version_num)", "unknown"),
    ] {
        let dir = tempfile::tempdir().unwrap();
        raw(dir.path()).execute_batch(script).unwrap();
        let before = schema(&raw(dir.path()));
        let db = Db::open(&Settings::sqlite(&dir.path().join("catalogue.sqlite"))).unwrap();
        let error = ensure(&db).await.unwrap_err();
        assert!(error.to_string().contains(expected), "{error}");
        assert!(error.to_string().contains("glance-manage db sync"), "{error}");
        assert_eq!(schema(&raw(dir.path())), before);
    }
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path()).await;
    raw(dir.path()).execute("UPDATE larder_version SET version = 99", []).unwrap();
    assert!(matches!(ensure(&db).await, Err(SchemaError::Newer(99))));
    assert!(include_str!("schema/glance.sqlite.sql").contains(HEAD));
}

#[tokio::test]
async fn a_page_comes_from_the_index_of_its_order() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path()).await;
    fill(&db, 300).await;
    let first = page(&db, &Caller::admin(), "", None).await;
    let connection = raw(dir.path());
    let plan = |caller: &Caller, text: &str, marker: Option<&Image>| {
        let sql = list::statement(Dialect::Sqlite, caller, &query(text), marker).to_string(SqliteQueryBuilder);
        let mut statement = connection.prepare(&format!("EXPLAIN QUERY PLAN {sql}")).unwrap();
        let rows = statement.query_map([], |row| row.get::<_, String>(3)).unwrap();
        rows.map(Result::unwrap).collect::<Vec<_>>().join("; ")
    };
    for caller in [Caller::admin(), project("project-3")] {
        let plain = plan(&caller, "", None);
        assert!(plain.contains("SCAN images USING INDEX created_at_image_idx"), "{plain}");
        let next = plan(&caller, "", first.last());
        assert!(next.contains("SEARCH images USING INDEX created_at_image_idx (created_at<?)"), "{next}");
        let filtered = plan(&caller, "tag=x&k=v", None);
        assert!(filtered.contains("image_tags EXISTS USING INDEX ix_image_tags_image_id"), "{filtered}");
        assert!(filtered.contains("(image_id=? AND name=?)"), "{filtered}");
    }
}

/// On each database.
async fn everywhere() -> Vec<(tempfile::TempDir, Option<Scratch>, Db)> {
    let mut all = Vec::new();
    for scratch in [None].into_iter().chain(scratch::servers().into_iter().map(Some)) {
        let dir = tempfile::tempdir().unwrap();
        let connection = scratch.as_ref().map(|it: &Scratch| it.url.clone());
        let db = match connection {
            Some(connection) => Db::open(&Settings { connection, ..Settings::default() }).unwrap(),
            None => open(dir.path()).await,
        };
        ensure(&db).await.unwrap();
        all.push((dir, scratch, db));
    }
    all
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_page_takes_the_same_statements_however_many_images() {
    for (_dir, _scratch, db) in everywhere().await {
        let dialect = db.dialect();
        let statements = async |caller: Caller, text: &str, marker: Option<Image>| {
            let query = query(text);
            let read = db.read::<_, DbError, _>(move |tx| {
                let (images, _) = list::page(tx, &LocationCipher::default(), &caller, &query, marker.as_ref())?;
                assert!(images.iter().all(|it| !it.tags.is_empty() && it.properties.len() == 5));
                assert!(images.iter().all(|it| it.locations.len() == 1));
                Ok((images, tx.statements()))
            });
            read.await.unwrap()
        };
        fill(&db, 3).await;
        let (images, of_three) = statements(Caller::admin(), "limit=1000", None).await;
        assert_eq!((images.len(), of_three), (3, 4), "{dialect:?}");
        // Their ids begin anew with each call.
        let cleared = db.write::<_, DbError, _>(|tx| {
            for table in ["image_locations", "image_tags", "image_properties", "images"] {
                tx.script(&format!("DELETE FROM {table}"))?;
            }
            Ok(())
        });
        cleared.await.unwrap();
        fill(&db, 1100).await;
        let (images, of_many) = statements(Caller::admin(), "limit=1000", None).await;
        // What hangs on images is asked for of 500 at a time.
        assert_eq!((images.len(), of_many), (1000, 7), "{dialect:?}");
        let (rest, of_rest) = statements(Caller::admin(), "limit=1000", images.last().cloned()).await;
        assert_eq!((rest.len(), of_rest), (100, 4), "{dialect:?}");
        let (found, filtered) = statements(project("project-3"), "tag=tag-3&property_1=3&limit=1000", None).await;
        // A question for each of the two, of which the first leaves few enough.
        let looks = usize::from(dialect == Dialect::Mysql);
        assert!(!found.is_empty() && filtered == 4 + looks, "{dialect:?}: {} {filtered}", found.len());
        let (found, filtered) = statements(Caller::admin(), "property_1=none", None).await;
        assert_eq!((found.len(), filtered), (0, 1), "{dialect:?}");
    }
}

#[tokio::test]
async fn a_row_that_makes_no_sense_hides_no_others() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path()).await;
    fill(&db, 3).await;
    raw(dir.path()).execute("UPDATE images SET status = 'x' WHERE id IN (SELECT id FROM images LIMIT 1)", []).unwrap();
    assert_eq!(page(&db, &Caller::admin(), "", None).await.len(), 2);
}

#[tokio::test]
async fn rows_that_glance_wrote_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let db = open(dir.path()).await;
    raw(dir.path())
        .execute_batch(
            r#"INSERT INTO images (id, name, status, created_at, deleted, min_disk, min_ram, size, disk_format, owner)
               VALUES ('9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69', 'x', 'active', '2026-01-02 03:04:05', 0, 0, 0, 5, 'raw', 'p');
               INSERT INTO image_properties (image_id, name, value, created_at, deleted)
               VALUES ('9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69', 'a', '1', '2026-01-02 03:04:05', 0),
                      ('9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69', 'b', '2', '2026-01-02 03:04:05', 1);
               INSERT INTO image_locations (image_id, value, meta_data, status, created_at, deleted)
               VALUES ('9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69', 'file:///x', '{"store": "s"}', 'active', '2026-01-02 03:04:05', 0),
                      ('9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69', 'pending://', NULL, 'pending', '2026-01-02 03:04:05', 0);"#,
        )
        .unwrap();
    let images = page(&db, &project("p"), "", None).await;
    assert_eq!((images[0].updated_at, images[0].created_at), (start(), start()));
    assert_eq!(images[0].properties.keys().collect::<Vec<_>>(), ["a"]);
    assert_eq!(images[0].locations.len(), 1);
    assert_eq!(images[0].locations[0].metadata["store"], "s");
}
