//! `[oslo_middleware] enable_proxy_headers_parsing`

use super::Oslo;
use crate::api::Server;
use serde_json::{Value, json};

type Headers = &'static [(&'static str, &'static str)];

const CASES: [Headers; 10] = [
    &[],
    &[("X-Forwarded-Proto", "https")],
    &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "images.example"), ("X-Forwarded-For", "192.0.2.7")],
    &[("X-Forwarded-Proto", "https"), ("X-Forwarded-Host", "images.example:443")],
    &[("X-Forwarded-Proto", "http"), ("X-Forwarded-Host", "images.example:443")],
    &[("X-Forwarded-Host", "[2001:db8::1]:9292"), ("X-Forwarded-Prefix", "/image")],
    &[("Forwarded", "for=192.0.2.60;proto=https;host=a.example, for=10.0.0.1;host=b.example")],
    &[("Forwarded", "For=192.0.2.60; Proto=https"), ("X-Forwarded-Host", "not.example")],
    &[("Forwarded", ""), ("X-Forwarded-Host", "yes.example")],
    &[("Forwarded", "by=10.0.0.1"), ("X-Forwarded-Prefix", "/a/b")],
];

#[test]
fn links_and_the_log_are_those_of_oslo_middleware() {
    let Some(mut oslo) = Oslo::start() else { return };
    for parsing in [true, false] {
        let server = Server::with(&format!("[oslo_middleware]\nenable_proxy_headers_parsing = {parsing}"));
        let conf = json!({"enable_proxy_headers_parsing": parsing});
        let base = format!("http://{}", server.address);
        for (number, headers) in CASES.into_iter().enumerate() {
            let said = oslo.ask("proxy", &conf, ("GET", "/versions"), (headers, Some(&base)));
            let seen: Value = serde_json::from_str(&said.body).unwrap();
            let wanted = format!("{}/v2/", seen["url"].as_str().unwrap());
            let document = server.ask("GET", "/versions", headers, b"").json();
            assert_eq!(document["versions"][0]["links"][0]["href"], wanted, "{parsing} {headers:?}");
            let id = format!("req-{parsing}-{number}");
            let named = [headers, &[("X-Openstack-Request-Id", id.as_str())]].concat();
            let made = server.ask("POST", "/v2/images", &named, b"{}");
            let (start, _) = wanted.rsplit_once("/v2/").unwrap();
            assert!(made.header("location").unwrap().starts_with(&format!("{start}/v2/images/")), "{made:?}");
            let log = server.daemon.log();
            let line = log.lines().find(|it| it.contains(&id)).unwrap_or_else(|| panic!("{log}"));
            assert!(line.contains(seen["client"].as_str().unwrap()), "{seen} in {line}");
        }
    }
}
