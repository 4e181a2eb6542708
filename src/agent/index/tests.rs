use super::{Fact, How, Index, Known, Origin, Taken, Verified};
use crate::admin::Priority;
use crate::agent::desired::rules::Uses;
use crate::image::ImageId;
use crate::wire::fleet::{Action, JobId, Outcome};
use chrono::{DateTime, Duration, Utc};
use std::{fs, path::Path};

fn id(number: u128) -> ImageId {
    ImageId::from_random(number)
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_millis(1_800_000_000_123).unwrap()
}

fn open(path: &Path) -> Index {
    let (index, notes) = Index::open(path).unwrap();
    assert_eq!(notes, Vec::<String>::new());
    index
}

#[tokio::test]
async fn the_queue_keeps_its_order_and_survives() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("state/index.db");
    let index = open(&path);
    for number in [3, 1, 2] {
        assert!(index.enqueue(&id(number), None, now()).await.unwrap());
    }
    let retry = now() + Duration::minutes(5);
    index.failed(&id(3), "the catalogue is down".to_owned(), retry).await.unwrap();
    drop(index);

    let index = open(&path);
    let queue = index.queue().await.unwrap();
    assert_eq!(queue.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), [id(3), id(1), id(2)]);
    assert_eq!((queue[0].attempts, queue[0].retry_at), (1, Some(retry)));
    assert_eq!(queue[0].last_error.as_deref(), Some("the catalogue is down"));
    assert!(!index.enqueue(&id(3), None, now()).await.unwrap(), "once is enough");
    let again = &index.queue().await.unwrap()[0];
    assert_eq!((again.retry_at, again.attempts), (None, 1), "asked again: tried at once");

    assert!(index.dequeue(&id(1)).await.unwrap());
    assert!(!index.dequeue(&id(1)).await.unwrap());
    assert_eq!(index.clear_queue().await.unwrap(), 2);
}

#[tokio::test]
async fn arriving_takes_out_of_the_queue_and_keeps_the_hits() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder.path().join("index.db"));
    let base = id(1).base_name();
    index.note(vec![Known::adopted(base.clone(), now())]).await.unwrap();
    index.used(vec![base.clone()], vec![base.clone()], now()).await.unwrap();
    index.used(vec![base.clone()], vec![], now()).await.unwrap();
    index.enqueue(&id(1), None, now()).await.unwrap();
    let arrived =
        Known { id: Some(id(1)), checksum: Some("c".into()), origin: Origin::Fetched, ..Known::adopted(base, now()) };
    index.arrived(arrived.clone()).await.unwrap();
    // What is found later does not undo what is known.
    index.note(vec![Known::adopted(arrived.base.clone(), now())]).await.unwrap();
    assert_eq!(index.queue().await.unwrap(), []);
    assert_eq!(index.bases().await.unwrap(), [Known { hits: 1, last_used: Some(now()), ..arrived.clone() }]);
    index.forget(vec![arrived.base]).await.unwrap();
    assert_eq!(index.bases().await.unwrap(), []);
}

#[tokio::test]
async fn the_queue_is_ordered_by_priority_and_then_by_arrival() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let index = open(&path);
    let priority = |number: i32| Some(Priority::try_from(number).unwrap());
    for (number, given) in [(1, None), (2, priority(-50)), (3, priority(100)), (4, None), (5, priority(100))] {
        index.enqueue(&id(number), given, now()).await.unwrap();
    }
    let order = async |index: &Index| index.queue().await.unwrap().into_iter().map(|it| it.id).collect::<Vec<_>>();
    assert_eq!(order(&index).await, [3, 5, 1, 4, 2].map(id));
    // Asked again without one, it keeps its own; with one, it gets it.
    index.enqueue(&id(3), None, now()).await.unwrap();
    index.enqueue(&id(2), priority(7), now()).await.unwrap();
    assert_eq!(order(&index).await, [3, 5, 2, 1, 4].map(id));
    drop(index);
    assert_eq!(order(&open(&path)).await, [3, 5, 2, 1, 4].map(id));
}

#[tokio::test]
async fn what_rules_queue_goes_with_them_and_what_an_operator_queues_stays() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder.path().join("index.db"));
    let priority = |number: i32| Priority::try_from(number).unwrap();
    index.enqueue(&id(1), None, now()).await.unwrap();
    let put = vec![(id(1), priority(9)), (id(2), priority(9)), (id(3), priority(-9)), (id(4), priority(1))];
    index.queue_for_rules(put, Vec::new(), now()).await.unwrap();
    // The operator takes one over.
    assert!(!index.enqueue(&id(4), None, now()).await.unwrap());
    index.queue_for_rules(vec![(id(3), priority(50))], vec![id(1), id(2), id(4)], now()).await.unwrap();
    let queue = index.queue().await.unwrap();
    let seen: Vec<_> = queue.iter().map(|it| (it.id.clone(), i32::from(it.priority), it.for_rules)).collect();
    assert_eq!(seen, [(id(3), 50, true), (id(4), 1, false), (id(1), 0, false)]);
}

#[tokio::test]
async fn uses_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let index = open(&path);
    let mut uses = Uses::default();
    let user = |base: &str, instance: &str| (base.to_owned(), instance.to_owned());
    let seen = [user("a", "1"), user("a", "2"), user("b", "1")].into();
    index.note_uses(uses.see(&seen, now())).await.unwrap();
    index.note_uses(uses.see(&[user("b", "4")].into(), now() + Duration::days(2))).await.unwrap();
    drop(index);
    let index = open(&path);
    assert_eq!(index.uses().await.unwrap(), uses);
    assert_eq!((uses.users.len(), uses.bases.len()), (1, 2));
}

#[tokio::test]
async fn pins_survive() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let index = open(&path);
    assert!(index.pin(&id(2), now()).await.unwrap() && index.pin(&id(1), now() + Duration::seconds(1)).await.unwrap());
    assert!(!index.pin(&id(2), now()).await.unwrap(), "once is enough");
    drop(index);
    let index = open(&path);
    assert_eq!(index.pins().await.unwrap(), [id(2), id(1)]);
    assert!(index.unpin(&id(2)).await.unwrap() && !index.unpin(&id(2)).await.unwrap());
    assert_eq!(index.pins().await.unwrap(), [id(1)]);
}

#[tokio::test]
async fn an_index_of_the_first_version_is_brought_forward() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let old = rusqlite::Connection::open(&path).unwrap();
    old.execute_batch(
        "CREATE TABLE queue (position INTEGER PRIMARY KEY AUTOINCREMENT, image_id TEXT NOT NULL UNIQUE,
             queued_at INTEGER NOT NULL, attempts INTEGER NOT NULL DEFAULT 0, retry_at INTEGER, last_error TEXT) STRICT;
         CREATE TABLE bases (base TEXT PRIMARY KEY, image_id TEXT, name TEXT, disk_format TEXT, checksum TEXT,
             hash_algorithm TEXT, hash_value TEXT, origin TEXT NOT NULL, since INTEGER NOT NULL,
             hits INTEGER NOT NULL DEFAULT 0, last_used INTEGER) STRICT, WITHOUT ROWID;
         INSERT INTO bases (base, origin, since, hits) VALUES ('x', 'fetched', 5, 3);
         PRAGMA user_version = 1;",
    )
    .unwrap();
    old.execute("INSERT INTO queue (image_id, queued_at) VALUES (?1, 7)", [id(1).as_str()]).unwrap();
    drop(old);
    let index = open(&path);
    let queue = index.queue().await.unwrap();
    assert_eq!((queue[0].id.clone(), queue[0].priority), (id(1), Priority::default()));
    let bases = index.bases().await.unwrap();
    assert_eq!((bases[0].hits, bases[0].origin, bases[0].gone_at), (3, Origin::Fetched, None));
    assert_eq!(index.pins().await.unwrap(), []);
    drop(index);
    open(&path);
}

#[tokio::test]
async fn it_is_noted_what_the_centre_has_no_more() {
    let folder = tempfile::tempdir().unwrap();
    let index = open(&folder.path().join("index.db"));
    for number in [1, 2] {
        index
            .note(vec![Known { id: Some(id(number)), ..Known::adopted(id(number).base_name(), now()) }])
            .await
            .unwrap();
    }
    let gone = async || {
        let mut all = index.bases().await.unwrap();
        all.sort_by_key(|it| it.id != Some(id(1)));
        all.into_iter().map(|it| it.gone_at).collect::<Vec<_>>()
    };
    index.at_centre(vec![id(1)], vec![id(2)], now()).await.unwrap();
    index.at_centre(vec![id(1)], vec![], now() + Duration::hours(1)).await.unwrap();
    assert_eq!(gone().await, [Some(now()), None], "since when it was first seen");
    index.at_centre(vec![], vec![id(1)], now()).await.unwrap();
    assert_eq!(gone().await, [None, None]);
}

#[tokio::test]
async fn a_damaged_index_is_set_aside() {
    for rubbish in [b"no database at all".to_vec(), vec![0xff; 8192]] {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.db");
        fs::write(&path, &rubbish).unwrap();
        let (index, notes) = Index::open(&path).unwrap();
        assert!(notes[0].contains("was damaged") && notes[0].contains("index.db.damaged-"), "{notes:?}");
        assert_eq!(index.queue().await.unwrap(), []);
        let kept =
            fs::read_dir(&folder).unwrap().flatten().find(|it| it.file_name().to_string_lossy().contains("damaged-"));
        assert_eq!(fs::read(kept.unwrap().path()).unwrap(), rubbish, "kept for whoever wants to look");
    }
}

/// With one image queued and one pinned, and a table missing.
async fn damage(path: &Path) {
    let index = open(path);
    index.enqueue(&id(7), Some(Priority::try_from(9).unwrap()), now()).await.unwrap();
    index.pin(&id(8), now()).await.unwrap();
    close(index, path).await;
    let connection = rusqlite::Connection::open(path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = DELETE; DROP TABLE bases;").unwrap();
}

async fn close(index: Index, path: &Path) {
    drop(index);
    // Its thread closes the file, and the last one to do so removes the log.
    while path.with_extension("db-wal").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
}

async fn assert_saved(index: &Index) {
    let queue = index.queue().await.unwrap();
    assert_eq!((queue[0].id.clone(), i32::from(queue[0].priority)), (id(7), 9));
    assert_eq!(index.pins().await.unwrap(), [id(8)]);
}

#[tokio::test]
async fn what_can_be_read_of_a_damaged_queue_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    damage(&path).await;
    let (index, notes) = Index::open(&path).unwrap();
    assert!(notes[0].contains("1 queued images and 1 pins saved"), "{notes:?}");
    assert_saved(&index).await;
}

#[tokio::test]
async fn a_crash_while_a_damaged_index_is_replaced_loses_nothing() {
    for crash in 0..5 {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("index.db");
        damage(&path).await;
        let rename = |from: &str, to: &str| fs::rename(folder.path().join(from), folder.path().join(to)).unwrap();
        // As far as it came.
        if crash == 0 {
            fs::write(folder.path().join("index.db.salvage"), "half").unwrap();
            fs::write(folder.path().join("index.db.salvage-journal"), "half").unwrap();
        } else {
            super::salvage::make(&path).unwrap();
            fs::write(folder.path().join("index.db-wal"), "the log of the old one").unwrap();
        }
        if crash >= 2 {
            rename("index.db", "index.db.damaged-1");
        }
        if crash >= 3 {
            rename("index.db-wal", "index.db.damaged-1-wal");
        }
        if crash == 4 {
            rename("index.db.salvaged", "index.db");
        }
        let (index, notes) = Index::open(&path).unwrap();
        assert_eq!(notes.len(), usize::from(crash < 4), "{crash}: {notes:?}");
        assert_saved(&index).await;
        close(index, &path).await;
        assert_saved(&open(&path)).await;
        let names: Vec<_> = fs::read_dir(&folder).unwrap().map(|it| it.unwrap().file_name()).collect();
        assert!(names.iter().all(|it| !it.to_string_lossy().contains("salvage")), "{crash}: {names:?}");
    }
}

#[tokio::test]
async fn an_index_of_an_earlier_version_is_brought_up_and_keeps_all() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch(super::open::SCHEMA).unwrap();
    let insert = "INSERT INTO bases (base, origin, since, hits) VALUES (?1, 'fetched', 1800000000123, 3)";
    connection.execute(insert, [id(1).base_name()]).unwrap();
    connection.execute("INSERT INTO queue (image_id, queued_at) VALUES (?1, 5)", [id(2).as_str()]).unwrap();
    connection.pragma_update(None, "user_version", 1).unwrap();
    drop(connection);

    let index = open(&path);
    assert_eq!(index.queue().await.unwrap()[0].id, id(2));
    let old = Known { origin: Origin::Fetched, hits: 3, ..Known::adopted(id(1).base_name(), now()) };
    assert_eq!(index.bases().await.unwrap(), std::slice::from_ref(&old));
    let verified = Verified { at: now(), how: How::Scrubbed, damage: Some("a bit".to_owned()), blake3: None };
    index.verified(old.base.clone(), verified.clone()).await.unwrap();
    let noted = Known { verified: Some(verified), ..old.clone() };
    assert_eq!(index.bases().await.unwrap(), std::slice::from_ref(&noted));
    // Being found again does not undo that; being fetched again does.
    index.note(vec![old.clone()]).await.unwrap();
    assert_eq!(index.bases().await.unwrap(), [noted]);
    let fetched = Some(Verified { at: now(), how: How::Fetched, damage: None, blake3: Some("af13".to_owned()) });
    index.arrived(Known { verified: fetched.clone(), ..old.clone() }).await.unwrap();
    assert_eq!(index.bases().await.unwrap()[0].verified, fetched);
}

#[test]
fn a_newer_index_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Index::open(&path).unwrap_err().to_string();
    assert!(error.contains("has version 99"), "{error}");
}

#[tokio::test]
async fn the_fleets_work_survives_as_it_was() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let index = open(&path);
    let taken = Taken {
        job: JobId::from_random(5),
        image: id(1),
        action: Action::Pin,
        priority: -7,
        begun_at: Some(now()),
        existed: true,
        attempts: 3,
        outcome: Some(Outcome::Failed),
        why: Some("no room".to_owned()),
        told: true,
        closed: false,
    };
    let fresh = Taken { image: id(2), begun_at: None, outcome: None, why: None, told: false, ..taken.clone() };
    index.put_work(vec![taken.clone(), fresh.clone()], Vec::new()).await.unwrap();
    index.set_fact(Fact::Session, Some("secret".to_owned())).await.unwrap();
    drop(index);

    let index = open(&path);
    let mut work = index.work().await.unwrap();
    work.sort_by_key(|it| it.image != id(1));
    assert_eq!(work, [taken.clone(), fresh.clone()]);
    assert_eq!(index.fact(Fact::Session).await.unwrap().as_deref(), Some("secret"));
    let done = Taken { outcome: Some(Outcome::Done), why: None, closed: true, ..fresh };
    index.put_work(vec![done.clone()], vec![(taken.job, taken.image)]).await.unwrap();
    assert_eq!(index.work().await.unwrap(), [done]);
    index.set_fact(Fact::Session, None).await.unwrap();
    assert_eq!(index.fact(Fact::Session).await.unwrap(), None);
}
