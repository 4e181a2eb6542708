//! `[cors]`

use super::Oslo;
use crate::api::{Answer, Server, access};
use serde_json::{Value, json};
use std::collections::BTreeMap;

const ORIGINS: [Option<&str>; 7] = [
    None,
    Some("https://h.example"),
    Some("http://other.example:8080"),
    Some("https://h.example/"),
    Some("HTTPS://H.EXAMPLE"),
    Some("null"),
    Some(""),
];
const METHODS: [Option<&str>; 6] = [None, Some("GET"), Some("PATCH"), Some("patch"), Some("OPTIONS"), Some("")];
const HEADERS: [Option<&str>; 7] = [
    None,
    Some("X-Auth-Token"),
    Some("x-auth-token, content-type,ACCEPT"),
    Some("X-Requested-With"),
    Some("X-Auth-Token, X-Requested-With"),
    Some(",, Accept ,"),
    Some(""),
];

/// Settings as a file has them, and as oslo.middleware takes them.
fn settings() -> [(&'static str, Value); 5] {
    [
        ("", json!({})),
        (
            "allowed_origin = https://h.example, http://other.example:8080",
            json!({"allowed_origin": ["https://h.example", "http://other.example:8080"]}),
        ),
        (
            "allowed_origin = *\nallow_credentials = false\nmax_age = 0\nexpose_headers =",
            json!({"allowed_origin": ["*"], "allow_credentials": false, "max_age": 0, "expose_headers": []}),
        ),
        (
            "allowed_origin = https://h.example,*\nallow_methods = OPTIONS,patch\nallow_headers =\nmax_age = -1",
            json!({"allowed_origin": ["https://h.example", "*"], "allow_methods": ["OPTIONS", "patch"], "allow_headers": [], "max_age": -1}),
        ),
        (
            "allowed_origin = https://h.example\nallow_headers = X-Requested-With,X-Auth-Token\nexpose_headers = A,B",
            json!({"allowed_origin": ["https://h.example"], "allow_headers": ["X-Requested-With", "X-Auth-Token"], "expose_headers": ["A", "B"]}),
        ),
    ]
}

fn of_cors<'a>(headers: impl Iterator<Item = (&'a str, &'a str)>) -> BTreeMap<String, String> {
    let ours = |name: &str| name == "vary" || name.starts_with("access-control-");
    headers.map(|it| (it.0.to_lowercase(), it.1.to_owned())).filter(|it| ours(&it.0)).collect()
}

fn fields(answer: &Answer) -> BTreeMap<String, String> {
    of_cors(answer.headers.iter().map(|it| (it.0.as_str(), it.1.as_str())))
}

#[test]
fn answers_are_those_of_oslo_middleware() {
    let Some(mut oslo) = Oslo::start() else { return };
    for (file, conf) in settings() {
        let server = Server::with(&format!("[cors]\n{file}"));
        for origin in ORIGINS {
            for wanted in METHODS {
                for names in HEADERS {
                    let all = [
                        ("Origin", origin),
                        ("Access-Control-Request-Method", wanted),
                        ("Access-Control-Request-Headers", names),
                    ];
                    let sent: Vec<_> = all.into_iter().filter_map(|it| Some((it.0, it.1?))).collect();
                    for method in ["OPTIONS", "GET"] {
                        // What is asked before does not matter to the request itself.
                        if method == "GET" && (wanted.is_some() || names.is_some()) {
                            continue;
                        }
                        let said = oslo.ask("cors", &conf, (method, "/v2/images"), (&sent, None));
                        let answer = server.ask(method, "/v2/images", &sent, b"");
                        let theirs = of_cors(said.headers.iter().map(|it| (it.0.as_str(), it.1.as_str())));
                        assert_eq!(fields(&answer), theirs, "{file}: {method} {sent:?}");
                        assert_eq!(answer.status, said.status, "{file}: {method} {sent:?}");
                    }
                }
            }
        }
    }
}

#[test]
fn browsers_are_answered_before_the_login_and_with_every_refusal() {
    let server =
        access::trusting("[cors]\nallowed_origin = https://h.example\nallow_headers = X-Auth-Token,X-Requested-With");
    let origin = ("Origin", "https://h.example");
    let before =
        [origin, ("Access-Control-Request-Method", "PUT"), ("Access-Control-Request-Headers", "x-requested-with")];
    for path in ["/v2/images/x/file", "/nonsense", "/v2", "/"] {
        let answer = server.ask("OPTIONS", path, &before, b"");
        assert_eq!((answer.status, answer.body.len()), (200, 0), "{path}");
        assert_eq!(answer.header("access-control-allow-methods"), Some("PUT"), "{path}");
    }
    for (path, status) in [("/v2/images", 401), ("/v1/images", 300), ("/versions", 200)] {
        let answer = server.ask("GET", path, &[origin], b"");
        assert_eq!(answer.status, status);
        assert_eq!(answer.header("access-control-allow-origin"), Some("https://h.example"), "{path}");
    }
    // As in Glance, where it is outside the pipeline.
    assert_eq!(server.ask("GET", "/healthcheck", &[origin], b"").header("access-control-allow-origin"), None);
}
