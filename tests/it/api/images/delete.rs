//! `DELETE /v2/images/{id}`

use crate::api::Server;
use serde_json::json;

#[test]
pub(crate) fn deleted_images_are_gone() {
    let server = Server::start();
    let id = server.create(json!({"name": "a"}));
    let path = format!("/v2/images/{id}");
    let answer = server.ask("DELETE", &path, &[], b"");
    assert_eq!((answer.status, answer.body.len()), (204, 0));
    assert_eq!(server.get(&path).status, 404);
    assert_eq!(server.ask("DELETE", &path, &[], b"").status, 404);
    assert_eq!(server.patch(&id, &json!([])).status, 404);
    assert_eq!(server.get("/v2/images").json()["images"], json!([]));
}

#[test]
pub(crate) fn protected_images_stay() {
    let server = Server::start();
    let id = server.create(json!({"protected": true}));
    let path = format!("/v2/images/{id}");
    server.ask("DELETE", &path, &[], b"").refuses(403, &id);
    assert_eq!(server.patch(&id, &json!([{"op": "replace", "path": "/protected", "value": false}])).status, 200);
    assert_eq!(server.ask("DELETE", &path, &[], b"").status, 204);
}

#[test]
pub(crate) fn data_goes_with_its_image() {
    let server = Server::start();
    let id = server.upload(b"0123456789");
    let path = format!("/v2/images/{id}");
    assert_eq!(server.ask("DELETE", &path, &[], b"").status, 204);
    assert_eq!(server.get(&format!("{path}/file")).status, 404);
    assert_eq!(crate::support::files(&server.images()), Vec::<String>::new());
}
