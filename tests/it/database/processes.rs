//! Two catalogue processes on one database and one store.

use crate::{
    api::Server,
    support::{database::servers, wait_until},
};
use serde_json::json;
use std::time::Duration;

#[test]
fn two_processes_are_one_catalogue() {
    for scratch in servers() {
        let images = tempfile::tempdir().unwrap();
        // Both make the schema at the same time, or find it.
        let start = || Server::beside(&scratch.url, images.path());
        let (a, b) = std::thread::scope(|scope| {
            let a = scope.spawn(start);
            let b = scope.spawn(start);
            (a.join().unwrap(), b.join().unwrap())
        });
        let id = a.create(json!({"name": "one", "disk_format": "raw", "container_format": "bare"}));
        let path = format!("/v2/images/{id}");
        std::thread::scope(|scope| {
            for (name, server) in [("a", &a), ("b", &b)] {
                let id = &id;
                scope.spawn(move || {
                    for n in 0..10 {
                        let patch = json!([{"op": "add", "path": format!("/{name}{n}"), "value": "x"}]);
                        let answer = server.patch(id, &patch);
                        assert_eq!(answer.status, 200, "{}", answer.text());
                    }
                });
            }
        });
        let shown = b.get(&path).json();
        for name in (0..10).flat_map(|n| [format!("a{n}"), format!("b{n}")]) {
            assert_eq!(shown[&name], "x", "{name} is lost on {}", scratch.kind);
        }
        assert_eq!(b.put_file(&id, &[], b"data").status, 204);
        assert_eq!(a.put_file(&id, &[], b"more").status, 409);
        assert_eq!(a.get(&format!("{path}/file")).body, b"data");
        assert_eq!(b.ask("DELETE", &path, &[], b"").status, 204);
        assert_eq!(a.get(&path).status, 404);
    }
}

#[test]
fn a_catalogue_outlives_its_connections() {
    for scratch in servers() {
        let images = tempfile::tempdir().unwrap();
        let server = Server::beside(&scratch.url, images.path());
        let id = server.create(json!({"name": "one"}));
        for _ in 0..3 {
            scratch.cut_off_all();
            let patch = json!([{"op": "replace", "path": "/name", "value": "two"}]);
            let answer = server.patch(&id, &patch);
            assert_eq!(answer.status, 200, "{}", answer.text());
            scratch.cut_off_all();
            assert_eq!(server.get("/v2/images").json()["images"][0]["name"], "two");
        }
    }
}

#[test]
fn what_cannot_be_reached_is_said_and_nothing_of_the_password() {
    for scheme in ["mysql+pymysql", "postgresql"] {
        let dir = tempfile::tempdir().unwrap();
        let port = crate::support::free_port();
        let conf = format!(
            "[database]\nconnection = {scheme}://glance:hidden%40word@127.0.0.1:{port}/glance\nmax_retries = 1\nretry_interval = 0.1\n"
        );
        std::fs::write(dir.path().join("c.conf"), conf).unwrap();
        let args = ["catalogue", "--config-file", "c.conf"];
        let mut daemon = crate::support::daemon::Daemon::start(dir.path(), "c", &args);
        wait_until("its end", Duration::from_secs(60), || daemon.ended().is_some());
        let log = daemon.log();
        assert!(log.contains(&format!("127.0.0.1:{port}/glance")) && !log.contains("hidden"), "{log}");
    }
}
