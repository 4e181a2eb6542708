//! Several stores: which there are, where data goes, where it is read, and taking it out of one of them.

use super::{Both, Pair, SHOWING, TRUSTING, address};
use crate::{
    api::{Server, access::As},
    support::{
        rig,
        web::{Web, data},
    },
};
use serde_json::json;

/// As [`rig::trusting_glance_with_stores`] is configured, with folders in this one.
pub(super) fn three(folder: &std::path::Path) -> String {
    let folder = folder.display();
    format!(
        "{SHOWING}do_secure_hash = true\nenabled_backends = slow:file, fast:file, web:http\n\
         [glance_store]\ndefault_backend = fast\n\
         [fast]\nfilesystem_store_datadir = {folder}/fast\nstore_description = SSD\nweight = 10\n\
         [slow]\nfilesystem_store_datadir = {folder}/slow\nfilesystem_thin_provisioning = true\n\
         [web]\nweight = 20\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         {TRUSTING}[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []"
    )
}

pub(super) fn start(folder: &std::path::Path) -> Option<Pair> {
    let glance = address(rig::trusting_glance_with_stores()?);
    Some(Pair::of(Server::with(&three(folder)), glance))
}

/// Likewise, as [`rig::trusting_glance_with_plugins`] is configured.
pub(super) fn start_with_plugins(folder: &std::path::Path) -> Option<Pair> {
    let glance = address(rig::trusting_glance_with_plugins()?);
    Some(Pair::of(Server::with(&format!("{}\n{}", three(folder), rig::PLUGINS)), glance))
}

/// Likewise, beside a Glance of the caller's own ([`rig::trusting_glance_with`]), with more sections.
pub(super) fn start_beside(folder: &std::path::Path, glance: &rig::Glance, sections: &str) -> Pair {
    Pair::of(Server::with(&format!("{}\n{sections}", three(folder))), address(glance))
}

fn fill(pair: &Pair, who: &As, id: &str, store: &str) -> Both {
    let path = format!("/v2/images/{id}/file");
    let extra = ("X-Image-Meta-Store", store);
    // The web server has the same.
    pair.ask_with(who, ("PUT", &path), ("application/octet-stream", &data("/c").unwrap()), &[extra])
}

/// The same data on a web server. Glance's answer has the new place at the end, and the next one has it where it belongs.
fn add(pair: &Pair, who: &As, id: &str, web: &Web) {
    let change = json!([{"op": "add", "path": "/locations/-", "value": {"url": web.url("/c"), "metadata": {}}}]);
    let both =
        pair.ask_freely(who, ("PATCH", &format!("/v2/images/{id}")), super::PATCH, change.to_string().as_bytes());
    assert_eq!((both.glance.status, both.larder.status), (200, 200), "{}", both.print());
    let direct = |it: &crate::api::Answer| it.json()["direct_url"].clone();
    assert_eq!(direct(&both.glance), direct(&both.larder));
}

/// Everything that tells where the data is, and the data.
fn show(pair: &Pair, id: &str) {
    let admin = As::admin();
    for path in ["", "/locations", "/file"] {
        pair.get(&admin, &format!("/v2/images/{id}{path}"));
    }
}

#[test]
fn what_stores_there_are_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    for who in super::rights::callers() {
        pair.get(&who, "/v2/info/stores");
        let both = pair.ask_freely(&who, ("GET", "/v2/info/stores/detail"), "", b"");
        assert_eq!(both.glance.status, both.larder.status, "{}", both.print());
        if both.larder.status == 200 {
            let plain = |text: String| {
                let mut told: serde_json::Value = serde_json::from_str(&text).unwrap();
                for store in told["stores"].as_array_mut().unwrap() {
                    let folder = &mut store["properties"]["data_dir"];
                    assert_eq!(folder.is_string(), store["type"] == "file");
                    store["properties"].as_object_mut().unwrap().remove("data_dir");
                }
                told
            };
            assert_eq!(plain(both.glance.text()), plain(both.larder.text()));
        }
    }
    let both = pair.ask_freely(&As::member("p"), ("GET", "/versions"), "", b"");
    let ids = |it: &crate::api::Answer| {
        let told = it.json();
        let versions = told["versions"].as_array().unwrap();
        versions.iter().map(|it| (it["id"].clone(), it["status"].clone())).collect::<Vec<_>>()
    };
    assert_eq!(ids(&both.glance), ids(&both.larder));
    let made = pair.ask_freely(&As::member("p"), ("POST", "/v2/images"), super::JSON, b"{}");
    assert_eq!(made.larder.header("openstack-image-store-ids"), Some("slow,fast,web"));
    // Glance adds its own to the list sooner or later.
    assert!(made.glance.header("openstack-image-store-ids").unwrap().starts_with("slow,fast,web"));
    pair.end();
}

#[test]
fn data_goes_where_the_client_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let owner = As::member("p");
    for (store, status) in [("fast", 204), ("slow", 204), ("web", 410), ("tape", 400), ("", 400), ("SLOW", 400)] {
        let id = pair.image(&owner, json!({}));
        assert_eq!(fill(&pair, &owner, &id, store).larder.status, status, "{store}");
        show(&pair, &id);
        if status == 204 {
            assert!(folder.path().join(store).join(&id).is_file());
        }
        let path = format!("/v2/images/{id}");
        pair.ask(&owner, ("DELETE", &path), "", b"");
        assert!(!folder.path().join("slow").join(&id).exists() && !folder.path().join("fast").join(&id).exists());
    }
    let id = pair.image(&owner, json!({}));
    pair.fill(&owner, &id);
    show(&pair, &id);
    pair.end();
}

#[test]
fn the_heaviest_store_is_read_first_unless_another_is_preferred() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (web, owner, admin) = (Web::start(), As::member("p"), As::admin());
    let id = pair.image(&owner, json!({}));
    fill(&pair, &owner, &id, "slow");
    add(&pair, &owner, &id, &web);
    show(&pair, &id);
    for prefer in ["slow", "web", "web,slow", "slow,web", "fast", "slow, fast", "tape", "slow,tape", "", ",", "SLOW"] {
        for who in [&owner, &admin, &As::new("p", "reader"), &As::member("q")] {
            pair.get(who, &format!("/v2/images/{id}/file?prefer={}", prefer.replace(' ', "%20")));
        }
    }
    pair.end();
}

#[test]
fn data_is_taken_out_of_one_store() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (web, owner, admin) = (Web::start(), As::member("p"), As::admin());
    let id = pair.image(&owner, json!({}));
    let from = |store: &str, id: &str| format!("/v2/stores/{store}/{id}");
    pair.ask(&admin, ("DELETE", &from("fast", &id)), "", b"");
    fill(&pair, &owner, &id, "slow");
    for (store, who) in [("slow", &owner), ("slow", &admin), ("fast", &admin), ("tape", &admin), ("tape", &owner)] {
        pair.ask(who, ("DELETE", &from(store, &id)), "", b"");
    }
    add(&pair, &owner, &id, &web);
    for (store, who) in [("fast", &admin), ("slow", &owner), ("slow", &As::member("q")), ("slow", &admin)] {
        pair.ask(who, ("DELETE", &from(store, &id)), "", b"");
        show(&pair, &id);
    }
    assert!(!folder.path().join("slow").join(&id).exists());
    for id in ["nonsense", "11111111-2222-3333-4444-555555555555"] {
        pair.ask(&admin, ("DELETE", &from("fast", id)), "", b"");
    }
    for method in ["GET", "PUT", "POST", "PATCH"] {
        pair.ask(&admin, (method, &from("fast", &id)), "", b"");
    }
    pair.end();
}

#[test]
fn a_place_is_in_its_store_whatever_a_client_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (web, owner, admin) = (Web::start(), As::member("p"), As::admin());
    let id = pair.image(&owner, json!({}));
    fill(&pair, &owner, &id, "slow");
    for (metadata, status) in [(json!({"store": "fast"}), 200), (json!({}), 400), (json!({"store": "tape"}), 400)] {
        let change =
            json!([{"op": "add", "path": "/locations/-", "value": {"url": web.url("/c"), "metadata": metadata}}]);
        let path = format!("/v2/images/{id}");
        let both = pair.ask_freely(&owner, ("PATCH", &path), super::PATCH, change.to_string().as_bytes());
        assert_eq!((both.glance.status, both.larder.status), (status, status), "{}", both.print());
        show(&pair, &id);
    }
    let from = |store: &str| format!("/v2/stores/{store}/{id}");
    assert_eq!(pair.ask(&admin, ("DELETE", &from("fast")), "", b"").larder.status, 404);
    assert_eq!(pair.ask(&admin, ("DELETE", &from("slow")), "", b"").larder.status, 204);
    pair.end();
}
