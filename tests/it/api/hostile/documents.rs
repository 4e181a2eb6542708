//! JSON that is deep, huge, doubled, or holds what no database takes.

use super::is_well;
use crate::api::Server;
use serde_json::{Value, json};

const PATCH: (&str, &str) = ("Content-Type", "application/openstack-images-v2.1-json-patch");
const JSON: (&str, &str) = ("Content-Type", "application/json");

/// Where documents go, with their media type.
fn places(server: &Server) -> Vec<(&'static str, String, (&'static str, &'static str))> {
    let id = server.create(json!({"visibility": "shared"}));
    let space = server.post("/v2/metadefs/namespaces", &json!({"namespace": "N"}));
    assert_eq!(space.status, 201, "{space:?}");
    let spaces = "/v2/metadefs/namespaces";
    vec![
        ("POST", "/v2/images".to_owned(), JSON),
        ("PATCH", format!("/v2/images/{id}"), PATCH),
        ("POST", format!("/v2/images/{id}/members"), JSON),
        ("PUT", format!("/v2/images/{id}/members/x"), JSON),
        ("POST", format!("/v2/images/{id}/import"), JSON),
        ("POST", spaces.to_owned(), JSON),
        ("PUT", format!("{spaces}/N"), JSON),
        ("POST", format!("{spaces}/N/properties"), JSON),
        ("POST", format!("{spaces}/N/objects"), JSON),
        ("POST", format!("{spaces}/N/tags"), JSON),
        ("POST", format!("{spaces}/N/resource_types"), JSON),
    ]
}

#[test]
fn documents_are_bounded() {
    let server = Server::with("[oslo_middleware]\nmax_request_body_size = 2000000");
    let huge = format!(r#"{{"name": "{}"}}"#, "a".repeat(3 << 20));
    server.ask("POST", "/v2/images", &[], huge.as_bytes()).refuses(413, "longer than 2000000 bytes");
    for (method, path, kind) in places(&server) {
        for (open, close) in [("[", "]"), (r#"{"a":"#, "}"), (r#"[{"a":"#, "}]")] {
            let deep = [open.repeat(100_000), "1".to_owned(), close.repeat(100_000)].concat();
            server.ask(method, &path, &[kind], deep.as_bytes()).refuses(400, "Malformed JSON");
            server.ask(method, &path, &[kind], open.repeat(100_000).as_bytes()).refuses(400, "Malformed JSON");
        }
    }
    is_well(&server);
}

#[test]
fn numbers_and_doubled_keys_are_clear() {
    let server = Server::start();
    for number in ["1e400", "-1e400", "99999999999999999999999", "1e10", "-1", "0.5", "2147483648"] {
        for name in ["min_ram", "min_disk", "name", "x", "protected"] {
            let document = format!(r#"{{"{name}": {number}}}"#);
            let answer = server.ask("POST", "/v2/images", &[JSON], document.as_bytes());
            assert_eq!(answer.status, 400, "{document}: {answer:?}");
        }
    }
    let doubled = server.ask("POST", "/v2/images", &[JSON], br#"{"name": "a", "x": "1", "name": "b", "x": "2"}"#);
    let image = doubled.json();
    assert_eq!((doubled.status, &image["name"], &image["x"]), (201, &json!("b"), &json!("2")));
    is_well(&server);
}

#[test]
fn four_byte_characters_and_nul_are_refused_everywhere() {
    let server = Server::start();
    let id = server.create(json!({"visibility": "shared"}));
    let image = format!("/v2/images/{id}");
    for bad in ["a\u{1F600}", "a\0b"] {
        let documents: Vec<(Value, &str)> = vec![
            (json!({"name": bad}), "name"),
            (json!({"tags": [bad]}), "tag"),
            (json!({"p": bad}), "value"),
            (json!({bad: "v"}), "property"),
            (json!({"owner": bad}), "owner"),
        ];
        for (document, what) in documents {
            let answer = server.post("/v2/images", &document);
            assert_eq!(answer.status, 400, "{what}: {answer:?} {}", answer.text());
        }
        for (path, value) in [
            ("/name".to_owned(), json!(bad)),
            ("/tags".to_owned(), json!([bad])),
            ("/p".to_owned(), json!(bad)),
            (format!("/{bad}"), json!("v")),
        ] {
            let answer = server.patch(&id, &json!([{"op": "add", "path": path, "value": value}]));
            assert_eq!(answer.status, 400, "{path}: {answer:?} {}", answer.text());
        }
    }
    for (method, path, kind) in places(&server) {
        let answer = server.ask(
            method,
            &path,
            &[kind],
            br#"{"name": "\u0000", "member": "\u0000", "namespace": "\u0000", "title": "\u0000"}"#,
        );
        answer.refuses(400, "NUL");
    }
    // Escaped once more, it is only a text about it.
    assert_eq!(server.ask("POST", "/v2/images", &[JSON], br#"{"name": "\\u0000"}"#).status, 201);
    for path in ["", "/tags/%F0%9F%98%80", "/members/%F0%9F%98%80", "/tags/%00", "/members/%00", "/%00"] {
        for method in ["GET", "PUT", "DELETE"] {
            if path.is_empty() {
                continue;
            }
            let answer = server.ask(method, &format!("{image}{path}"), &[], b"");
            assert!((400..500).contains(&answer.status), "{method} {path}: {answer:?}");
        }
    }
    for query in [
        "name=%F0%9F%98%80",
        "name=%00",
        "%00=x",
        "tag=%00",
        "owner=%F0%9F%98%80",
        "marker=%00",
        "sort_key=%00",
        "limit=%00",
        "visibility=%00",
        "p=%ff%fe",
    ] {
        for list in ["/v2/images", "/v2/tasks", "/v2/metadefs/namespaces"] {
            let answer = server.get(&format!("{list}?{query}"));
            assert!(answer.status == 200 || (400..500).contains(&answer.status), "{list}?{query}: {answer:?}");
        }
    }
    is_well(&server);
}

#[test]
fn filters_are_bounded() {
    let server = Server::start();
    let many: String = (0..1000).map(|it| format!("p{it}=x&")).collect();
    assert_eq!(server.get(&format!("/v2/images?{many}")).status, 400);
    let quote = "/v2/images?name=%27%3B%20DROP%20TABLE%20images%3B%20--";
    assert_eq!(server.get(quote).status, 200);
    assert_eq!(server.get("/v2/images").status, 200);
}
