//! `PATCH /v2/images/{id}`

use crate::api::Server;
use serde_json::json;

#[test]
pub(crate) fn changes_are_made_in_order_and_all_or_none() {
    let server = Server::start();
    let id = server.create(json!({"name": "a", "old": "x"}));
    let answer = server.patch(
        &id,
        &json!([
            {"op": "replace", "path": "/name", "value": "b"},
            {"op": "add", "path": "/new", "value": "1"},
            {"op": "add", "path": "/new", "value": "2"},
            {"op": "remove", "path": "/old"},
            {"op": "replace", "path": "/tags", "value": ["y", "x", "y"]},
            {"op": "add", "path": "/a~1b", "value": "c"},
        ]),
    );
    assert_eq!(answer.status, 200, "{answer:?}");
    let image = answer.json();
    assert_eq!((&image["name"], &image["new"], &image["a/b"]), (&json!("b"), &json!("2"), &json!("c")));
    assert!(image.get("old").is_none());
    let mut tags: Vec<_> = image["tags"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["x", "y"]);
    let answer = server
        .patch(&id, &json!([{"op": "replace", "path": "/name", "value": "c"}, {"op": "remove", "path": "/none"}]));
    answer.refuses(409, "Property none does not exist.");
    assert_eq!(server.get(&format!("/v2/images/{id}")).json(), image);
}

#[test]
pub(crate) fn the_empty_change_writes_nothing() {
    let server = Server::start();
    let id = server.create(json!({"name": "a"}));
    let before = server.get(&format!("/v2/images/{id}")).json();
    let answer = server.patch(&id, &json!([]));
    assert_eq!((answer.status, answer.json()), (200, before));
}

#[test]
pub(crate) fn the_older_dialect_adds_what_is_new_only() {
    let server = Server::start();
    let id = server.create(json!({"name": "a"}));
    let kind = ("Content-Type", "application/openstack-images-v2.0-json-patch");
    let patch = |body: &str| server.ask("PATCH", &format!("/v2/images/{id}"), &[kind], body.as_bytes());
    assert_eq!(patch(r#"[{"add": "/n", "value": "x"}]"#).status, 200);
    patch(r#"[{"add": "/n", "value": "y"}]"#).refuses(409, "Property n already present.");
    patch(r#"[{"add": "/name", "value": "y"}]"#).refuses(409, "Property name already present.");
    assert_eq!(patch(r#"[{"replace": "/n", "value": "z"}, {"remove": "/n"}]"#).status, 200);
}

#[test]
pub(crate) fn other_media_types_are_told_the_right_ones() {
    let server = Server::start();
    let id = server.create(json!({}));
    let path = format!("/v2/images/{id}");
    let answer = server.ask("PATCH", &path, &[("Content-Type", "application/json")], b"[]");
    answer.refuses(415, "Image PATCH expects Content-Type one of");
    let told = answer.header("accept-patch").unwrap();
    assert!(told.contains("application/openstack-images-v2.1-json-patch") && told.contains("v2.0"), "{told}");
}

#[test]
pub(crate) fn what_is_wrong_is_refused() {
    let server = Server::start();
    let id = server.create(json!({"name": "a"}));
    for (change, status, words) in [
        (json!({"op": "replace", "path": "/id", "value": "x"}), 403, "'id' is read-only"),
        (json!({"op": "remove", "path": "/name"}), 403, "Property name may not be removed."),
        (json!({"op": "replace", "path": "/zzz", "value": "x"}), 409, "Property zzz does not exist."),
        (json!({"op": "replace", "path": "/min_ram", "value": 2_147_483_648_u32}), 400, "out of range"),
        (json!({"op": "add", "path": "/os_glance_x", "value": "x"}), 403, "is reserved"),
        (json!({"op": "move", "path": "/a"}), 400, "Invalid operation: `move`"),
        (json!({"op": "add", "path": "/tags/-", "value": "x"}), 400, "Invalid JSON pointer"),
        (
            json!({"op": "add", "path": "/locations/-", "value": {"url": "file:///etc/passwd", "metadata": {}}}),
            403,
            "not allowed to add locations if locations are invisible",
        ),
    ] {
        server.patch(&id, &json!([change])).refuses(status, words);
    }
    server.patch(&id, &json!({})).refuses(400, "must be a JSON array of operation objects.");
    server.patch("11111111-2222-3333-4444-555555555555", &json!([])).refuses(404, "No image found");
}
