//! What Larder knows beyond Glance: entity tags, preconditions, HEAD.

use super::{Answer, Server};
use serde_json::{Value, json};
use std::{collections::BTreeSet, thread};

const PATCH: &str = "application/openstack-images-v2.1-json-patch";

fn tag(answer: &Answer) -> String {
    let tag = answer.header("etag").unwrap_or_else(|| panic!("no ETag: {answer:?}")).to_owned();
    assert!(tag.starts_with('"') && tag.ends_with('"') && tag.len() > 20, "{tag}");
    tag
}

fn add(name: &str, value: &str) -> Value {
    json!([{"op": "add", "path": format!("/{name}"), "value": value}])
}

fn patch_if(server: &Server, id: &str, condition: (&str, &str), change: &Value) -> Answer {
    let headers = [("Content-Type", PATCH), condition];
    server.ask("PATCH", &format!("/v2/images/{id}"), &headers, change.to_string().as_bytes())
}

#[test]
fn an_image_has_a_tag_that_changes_with_it() {
    let server = Server::start();
    let made = server.post("/v2/images", &json!({"name": "a"}));
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v2/images/{id}");
    let first = tag(&made);
    assert_eq!(tag(&server.get(&path)), first);
    let mut seen = BTreeSet::from([first.clone()]);
    let file = format!("{path}/file");
    let data = ("Content-Type", "application/octet-stream");
    let named = |change: Value| ("PATCH", path.clone(), ("Content-Type", PATCH), change.to_string());
    for (method, path, kind, body) in [
        named(json!([{"op": "replace", "path": "/name", "value": "b"}])),
        named(add("colour", "red")),
        named(json!([{"op": "remove", "path": "/colour"}, {"op": "add", "path": "/shape", "value": "round"}])),
        named(
            json!([{"op": "add", "path": "/disk_format", "value": "raw"}, {"op": "add", "path": "/container_format", "value": "bare"}]),
        ),
        ("PUT", format!("{path}/tags/t"), data, String::new()),
        ("PUT", file.clone(), data, "data".to_owned()),
        ("POST", format!("{path}/actions/deactivate"), data, String::new()),
    ] {
        let answer = server.ask(method, &path, &[kind], body.as_bytes());
        assert!([200, 204].contains(&answer.status), "{method} {path}: {answer:?}");
        let now = tag(&server.get(&format!("/v2/images/{id}")));
        assert!(seen.insert(now), "{method} {path} changed nothing");
    }
}

#[test]
fn what_a_client_has_is_not_sent_again() {
    let server = Server::start();
    let id = server.upload(b"0123456789");
    for path in [format!("/v2/images/{id}"), format!("/v2/images/{id}/file")] {
        let whole = server.get(&path);
        let tag = tag(&whole);
        let weak = format!("W/{tag}");
        let list = format!("\"x\", {weak} ,\"y\"");
        for known in [tag.as_str(), &weak, &list, "*"] {
            for method in ["GET", "HEAD"] {
                let answer = server.ask(method, &path, &[("If-None-Match", known)], b"");
                assert_eq!((answer.status, answer.body.len()), (304, 0), "{method} {path} {known}");
                assert_eq!(answer.header("etag"), Some(tag.as_str()), "{known}");
            }
        }
        for other in ["\"x\"", "x", tag.trim_matches('"')] {
            let answer = server.ask("GET", &path, &[("If-None-Match", other)], b"");
            assert_eq!((answer.status, answer.body), (200, whole.body.clone()), "{path} {other}");
        }
        assert_eq!(server.ask("GET", &path, &[("If-Match", &tag)], b"").status, 200);
        server.ask("GET", &path, &[("If-Match", &weak)], b"").refuses(412, "412 Precondition Failed");
    }
}

#[test]
pub(crate) fn a_change_can_depend_on_the_state_that_was_seen() {
    let server = Server::start();
    let id = server.create(json!({"name": "a"}));
    let path = format!("/v2/images/{id}");
    let old = tag(&server.get(&path));
    let answer = patch_if(&server, &id, ("If-Match", &old), &add("p", "1"));
    assert_eq!(answer.status, 200, "{answer:?}");
    let new = tag(&answer);
    assert_eq!(tag(&server.get(&path)), new);
    for (name, value) in [
        ("If-Match", old.clone()),
        ("If-Match", format!("W/{new}")),
        ("If-Match", "nonsense".to_owned()),
        ("If-None-Match", new.clone()),
        ("If-None-Match", "*".to_owned()),
    ] {
        for change in [add("p", "2"), json!([])] {
            patch_if(&server, &id, (name, &value), &change).refuses(412, "has another state");
        }
        server.ask("DELETE", &path, &[(name, &value)], b"").refuses(412, "has another state");
    }
    assert_eq!(server.get(&path).json()["p"], "1");
    // Who may not, or asks for what cannot be, is told that first.
    patch_if(&server, &id, ("If-Match", &old), &json!([{"op": "remove", "path": "/none"}]))
        .refuses(409, "does not exist");
    server
        .ask("DELETE", "/v2/images/11111111-2222-3333-4444-555555555555", &[("If-Match", &old)], b"")
        .refuses(404, "Failed to find image");
    assert_eq!(patch_if(&server, &id, ("If-Match", "*"), &add("p", "3")).status, 200);
    let now = format!("\"x\", {}", tag(&server.get(&path)));
    assert_eq!(server.ask("DELETE", &path, &[("If-Match", &now)], b"").status, 204);
}

#[test]
fn data_is_only_put_where_there_is_none() {
    let server = Server::start();
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    for wanted in ["*", "\"x\""] {
        assert_eq!(server.put_file(&id, &[("If-Match", wanted)], b"data").status, 412);
    }
    assert_eq!(server.put_file(&id, &[("If-None-Match", "*")], b"data").status, 204);
    let tag = tag(&server.get(&format!("/v2/images/{id}/file")));
    assert_eq!(server.put_file(&id, &[("If-Match", &tag)], b"data").status, 409);
    assert_eq!(server.put_file(&id, &[("If-Match", "\"x\"")], b"data").status, 412);
}

#[test]
fn a_part_is_of_the_data_that_was_named() {
    let server = Server::start();
    let id = server.upload(b"0123456789");
    let path = format!("/v2/images/{id}/file");
    let whole = server.get(&path);
    assert_eq!(whole.header("accept-ranges"), Some("bytes"));
    let tag = tag(&whole);
    let part = |named: &str| server.ask("GET", &path, &[("Range", "bytes=2-4"), ("If-Range", named)], b"");
    let answer = part(&tag);
    assert_eq!((answer.status, &answer.body[..], answer.header("etag")), (206, &b"234"[..], Some(tag.as_str())));
    for other in ["\"x\"", &format!("W/{tag}"), "Sat, 21 Nov 2026 14:00:00 GMT"] {
        assert_eq!((part(other).status, part(other).body.len()), (200, 10), "{other}");
    }
    let head = server.ask("HEAD", &path, &[("Range", "bytes=2-4")], b"");
    assert_eq!((head.status, head.header("content-length"), head.body.len()), (200, Some("10"), 0));
}

#[test]
fn head_is_get_without_its_body() {
    let server = Server::start();
    let id = server.upload(b"0123456789");
    let image = format!("/v2/images/{id}");
    let of_image: Vec<String> = ["", "/file", "/tasks", "/locations", "/members", "/members/x"]
        .iter()
        .map(|it| format!("{image}{it}"))
        .collect();
    let fixed = [
        "/",
        "/versions",
        "/v1",
        "/v2",
        "/v2/",
        "/v2/images",
        "/v2/images?limit=x",
        "/v2/nonsense",
        "/v2/info/import",
        "/v2/info/stores",
        "/v2/info/usage",
        "/v2/tasks",
        "/v2/tasks/x",
        "/v2/schemas/image",
        "/v2/schemas/metadefs/tag",
        "/v2/schemas/x",
        "/v2/metadefs/resource_types",
        "/v2/metadefs/namespaces",
        "/v2/metadefs/namespaces/x",
        "/v2/cache",
    ];
    for path in fixed.into_iter().map(str::to_owned).chain(of_image) {
        for accept in ["*/*", "application/json"] {
            let (get, head) = (
                server.ask("GET", &path, &[("Accept", accept)], b""),
                server.ask("HEAD", &path, &[("Accept", accept)], b""),
            );
            let told = |it: &Answer| {
                let ours = |name: &str| !["date", "x-openstack-request-id"].contains(&name);
                let mut all: Vec<_> =
                    it.headers.iter().map(|it| (it.0.to_lowercase(), it.1.clone())).filter(|it| ours(&it.0)).collect();
                all.sort();
                (it.status, all)
            };
            assert_eq!(told(&head), told(&get), "{path}");
            assert_eq!(head.body.len(), 0, "{path}");
            assert_eq!(head.header("content-length").map(str::to_owned), Some(get.body.len().to_string()), "{path}");
        }
    }
}

#[test]
pub(crate) fn changes_at_the_same_time_lose_nothing() {
    const CLIENTS: usize = 24;
    const EACH: usize = 5;
    let server = Server::start();
    let id = server.create(json!({"name": "a"}));
    thread::scope(|scope| {
        for client in 0..CLIENTS {
            let (server, id) = (&server, &id);
            scope.spawn(move || {
                for round in 0..EACH {
                    let answer = server.patch(id, &add(&format!("p{client}_{round}"), "x"));
                    assert_eq!(answer.status, 200, "{answer:?} {}", answer.text());
                }
            });
        }
    });
    let image = server.get(&format!("/v2/images/{id}")).json();
    let found = image.as_object().unwrap().keys().filter(|it| it.starts_with('p') && it.contains('_')).count();
    assert_eq!(found, CLIENTS * EACH);
}

#[test]
pub(crate) fn of_changes_to_one_state_one_is_made_whichever_process_is_asked() {
    const CLIENTS: usize = 16;
    let first = Server::start();
    let second = Server::beside(&first.connection, &first.images());
    let id = first.create(json!({"name": "a"}));
    for round in 0..5 {
        let seen = tag(&first.get(&format!("/v2/images/{id}")));
        assert_eq!(tag(&second.get(&format!("/v2/images/{id}"))), seen);
        let statuses: Vec<u16> = thread::scope(|scope| {
            let begin = |client: usize| {
                let (server, id, seen) = (if client.is_multiple_of(2) { &first } else { &second }, &id, &seen);
                let change = add("who", &format!("{round} {client}"));
                scope.spawn(move || patch_if(server, id, ("If-Match", seen), &change).status)
            };
            let all: Vec<_> = (0..CLIENTS).map(begin).collect();
            all.into_iter().map(|it| it.join().unwrap()).collect()
        });
        assert_eq!(statuses.iter().filter(|it| **it == 200).count(), 1, "{statuses:?}");
        assert_eq!(statuses.iter().filter(|it| **it == 412).count(), CLIENTS - 1, "{statuses:?}");
    }
}
