use super::{Index, Known, Origin};
use crate::image::ImageId;
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
        assert!(index.enqueue(&id(number), now()).await.unwrap());
    }
    let retry = now() + Duration::minutes(5);
    index.failed(&id(3), "the catalogue is down".to_owned(), retry).await.unwrap();
    drop(index);

    let index = open(&path);
    let queue = index.queue().await.unwrap();
    assert_eq!(queue.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), [id(3), id(1), id(2)]);
    assert_eq!((queue[0].attempts, queue[0].retry_at), (1, Some(retry)));
    assert_eq!(queue[0].last_error.as_deref(), Some("the catalogue is down"));
    assert!(!index.enqueue(&id(3), now()).await.unwrap(), "once is enough");
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
    index.enqueue(&id(1), now()).await.unwrap();
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

#[tokio::test]
async fn what_can_be_read_of_a_damaged_queue_is_saved() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    let index = open(&path);
    index.enqueue(&id(7), now()).await.unwrap();
    drop(index);
    // Its thread closes the file, and the last one to do so removes the log.
    while path.with_extension("db-wal").exists() {
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    let connection = rusqlite::Connection::open(&path).unwrap();
    connection.execute_batch("PRAGMA journal_mode = DELETE; DROP TABLE bases;").unwrap();
    drop(connection);

    let (index, notes) = Index::open(&path).unwrap();
    assert!(notes[0].contains("1 queued images saved"), "{notes:?}");
    assert_eq!(index.queue().await.unwrap()[0].id, id(7));
}

#[test]
fn a_newer_index_is_refused() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("index.db");
    rusqlite::Connection::open(&path).unwrap().pragma_update(None, "user_version", 99).unwrap();
    let error = Index::open(&path).unwrap_err().to_string();
    assert!(error.contains("has version 99"), "{error}");
}
