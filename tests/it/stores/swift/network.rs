//! Bad networks between the store and its server, and tokens that are no longer good.

use super::{KEY, ask, objects, server, settings, soon_empty};
use crate::{
    stores::{
        network::{LIMITS, get, id, put},
        s3::site::noise,
    },
    support::chaos::{Chaos, Fault},
};
use bytes::Bytes;
use futures_util::stream;
use larder::store::{StoreError, ingest, open};
use std::{
    io,
    time::{Duration, Instant},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_goes_on() {
    let Some(direct) = server().await else { return };
    let chaos = Chaos::before(direct);
    let store = open(&settings(&chaos.url(), "broken")).unwrap();
    let (id, data) = (id(), noise((11 << 20) + 5, 21));
    put(&*store, &id, &data).await.unwrap();
    let url = store.url(&id);
    for _ in 0..3 {
        chaos.next([3 << 20, 4 << 20, 100, 2 << 20].map(Fault::CutAfter).into());
        assert!(get(&*store, &url, data.len() as u64).await.unwrap() == data);
    }
    chaos.next(vec![Fault::Refuse, Fault::CutAfter(0)]);
    store.remove(&url).await.unwrap();
    // Small data is sent again where the answer was lost.
    for _ in 0..4 {
        chaos.next([Fault::CutAfter(0), Fault::None, Fault::CutAfter(0), Fault::CutAfter(20)].into());
        put(&*store, &id, &data[..70_000]).await.unwrap();
        assert!(get(&*store, &url, 70_000).await.unwrap() == data[..70_000]);
        store.remove(&url).await.unwrap();
    }
    chaos.always(Fault::None);
    soon_empty(direct, "broken").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let Some(direct) = server().await else { return };
    let chaos = Chaos::before(direct);
    let store = open(&settings(&chaos.url(), "cut")).unwrap();
    let (id, data) = (id(), noise(11 << 20, 22));
    put(&*store, &id, b"warm").await.unwrap();
    store.remove(&store.url(&id)).await.unwrap();
    // The segments' own connections break: the data that went with them cannot be had again.
    let pieces =
        data.chunks(300_000).map(Bytes::copy_from_slice).map(Ok::<_, io::Error>).enumerate().map(|(at, it)| {
            if at == 20 {
                chaos.always(Fault::Refuse);
            }
            it
        });
    let broken = ingest(stream::iter(pieces), &*store, &id, LIMITS).await;
    let error = broken.map(drop).unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(!said.contains(KEY), "{said}");
    chaos.always(Fault::None);
    soon_empty(direct, "cut").await;
    put(&*store, &id, &data).await.unwrap();
    assert!(get(&*store, &store.url(&id), data.len() as u64).await.unwrap() == data);
    store.remove(&store.url(&id)).await.unwrap();
    soon_empty(direct, "cut").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_is_an_error_that_names_it_and_no_keys() {
    let Some(direct) = server().await else { return };
    let chaos = Chaos::before(direct);
    let store = open(&settings(&chaos.url(), "gone")).unwrap();
    let id = id();
    put(&*store, &id, b"data").await.unwrap();
    let url = store.url(&id);
    assert!(url.contains(KEY), "{url}");
    chaos.always(Fault::Refuse);
    let began = Instant::now();
    let errors = [
        store.size(&url).await.unwrap_err(),
        store.read(&url, 0..4).await.map(drop).unwrap_err(),
        store.remove(&url).await.unwrap_err(),
        store.write(&id, None).await.map(drop).unwrap_err(),
    ];
    assert!(began.elapsed() < Duration::from_secs(120), "{:?}", began.elapsed());
    for error in errors {
        let said = format!("{error} {error:?}");
        assert!(matches!(error, StoreError::Remote { .. }), "{said}");
        assert!(said.contains(&id.to_string()) && !said.contains(KEY), "{said}");
    }
    chaos.always(Fault::None);
    assert_eq!(get(&*store, &url, 4).await.unwrap(), b"data");
    store.remove(&url).await.unwrap();
    // A key that is wrong.
    let mut wrong = settings(direct, "gone");
    wrong.swift.key = "not the one".into();
    let wrong = open(&wrong).unwrap();
    let error = wrong.size(&wrong.url(&id)).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(
        said.contains("login") && said.contains("401") && !said.contains("not%20the") && !said.contains("not the one"),
        "{said}"
    );
    soon_empty(direct, "gone").await;
}

#[tokio::test]
async fn a_container_that_is_not_there_is_named() {
    let Some(direct) = server().await else { return };
    let mut settings = settings(direct, "there-is-none");
    settings.swift.create_container_on_put = false;
    let store = open(&settings).unwrap();
    let error = store.write(&id(), None).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("no container there-is-none") && error.contains("create_container_on_put"), "{error}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn static_large_objects_and_leftovers_of_killed_writers_are_removed() {
    let Some(direct) = server().await else { return };
    let store = open(&settings(direct, "left")).unwrap();
    let (one, two, other) = (id(), id(), id());
    put(&*store, &one, b"data").await.unwrap();
    store.remove(&store.url(&one)).await.unwrap();
    for name in [
        format!("{one}-00001"),
        format!("{one}_00112233445566ff-00001"),
        format!("{two}-00001"),
        "notes-00001".to_owned(),
    ] {
        assert_eq!(ask(direct, "PUT", &format!("left/{name}"), &[], "some").await.0, 201);
    }
    // Young ones of no known writer stay; those of a dead one go.
    store.tidy().await.unwrap();
    assert_eq!(objects(direct, "left").await.len(), 4);
    store.clear(&one).await.unwrap();
    let mut left = vec![format!("{two}-00001"), "notes-00001".to_owned()];
    left.sort();
    assert_eq!(objects(direct, "left").await, left);
    let manifest = format!("[{{\"path\": \"left/{two}-00001\", \"size_bytes\": 4}}]");
    let put_manifest = ask(direct, "PUT", &format!("left/{two}?multipart-manifest=put"), &[], &manifest).await;
    assert_eq!(put_manifest.0, 201, "{}", put_manifest.1);
    store.clear(&two).await.unwrap();
    let url = store.url(&two);
    assert_eq!(get(&*store, &url, 4).await.unwrap(), b"some");
    store.remove(&url).await.unwrap();
    // A manifest that names what is not the image's.
    let named = [("X-Object-Manifest", "left/notes-")];
    assert_eq!(ask(direct, "PUT", &format!("left/{other}"), &named, "").await.0, 201);
    store.remove(&store.url(&other)).await.unwrap();
    assert_eq!(objects(direct, "left").await, ["notes-00001"]);
    assert_eq!(ask(direct, "DELETE", "left/notes-00001", &[], "").await.0, 204);
}
