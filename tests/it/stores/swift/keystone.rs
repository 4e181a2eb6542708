//! Ways in by Keystone, and where its catalogue says that Swift is.

use super::{
    keepers,
    look::{self, KEEPER, Look, NORTHERN},
    site,
    site::{delete, options, row},
};
use crate::{
    api::Server,
    stores::network::{get, id, put},
    stores::s3::site::{block_on, noise},
    support::{
        chaos::{Chaos, Fault},
        rig::{self, SwiftSite},
    },
};
use larder::store::{SwiftSettings, open};
use reqwest::Method;
use serde_json::{Value, json};
use std::{fs, path::Path};

/// By Keystone, as the keeper.
pub(super) fn ways_in(site: &SwiftSite) -> String {
    format!(
        "swift_store_auth_address = {}\nswift_store_user = pictures:keeper\nswift_store_key = {}\n",
        site.auth_url,
        SwiftSite::KEY
    )
}

/// Both keepers: `[ref1]`, and the northern one by names of domains (`[north]`) and by their ids (`[by-id]`).
pub(super) async fn accounts(site: &SwiftSite, file: &Path) {
    let north = look::log_in(site, NORTHERN).await.says["token"]["user"]["domain"]["id"].clone();
    let account = |name: &str, key: &str, domains: &str| {
        format!("[{name}]\nuser = pictures:keeper\nkey = {key}\nauth_address = {}\n{domains}", site.auth_url)
    };
    let by_id = format!("user_domain_id = {0}\nproject_domain_id = {0}\n", north.as_str().unwrap());
    let text = [
        // Python's configparser has its own meaning of %.
        account("ref1", &SwiftSite::KEY.replace('%', "%%"), ""),
        account(
            "north",
            &format!("\"{}\"", SwiftSite::NORTHERN_KEY),
            "user_domain_name = north\nproject_domain_name = north\n",
        ),
        account("by-id", SwiftSite::NORTHERN_KEY, &by_id),
    ];
    fs::write(file, text.concat()).unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn accounts_of_a_file_are_of_their_domains() {
    let Some(site) = site().await else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("glance-swift.conf");
    accounts(site, &file).await;
    let of = |reference: &str| {
        let mut settings = keepers(site, "domains");
        settings.swift = SwiftSettings {
            config_file: Some(file.clone()),
            default_reference: reference.to_owned(),
            auth_address: String::new(),
            user: String::new(),
            ..settings.swift
        };
        open(&settings).unwrap()
    };
    let (south, north, by_id) = (of("ref1"), of("north"), of("by-id"));
    let (one, two, three) = (id(), id(), id());
    for (store, id) in [(&south, &one), (&north, &two), (&by_id, &three)] {
        put(&**store, id, id.as_str().as_bytes()).await.unwrap();
    }
    assert_eq!(south.url(&one), format!("swift+config://ref1/domains/{one}"));
    assert_eq!(by_id.url(&three), format!("swift+config://by-id/domains/{three}"));
    assert_eq!(Look::of(site, KEEPER).objects("domains").await, [one.as_str()]);
    let mut northern = [two.as_str(), three.as_str()];
    northern.sort_unstable();
    assert_eq!(Look::of(site, NORTHERN).objects("domains").await, northern);
    // Each reads and removes what any account of the file has; what has the key in its URL, too.
    for (store, url, id) in [
        (&south, north.url(&two), &two),
        (&north, by_id.url(&three), &three),
        (&by_id, open(&keepers(site, "domains")).unwrap().url(&one), &one),
    ] {
        assert_eq!(get(&**store, &url, 36).await.unwrap(), id.as_str().as_bytes());
        store.remove(&url).await.unwrap();
    }
    Look::of(site, KEEPER).soon_empty("domains").await;
    Look::of(site, NORTHERN).soon_empty("domains").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_account_is_where_the_catalogue_or_the_option_says() {
    let Some(site) = site().await else { return };
    let [elsewhere, archive, fixed] = [0; 3].map(|_| Chaos::before(&site.url));
    let look = Look::of(site, KEEPER);
    let storage = look.storage().await;
    let post = |kind: &'static str, body: Value| async move {
        look::keystone(site, Method::POST, &format!("{kind}s"), &json!({kind: body})).await[kind].take()
    };
    let found = look::keystone(site, Method::GET, "services?type=object-store", &json!({})).await;
    let endpoint = |service: &Value, interface: &str, region: &str, chaos: &Chaos| {
        json!({"service_id": service["id"], "interface": interface, "region_id": region,
               "url": format!("{}/v1/AUTH_%(project_id)s", chaos.url())})
    };
    post("region", json!({"id": "RegionTwo"})).await;
    post("endpoint", endpoint(&found["services"][0], "internal", "RegionTwo", &elsewhere)).await;
    let other = post("service", json!({"type": "object-archive", "name": "archive"})).await;
    post("endpoint", endpoint(&other, "public", "RegionOne", &archive)).await;

    let [mut internal, mut public, mut archived, mut named] = [0; 4].map(|_| keepers(site, "endpoints"));
    internal.swift.region = "RegionTwo".to_owned();
    internal.swift.endpoint_type = "internalURL".to_owned();
    public.swift.region = "RegionTwo".to_owned();
    archived.swift.service_type = "object-archive".to_owned();
    named.swift.service_type = "there-is-none".to_owned();
    named.swift.endpoint = storage.replace(&site.url, &fixed.url());
    for (settings, way) in [(internal, &elsewhere), (archived, &archive), (named, &fixed)] {
        let (store, id) = (open(&settings).unwrap(), id());
        assert_eq!(way.connections(), 0);
        put(&*store, &id, b"data").await.unwrap();
        assert!(way.connections() > 0);
        assert_eq!(get(&*store, &store.url(&id), 4).await.unwrap(), b"data");
        store.remove(&store.url(&id)).await.unwrap();
    }
    let error = put(&*open(&public).unwrap(), &id(), b"data").await.unwrap_err();
    let said = format!("{error} {error:?}");
    assert!(
        said.contains("no object-store at interface public in RegionTwo") && said.contains("internal in RegionTwo"),
        "{said}"
    );
    assert!(said.contains("swift_store_region") && !said.contains(SwiftSite::KEY), "{said}");
    look.soon_empty("endpoints").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn application_credentials_and_logins_that_are_refused() {
    let Some(site) = site().await else { return };
    let token = look::log_in(site, KEEPER).await;
    let user = token.says["token"]["user"]["id"].as_str().unwrap();
    let made = reqwest::Client::new()
        .post(format!("{}/users/{user}/application_credentials", site.auth_url))
        .header("X-Auth-Token", &token.text)
        .json(&json!({"application_credential": {"name": "larder"}}));
    let made: Value = made.send().await.unwrap().json().await.unwrap();
    let get_text = |name: &str| made["application_credential"][name].as_str().unwrap().to_owned();
    let mut by_credential = keepers(site, "credential");
    by_credential.swift.application_credential_id = get_text("id");
    by_credential.swift.application_credential_secret = get_text("secret").into();
    by_credential.swift.user = String::new();
    let (store, id) = (open(&by_credential).unwrap(), id());
    put(&*store, &id, b"data").await.unwrap();
    let url = store.url(&id);
    assert_eq!(url, format!("swift+http://{}/credential/{id}", site.auth_url.trim_start_matches("http://")));
    assert_eq!(get(&*store, &url, 4).await.unwrap(), b"data");
    store.remove(&url).await.unwrap();

    let mut wrong = keepers(site, "credential");
    wrong.swift.key = "not the one".into();
    let mut stranger = keepers(site, "credential");
    stranger.swift.user = "demo:reader".to_owned();
    stranger.swift.key = rig::PASSWORD.into();
    for (settings, expected) in [(wrong, "the login at"), (stranger, "403")] {
        let store = open(&settings).unwrap();
        let error = store.size(&store.url(&id)).await.unwrap_err();
        let said = format!("{error} {error:?}");
        assert!(said.contains(expected) && !said.contains("not the one") && !said.contains("not%20the"), "{said}");
    }
    Look::of(site, KEEPER).soon_empty("credential").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_read_that_breaks_off_goes_on() {
    let Some(site) = site().await else { return };
    let (look, chaos) = (Look::of(site, KEEPER), Chaos::before(&site.url));
    let mut settings = keepers(site, "broken-at-keystone");
    settings.swift.endpoint = look.storage().await.replace(&site.url, &chaos.url());
    let store = open(&settings).unwrap();
    let (id, data) = (id(), noise((11 << 20) + 5, 31));
    put(&*store, &id, &data).await.unwrap();
    let url = store.url(&id);
    for _ in 0..3 {
        let before = chaos.connections();
        chaos.next([3 << 20, 4 << 20, 100, 2 << 20].map(Fault::CutAfter).into());
        assert!(get(&*store, &url, data.len() as u64).await.unwrap() == data);
        assert!(chaos.connections() - before > 4);
    }
    chaos.next(vec![Fault::Refuse, Fault::CutAfter(0)]);
    store.remove(&url).await.unwrap();
    chaos.always(Fault::None);
    look.soon_empty("broken-at-keystone").await;
}

#[test]
fn images_are_in_containers_by_the_digits_of_their_ids() {
    let Some(site) = rig::swift_under_keystone() else { return };
    let (look, folder) = (Look::of(site, KEEPER), tempfile::tempdir().unwrap());
    let seeded = |seed: u8| format!("{}swift_store_multiple_containers_seed = {seed}\n", ways_in(site));
    let mut server = Server::with(&options("many", folder.path(), &seeded(9)));
    let data = noise(9 << 20, 32);
    let (large, small) = (server.upload(&data), server.upload(b"some data"));
    let host = site.auth_url.trim_start_matches("http://");
    for id in [&large, &small] {
        // Nine digits, and the dash among them.
        let container = format!("many_{}", &id[..10]);
        assert_eq!(row(&server, id), format!("swift+http://pictures%3Akeeper:se%2Bcr%40t%25@{host}/{container}/{id}"));
        assert_eq!(
            server.get(&format!("/v2/images/{id}")).json()["direct_url"],
            format!("swift+http://{host}/{container}/{id}")
        );
        assert!(block_on(look.objects(&container)).contains(id));
    }
    assert!(block_on(look.objects("many")).is_empty());
    // What was written so is read and removed whatever the option says later.
    assert!(server.daemon.stop().success());
    let conf = server.dir.path().join("catalogue.conf");
    let text = fs::read_to_string(&conf).unwrap();
    let text = text.replace("containers_seed = 9", "containers_seed = 0").replace("on_put = true", "on_put = false");
    fs::write(&conf, text).unwrap();
    server.again();
    assert!(server.get(&format!("/v2/images/{large}/file")).body == data);
    assert_eq!(server.get(&format!("/v2/images/{small}/file")).body, b"some data");
    for id in [&large, &small] {
        delete(&server, id);
        block_on(look.soon_empty(&format!("many_{}", &id[..10])));
    }
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    server.put_file(&id, &[], b"data").refuses(503, "");
    server.daemon.wait_for_log("there is no container many; make it, or set swift_store_create_container_on_put");
    assert_eq!(block_on(look.ask("PUT", "many", &[], "")).0, 201);
    assert_eq!(server.put_file(&id, &[], b"data").status, 204);
    assert_eq!(row(&server, &id), format!("swift+http://pictures%3Akeeper:se%2Bcr%40t%25@{host}/many/{id}"));
    delete(&server, &id);
    block_on(look.soon_empty("many"));
    assert!(
        !server.daemon.log().contains("cr@t") && !server.daemon.log().contains("cr%40t"),
        "{}",
        server.daemon.log()
    );
}
