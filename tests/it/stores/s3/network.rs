//! Bad networks between the store and its server.

use super::{bucket, servers, settings, site::noise};
use crate::{
    stores::network::{get, id, put},
    support::{
        chaos::{Chaos, Fault},
        rig::S3,
    },
};
use larder::store::{Store, StoreError, open};
use std::time::{Duration, Instant};

/// A store behind a proxy, in a bucket of its own.
async fn behind(at: usize, name: &str) -> Option<(S3, Chaos, std::sync::Arc<dyn Store>)> {
    let servers = tokio::task::spawn_blocking(servers).await.unwrap()?;
    let (_, direct) = servers.into_iter().nth(at).unwrap();
    let chaos = Chaos::before(&direct.url);
    let store = open(&settings(&S3 { url: chaos.url(), ..direct.clone() }, name)).unwrap();
    Some((direct, chaos, store))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_breaks_off_goes_on_and_leaves_nothing() {
    let data = noise((17 << 20) + 5, 9);
    for at in [0, 1] {
        let Some((direct, chaos, store)) = behind(at, "broken").await else { return };
        let (id, len) = (id(), data.len() as u64);
        // Requests and answers are lost on the way: those of the bucket, of parts, of the end.
        for round in 0..6 {
            let lost = (0..8).map(|n| if (n + round) % 3 == 0 { Fault::CutAfter(0) } else { Fault::None });
            chaos.next(lost.chain([Fault::Refuse, Fault::CutAfter(20), Fault::None]).collect());
            put(&*store, &id, &data).await.unwrap();
            let url = store.url(&id);
            chaos.next([3 << 20, 4 << 20, 100, 5 << 20].map(Fault::CutAfter).into());
            assert!(get(&*store, &url, len).await.unwrap() == data);
            chaos.next(vec![Fault::Refuse, Fault::Refuse]);
            store.remove(&url).await.unwrap();
        }
        chaos.always(Fault::None);
        bucket::soon_empty(&direct, "broken").await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn silence_ends_and_reading_goes_on() {
    let Some((direct, chaos, store)) = behind(0, "silent").await else { return };
    let (id, data) = (id(), noise(9 << 20, 10));
    put(&*store, &id, &data).await.unwrap();
    let url = store.url(&id);
    let mut took = Duration::ZERO;
    // A spare connection of the client's pool may meet the fault in place of the one that the data comes by.
    for _ in 0..50 {
        chaos.next(vec![Fault::StallAfter(2 << 20)]);
        let began = Instant::now();
        assert!(get(&*store, &url, data.len() as u64).await.unwrap() == data);
        took = began.elapsed();
        if took > Duration::from_secs(40) {
            break;
        }
    }
    assert!((50..280).contains(&took.as_secs()), "{took:?}");
    store.remove(&url).await.unwrap();
    bucket::soon_empty(&direct, "silent").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_server_that_is_gone_is_an_error_that_names_it_and_no_keys() {
    let Some((direct, chaos, store)) = behind(0, "gone").await else { return };
    let id = id();
    put(&*store, &id, b"data").await.unwrap();
    let url = store.url(&id);
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
        assert!(said.contains(&url) && !said.contains(direct.secret), "{said}");
    }
    chaos.always(Fault::None);
    assert_eq!(get(&*store, &url, 4).await.unwrap(), b"data");
    store.remove(&url).await.unwrap();
    // Keys that are wrong.
    let wrong = S3 { secret: "not the one", ..direct.clone() };
    let error = open(&settings(&wrong, "gone")).unwrap().size(&url).await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(said.contains("s3_store_secret_key") && !said.contains("not the one"), "{said}");
    bucket::soon_empty(&direct, "gone").await;
}

#[tokio::test]
async fn a_bucket_that_is_not_there_is_named() {
    let Some((direct, _chaos, _)) = behind(1, "none").await else { return };
    let mut settings = settings(&direct, "there-is-none");
    settings.s3.create_bucket_on_put = false;
    let store = open(&settings).unwrap();
    let error = store.write(&id(), None).await.map(drop).unwrap_err().to_string();
    assert!(error.contains("there is no bucket there-is-none") && error.contains("create_bucket_on_put"), "{error}");
}
