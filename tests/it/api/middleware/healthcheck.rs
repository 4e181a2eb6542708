//! `[healthcheck]`

use super::Oslo;
use crate::api::Server;
use serde_json::json;
use std::fs;

/// Without white space, which says nothing in HTML.
fn bare(text: &str) -> String {
    text.split_whitespace().collect()
}

#[test]
fn answers_are_those_of_oslo_middleware() {
    let Some(mut oslo) = Oslo::start() else { return };
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    let (off, on) = (path("off"), path("on"));
    for (backends, files) in [
        ("", vec![]),
        ("disable_by_file", vec![]),
        ("enable_by_files", vec![&off]),
        ("enable_by_files", vec![&off, &on]),
        ("disable_by_files_ports,enable_by_files", vec![&on]),
        ("disable_by_files_ports,enable_by_files", vec![&off]),
    ] {
        let _ = (fs::remove_file(&off), fs::remove_file(&on));
        files.into_iter().for_each(|it| fs::write(it, "").unwrap());
        let server = Server::with(&format!(
            "[healthcheck]\nbackends = {backends}\ndisable_by_file_paths = 9:/,80:{off}\nenable_by_file_paths = {on}\n[glance_store]"
        ));
        let names: Vec<&str> = backends.split(',').filter(|it| !it.is_empty()).collect();
        let conf = json!({"backends": names, "disable_by_file_path": "/nowhere/at/all", "enable_by_file_paths": [on],
            "disable_by_file_paths": ["9:/", format!("80:{off}")]});
        for method in ["GET", "HEAD", "POST"] {
            for accept in
                [None, Some("*/*"), Some("application/json"), Some("text/html, text/plain;q=0.5"), Some("image/png")]
            {
                let headers: Vec<_> = accept.into_iter().map(|it| ("Accept", it)).collect();
                let said = oslo.ask("healthcheck", &conf, (method, "/healthcheck"), (&headers, None));
                let answer = server.ask(method, "/healthcheck", &headers, b"");
                let what = format!("{backends} {method} {accept:?}");
                // The test's server listens elsewhere than on port 80, so that its ports' files never count.
                if backends.starts_with("disable_by_files_ports") && said.body.contains("DISABLED BY FILE") {
                    assert_eq!(answer.status, if method == "HEAD" { 204 } else { 503 }, "{what}");
                    continue;
                }
                assert_eq!(answer.status, said.status, "{what}");
                assert_eq!(
                    answer.header("content-type"),
                    said.headers.get("content-type").map(String::as_str),
                    "{what}"
                );
                assert_eq!(bare(&answer.text()), bare(&said.body), "{what}");
            }
        }
    }
}

#[test]
fn details_and_refusals() {
    let server = Server::with(
        "[healthcheck]\ndetailed = true\nallowed_source_ranges = 127.0.0.0/8,::1\nignore_proxied_requests = true\n[glance_store]",
    );
    let json = server.ask("GET", "/healthcheck", &[("Accept", "application/json")], b"").json();
    assert_eq!((&json["detailed"], &json["reasons"][0]["class"]), (&json!(true), &json!("HealthcheckResult")));
    assert!(json["reasons"][0]["details"].as_str().unwrap().ends_with("was not found"), "{json}");
    let html = server.ask("GET", "/healthcheck", &[("Accept", "text/html")], b"").text();
    assert!(html.contains("<TD>OK</TD>") && html.contains("Current time"), "{html}");
    assert_eq!(server.ask("GET", "/healthcheck", &[("X-Forwarded-For", "192.0.2.1")], b"").status, 404);
    assert_eq!(server.get("/healthcheck/x").status, 200);
    let elsewhere = Server::with("[healthcheck]\nallowed_source_ranges = 192.0.2.1\n[glance_store]");
    elsewhere.get("/healthcheck").refuses(404, "could not be found");
    let mine = Server::with("[healthcheck]\nbackends = disable_by_files_ports\n[glance_store]");
    assert_eq!(mine.get("/healthcheck").status, 200);
}
