//! `GET /v2/images`

use crate::api::Server;
use serde_json::{Value, json};

fn names(page: &Value) -> Vec<String> {
    page["images"].as_array().unwrap().iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

#[test]
pub(crate) fn pages_lead_to_the_next_with_all_parameters() {
    let server = Server::start();
    for name in ["a", "b", "c", "d", "e"] {
        server.create(json!({"name": name, "tags": ["x", "y"]}));
    }
    server.create(json!({"name": "z", "tags": ["x"]}));
    let mut path = "/v2/images?limit=2&sort_key=name&sort_dir=asc&tag=x&tag=y".to_owned();
    let mut found = Vec::new();
    loop {
        let page = server.get(&path).json();
        assert_eq!(page["first"], "/v2/images?limit=2&sort_key=name&sort_dir=asc&tag=x&tag=y");
        assert_eq!(page["schema"], "/v2/schemas/images");
        found.extend(names(&page));
        match page.get("next") {
            Some(next) => path = next.as_str().unwrap().to_owned(),
            None => break,
        }
    }
    assert_eq!(found, ["a", "b", "c", "d", "e"]);
}

#[test]
pub(crate) fn limits_are_glances() {
    let server = Server::with("limit_param_default = 2\napi_limit_max = 3");
    for name in ["a", "b", "c", "d"] {
        server.create(json!({"name": name}));
    }
    assert_eq!(names(&server.get("/v2/images").json()).len(), 2);
    assert_eq!(names(&server.get("/v2/images?limit=100").json()).len(), 3);
    let none = server.get("/v2/images?limit=0").json();
    assert_eq!((names(&none).len(), none["first"].as_str()), (0, Some("/v2/images?limit=0")));
    server.get("/v2/images?limit=-1").refuses(400, "limit param must be positive");
    server.get("/v2/images?limit=x").refuses(400, "limit param must be an integer");
    assert_eq!(server.get("/v2/images?marker=11111111-2222-3333-4444-555555555555").status, 400);
}

#[test]
pub(crate) fn filters() {
    let server = Server::start();
    server.create(json!({"name": "a", "os_distro": "debian", "min_disk": 5}));
    server.create(json!({"name": "b, c", "os_distro": "fedora", "os_hidden": true}));
    server.create(json!({"name": "d", "visibility": "community", "protected": true}));
    for (query, wanted) in [
        ("", &["a"][..]),
        ("name=a", &["a"]),
        ("name=in:a,z", &["a"]),
        ("os_distro=debian", &["a"]),
        ("os_distro=none", &[]),
        ("os_hidden=true", &["b, c"]),
        ("visibility=all", &["a", "d"]),
        ("visibility=community", &["d"]),
        ("visibility=all&protected=true", &["d"]),
        ("min_disk=5", &["a"]),
        ("status=queued", &["a"]),
        ("created_at=gt:2001-01-01T00:00:00Z", &["a"]),
        ("created_at=lt:2001-01-01T00:00:00Z", &[]),
    ] {
        let mut found = names(&server.get(&format!("/v2/images?{query}")).json());
        found.sort();
        assert_eq!(found, wanted, "{query}");
    }
    for query in ["visibility=x", "protected=True", "os_hidden=x", "changes-since=2026", "sort=x", "name=gt:a"] {
        assert_eq!(server.get(&format!("/v2/images?{query}")).status, 400, "{query}");
    }
}
