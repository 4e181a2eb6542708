//! Servers that have no room: quotas of containers and accounts, and disks that are full.

use super::{
    keepers,
    keystone::ways_in,
    look::{self, ADMIN, KEEPER, Look, Person},
    site,
    site::{delete, options, show},
};
use crate::{
    api::Server,
    stores::network::{LIMITS, get, id, put},
    stores::s3::site::{block_on, noise},
    support::{
        rig::{self, PASSWORD},
        wait_until,
    },
};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use larder::store::{IngestError, StoreError, ingest, open};
use serde_json::json;
use std::{io, time::Duration};

#[test]
fn over_a_quota_an_upload_is_refused_and_leaves_nothing() {
    let Some(site) = rig::swift_under_keystone() else { return };
    let (look, folder) = (Look::of(site, KEEPER), tempfile::tempdir().unwrap());
    let mut server = Server::with(&options("quota", folder.path(), &ways_in(site)));
    let data = noise(9 << 20, 35);
    let other = server.upload(b"some data");
    let limited = |bytes: &str| block_on(look.ask("POST", "quota", &[("X-Container-Meta-Quota-Bytes", bytes)], "")).0;
    assert_eq!(limited("20"), 204);
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    server.put_file(&id, &[], &data[..100]).refuses(413, "");
    assert_eq!(show(&server, &id)["status"], "queued");
    // There is room for a byte: segments go in until the server has counted them.
    assert_eq!(limited("9"), 204);
    server.put_file(&id, &[], &data).refuses(413, "");
    assert_eq!(show(&server, &id)["status"], "queued");
    server.daemon.wait_for_log("quota");
    assert_eq!(limited(""), 204);
    assert_eq!(server.put_file(&id, &[], &data).status, 204);
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    delete(&server, &id);
    delete(&server, &other);
    block_on(look.soon_empty("quota"));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_quota_that_is_reached_on_the_way_ends_the_upload() {
    let Some(site) = site().await else { return };
    let (look, store) = (Look::of(site, KEEPER), open(&keepers(site, "reached")).unwrap());
    let (first, id, data) = (id(), id(), noise(14 << 20, 36));
    put(&*store, &first, b"first").await.unwrap();
    let look = &look;
    let pieces = stream::iter(data.chunks(400_000).map(Bytes::copy_from_slice).enumerate());
    let pieces = pieces.then(|(at, piece)| async move {
        if at == 15 {
            // A segment is there, and counts.
            let limit = [("X-Container-Meta-Quota-Bytes", "1000")];
            assert_eq!(look.ask("POST", "reached", &limit, "").await.0, 204);
        }
        Ok::<_, io::Error>(piece)
    });
    let error = ingest(Box::pin(pieces), &*store, &id, LIMITS).await.map(drop).unwrap_err();
    let IngestError::Store(StoreError::NoRoom { what, .. }) = &error else { panic!("{error:?}") };
    assert!(what.contains("413") && what.contains("quota"), "{what}");
    store.remove(&store.url(&first)).await.unwrap();
    look.soon_empty("reached").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_quota_of_an_account_counts_too() {
    let Some(site) = site().await else { return };
    // Of its own: what counts is the whole account.
    let other = Person { project: "alt_demo", name: "alt_demo", password: PASSWORD, domain: "Default" };
    let look = Look::of(site, other);
    let mut settings = keepers(site, "account");
    settings.swift.user = "alt_demo:alt_demo".to_owned();
    settings.swift.key = PASSWORD.into();
    let (store, first, id) = (open(&settings).unwrap(), id(), id());
    put(&*store, &first, b"first").await.unwrap();
    let limited = async |bytes: &str| {
        let token = look::log_in(site, ADMIN).await.text;
        let request = reqwest::Client::new().post(look.storage().await).header("X-Auth-Token", token);
        let request = request.header("X-Account-Meta-Quota-Bytes", bytes).header("Content-Length", 0);
        assert_eq!(request.send().await.unwrap().status(), 204);
    };
    limited("10").await;
    let error = put(&*store, &id, &[7; 100]).await.unwrap_err();
    let IngestError::Store(StoreError::NoRoom { what, .. }) = &error else { panic!("{error:?}") };
    assert!(what.contains("413"), "{what}");
    limited("").await;
    put(&*store, &id, &[7; 100]).await.unwrap();
    assert_eq!(get(&*store, &store.url(&id), 100).await.unwrap(), [7; 100]);
    for id in [first, id] {
        store.remove(&store.url(&id)).await.unwrap();
    }
    look.soon_empty("account").await;
}

#[test]
fn where_the_disks_are_full_an_upload_fails_and_leaves_nothing() {
    let Some(site) = rig::swift_on_full_disks() else { return };
    let (look, folder) = (Look::of(&site, KEEPER), tempfile::tempdir().unwrap());
    let endpoint = format!("swift_store_endpoint = {}\n", block_on(look.storage()));
    let server = Server::with(&options("full", folder.path(), &(ways_in(&site) + &endpoint)));
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let data = noise(9 << 20, 37);
    for data in [&data[..100], &data] {
        server.put_file(&id, &[], data).refuses(503, "");
        wait_until("the upload is undone", Duration::from_secs(120), || show(&server, &id)["status"] == "queued");
        block_on(look.soon_empty("full"));
    }
    let log = server.daemon.log();
    assert!(log.contains("the server answers 503"), "{log}");
}
