//! What refusals look like, whatever was asked.

use super::Server;

const MISSING: &str = "/v2/images/11111111-2222-3333-4444-555555555555";

#[test]
fn errors_come_in_the_form_that_is_liked() {
    let server = Server::start();
    let words = "No image found with ID 11111111-2222-3333-4444-555555555555";
    let answer = server.get(MISSING);
    assert_eq!(answer.text(), format!("404 Not Found\n\n{words}\n\n   "));
    assert_eq!(answer.header("content-type"), Some("text/plain; charset=UTF-8"));
    let answer = server.ask("GET", MISSING, &[("Accept", "*/*")], b"");
    assert!(answer.text().contains(&format!("<h1>404 Not Found</h1>\n  {words}<br /><br />")), "{}", answer.text());
    let answer = server.ask("GET", MISSING, &[("Accept", "application/json")], b"");
    assert_eq!(
        (answer.json()["code"].as_str(), answer.json()["title"].as_str()),
        (Some("404 Not Found"), Some("Not Found"))
    );
}

#[test]
fn names_in_messages_are_escaped() {
    let server = Server::start();
    let answer = server.ask("GET", "/v2/images/%3Cscript%3E", &[("Accept", "text/html")], b"");
    answer.refuses(404, "&lt;script&gt;");
    assert!(!answer.text().contains("<script>"));
}

#[test]
fn wrong_methods_are_told_the_right_ones() {
    let server = Server::start();
    for (method, path, allow) in [
        ("PUT", "/v2/images", "GET, POST"),
        ("HEAD", "/v2/stores/a/b", "DELETE"),
        ("FOO", "/v2/images", "GET, POST"),
        ("POST", MISSING, "GET, PATCH, DELETE"),
        ("GET", "/v2/stores/a/b", "DELETE"),
        ("DELETE", "/v2/tasks/x", "GET"),
    ] {
        let answer = server.ask(method, path, &[], b"");
        assert_eq!(answer.status, 405, "{method} {path}");
        let mut told: Vec<_> = answer.header("allow").unwrap().split(", ").collect();
        let mut wanted: Vec<_> = allow.split(", ").collect();
        told.sort_unstable();
        wanted.sort_unstable();
        assert_eq!(told, wanted, "{method} {path}");
        assert!(answer.header("x-openstack-request-id").is_some());
    }
    assert_eq!(server.ask("FOO", "/v2/nonsense", &[], b"").status, 501);
    assert_eq!(server.ask("HEAD", "/v2/nonsense", &[], b"").status, 404);
    assert_eq!(server.ask("OPTIONS", "/v2/images", &[], b"").status, 200);
}

#[test]
fn requests_have_ids() {
    let server = Server::start();
    let id = |sent: &str| {
        let answer = server.ask("GET", "/v2/images", &[("X-Openstack-Request-Id", sent)], b"");
        (answer.status, answer.header("x-openstack-request-id").map(str::to_owned))
    };
    assert_eq!(id("req-abc"), (200, Some("req-abc".to_owned())));
    assert_eq!(id("abc"), (200, Some("req-abc".to_owned())));
    assert_eq!(id(&"x".repeat(65)).0, 431);
    let made = server.get("/v2/images");
    assert!(made.header("x-openstack-request-id").unwrap().starts_with("req-"));
    assert_eq!(id("a b").1.unwrap().len(), 40);
}

#[test]
fn bodies_are_where_they_belong() {
    let server = Server::start();
    for method in ["GET", "DELETE"] {
        server.ask(method, MISSING, &[], b"x").refuses(400, "A body is not expected with this request.");
    }
    let actions = format!("{MISSING}/actions/deactivate");
    server.ask("POST", &actions, &[], b"{}").refuses(400, "A body is not expected with this request.");
    server.ask("POST", "/v2/images", &[], b"").refuses(400, "Body expected in request.");
    server.ask("POST", "/v2/images", &[], b"{").refuses(400, "Malformed JSON in request body.");
    server.ask("POST", "/v2/images", &[], b"\xff\xfe").refuses(400, "Malformed JSON in request body.");
    server.ask("POST", "/v2/images", &[], b"5").refuses(400, "Unexpected body type. Expected list/dict.");
    server.ask("POST", "/v2/images", &[], b"[]").refuses(400, "Unexpected body type");
}

#[test]
fn the_log_tells_who_asked_what_and_never_with_which_secret() {
    let server = Server::start();
    let headers = [("X-Openstack-Request-Id", "req-1234"), ("X-Auth-Token", "TOPSECRET")];
    server.ask("POST", "/v2/images?name=TOPSECRET", &headers, br#"{"name": "TOPSECRET"}"#);
    let log = server.daemon.log();
    let line = log.lines().find(|it| it.contains("req-1234")).unwrap_or_else(|| panic!("{log}"));
    for part in ["method", "POST", "path", "/v2/images", "status", "201", "took_ms"] {
        assert!(line.contains(part), "{part} in {line}");
    }
    assert!(!log.contains("TOPSECRET"), "{log}");
}
