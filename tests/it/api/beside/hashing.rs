//! Locations whose data is read behind the request (`do_secure_hash`).

use super::{JSON, Pair, stores::start};
use crate::{
    api::access::As,
    support::{
        wait_until,
        web::{Web, data},
    },
};
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};
use std::time::Duration;

/// Asks both for the location, and waits until neither works on the image. False when Glance has lost its task.
fn add(pair: &Pair, id: &str, body: &Value) -> bool {
    let nova = As::new("services", "service,admin");
    let path = format!("/v2/images/{id}/locations");
    let both = pair.ask(&nova, ("POST", &path), JSON, body.to_string().as_bytes());
    if both.larder.status != 202 {
        return true;
    }
    let show = || pair.ask_freely(&As::admin(), ("GET", &format!("/v2/images/{id}")), "", b"");
    let tasks = || pair.ask_freely(&As::admin(), ("GET", &format!("/v2/images/{id}/tasks")), "", b"");
    let is_over = |it: &crate::api::Answer| {
        let tasks = it.json();
        let all = tasks["tasks"].as_array().unwrap();
        all.last().is_some_and(|it| it["status"] == "success" || it["status"] == "failure")
    };
    let is_free = |it: &crate::api::Answer| it.json().get("os_glance_import_task").is_none();
    wait_until("the data is read", Duration::from_secs(60), || is_over(&tasks().larder));
    if !pair.glance_is_done(|| is_over(&tasks().glance) && is_free(&show().glance)) {
        return false;
    }
    let both = tasks();
    let outcome = |it: &crate::api::Answer| {
        let tasks = it.json();
        let last = tasks["tasks"].as_array().unwrap().last().cloned().unwrap();
        ["type", "status", "image_id", "input", "result"].map(|name| last[name].clone())
    };
    if outcome(&both.glance) != outcome(&both.larder) {
        pair.note(format!("tasks of {body}\n{}", both.print()));
    }
    true
}

fn hex(sum: impl AsRef<[u8]>) -> String {
    sum.as_ref().iter().map(|it| format!("{it:02x}")).collect()
}

#[test]
fn data_of_a_location_is_read_for_its_hashes() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (web, owner) = (Web::start(), As::member("p"));
    let new = || pair.image(&owner, json!({"visibility": "community"}));
    let show = |id: &str| {
        let both = pair.ask_freely(&owner, ("GET", &format!("/v2/images/{id}")), "", b"");
        let told = |it: &crate::api::Answer| {
            let mut image = it.json();
            for name in ["created_at", "updated_at", "virtual_size"] {
                image[name] = Value::Null;
            }
            image
        };
        if told(&both.glance) != told(&both.larder) {
            pair.note(both.print());
        }
        pair.get(&As::admin(), &format!("/v2/images/{id}/locations"));
        pair.get(&owner, &format!("/v2/images/{id}/file"));
    };
    let big = data("/big").unwrap();
    let told = |algorithm: &str, value: String| json!({"os_hash_algo": algorithm, "os_hash_value": value});
    let (sha512, sha256) = (hex(Sha512::digest(&big)), hex(Sha256::digest(&big)));
    for body in [
        json!({"url": web.url("/big")}),
        json!({"url": web.url("/big"), "validation_data": told("sha512", sha512.clone())}),
        json!({"url": web.url("/big"), "validation_data": told("sha256", sha256.clone())}),
        json!({"url": web.url("/none")}),
        json!({"url": web.url("/none"), "validation_data": told("sha512", sha512.clone())}),
    ] {
        let id = new();
        if !add(&pair, &id, &body) {
            return;
        }
        show(&id);
    }
    pair.end();
}

#[test]
fn data_with_another_hash_than_was_told_is_not_taken() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (web, owner) = (Web::start(), As::member("p"));
    let id = pair.image(&owner, json!({}));
    let wrong = json!({"os_hash_algo": "sha256", "os_hash_value": "a".repeat(64)});
    if !add(&pair, &id, &json!({"url": web.url("/a"), "validation_data": wrong})) {
        return;
    }
    // Glance keeps the location, and gives out what it has just refused.
    let path = format!("/v2/images/{id}");
    let image = pair.ask_freely(&owner, ("GET", &path), "", b"").larder.json();
    let known = ["status", "size", "checksum", "os_hash_algo", "os_hash_value"].map(|it| image[it].clone());
    assert_eq!(known, [json!("queued"), Value::Null, Value::Null, Value::Null, Value::Null]);
    assert_eq!(image["locations"], json!([]));
    assert_eq!(pair.ask_freely(&owner, ("GET", &format!("{path}/file")), "", b"").larder.status, 204);
    // Nothing is in the way of the right one.
    let right = json!({"os_hash_algo": "sha256", "os_hash_value": hex(Sha256::digest(data("/a").unwrap()))});
    let nova = As::new("services", "service,admin");
    let body = json!({"url": web.url("/a"), "validation_data": right});
    pair.ask_freely(&nova, ("POST", &format!("{path}/locations")), JSON, body.to_string().as_bytes());
    wait_until("the image is active", Duration::from_secs(60), || {
        pair.ask_freely(&owner, ("GET", &path), "", b"").larder.json()["status"] == "active"
    });
    pair.end();
}
