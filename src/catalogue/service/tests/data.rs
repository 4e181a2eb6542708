use super::{Fixture, fixture, project, raw, read_all, settings, upload};
use crate::catalogue::service::{BoxError, Fault, Service, Upload};
use crate::identity::Caller;
use crate::image::{Image, ImageId, NewImage, Status};
use crate::store::{self, Backend};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use std::time::Duration;

/// Queued as before, and nothing in the store.
async fn assert_untouched(fixture: &Fixture, before: &Image) {
    let image = fixture.show(&before.id).await;
    assert_eq!(Image { updated_at: before.updated_at, ..image }, *before);
    fixture.assert_no_bytes().await;
    assert_eq!(fixture.count("SELECT count(*) FROM larder_uploads"), 0);
    assert!(fixture.service.uploading().is_empty());
}

#[tokio::test]
async fn what_goes_in_comes_out() {
    let fixture = fixture().await;
    let image = fixture.queued().await;
    assert!(read_all(&fixture.service, &Caller::admin(), &image.id).await.is_none());
    let data: Vec<u8> = (0..300_000_u32).map(|n| (n % 251) as u8).collect();
    fixture.put(&image.id, &data).await.unwrap();
    let image = fixture.show(&image.id).await;
    assert_eq!((image.status, image.size, image.virtual_size), (Status::Active, Some(300_000), Some(300_000)));
    assert_eq!(image.os_hash_algo.as_deref(), Some("sha512"));
    assert_eq!((image.checksum.unwrap().len(), image.os_hash_value.unwrap().len()), (32, 128));
    assert_eq!(image.locations[0].url, format!("file://{}", fixture.file(&image.id).display()));
    assert_eq!(read_all(&fixture.service, &Caller::admin(), &image.id).await.unwrap(), data);
    let download = fixture.service.download(&Caller::admin(), &image.id).await.unwrap().unwrap();
    let part: Vec<Bytes> = download.read(100..200).await.unwrap().try_collect().await.unwrap();
    assert_eq!(part.concat(), data[100..200]);
    assert!(matches!(fixture.put(&image.id, &data).await, Err(Fault::Conflict(_))));
    fixture.service.delete(&Caller::admin(), &image.id).await.unwrap();
    fixture.assert_no_bytes().await;
    assert_eq!(fixture.count("SELECT count(*) FROM image_locations WHERE status = 'deleted' AND deleted = 1"), 1);
}

#[tokio::test]
async fn no_bytes_make_an_active_image_of_size_0() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    fixture.put(&id, b"").await.unwrap();
    let image = fixture.show(&id).await;
    assert_eq!((image.status, image.size, image.virtual_size), (Status::Active, Some(0), None));
}

#[tokio::test]
async fn refused_data_leaves_nothing() {
    let fixture = fixture().await;
    let before = fixture.queued().await;
    let new = NewImage { disk_format: Some("qcow2".into()), ..raw() };
    let declared = fixture.service.create(&Caller::admin(), new).await.unwrap();
    assert!(matches!(fixture.put(&declared.id, b"no qcow2").await, Err(Fault::UnsupportedMedia(_))));
    assert_untouched(&fixture, &declared).await;
    for expected in [5, 50] {
        let wrong = Upload { expected: Some(expected), ..upload(b"ten  bytes") };
        assert!(matches!(fixture.service.upload(&Caller::admin(), &before.id, wrong).await, Err(Fault::Invalid(_))));
        assert_untouched(&fixture, &before).await;
    }
    // It works afterwards.
    fixture.put(&before.id, b"data").await.unwrap();
}

#[tokio::test]
async fn data_goes_to_no_other_store_than_was_chosen() {
    let dir = tempfile::tempdir().unwrap();
    let into = |store: &str| Upload { store: Some(store.to_owned()), ..upload(b"data") };
    let admin = Caller::admin();
    let mut settings = settings(dir.path());
    let service = Service::open(settings.clone()).await.unwrap();
    let id = service.create(&admin, raw()).await.unwrap().id;
    service.upload(&admin, &id, into("whatever")).await.unwrap();
    let backend = |id: &str, kind: &str| Backend {
        id: id.to_owned(),
        description: String::new(),
        weight: 0,
        settings: store::Settings { default_store: kind.to_owned(), ..settings.store.clone() },
    };
    settings.store = store::Settings {
        backends: vec![backend("near", "file"), backend("web", "http")],
        default_backend: "near".to_owned(),
        ..settings.store
    };
    let service = Service::open(settings).await.unwrap();
    let id = service.create(&admin, raw()).await.unwrap().id;
    assert!(matches!(service.upload(&admin, &id, into("web")).await, Err(Fault::Gone(_))));
    let Err(Fault::Invalid(words)) = service.upload(&admin, &id, into("far")).await else { panic!() };
    assert_eq!(words, "There is no store 'far' that takes uploads; there is 'near'.");
    service.upload(&admin, &id, into("near")).await.unwrap();
}

#[tokio::test]
async fn formats_come_before_data() {
    let fixture = fixture().await;
    let before = fixture.service.create(&Caller::admin(), NewImage::default()).await.unwrap();
    assert!(matches!(fixture.put(&before.id, b"x").await, Err(Fault::Invalid(_))));
    assert_untouched(&fixture, &before).await;
}

#[tokio::test]
async fn a_body_that_breaks_off_leaves_nothing() {
    let fixture = fixture().await;
    let before = fixture.queued().await;
    let broken: Vec<Result<Bytes, BoxError>> = vec![Ok(Bytes::from(vec![7; 3 << 20])), Err("cable cut".into())];
    let upload = Upload { body: stream::iter(broken).boxed(), expected: None, store: None };
    assert!(matches!(fixture.service.upload(&Caller::admin(), &before.id, upload).await, Err(Fault::Invalid(_))));
    assert_untouched(&fixture, &before).await;
}

#[tokio::test]
async fn a_caller_that_goes_away_leaves_nothing_half_made() {
    let fixture = fixture().await;
    let before = fixture.queued().await;
    let (sender, body) = tokio::sync::mpsc::channel::<Result<Bytes, BoxError>>(1);
    let body = stream::unfold(body, |mut it| async { it.recv().await.map(|piece| (piece, it)) }).boxed();
    let (service, id) = (fixture.service.clone(), before.id.clone());
    let request = tokio::spawn(async move {
        service.upload(&Caller::admin(), &id, Upload { body, expected: Some(9), store: None }).await
    });
    sender.send(Ok(Bytes::from_static(b"data"))).await.unwrap();
    while fixture.show(&before.id).await.status != Status::Saving {
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    // A second upload of the same image is refused, and does not disturb the first.
    assert!(matches!(fixture.put(&before.id, b"x").await, Err(Fault::Conflict(_))));
    request.abort();
    drop(sender);
    fixture.service.settle().await;
    assert_untouched(&fixture, &before).await;
}

#[tokio::test]
async fn an_image_deleted_during_its_upload_is_gone() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    let (service, other) = (fixture.service.clone(), id.clone());
    let pieces = stream::once(async move {
        service.delete(&Caller::admin(), &other).await?;
        Ok::<_, BoxError>(Bytes::from_static(b"too late"))
    });
    let upload = Upload { body: pieces.boxed(), expected: None, store: None };
    let fault = fixture.service.upload(&Caller::admin(), &id, upload).await.unwrap_err();
    assert!(matches!(fault, Fault::Gone(_)), "{fault:?}");
    fixture.assert_no_bytes().await;
    assert_eq!(fixture.count("SELECT count(*) FROM larder_uploads"), 0);
}

#[tokio::test]
async fn data_of_no_image_makes_room_for_an_upload() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    std::fs::write(fixture.file(&id), b"left by a crash").unwrap();
    fixture.put(&id, b"new").await.unwrap();
    assert_eq!(read_all(&fixture.service, &Caller::admin(), &id).await.unwrap(), b"new");
}

#[tokio::test]
async fn damaged_and_missing_data_is_not_served() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    fixture.put(&id, b"data").await.unwrap();
    std::fs::write(fixture.file(&id), b"dat").unwrap();
    assert!(matches!(fixture.service.download(&Caller::admin(), &id).await, Err(Fault::Unavailable(_))));
    std::fs::remove_file(fixture.file(&id)).unwrap();
    assert!(fixture.service.download(&Caller::admin(), &id).await.unwrap().is_none());
    fixture.service.delete(&Caller::admin(), &id).await.unwrap();
}

#[tokio::test]
async fn protected_images_stay() {
    let fixture = fixture().await;
    let new = NewImage { protected: true, owner: Some(Some("a".into())), ..raw() };
    let id: ImageId = fixture.service.create(&Caller::admin(), new).await.unwrap().id;
    for caller in [project("a"), Caller::admin()] {
        let fault = fixture.service.delete(&caller, &id).await.unwrap_err();
        assert!(matches!(&fault, Fault::Forbidden(text) if text.contains(id.as_str())), "{fault:?}");
    }
}
