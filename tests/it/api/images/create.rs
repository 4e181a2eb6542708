//! `POST /v2/images`, and `GET` of what was made.

use crate::api::Server;
use serde_json::json;

const ID: &str = "11111111-2222-3333-4444-555555555555";

#[test]
pub(crate) fn an_image_is_made_with_glances_defaults() {
    let server = Server::start();
    let answer = server.post("/v2/images", &json!({"id": ID, "name": "debian", "os_distro": "debian"}));
    assert_eq!(answer.status, 201);
    assert_eq!(answer.header("content-type"), Some("application/json"));
    let location = format!("http://{}/v2/images/{ID}", server.address);
    assert_eq!(answer.header("location"), Some(location.as_str()));
    assert_eq!(answer.header("openstack-image-store-ids"), None);
    let image = answer.json();
    for (name, value) in [
        ("status", json!("queued")),
        ("visibility", json!("shared")),
        ("size", json!(null)),
        ("checksum", json!(null)),
        ("owner", json!(null)),
        ("protected", json!(false)),
        ("min_disk", json!(0)),
        ("tags", json!([])),
        ("os_distro", json!("debian")),
        ("self", json!(format!("/v2/images/{ID}"))),
        ("file", json!(format!("/v2/images/{ID}/file"))),
        ("schema", json!("/v2/schemas/image")),
    ] {
        assert_eq!(image[name], value, "{name}");
    }
    let time = image["created_at"].as_str().unwrap();
    assert!(time.len() == 20 && time.ends_with('Z'), "{time}");
    let shown = server.get(&format!("/v2/images/{ID}"));
    assert_eq!((shown.status, shown.json()), (200, image));
    assert_eq!(server.get(&format!("/v2.9/images/{ID}")).status, 200);
}

#[test]
pub(crate) fn an_id_is_used_once_and_never_again() {
    let server = Server::start();
    server.create(json!({"id": ID}));
    server.post("/v2/images", &json!({"id": ID})).refuses(409, "already exists");
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{ID}"), &[], b"").status, 204);
    server.post("/v2/images", &json!({"id": ID})).refuses(409, "already exists");
}

#[test]
pub(crate) fn what_is_wrong_is_refused() {
    let server = Server::start();
    for (body, status, words) in [
        (json!({"name": 5}), 400, "5 is not of type 'null', 'string'"),
        (json!({"id": "x"}), 400, "does not match"),
        (json!({"foo": null}), 400, "None is not of type 'string'"),
        (json!({"disk_format": "x"}), 400, "is not one of"),
        (json!({"visibility": "x"}), 400, "is not one of"),
        (json!({"min_ram": -1}), 400, "Cannot be a negative value"),
        (json!({"name": "\u{1f600}"}), 400, "4 byte unicode"),
        (json!({"status": "active"}), 403, "'status' is read-only"),
        (json!({"self": "x"}), 403, "'self' is read-only"),
        (json!({"location": "x"}), 403, "'location' is reserved"),
        (json!({"locations": []}), 403, "'locations' is reserved"),
        (json!({"os_glance_x": "x"}), 403, "'os_glance_x' is reserved"),
    ] {
        server.post("/v2/images", &body).refuses(status, words);
    }
    assert_eq!(server.get("/v2/images").json()["images"], json!([]));
}

#[test]
pub(crate) fn quotas_are_kept() {
    let server = Server::start();
    let properties =
        |count: usize| (0..count).map(|it| (format!("p{it}"), json!("x"))).collect::<serde_json::Map<_, _>>();
    assert_eq!(server.post("/v2/images", &properties(128).into()).status, 201);
    assert_eq!(server.post("/v2/images", &properties(129).into()).status, 413);
    let tags: Vec<String> = (0..129).map(|it| it.to_string()).collect();
    assert_eq!(server.post("/v2/images", &json!({"tags": tags[1..]})).status, 201);
    assert_eq!(server.post("/v2/images", &json!({"tags": tags})).status, 413);
}
