//! Locations: by PATCH, and by the API of their own.

use super::{Both, JSON, Pair};
use crate::{api::access::As, support::web::Web};
use serde_json::{Value, json};

const HASH: &str = "ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff\
                    ffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff";

/// Everything that shows where an image's data is.
fn show(pair: &Pair, who: &As, id: &str) {
    pair.get(who, &format!("/v2/images/{id}"));
    pair.get(&As::admin(), &format!("/v2/images/{id}/locations"));
    pair.get(who, &format!("/v2/images/{id}/file"));
}

fn at(url: &str) -> Value {
    json!({"url": url, "metadata": {}})
}

fn add(pair: &Pair, who: &As, id: &str, place: &str, value: &Value) -> Both {
    pair.patch(who, id, &json!([{"op": "add", "path": format!("/locations/{place}"), "value": value}]))
}

fn remove(pair: &Pair, who: &As, id: &str, place: &str) -> Both {
    pair.patch(who, id, &json!([{"op": "remove", "path": format!("/locations/{place}")}]))
}

fn replace(pair: &Pair, who: &As, id: &str, value: &Value) -> Both {
    pair.patch(who, id, &json!([{"op": "replace", "path": "/locations", "value": value}]))
}

#[test]
fn a_queued_image_becomes_active_with_its_first_location() {
    let Some(pair) = Pair::start() else { return };
    let (web, admin, owner) = (Web::start(), As::admin(), As::member("p"));
    let id = pair.image(&owner, json!({}));
    assert_eq!(add(&pair, &owner, &id, "-", &at(&web.url("/a"))).larder.json()["status"], "active");
    show(&pair, &owner, &id);
    for metadata in [json!({"k": "v"}), json!({"k": "v"}), json!({"k": "w"})] {
        add(&pair, &owner, &id, "-", &json!({"url": web.url("/b"), "metadata": metadata}));
    }
    add(&pair, &owner, &id, "-", &at(&web.url("/c")));
    show(&pair, &owner, &id);
    for place in ["9", "x", "", "-1", "2", "-"] {
        remove(&pair, &admin, &id, place);
        show(&pair, &owner, &id);
    }
    remove(&pair, &owner, &id, "0");
    remove(&pair, &admin, &id, "0");
    for fields in [json!({"disk_format": null}), json!({"disk_format": null, "container_format": null})] {
        let id = pair.image(&owner, fields);
        add(&pair, &owner, &id, "-", &at(&web.url("/a")));
        show(&pair, &owner, &id);
    }
    for path in ["/locations/0", "/locations", "/locations/0/x"] {
        for op in ["add", "replace", "remove"] {
            let id = pair.image(&owner, json!({}));
            pair.patch(&owner, &id, &json!([{"op": op, "path": path, "value": at(&web.url("/a"))}]));
        }
    }
    add(&pair, &owner, "11111111-2222-3333-4444-555555555555", "-", &at(&web.url("/a")));
    pair.end();
}

#[test]
fn a_location_that_is_none_is_refused() {
    let Some(pair) = Pair::start() else { return };
    let (web, owner) = (Web::start(), As::member("p"));
    let try_it = |value: Value| {
        let id = pair.image(&owner, json!({}));
        add(&pair, &owner, &id, "-", &value);
        pair.get(&owner, &format!("/v2/images/{id}"));
    };
    let paths = ["/none", "/empty", "/chunked", "/status/403", "/status/500", "/redirect/0", "/redirect/3"];
    for path in paths {
        try_it(at(&web.url(path)));
    }
    for url in [
        "file:///etc/passwd",
        "filesystem:///x",
        "swift+config://a/b",
        "ftp://127.0.0.1/x",
        "rbd://x/y",
        "x",
        "",
        "http://",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "http://10.255.255.1/x",
        "HTTP://127.0.0.1/x",
        "http://2130706433/x",
        "http://0x7f.1/x",
        "http://[::1]/x",
    ] {
        try_it(at(url));
    }
    try_it(at(&web.url(&format!("/{}", "a".repeat(300)))));
    try_it(at(&web.url("/a").replace("://", "://user:password@")));
    let url = web.url("/a");
    for value in [
        json!({}),
        json!({"url": url}),
        json!({"metadata": {}}),
        json!({"url": 5, "metadata": {}}),
        json!({"url": null, "metadata": {}}),
        json!({"url": url, "metadata": 5}),
        json!({"url": url, "metadata": null}),
        json!({"url": url, "metadata": ["x"]}),
        json!({"url": url, "metadata": {"a": ["x", {"b": "c"}]}}),
        json!(5),
        Value::Null,
        json!([]),
        json!("x"),
    ] {
        try_it(value);
    }
    pair.end();
}

#[test]
fn hashes_come_by_the_clients_word() {
    let Some(pair) = Pair::start() else { return };
    let (web, owner) = (Web::start(), As::member("p"));
    let with =
        |path: &str, validation: Value| json!({"url": web.url(path), "metadata": {}, "validation_data": validation});
    let good = json!({"os_hash_algo": "sha512", "os_hash_value": HASH});
    // Glance prints what was sent with the location, too, and only in this one answer.
    let quietly = |id: &str, op: Value| {
        let path = format!("/v2/images/{id}");
        let body = json!([op]).to_string();
        let kind = "application/openstack-images-v2.1-json-patch";
        let both = pair.ask_freely(&owner, ("PATCH", &path), kind, body.as_bytes());
        if both.glance.status != both.larder.status {
            pair.note(format!("{body}\n{}", both.print()));
        }
        show(&pair, &owner, id);
    };
    let add_it = |id: &str, value: Value| quietly(id, json!({"op": "add", "path": "/locations/-", "value": value}));
    let id = pair.image(&owner, json!({}));
    add_it(&id, with("/a", good.clone()));
    add_it(&id, with("/b", good.clone()));
    add_it(&id, with("/c", json!({"os_hash_algo": "sha512", "os_hash_value": HASH.replace('f', "e")})));
    let md5 = "a".repeat(32);
    for validation in [
        json!({}),
        json!({"os_hash_algo": "sha512"}),
        json!({"os_hash_value": HASH}),
        json!({"os_hash_algo": "md5", "os_hash_value": md5}),
        json!({"os_hash_algo": "sha512", "os_hash_value": "zz"}),
        json!({"os_hash_algo": "sha512", "os_hash_value": "aa"}),
        json!({"os_hash_algo": "sha512", "os_hash_value": ""}),
        json!({"os_hash_algo": "", "os_hash_value": HASH}),
        json!({"os_hash_algo": 5, "os_hash_value": HASH}),
        json!({"os_hash_algo": "x".repeat(65), "os_hash_value": HASH}),
        json!({"os_hash_algo": "sha512", "os_hash_value": "a".repeat(129)}),
        json!({"os_hash_algo": "sha512", "os_hash_value": HASH, "checksum": md5}),
        json!({"os_hash_algo": "sha512", "os_hash_value": HASH, "checksum": "z".repeat(32)}),
        json!({"os_hash_algo": "sha512", "os_hash_value": HASH, "checksum": "aa"}),
        json!({"os_hash_algo": "sha512", "os_hash_value": HASH, "x": "y"}),
        json!(5),
        Value::Null,
    ] {
        add_it(&pair.image(&owner, json!({})), with("/a", validation));
    }
    let id = pair.image(&owner, json!({}));
    pair.fill(&owner, &id);
    add_it(&id, with("/a", good.clone()));
    add_it(&id, at(&web.url("/a")));
    let id = pair.image(&owner, json!({}));
    let other = json!({"os_hash_algo": "sha512", "os_hash_value": HASH.replace('f', "0")});
    quietly(
        &id,
        json!({"op": "replace", "path": "/locations", "value": [with("/a", good.clone()), with("/b", other)]}),
    );
    quietly(&id, json!({"op": "replace", "path": "/locations", "value": [with("/a", good), at(&web.url("/b"))]}));
    pair.end();
}

#[test]
fn all_locations_are_replaced_where_there_are_none_or_the_same() {
    let Some(pair) = Pair::start() else { return };
    let (web, owner) = (Web::start(), As::member("p"));
    let list = |paths: &[&str]| paths.iter().map(|it| at(&web.url(it))).collect::<Value>();
    let id = pair.image(&owner, json!({}));
    for value in [
        json!([]),
        list(&["/a", "/b"]),
        list(&["/b", "/a"]),
        json!([{"url": web.url("/a"), "metadata": {"x": "y"}}, at(&web.url("/b"))]),
        list(&["/a"]),
        list(&["/a", "/c"]),
        list(&["/a", "/b", "/c"]),
        json!([]),
    ] {
        replace(&pair, &owner, &id, &value);
        show(&pair, &owner, &id);
    }
    for value in [
        list(&["/a", "/a"]),
        list(&["/a", "/b", "/c", "/big"]),
        list(&["/a", "/none"]),
        json!(5),
        Value::Null,
        json!({}),
        json!([5]),
        json!("x"),
    ] {
        let id = pair.image(&owner, json!({}));
        replace(&pair, &owner, &id, &value);
        show(&pair, &owner, &id);
    }
    let id = pair.image(&owner, json!({}));
    pair.fill(&owner, &id);
    replace(&pair, &owner, &id, &list(&["/a"]));
    // All operations of a patch are done, or none.
    for last in [
        json!({"op": "add", "path": "/locations/-", "value": at(&web.url("/none"))}),
        json!({"op": "replace", "path": "/disk_format", "value": "qcow2"}),
        json!({"op": "add", "path": "/locations/-", "value": at(&web.url("/b"))}),
    ] {
        let id = pair.image(&owner, json!({}));
        let first = json!({"op": "add", "path": "/locations/-", "value": at(&web.url("/a"))});
        pair.patch(&owner, &id, &json!([first, {"op": "replace", "path": "/name", "value": "y"}, last]));
        show(&pair, &owner, &id);
    }
    pair.end();
}

#[test]
fn who_may_change_locations() {
    let Some(pair) = Pair::start() else { return };
    let (web, owner, admin) = (Web::start(), As::member("p"), As::admin());
    for who in super::rights::callers() {
        for visibility in ["community", "private"] {
            let id = pair.image(&owner, json!({"visibility": visibility}));
            for value in [at(&web.url("/a")), at("file:///x"), json!({})] {
                add(&pair, &who, &id, "-", &value);
            }
            add(&pair, &who, &id, "nowhere", &at(&web.url("/a")));
            add(&pair, &admin, &id, "-", &at(&web.url("/b")));
            remove(&pair, &who, &id, "0");
            replace(&pair, &who, &id, &json!([]));
            replace(&pair, &who, &id, &json!([at(&web.url("/c"))]));
            pair.get(&who, &format!("/v2/images/{id}"));
            pair.get(&who, &format!("/v2/images/{id}/locations"));
        }
    }
    let id = pair.image(&owner, json!({"visibility": "community"}));
    add(&pair, &owner, &id, "-", &at(&web.url("/a")));
    pair.ask(&admin, ("POST", &format!("/v2/images/{id}/actions/deactivate")), "", b"");
    add(&pair, &owner, &id, "-", &at(&web.url("/b")));
    remove(&pair, &admin, &id, "0");
    for who in super::rights::callers() {
        // Those who may not look at the image are told by Glance that it is deactivated when they ask for its data.
        pair.get(&who, &format!("/v2/images/{id}"));
        pair.get(&who, &format!("/v2/images/{id}/locations"));
    }
    pair.get(&owner, &format!("/v2/images/{id}/file"));
    pair.get(&admin, &format!("/v2/images/{id}/file"));
    pair.end();
}

/// Adds by the API of its own, and waits until Glance's task is over.
fn post(pair: &Pair, who: &As, id: &str, body: &Value) {
    let path = format!("/v2/images/{id}/locations");
    let both = pair.ask(who, ("POST", &path), JSON, body.to_string().as_bytes());
    if both.glance.status == 202 && both.larder.status == 202 {
        let tasks = format!("/v2/images/{id}/tasks");
        let last = |it: &crate::api::Answer| {
            let mut task = it.json()["tasks"].as_array().unwrap().last().cloned().unwrap_or_default();
            for name in ["id", "message", "created_at", "updated_at", "expires_at", "request_id"] {
                task.as_object_mut().unwrap().remove(name);
            }
            task
        };
        let ask = |path: &str| pair.ask_freely(&As::admin(), ("GET", path), "", b"");
        let image = format!("/v2/images/{id}");
        // Glance takes its lock off a moment after the task is over.
        let is_done = pair.glance_is_done(|| {
            let task = last(&ask(&tasks).glance);
            let is_over = task["status"] == "success" || task["status"] == "failure";
            is_over && ask(&image).glance.json().get("os_glance_import_task").is_none()
        });
        if !is_done {
            return;
        }
        let tasks = ask(&tasks);
        let (glance, larder) = (last(&tasks.glance), last(&tasks.larder));
        if glance["status"] == "failure" && larder["status"] == "success" {
            pair.lose(&format!("has failed to do {body}"));
        } else if glance != larder {
            pair.note(format!("the tasks of {body}: Glance {glance}, Larder {larder}"));
        }
    }
    show(pair, &As::admin(), id);
}

#[test]
fn locations_are_added_without_reading_the_data() {
    let Some(pair) = Pair::start() else { return };
    let (web, owner, nova) = (Web::start(), As::member("p"), As::new("services", "service,admin"));
    let (url, good) = (web.url("/a"), json!({"os_hash_algo": "sha512", "os_hash_value": HASH}));
    let new = || pair.image(&owner, json!({"visibility": "community"}));
    post(&pair, &nova, &new(), &json!({"url": url}));
    let id = new();
    post(&pair, &nova, &id, &json!({"url": url, "validation_data": good}));
    post(&pair, &nova, &id, &json!({"url": url}));
    for validation in [
        json!({}),
        json!({"os_hash_algo": "sha512"}),
        json!({"os_hash_value": HASH}),
        json!({"os_hash_algo": "md5", "os_hash_value": "a".repeat(32)}),
        json!({"os_hash_algo": "sha1", "os_hash_value": "a".repeat(40)}),
        json!({"os_hash_algo": "sha384", "os_hash_value": "a".repeat(96)}),
        json!({"os_hash_algo": "sha512", "os_hash_value": "zz"}),
        json!({"os_hash_algo": "sha512", "os_hash_value": "aa"}),
        json!({"os_hash_algo": "sha512", "os_hash_value": HASH, "checksum": "a".repeat(32)}),
        json!({"os_hash_algo": 5, "os_hash_value": HASH}),
        json!(5),
        Value::Null,
    ] {
        post(&pair, &nova, &new(), &json!({"url": url, "validation_data": validation}));
    }
    for body in [json!({}), json!([]), json!([5]), json!({"url": 5}), json!({"url": url, "more": 5})] {
        post(&pair, &nova, &new(), &body);
    }
    let places = [
        "file:///etc/passwd",
        "swift+config://a/b",
        "ftp://127.0.0.1/x",
        "x",
        "",
        "http://",
        "http://127.0.0.1:1/x",
        "http://localhost/x",
        "https://169.254.169.254/x",
        "httpx://y",
    ];
    for place in places {
        for who in [&nova, &owner] {
            post(&pair, who, &new(), &json!({"url": place}));
        }
    }
    pair.fill(&owner, &id);
    post(&pair, &nova, &id, &json!({"url": url}));
    for who in super::rights::callers() {
        for visibility in ["private", "community"] {
            let id = pair.image(&owner, json!({"visibility": visibility}));
            post(&pair, &who, &id, &json!({"url": url}));
        }
    }
    pair.end();
}
