//! Uploads: with and without a known length, refused, broken on either side.

use super::{at, body, noise, open, quick, register, told, whole};
use crate::support::{
    chaos::{Chaos, Fault},
    rig,
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use larder::remote::{RemoteError, Settings};
use std::{
    io,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

#[tokio::test]
async fn data_arrives_with_and_without_a_length() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let data = noise(3_000_000);
    for len in [Some(3_000_000), None] {
        let id = register(&catalogue, "upload").await;
        let sent = Arc::new(AtomicU64::new(0));
        let told = sent.clone();
        catalogue.upload(&id, body(&data), len, move |bytes| told.store(bytes, Ordering::SeqCst)).await.unwrap();
        assert_eq!(sent.load(Ordering::SeqCst), 3_000_000);
        let image = catalogue.image(&id).await.unwrap();
        assert_eq!((image.status.as_str(), image.size), ("active", Some(3_000_000)));
        assert!(whole(&catalogue, &id).await == data);
        let again = catalogue.upload(&id, body(&data), len, |_| ()).await.unwrap_err();
        assert!(!again.is_transient() && again.to_string().contains("the image is active"), "{again}");
    }
}

#[tokio::test]
async fn data_that_fails_here_leaves_the_image_queued() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let id = register(&catalogue, "broken here").await;
    let data = noise(2_000_000);
    let broken = || body(&data).take(20).chain(stream::iter([Err(io::Error::other("bad sector"))]));
    let error = upload(&catalogue, &id, broken, Some(2_000_000)).await.unwrap_err();
    assert!(matches!(error, RemoteError::Source { .. }) && !error.is_transient(), "{error:?}");
    assert_eq!(told(&error), format!("uploading image {id}: reading the data to send failed: bad sector"));
    queued_again(&catalogue, &id).await;
    // 2,000,000 in pieces of 50,000: too long by a piece, by less, and too short.
    for len in [1_950_000, 1_999_999, 2_000_001] {
        let error = upload(&catalogue, &id, || body(&data), Some(len)).await.unwrap_err();
        assert!(told(&error).contains(&format!("it should have {len} bytes and has ")), "{error:?}");
        queued_again(&catalogue, &id).await;
    }
    upload(&catalogue, &id, || body(&data), None).await.unwrap();
}

/// Uploads once Glance is done with a broken upload before it, of which it may hear late: then the image was still queued
/// a moment ago.
async fn upload<S>(
    catalogue: &larder::remote::Catalogue,
    id: &larder::image::ImageId,
    data: impl Fn() -> S,
    len: Option<u64>,
) -> Result<(), RemoteError>
where
    S: futures_util::Stream<Item = io::Result<Bytes>> + Send + 'static,
{
    for _ in 0..1200 {
        match catalogue.upload(id, data(), len, |_| ()).await {
            Err(error)
                if ["the image is saving", "from saving to saving"].iter().any(|it| told(&error).contains(it)) =>
            {
                tokio::time::sleep(Duration::from_millis(100)).await;
            }
            other => return other,
        }
    }
    panic!("Glance is never done with the upload before");
}

/// Glance notices a broken upload when it reads on.
async fn queued_again(catalogue: &larder::remote::Catalogue, id: &larder::image::ImageId) {
    for _ in 0..1200 {
        if catalogue.image(id).await.unwrap().status == "queued" {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("the image is {}", catalogue.image(id).await.unwrap().status);
}

#[tokio::test]
async fn a_server_that_stops_reading_is_not_waited_for() {
    let Some(glance) = rig::open_glance() else { return };
    let id = register(&open(glance), "stall").await;
    let proxy = Chaos::before(&glance.url);
    // Less than the 4 s after which uWSGI itself gives up.
    let settings = Settings { read_timeout: Duration::from_secs(2), ..quick() };
    let catalogue = at(&proxy.url(), settings);
    // The first connection is for the question whether the image is queued.
    proxy.next(vec![Fault::None, Fault::StallUpload(100_000)]);
    let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 65536]))).take(1000);
    let error = catalogue.upload(&id, endless, None, |_| ()).await.unwrap_err();
    assert!(error.is_transient() && told(&error).contains("nothing moved for"), "{}", told(&error));

    // It has everything and says nothing.
    queued_again(&open(glance), &id).await;
    let settings = Settings { finish_timeout: Duration::from_millis(700), ..quick() };
    let catalogue = at(&proxy.url(), settings);
    let data = || {
        proxy.next(vec![Fault::None, Fault::StallAfter(0)]);
        body(&noise(1000))
    };
    let error = upload(&catalogue, &id, data, Some(1000)).await.unwrap_err();
    assert!(error.is_transient() && told(&error).contains("nothing moved for"), "{}", told(&error));
}

#[tokio::test]
async fn the_servers_reason_is_told_even_when_it_does_not_read_on() {
    let Some(glance) = rig::open_glance() else { return };
    let id = register(&open(glance), "refused").await;
    let proxy = Chaos::before(&glance.url);
    let catalogue = at(&proxy.url(), quick());
    let full = r#"{"message": "There is not enough disk space on the image storage media."}"#;
    let answer = format!("HTTP/1.1 413 Too Large\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{full}", full.len());
    proxy.next(vec![Fault::None, Fault::Answer(answer)]);
    let endless = stream::repeat_with(|| Ok::<_, io::Error>(Bytes::from_static(&[0; 65536]))).take(2000);
    let error = catalogue.upload(&id, endless, None, |_| ()).await.unwrap_err();
    assert!(told(&error).contains("413 Payload Too Large: There is not enough disk space"), "{}", told(&error));
    assert!(!error.is_transient());
}

#[tokio::test]
async fn content_that_is_not_its_format_is_refused_with_glances_words() {
    let Some(glance) = rig::open_glance() else { return };
    let catalogue = open(glance);
    let image = serde_json::json!({"name": "liar", "disk_format": "qcow2", "container_format": "bare"});
    let id = catalogue.create(&image).await.unwrap().id.parse().unwrap();
    let data = noise(500_000);
    let error = catalogue.upload(&id, body(&data), Some(500_000), |_| ()).await.unwrap_err();
    assert!(told(&error).contains("415") && !error.is_transient(), "{}", told(&error));
}
