//! Paths that try to lead elsewhere.

use super::{is_well, send};
use crate::api::Server;

#[test]
fn paths_do_not_climb() {
    let server = Server::start();
    let id = server.upload(b"data");
    for path in [
        "/v2/images/../images",
        "/v2/images/..%2f..%2fetc%2fpasswd",
        "/v2/images/%00",
        "/v2/images/%ff%fe",
        "/v2/images/%2e%2e/file",
        "/v2/images//file",
        "/v2/images;a=b",
        "/v2/images/%2f",
        "/v2/%69mages",
        &format!("/v2/images/{id}/../{id}/file"),
        &format!("/v2/images/{id};x/file"),
        &format!("/v2/images/{id}%00/file"),
        &format!("/v2/images/{id}/file/"),
        &format!("/v2/images/{}/file", id.to_uppercase()),
        &format!("/v2/images/{id}%2ffile"),
        "/v2/schemas/..%2f..%2fetc%2fpasswd",
        "/v2/metadefs/namespaces/..%2f..",
        "/v2/metadefs/namespaces/%00",
        "/v2/tasks/%00",
    ] {
        for method in ["GET", "HEAD"] {
            let answer = server.ask(method, path, &[], b"");
            assert!([400, 404].contains(&answer.status), "{method} {path}: {answer:?}");
        }
    }
    is_well(&server);
}

#[test]
fn whole_addresses_and_strange_targets_are_understood_or_refused() {
    let server = Server::start();
    for (line, statuses) in [
        ("GET http://other.example/v2/images HTTP/1.1", &[200][..]),
        ("GET http://other.example:1/versions HTTP/1.1", &[200]),
        ("GET * HTTP/1.1", &[300, 400, 404]),
        ("OPTIONS * HTTP/1.1", &[200]),
        ("CONNECT other.example:80 HTTP/1.1", &[300, 400, 404, 405, 501]),
        ("GET images HTTP/1.1", &[300, 400, 404]),
        ("GET /v2/images#fragment HTTP/1.1", &[200, 400, 404]),
        ("GET /v2/images?%ZZ=%ZZ HTTP/1.1", &[200, 400]),
        ("GET /v2/ima ges HTTP/1.1", &[400]),
        ("GET  /v2/images HTTP/1.1", &[400]),
        ("G\u{e9}T /v2/images HTTP/1.1", &[400]),
        ("GET /v2/\u{e9} HTTP/1.1", &[400, 404]),
    ] {
        let request = format!("{line}\r\nHost: x\r\nConnection: close\r\n\r\n");
        let answer = send(&server, request.as_bytes()).unwrap_or_else(|| panic!("no answer to {line}"));
        assert!(statuses.contains(&answer.status), "{line}: {answer:?}");
        assert!(!answer.text().contains("other.example") || answer.status == 200, "{line}: {}", answer.text());
    }
    is_well(&server);
}
