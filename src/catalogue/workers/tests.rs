//! What a kill leaves, and what the next start makes of it.

use super::{recover, recover::beat};
use crate::catalogue::service::{
    Service,
    tests::{Fixture, fixture, read_all, settings, upload},
};
use crate::identity::Caller;
use crate::image::{ImageId, Status};
use std::time::Duration;

/// An image as a process leaves it that is killed at this step of an upload.
async fn killed_at(fixture: &Fixture, announced: bool, renamed: bool) -> ImageId {
    let id = fixture.queued().await.id;
    let url = format!("file://{}", fixture.file(&id).display());
    fixture.sql(&format!("UPDATE images SET status = 'saving' WHERE id = '{id}'"));
    fixture.sql(
        "INSERT OR IGNORE INTO larder_processes (id, host, pid, pid_started, beat_at)
         VALUES ('dead', 'another machine', 1, 1, '2026-01-01 00:00:00.000000')",
    );
    let url_column = if announced { format!("'{url}'") } else { "NULL".to_owned() };
    fixture.sql(&format!(
        "INSERT INTO larder_uploads (image_id, process_id, url, started_at)
         VALUES ('{id}', 'dead', {url_column}, '2026-01-01 00:00:00.000000')"
    ));
    if renamed {
        std::fs::write(fixture.file(&id), b"complete, but of no image").unwrap();
    }
    id
}

#[tokio::test]
async fn broken_uploads_are_undone_at_every_step() {
    let fixture = fixture().await;
    let mut ids = Vec::new();
    for (announced, renamed) in [(false, false), (true, false), (true, true)] {
        ids.push(killed_at(&fixture, announced, renamed).await);
    }
    let next = Service::open(settings(fixture.dir.path())).await.unwrap();
    recover(&next).await.unwrap();
    fixture.assert_no_bytes().await;
    assert_eq!(fixture.count("SELECT count(*) FROM larder_uploads"), 0);
    assert_eq!(fixture.count("SELECT count(*) FROM larder_processes WHERE id = 'dead'"), 0);
    for id in ids {
        let image = fixture.show(&id).await;
        assert_eq!((image.status, image.size), (Status::Queued, None));
        next.upload(&Caller::admin(), &id, upload(b"again")).await.unwrap();
        assert_eq!(read_all(&next, &Caller::admin(), &id).await.unwrap(), b"again");
    }
}

#[tokio::test]
async fn an_image_deleted_meanwhile_stays_deleted_and_its_object_goes() {
    let fixture = fixture().await;
    let id = killed_at(&fixture, true, true).await;
    fixture.service.delete(&Caller::admin(), &id).await.unwrap();
    recover(&fixture.service).await.unwrap();
    fixture.assert_no_bytes().await;
    assert_eq!(fixture.count("SELECT count(*) FROM images WHERE status = 'deleted'"), 1);
}

#[tokio::test]
async fn the_living_are_left_alone() {
    let fixture = fixture().await;
    let id = killed_at(&fixture, true, true).await;
    let now = chrono::Utc::now().format("%Y-%m-%d %H:%M:%S%.6f");
    fixture.sql(&format!("UPDATE larder_processes SET beat_at = '{now}'"));
    recover(&fixture.service).await.unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Saving);
    assert_eq!(fixture.files(), [id.to_string()]);
    // On this very machine the process itself is asked for: this one runs, however old its beat is.
    let me = fixture.service.process();
    fixture.sql(&format!(
        "UPDATE larder_processes SET host = '{}', pid = {}, pid_started = {}, beat_at = '2026-01-01 00:00:00.000000'",
        me.host, me.pid, me.pid_started
    ));
    recover(&fixture.service).await.unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Saving);
    // The number was given to another process since.
    fixture.sql("UPDATE larder_processes SET pid_started = pid_started + 1, beat_at = '2100-01-01 00:00:00.000000'");
    recover(&fixture.service).await.unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Queued);
}

#[tokio::test]
async fn own_uploads_are_left_alone_while_they_run() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    let (sender, body) = tokio::sync::mpsc::channel::<Result<bytes::Bytes, crate::catalogue::service::BoxError>>(1);
    let body = futures_util::stream::unfold(body, |mut it| async { it.recv().await.map(|piece| (piece, it)) });
    let upload = crate::catalogue::service::Upload { body: Box::pin(body), expected: None, store: None };
    let (service, other) = (fixture.service.clone(), id.clone());
    let request = tokio::spawn(async move { service.upload(&Caller::admin(), &other, upload).await });
    while fixture.show(&id).await.status != Status::Saving {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    recover(&fixture.service).await.unwrap();
    beat(&fixture.service).await.unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Saving);
    sender.send(Ok(bytes::Bytes::from_static(b"data"))).await.unwrap();
    drop(sender);
    request.await.unwrap().unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Active);
}

#[tokio::test]
async fn an_upload_that_was_taken_over_does_not_become_active() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    let (dir, other) = (fixture.dir.path().to_owned(), id.clone());
    let pieces = futures_util::stream::once(async move {
        let raw = rusqlite::Connection::open(dir.join("catalogue.sqlite"))?;
        raw.execute("UPDATE larder_processes SET beat_at = '2026-01-01 00:00:00.000000', host = 'far'", [])?;
        let next = Service::open(settings(&dir)).await?;
        recover(&next).await?;
        next.upload(&Caller::admin(), &other, upload(b"the other's")).await?;
        Ok(bytes::Bytes::from_static(b"mine"))
    });
    let late = crate::catalogue::service::Upload { body: Box::pin(pieces), expected: None, store: None };
    assert!(fixture.service.upload(&Caller::admin(), &id, late).await.is_err());
    assert_eq!(read_all(&fixture.service, &Caller::admin(), &id).await.unwrap(), b"the other's");
}

#[tokio::test]
async fn data_that_could_not_be_removed_is_removed_later() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    fixture.put(&id, b"data").await.unwrap();
    // Nobody removes a folder as a file, not even root.
    std::fs::remove_file(fixture.file(&id)).unwrap();
    std::fs::create_dir(fixture.file(&id)).unwrap();
    fixture.service.delete(&Caller::admin(), &id).await.unwrap();
    let waiting = "SELECT count(*) FROM image_locations WHERE status = 'pending_delete'";
    assert_eq!(fixture.count(waiting), 1);
    std::fs::remove_dir(fixture.file(&id)).unwrap();
    std::fs::write(fixture.file(&id), b"data").unwrap();
    fixture.service.remove_leftovers(None).await.unwrap();
    assert_eq!((fixture.count(waiting), fixture.files().len()), (0, 0));
}
