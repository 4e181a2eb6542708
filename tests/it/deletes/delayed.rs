//! Delayed deletion beside a real Glance: the same answers, the same rows, and each finishes what the other began.

use super::{PENDING, count, gone};
use crate::api::{Answer, Server, exchange};
use crate::support::{files, larder, output, rig, run, text};
use serde_json::json;
use std::{net::SocketAddr, path::Path, process::Command};

/// A real Glance with delayed_delete, and Larder on its database and store.
struct Both {
    glance: rig::Glance,
    larder: Server,
}

impl Both {
    fn start(name: &str) -> Option<Self> {
        let glance = rig::glance_on_sqlite(name, "delayed_delete = true")?;
        let dir = tempfile::tempdir().unwrap();
        let larder =
            Server::over(dir, &glance.images.with_file_name("glance.db"), &glance.images, "delayed_delete = true");
        Some(Self { glance, larder })
    }

    fn database(&self) -> std::path::PathBuf {
        self.glance.images.with_file_name("glance.db")
    }

    fn addresses(&self) -> [SocketAddr; 2] {
        [self.glance.url.trim_start_matches("http://").parse().unwrap(), self.larder.address]
    }

    fn larder_scrub(&self, args: &[&str]) -> (i32, String) {
        let conf = self.larder.dir.path().join("catalogue.conf");
        let out =
            output(&mut larder(&[&["catalogue", "--config-file", conf.to_str().unwrap(), "scrub"], args].concat()));
        (out.status.code().unwrap(), text(&out.stdout) + &text(&out.stderr))
    }

    fn glance_scrubber(&self) {
        let dir = self.glance.images.parent().unwrap();
        let mut command = Command::new(rig::program("glance-scrubber").unwrap());
        run(command.current_dir(dir).args(["--config-file", "glance-api.conf"]).env("OS_GLANCE_CONFIG_DIR", dir));
    }
}

fn ask(to: SocketAddr, method: &str, path: &str, body: &str) -> Answer {
    let kind = if path.ends_with("/file") { "application/octet-stream" } else { "application/json" };
    exchange(to, method, path, &[("Content-Type", kind)], body.as_bytes())
}

/// An image with a tag, a property, a member and, maybe, data.
fn image(to: SocketAddr, data: Option<&str>) -> String {
    let new = json!({"name": "n", "disk_format": "raw", "container_format": "bare", "tags": ["t"], "color": "red", "owner": "p"});
    let made = ask(to, "POST", "/v2/images", &new.to_string());
    assert_eq!(made.status, 201, "{made:?}");
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let path = format!("/v2/images/{id}");
    assert_eq!(ask(to, "POST", &format!("{path}/members"), r#"{"member": "m"}"#).status, 200);
    if let Some(data) = data {
        assert_eq!(ask(to, "PUT", &format!("{path}/file"), data).status, 204);
    }
    id
}

/// What the rows of an image say of its deletion.
fn rows(database: &Path, id: &str) -> Vec<String> {
    let raw = rusqlite::Connection::open(database).unwrap();
    let mut found = Vec::new();
    for (table, key, status) in [
        ("images", "id", "status"),
        ("image_locations", "image_id", "status"),
        ("image_properties", "image_id", "value"),
        ("image_tags", "image_id", "value"),
        ("image_members", "image_id", "status"),
    ] {
        let sql = format!("SELECT {status}, deleted, deleted_at IS NULL FROM {table} WHERE {key} = ? ORDER BY 1");
        let mut query = raw.prepare(&sql).unwrap();
        let each = query.query_map([id], |row| {
            let (status, deleted, open): (String, bool, bool) = (row.get(0)?, row.get(1)?, row.get(2)?);
            Ok(format!("{table}: {status}, deleted: {deleted}, never: {open}"))
        });
        found.extend(each.unwrap().map(Result::unwrap));
    }
    found
}

#[test]
fn both_answer_and_write_the_same() {
    let Some(both) = Both::start("delaying") else { return };
    let database = both.database();
    let outcomes = both.addresses().map(|to| {
        let active = image(to, Some("data"));
        let deactivated = image(to, Some("data"));
        assert_eq!(ask(to, "POST", &format!("/v2/images/{deactivated}/actions/deactivate"), "").status, 204);
        let queued = image(to, None);
        let protected = image(to, Some("data"));
        let patch = r#"[{"op": "replace", "path": "/protected", "value": true}]"#;
        let kind = [("Content-Type", "application/openstack-images-v2.1-json-patch")];
        assert_eq!(exchange(to, "PATCH", &format!("/v2/images/{protected}"), &kind, patch.as_bytes()).status, 200);
        let lost = image(to, Some("data"));
        std::fs::remove_file(both.glance.images.join(&lost)).unwrap();
        [active, deactivated, queued, protected, lost].map(|id| {
            let path = format!("/v2/images/{id}");
            let deleted = ask(to, "DELETE", &path, "");
            let (again, shown) = (ask(to, "DELETE", &path, "").status, ask(to, "GET", &path, "").status);
            let there = both.glance.images.join(&id).exists();
            let said = deleted.text().replace(&id, "ID");
            let said = said.contains("status transition from deactivated to pending_delete is not allowed");
            (deleted.status, said, again, shown, there, rows(&database, &id))
        })
    });
    let [by_glance, by_larder] = outcomes;
    for (its, ours) in by_glance.into_iter().zip(by_larder) {
        assert_eq!(ours, its);
    }
    let listed = both
        .addresses()
        .map(|to| ask(to, "GET", "/v2/images?limit=100", "").json()["images"].as_array().unwrap().len());
    assert_eq!(listed, [4, 4]);
}

#[test]
fn each_scrubs_what_the_other_deleted() {
    let Some(both) = Both::start("scrubbing") else { return };
    let database = both.database();
    let delete = |to: SocketAddr| {
        let id = image(to, Some("data"));
        assert_eq!(ask(to, "DELETE", &format!("/v2/images/{id}"), "").status, 204);
        id
    };
    let all = both.addresses().map(delete);
    assert_eq!(count(&database, PENDING), 2);
    // This Larder has one store without an id; this Glance has several, and looks for nothing without one.
    let raw = rusqlite::Connection::open(&database).unwrap();
    raw.execute(r#"UPDATE image_locations SET meta_data = '{"store": "local"}'"#, []).unwrap();
    both.glance_scrubber();
    let by_glance = all.map(|id| (count(&database, &gone(&id)), rows(&database, &id)));
    let all = both.addresses().map(delete);
    assert_eq!(both.larder_scrub(&[]).0, 0);
    let by_larder = all.map(|id| (count(&database, &gone(&id)), rows(&database, &id)));
    assert_eq!(by_larder, by_glance);
    assert_eq!(by_larder[0].0, 1);
    assert_eq!(files(&both.glance.images), Vec::<String>::new());
}

#[test]
fn what_glance_deleted_comes_back_whole() {
    let Some(both) = Both::start("restoring") else { return };
    let [glance, ours] = both.addresses();
    let id = image(glance, Some("data"));
    let path = format!("/v2/images/{id}");
    let before = ask(glance, "GET", &path, "").json();
    assert_eq!(ask(glance, "DELETE", &path, "").status, 204);
    assert_eq!(both.larder_scrub(&["--restore", &id]).0, 0);
    for to in [glance, ours] {
        let mut after = ask(to, "GET", &path, "").json();
        assert_eq!(ask(to, "GET", &format!("{path}/file"), "").body, b"data");
        assert_eq!(ask(to, "GET", &format!("{path}/members"), "").json()["members"][0]["member_id"], "m");
        if to == glance {
            after["updated_at"] = before["updated_at"].clone();
            assert_eq!(after, before);
        }
    }
}

#[test]
fn data_that_is_read_or_absent_is_no_hindrance() {
    let server = Server::start();
    let (read, absent) = (server.upload(&vec![7; 32 << 20]), server.upload(b"absent"));
    std::fs::remove_file(server.images().join(&absent)).unwrap();
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{absent}"), &[], b"").status, 204);
    // The answer has begun, and most of it is still to come: no socket holds as much.
    use std::io::{Read, Write};
    let mut stream = std::net::TcpStream::connect(server.address).unwrap();
    write!(stream, "GET /v2/images/{read}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut start = [0; 1024];
    stream.read_exact(&mut start).unwrap();
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{read}"), &[], b"").status, 204);
    assert_eq!(files(&server.images()), Vec::<String>::new());
    let mut rest = Vec::new();
    stream.read_to_end(&mut rest).unwrap();
    assert!(start.len() + rest.len() > 32 << 20 && rest.iter().all(|it| *it == 7));
}
