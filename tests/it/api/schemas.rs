//! `/v2/schemas`, `/v2/info`, and what an unconfigured site says of the rest.

use super::Server;
use serde_json::json;

#[test]
fn schemas_are_served() {
    let server = Server::start();
    for name in ["image", "images", "member", "members", "task", "tasks"] {
        let answer = server.get(&format!("/v2/schemas/{name}"));
        assert_eq!((answer.status, answer.json()["name"].as_str()), (200, Some(name)));
    }
    for name in ["namespace", "namespaces", "property", "properties", "object", "objects", "tag", "tags"] {
        let answer = server.get(&format!("/v2/schemas/metadefs/{name}"));
        assert_eq!((answer.status, answer.json()["name"].as_str()), (200, Some(name)));
    }
    assert_eq!(server.get("/v2/schemas/metadefs/resource_type").json()["name"], "resource_type_association");
    let image = server.get("/v2/schemas/image").json();
    assert_eq!(image["properties"]["disk_format"]["enum"][0], json!(null));
    assert!(image["properties"]["disk_format"]["enum"].as_array().unwrap().contains(&json!("qcow2")));
    server.get("/v2/schemas/nonsense").refuses(404, "could not be found");
    server.ask("GET", "/v2/schemas/image", &[], b"x").refuses(400, "A body is not expected");
}

#[test]
fn an_unconfigured_site_says_so() {
    let server = Server::start();
    for path in ["/v2/info/stores", "/v2/info/stores/detail"] {
        server.get(path).refuses(404, "Multi backend is not supported at this site.");
    }
    let answer = server.ask("DELETE", "/v2/stores/fast/11111111-2222-3333-4444-555555555555", &[], b"");
    answer.refuses(404, "Multi backend is not supported");
    for (method, path) in [("GET", "/v2/cache"), ("DELETE", "/v2/cache"), ("POST", "/v2/cache/clean")] {
        server.ask(method, path, &[], b"").refuses(404, "Caching via API is not supported at this site.");
    }
    let methods = json!(["glance-direct", "web-download", "copy-image"]);
    assert_eq!(server.get("/v2/info/import").json()["import-methods"]["value"], methods);
    assert_eq!(server.get("/v2/info/usage").json(), json!({"usage": {}}));
    server.ask("GET", "/v2/info/usage", &[], b"x").refuses(400, "A body is not expected");
    assert_eq!(server.get("/v2/tasks").json()["tasks"], json!([]));
    server.get("/v2/tasks/x").refuses(404, "Could not find task x");
    server.get("/v2/cached_images").refuses(404, "could not be found");
}
