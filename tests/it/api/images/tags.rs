//! `/v2/images/{id}/tags/{tag}`

use crate::api::Server;
use serde_json::json;

#[test]
pub(crate) fn tags_come_and_go() {
    let server = Server::start();
    let id = server.create(json!({}));
    let tag = |method: &str, tag: &str| server.ask(method, &format!("/v2/images/{id}/tags/{tag}"), &[], b"");
    assert_eq!(tag("PUT", "x").status, 204);
    assert_eq!(tag("PUT", "x").status, 204);
    assert_eq!(tag("PUT", "a%20b").status, 204);
    let image = server.get(&format!("/v2/images/{id}")).json();
    let mut tags: Vec<_> = image["tags"].as_array().unwrap().iter().map(|it| it.as_str().unwrap()).collect();
    tags.sort_unstable();
    assert_eq!(tags, ["a b", "x"]);
    assert_eq!(tag("DELETE", "x").status, 204);
    assert_eq!(tag("DELETE", "x").status, 404);
    assert_eq!(tag("PUT", &"t".repeat(256)).status, 400);
    assert_eq!(tag("PUT", "%F0%9F%98%80").status, 400);
    assert_eq!(tag("GET", "x").status, 405);
}
