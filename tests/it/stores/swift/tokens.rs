//! Tokens that end, or are revoked, while data is on its way.

use super::{
    keepers,
    look::{self, KEEPER, Look, Person},
    site,
};
use crate::{
    stores::network::{LIMITS, get, id, put},
    stores::s3::site::noise,
    support::{
        chaos::{Chaos, Fault},
        rig::{self, SHORT_LIFE, SwiftSite},
    },
};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream};
use larder::{
    image::ImageId,
    store::{Store, ingest, open},
};
use reqwest::{Client, Method};
use serde_json::json;
use std::{
    io,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;

/// Whose tokens live for some seconds.
async fn hasty() -> Option<&'static SwiftSite> {
    tokio::task::spawn_blocking(rig::swift_with_short_tokens).await.unwrap()
}

/// A store that logs in through a proxy, which counts the logins: Keystone closes each connection after its answer.
fn counted(site: &SwiftSite, container: &str, soon: u64) -> (Arc<dyn Store>, Chaos) {
    let logins = Chaos::before(&site.auth_url);
    let mut settings = keepers(site, container);
    settings.swift.auth_address = format!("{}/v3", logins.url());
    settings.swift.expire_soon_interval = soon;
    (open(&settings).unwrap(), logins)
}

/// Data of a client that sends a piece now and then; before some of them, something happens.
async fn put_slowly<F: Future<Output = ()> + Send>(
    store: &dyn Store,
    id: &ImageId,
    data: &[u8],
    before: impl Fn(usize) -> F + Send + Sync,
) {
    let pieces = stream::iter(data.chunks(400_000).map(Bytes::copy_from_slice).enumerate());
    let pieces = pieces.then(|(at, piece)| {
        let happens = before(at);
        async move {
            happens.await;
            Ok::<_, io::Error>(piece)
        }
    });
    let staged = ingest(Box::pin(pieces), store, id, LIMITS).await.unwrap();
    staged.commit().await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn long_uploads_and_downloads_outlive_their_tokens() {
    let Some(site) = hasty().await else { return };
    let life = Duration::from_secs(SHORT_LIFE.into());
    let data = noise(20 << 20, 33);
    // Renewed half of their lives before their ends, or as late as can be.
    for soon in [60, 0] {
        let (store, logins) = counted(site, "slow", soon);
        let id = id();
        let began = Instant::now();
        put_slowly(&*store, &id, &data, |_| sleep(life * 3 / 50)).await;
        let lives = u32::try_from(began.elapsed().as_secs()).unwrap() / SHORT_LIFE;
        assert!(lives >= 3 && logins.connections() >= 3, "{} logins in {lives} lives", logins.connections());
        // The server breaks off again and again, and the reader takes its time.
        let broken = Chaos::before(&site.url);
        let mut settings = keepers(site, "slow");
        settings.swift.auth_address = format!("{}/v3", logins.url());
        settings.swift.expire_soon_interval = soon;
        settings.swift.endpoint = Look::of(site, KEEPER).storage().await.replace(&site.url, &broken.url());
        let reader = open(&settings).unwrap();
        broken.always(Fault::CutAfter(3 << 20));
        let (before, began) = (logins.connections(), Instant::now());
        let url = store.url(&id).replace(&site.auth_url, &logins.url());
        let mut blocks = reader.read(&url, 0..data.len() as u64).await.unwrap();
        let (mut read, mut pauses) = (Vec::new(), 0);
        while let Some(block) = blocks.try_next().await.unwrap() {
            read.extend_from_slice(&block);
            if read.len() / (2 << 20) > pauses {
                pauses += 1;
                sleep(life * 2 / 5).await;
            }
        }
        assert!(read == data);
        let lives = u32::try_from(began.elapsed().as_secs()).unwrap() / SHORT_LIFE;
        assert!(lives >= 3 && logins.connections() - before >= 3, "{} logins", logins.connections() - before);
        store.remove(&url).await.unwrap();
    }
    Look::of(site, KEEPER).soon_empty("slow").await;
}

/// A user of its own in the keeper's project, so that nobody else's tokens are revoked with its own.
async fn somebody(site: &SwiftSite) -> (String, String) {
    let name = format!("fleeting-{:08x}", rand::random::<u32>());
    let body = json!({"user": {"name": name, "password": "short-lived", "domain_id": "default"}});
    let made = look::keystone(site, Method::POST, "users", &body).await;
    let user = made["user"]["id"].as_str().unwrap().to_owned();
    let project = look::log_in(site, KEEPER).await.says["token"]["project"]["id"].clone();
    let roles = look::keystone(site, Method::GET, "roles?name=member", &json!({})).await;
    let path = format!(
        "projects/{}/users/{user}/roles/{}",
        project.as_str().unwrap(),
        roles["roles"][0]["id"].as_str().unwrap()
    );
    look::keystone(site, Method::PUT, &path, &json!({})).await;
    (name, user)
}

/// Whether Swift takes this token.
async fn is_good(storage: &str, token: &str) -> bool {
    let answer = Client::new().head(storage).header("X-Auth-Token", token).send().await.unwrap();
    match answer.status().as_u16() {
        401 => false,
        status => {
            assert!((200..300).contains(&status), "{status}");
            true
        }
    }
}

/// Takes all tokens of a user away; those that it gets from now on are good.
async fn revoke(site: &SwiftSite, name: &str, user: &str) {
    let who = Person { name, password: "short-lived", ..KEEPER };
    let storage = Look::of(site, who).storage().await;
    let old = look::log_in(site, who).await.text;
    assert!(is_good(&storage, &old).await);
    for enabled in [false, true] {
        let path = format!("users/{user}");
        look::keystone(site, Method::PATCH, &path, &json!({"user": {"enabled": enabled}})).await;
    }
    assert!(!is_good(&storage, &old).await);
    // Tokens of the second of the revocation are revoked with the others.
    while !is_good(&storage, &look::log_in(site, who).await.text).await {
        sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_token_that_is_revoked_on_the_way_is_followed_by_one_login() {
    let Some(site) = site().await else { return };
    let (name, user) = somebody(site).await;
    let (logins, swift) = (Chaos::before(&site.auth_url), Chaos::before(&site.url));
    let mut settings = keepers(site, "revoked");
    settings.swift.auth_address = format!("{}/v3", logins.url());
    settings.swift.user = format!("pictures:{name}");
    settings.swift.key = "short-lived".into();
    settings.swift.endpoint = Look::of(site, KEEPER).storage().await.replace(&site.url, &swift.url());
    let (store, id, data) = (open(&settings).unwrap(), id(), noise(13 << 20, 34));
    // Between segments, within one, and before the manifest.
    let (name, user) = (name.as_str(), user.as_str());
    let last = data.len().div_ceil(400_000) - 1;
    put_slowly(&*store, &id, &data, |at| async move {
        if [10, 25, last].contains(&at) {
            revoke(site, name, user).await;
        }
    })
    .await;
    assert_eq!(logins.connections(), 4);
    let url = store.url(&id);
    // In the middle of a read, which breaks off then.
    let mut blocks = store.read(&url, 0..data.len() as u64).await.unwrap();
    let mut read = blocks.try_next().await.unwrap().unwrap().to_vec();
    revoke(site, name, user).await;
    swift.next(Vec::new());
    while let Some(block) = blocks.try_next().await.unwrap() {
        read.extend_from_slice(&block);
    }
    assert!(read == data);
    assert_eq!(logins.connections(), 5);
    // Many at the same time are one login.
    revoke(site, name, user).await;
    let len = data.len() as u64;
    let all = futures_util::future::join_all((0..8).map(|at| {
        let (store, url) = (&store, &url);
        async move { store.read(url, at..len).await.unwrap().try_collect::<Vec<Bytes>>().await.unwrap().concat() }
    }));
    for (at, read) in all.await.into_iter().enumerate() {
        assert!(read == data[at..], "{at}");
    }
    assert_eq!(logins.connections(), 6);
    revoke(site, name, user).await;
    store.remove(&url).await.unwrap();
    Look::of(site, KEEPER).soon_empty("revoked").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn while_keystone_is_away_a_token_is_used_up() {
    let Some(site) = hasty().await else { return };
    let (store, logins) = counted(site, "away", 60);
    let id = id();
    put(&*store, &id, b"data").await.unwrap();
    let url = store.url(&id);
    // Until the token is refused, as it is over.
    let wait_for_next = async || {
        let before = logins.connections();
        let mut reads = 0;
        while logins.connections() == before {
            assert_eq!(get(&*store, &url, 4).await.unwrap(), b"data");
            reads += 1;
            sleep(Duration::from_millis(20)).await;
        }
        reads
    };
    // A token of this moment.
    assert!(wait_for_next().await > 0);
    logins.always(Fault::Refuse);
    // Its renewal is tried when half of its life is over, in vain, and it goes on.
    assert!(wait_for_next().await > 0);
    assert_eq!(get(&*store, &url, 4).await.unwrap(), b"data");
    logins.always(Fault::None);
    assert!(wait_for_next().await > 0);
    store.remove(&url).await.unwrap();
    Look::of(site, KEEPER).soon_empty("away").await;
}
