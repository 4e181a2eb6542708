//! Staging and imports: what is answered, and what becomes of the image.

use super::{Both, JSON, Pair, stores::start};
use crate::{
    api::{Answer, access::As},
    support::{wait_until, web::Web},
};
use serde_json::{Value, json};
use std::time::Duration;

const DATA: &str = "application/octet-stream";

pub(super) fn stage(pair: &Pair, who: &As, id: &str) -> Both {
    stage_data(pair, who, id, b"some data")
}

pub(super) fn stage_data(pair: &Pair, who: &As, id: &str, data: &[u8]) -> Both {
    pair.ask(who, ("PUT", &format!("/v2/images/{id}/stage")), DATA, data)
}

pub(super) fn import(pair: &Pair, who: &As, id: &str, body: &Value) -> Both {
    pair.send(who, "POST", &format!("/v2/images/{id}/import"), body)
}

pub(super) fn direct(more: &[(&str, Value)]) -> Value {
    let mut body = json!({"method": {"name": "glance-direct"}});
    for (name, value) in more {
        body[*name] = value.clone();
    }
    body
}

pub(super) fn show(pair: &Pair, who: &As, id: &str) -> Both {
    pair.ask_freely(who, ("GET", &format!("/v2/images/{id}")), "", b"")
}

/// Whether no task works on the image any more.
fn is_free(answer: &Answer) -> bool {
    answer.status == 404 || (answer.status == 200 && answer.json().get("os_glance_import_task").is_none())
}

/// Waits for the end of an image's import on both servers. False when Glance has lost its task.
fn ends(pair: &Pair, who: &As, id: &str) -> bool {
    wait_until("the import ends", Duration::from_secs(120), || is_free(&show(pair, who, id).larder));
    pair.glance_is_done(|| is_free(&show(pair, who, id).glance))
}

/// Likewise, and compares what became of it: the image, its data, its tasks.
pub(super) fn compare(pair: &Pair, who: &As, id: &str) -> bool {
    if !ends(pair, who, id) {
        return false;
    }
    for path in ["", "/file"] {
        pair.get(who, &format!("/v2/images/{id}{path}"));
    }
    let both = pair.ask_freely(who, ("GET", &format!("/v2/images/{id}/tasks")), "", b"");
    let told = |it: &Answer| {
        let mut tasks = super::plain(it.json());
        for task in tasks["tasks"].as_array_mut().unwrap() {
            // The words of a failure are each server's own.
            if task["status"] == "failure" {
                assert_ne!(task["message"], "");
                task["message"] = json!("why");
            } else {
                // Glance does not always come to say how much it was.
                let words = task["message"].as_str().unwrap();
                assert!(words.is_empty() || words.starts_with("Copied "), "{words}");
                task["message"] = Value::Null;
            }
            for name in ["id", "request_id"] {
                assert!(task[name].is_string(), "{task}");
                task[name] = Value::Null;
            }
        }
        tasks
    };
    if told(&both.glance) != told(&both.larder) {
        pair.note(format!("tasks\n{}", both.print()));
    }
    true
}

#[test]
fn what_is_offered_is_told() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let both = pair.get(&As::member("p"), "/v2/info/import");
    assert_eq!(both.larder.json()["import-methods"]["value"], json!(["glance-direct", "web-download", "copy-image"]));
    let made = pair.ask_freely(&As::member("p"), ("POST", "/v2/images"), JSON, b"{}");
    for it in [&made.glance, &made.larder] {
        assert_eq!(it.header("openstack-image-import-methods"), Some("glance-direct,web-download,copy-image"));
    }
    pair.end();
}

#[test]
fn staging_is_answered_as_glance_does() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let owner = As::member("p");
    let id = pair.image(&owner, json!({}));
    let path = format!("/v2/images/{id}/stage");
    for who in super::rights::callers() {
        pair.ask(&who, ("PUT", "/v2/images/11111111-2222-3333-4444-555555555555/stage"), DATA, b"x");
    }
    pair.ask(&owner, ("PUT", &path), "text/plain", b"x");
    pair.ask(&As::member("q"), ("PUT", &path), DATA, b"x");
    pair.ask(&As::new("p", "reader"), ("PUT", &path), DATA, b"x");
    for method in ["GET", "POST", "DELETE", "PATCH"] {
        pair.ask(&owner, (method, &path), "", b"");
    }
    stage(&pair, &owner, &id);
    pair.get(&owner, &format!("/v2/images/{id}"));
    pair.get(&owner, &format!("/v2/images/{id}/file"));
    stage(&pair, &owner, &id);
    pair.fill(&owner, &id);
    assert!(folder.path().join("staging").join(&id).is_file());
    pair.ask(&owner, ("DELETE", &format!("/v2/images/{id}")), "", b"");
    assert!(!folder.path().join("staging").join(&id).exists());
    // Formats are not looked at before the import.
    let id = pair.image(&owner, json!({"disk_format": null, "container_format": null}));
    stage(&pair, &owner, &id);
    import(&pair, &owner, &id, &direct(&[]));
    pair.end();
}

#[test]
fn imports_that_cannot_be_are_refused_as_glance_does() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (owner, admin) = (As::member("p"), As::admin());
    let queued = pair.image(&owner, json!({}));
    let staged = pair.image(&owner, json!({}));
    stage(&pair, &owner, &staged);
    let active = pair.image(&owner, json!({}));
    pair.fill(&owner, &active);
    let web = |uri: Value| json!({"method": {"name": "web-download", "uri": uri}});
    let copy = |more: Value| {
        let mut body = json!({"method": {"name": "copy-image"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        body
    };
    let bodies = [
        direct(&[]),
        json!({}),
        json!({"method": {}}),
        json!({"method": {"name": "fly"}}),
        json!({"method": {"name": "glance-download"}}),
        direct(&[("all_stores", json!("x"))]),
        direct(&[("all_stores_must_succeed", json!(1))]),
        web(json!("http://127.0.0.1:1/x")),
        copy(json!({})),
        copy(json!({"stores": ["slow"]})),
    ];
    for id in [&queued, &active] {
        for who in [&owner, &As::member("q"), &As::new("p", "reader")] {
            for body in &bodies {
                let asked = import(&pair, who, id, body);
                // While an import goes on, others are refused for that.
                let taken = [asked.glance.status, asked.larder.status].contains(&202);
                if taken && !ends(&pair, &admin, id) {
                    return;
                }
            }
        }
    }
    for uri in [
        json!(null),
        json!(""),
        json!("file:///etc/passwd"),
        json!("ftp://127.0.0.1/x"),
        json!("http://10.0.0.1/x"),
        json!("http://localhost/x"),
        json!("http://2130706433/x"),
        json!("http://[::1]/x"),
        json!("nonsense"),
    ] {
        let asked = import(&pair, &owner, &queued, &web(uri));
        assert_ne!(asked.glance.status, 202, "{}", asked.print());
    }
    for (name, value) in [("stores", json!(["tape"])), ("stores", json!(["fast", "tape"]))] {
        import(&pair, &owner, &staged, &direct(&[(name, value)]));
    }
    import(&pair, &owner, &staged, &direct(&[("stores", json!(["fast"])), ("all_stores", json!(true))]));
    for body in [direct(&[("stores", json!(["fast"]))]), direct(&[("all_stores", json!(true))])] {
        let path = format!("/v2/images/{staged}/import");
        let body = body.to_string();
        pair.ask_with(&owner, ("POST", &path), (JSON, body.as_bytes()), &[("X-Image-Meta-Store", "slow")]);
    }
    for body in [copy(json!({"stores": ["fast"]})), copy(json!({"stores": ["tape"]})), copy(json!({}))] {
        import(&pair, &admin, &active, &body);
    }
    import(&pair, &owner, "11111111-2222-3333-4444-555555555555", &direct(&[]));
    for id in [&queued, &staged, &active] {
        pair.get(&owner, &format!("/v2/images/{id}"));
    }
    pair.end();
}

#[test]
fn staged_data_goes_where_the_client_says() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let owner = As::member("p");
    let must = |name: &str, value: Value, all: bool| direct(&[(name, value), ("all_stores_must_succeed", json!(all))]);
    for (body, at) in [
        (direct(&[]), vec!["fast"]),
        (must("stores", json!(["slow"]), true), vec!["slow"]),
        (must("all_stores", json!(true), true), vec!["fast", "slow"]),
        (must("stores", json!(["slow", "web"]), false), vec!["slow"]),
    ] {
        let id = pair.image(&owner, json!({}));
        stage(&pair, &owner, &id);
        let asked = import(&pair, &owner, &id, &body);
        assert_eq!(asked.larder.status, 202, "{}", asked.print());
        if !compare(&pair, &owner, &id) {
            return;
        }
        for store in ["fast", "slow"] {
            assert_eq!(folder.path().join(store).join(&id).is_file(), at.contains(&store), "{store}: {body}");
        }
        assert!(!folder.path().join("staging").join(&id).exists());
    }
    let id = pair.image(&owner, json!({}));
    stage(&pair, &owner, &id);
    let (path, body) = (format!("/v2/images/{id}/import"), direct(&[]).to_string());
    pair.ask_with(&owner, ("POST", &path), (JSON, body.as_bytes()), &[("X-Image-Meta-Store", "slow")]);
    compare(&pair, &owner, &id);
    pair.end();
}

#[test]
fn data_is_fetched_from_web_servers() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (web, owner) = (Web::start(), As::member("p"));
    for (path, active) in [
        ("/a", true),
        ("/redirect/1", true),
        ("/chunked", true),
        ("/big", true),
        ("/status/404", false),
        ("/status/500", false),
        ("/short", false),
    ] {
        let id = pair.image(&owner, json!({}));
        let body = json!({"method": {"name": "web-download", "uri": web.url(path)}, "all_stores": true});
        assert_eq!(import(&pair, &owner, &id, &body).larder.status, 202);
        if !compare(&pair, &owner, &id) {
            return;
        }
        let status = show(&pair, &owner, &id).larder.json()["status"].clone();
        assert_eq!(status, if active { "active" } else { "queued" }, "{path}");
    }
    pair.end();
}

#[test]
fn images_are_copied_to_further_stores() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start(folder.path()) else { return };
    let (owner, admin) = (As::member("p"), As::admin());
    for more in [json!({"stores": ["slow"]}), json!({"all_stores": true})] {
        let id = pair.image(&owner, json!({}));
        pair.fill(&owner, &id);
        let mut body = json!({"method": {"name": "copy-image"}});
        body.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        import(&pair, &owner, &id, &body);
        assert_eq!(import(&pair, &admin, &id, &body).larder.status, 202);
        if !compare(&pair, &admin, &id) {
            return;
        }
        assert!(folder.path().join("slow").join(&id).is_file());
        // It is there already.
        import(&pair, &admin, &id, &body);
    }
    pair.end();
}
