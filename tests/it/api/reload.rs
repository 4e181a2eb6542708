//! SIGHUP: the configuration is read again.

use super::Server;
use crate::support::{daemon::signal, wait_until};
use nix::sys::signal::Signal;
use serde_json::json;
use std::{fs, time::Duration};

/// Changes words of the configuration file, and has it read again; waits until the log says `words` once more.
fn change(server: &Server, from: &str, to: &str, words: &str) {
    let file = server.dir.path().join("catalogue.conf");
    let text = fs::read_to_string(&file).unwrap();
    assert!(text.contains(from), "no '{from}' in {text}");
    fs::write(&file, text.replace(from, to)).unwrap();
    hang_up(server, words);
}

/// Has the configuration read again; waits until the log says `words` once more.
pub(super) fn hang_up(server: &Server, words: &str) {
    let count = || server.daemon.log().matches(words).count();
    let before = count();
    signal(server.daemon.pid(), Signal::SIGHUP);
    wait_until(words, Duration::from_secs(60), || count() > before);
}

const DONE: &str = "the configuration is taken over";
const KEPT: &str = "the configuration stays as it was";

#[test]
fn what_can_change_changes_at_once() {
    let server = Server::with("image_tag_quota = 1\nlimit_param_default = 1\nlog_level = info");
    let id = server.create(json!({"tags": ["a"]}));
    let two = json!([{"op": "replace", "path": "/tags", "value": ["a", "b"]}]);
    server.patch(&id, &two).refuses(413, "image tags");
    server.create(json!({}));
    let listed = || server.get("/v2/images").json()["images"].as_array().unwrap().len();
    assert_eq!(listed(), 1);
    change(
        &server,
        "image_tag_quota = 1\nlimit_param_default = 1",
        "image_tag_quota = 2\nlimit_param_default = 5",
        DONE,
    );
    assert_eq!(server.patch(&id, &two).status, 200);
    assert_eq!(listed(), 2);

    let origin = ("Origin", "https://h.example");
    let allowed = || server.ask("GET", "/versions", &[origin], b"").header("access-control-allow-origin").is_some();
    let format = json!({"disk_format": "qcow2", "container_format": "bare"});
    assert!(!allowed());
    let more = "[cors]\nallowed_origin = https://h.example\n[image_format]\ndisk_formats = raw\n[healthcheck]\nbackends = \n[database]";
    change(&server, "[database]", more, DONE);
    assert!(allowed());
    server.post("/v2/images", &format).refuses(400, "disk_format");
    assert_eq!(server.get("/v2/schemas/image").json()["properties"]["disk_format"]["enum"], json!([null, "raw"]));

    change(&server, "limit_param_default", "header_timeout = 5\nmax_header_line = 300\nlimit_param_default", DONE);
    let long = "a".repeat(400);
    assert_eq!(server.ask("GET", "/v2/images", &[("X-Long", &long)], b"").status, 431);

    change(&server, "log_level = info", "log_level = error,larder::catalogue::reload=info", DONE);
    server.ask("GET", "/v2/images", &[("X-Openstack-Request-Id", "req-unheard")], b"");
    change(&server, "log_level = error,", "log_level = info,", DONE);
    server.ask("GET", "/v2/images", &[("X-Openstack-Request-Id", "req-heard")], b"");
    let log = server.daemon.log();
    assert!(!log.contains("req-unheard") && log.contains("req-heard"), "{log}");
}

#[test]
fn the_policy_and_its_files_can_change() {
    let server = super::access::trusting("[oslo_policy]\npolicy_file = a.yaml");
    let member = super::access::As::member("p");
    let dir = server.dir.path();
    fs::write(dir.join("b.yaml"), "get_images: '!'\n").unwrap();
    assert_eq!(member.get(&server, "/v2/images").status, 200);
    change(&server, "policy_file = a.yaml", "policy_file = b.yaml", DONE);
    assert_eq!(member.get(&server, "/v2/images").status, 403);
    let rules = "[secret]\ncreate = admin\nread = admin\nupdate = admin\ndelete = admin\n[.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n";
    fs::write(dir.join("protected.conf"), rules).unwrap();
    let option = format!("[DEFAULT]\nproperty_protection_file = {}\n", dir.join("protected.conf").display());
    change(&server, "[DEFAULT]\n", &option, DONE);
    member.send(&server, "POST", "/v2/images", &json!({"secret": "x"})).refuses(403, "'secret' is reserved");
    // Its content alone.
    fs::write(dir.join("protected.conf"), rules.replace("[secret]", "[open]")).unwrap();
    change(&server, "policy_file = b.yaml", "policy_file = a.yaml", DONE);
    assert_eq!(member.send(&server, "POST", "/v2/images", &json!({"secret": "x"})).status, 201);
}

#[test]
fn what_cannot_change_is_named() {
    let server = Server::with("image_tag_quota = 1");
    let port = format!("bind_port = {}", server.address.port());
    change(&server, &port, "bind_port = 1\nmax_connections = 7\nmetrics = false", "from a start on");
    let log = server.daemon.log();
    let line = log.lines().find(|it| it.contains("from a start on")).unwrap();
    assert!(line.ends_with("bind_port, max_connections, metrics"), "{line}");
    assert_eq!(server.get("/metrics").status, 200);
    change(&server, "image_tag_quota = 1", "image_tag_quota = 2", "from a start on");
    let id = server.create(json!({"tags": ["a", "b"]}));
    assert_eq!(server.get(&format!("/v2/images/{id}")).status, 200);
}

#[test]
fn an_error_changes_nothing() {
    let server = Server::with("image_tag_quota = 1\nlog_level = info");
    let refused = || server.post("/v2/images", &json!({"tags": ["a", "b"]})).refuses(413, "image tags");
    change(&server, "image_tag_quota = 1", "image_tag_quota = 9\nbind_port = x", KEPT);
    assert!(server.daemon.log().contains("bind_port"), "{}", server.daemon.log());
    refused();
    change(&server, "\nbind_port = x", "\nproperty_protection_file = /nowhere/at/all", KEPT);
    assert!(server.daemon.log().contains("/nowhere/at/all"), "{}", server.daemon.log());
    refused();
    change(&server, "\nproperty_protection_file = /nowhere/at/all\nlog_level = info", "\nlog_level = a=b=c", KEPT);
    refused();
    fs::write(server.dir.path().join("policy.yaml"), "add_image: '!'\nget_images: 'role:x and'\n").unwrap();
    change(&server, "log_level = a=b=c", "log_level = info", KEPT);
    assert!(server.daemon.log().contains("policy.yaml:2: rule 'get_images'"), "{}", server.daemon.log());
    refused();
    fs::write(server.dir.path().join("policy.yaml"), "unused: '!'\n").unwrap();
    change(&server, "log_level = info", "log_level = debug", DONE);
    assert_eq!(server.post("/v2/images", &json!({"tags": ["a", "b"]})).status, 201);
}
