//! `metadata_encryption_key`: with Glance's own code, and with a real Glance on the same database.

use crate::api::Server;
use crate::support::{daemon::Daemon, output, rig, run, text};
use serde_json::Value;
use std::{
    fs,
    net::{SocketAddr, TcpStream},
    path::Path,
    process::Command,
};

const KEY: &str = "0123456789abcdef0123456789abcdef";

fn locations(database: &Path, sql: &str) -> Vec<String> {
    let raw = rusqlite::Connection::open(database).unwrap();
    let mut query = raw.prepare(sql).unwrap();
    query.query_map([], |row| row.get(0)).unwrap().map(Result::unwrap).collect()
}

/// What Glance's own code makes of a value.
fn python(function: &str, key: &str, value: &str) -> Option<String> {
    let code =
        "import sys\nfrom glance.common import crypt\nprint(getattr(crypt, sys.argv[1])(sys.argv[2], sys.argv[3]))";
    Some(
        run(Command::new(rig::program("python")?).args(["-W", "ignore", "-c", code, function, key, value]))
            .trim()
            .to_owned(),
    )
}

#[test]
fn glances_own_code_reads_what_is_written_and_writes_what_is_read() {
    for key in [&KEY[..16], &KEY[..24], KEY] {
        let server = Server::with(&format!("show_multiple_locations = true\nmetadata_encryption_key = {key}"));
        let id = server.upload(b"data");
        let database = server.dir.path().join("catalogue.sqlite");
        let url = format!("file://{}/{id}", server.images().display());
        let written = locations(&database, "SELECT value FROM image_locations").remove(0);
        assert!(!written.contains('/'), "{written}");
        let Some(read) = python("urlsafe_decrypt", key, &written) else { return };
        assert_eq!(read, url);

        let by_glance = python("urlsafe_encrypt", key, &url).unwrap();
        let raw = rusqlite::Connection::open(&database).unwrap();
        raw.execute("UPDATE image_locations SET value = ?", [by_glance]).unwrap();
        assert_eq!(server.get(&format!("/v2/images/{id}")).json()["locations"][0]["url"], url.as_str());
        assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"data");
        // One that is not encrypted, as Glance's own code writes some, is taken as it is.
        raw.execute("UPDATE image_locations SET value = ?", [&url]).unwrap();
        assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"data");
        assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
        assert_eq!(crate::support::files(&server.images()), Vec::<String>::new());
    }
}

#[test]
fn a_real_glance_on_the_same_database() {
    let extra = format!("metadata_encryption_key = {KEY}");
    let Some(glance) = rig::glance_on_sqlite("encrypting", &extra) else { return };
    let database = glance.images.with_file_name("glance.db");
    let of_glance: SocketAddr = glance.url.trim_start_matches("http://").parse().unwrap();
    let ask = |method: &str, path: &str, kind: &str, body: &[u8]| {
        crate::api::exchange(of_glance, method, path, &[("Content-Type", kind)], body)
    };
    let new = br#"{"name": "g", "disk_format": "raw", "container_format": "bare"}"#;
    let made = ask("POST", "/v2/images", "application/json", new).json();
    let theirs = made["id"].as_str().unwrap();
    let file = format!("/v2/images/{theirs}/file");
    assert_eq!(ask("PUT", &file, "application/octet-stream", b"of glance").status, 204);

    let dir = tempfile::tempdir().unwrap();
    let options = format!("show_multiple_locations = true\nmetadata_encryption_key = {KEY}");
    let larder = Server::over(dir, &database, &glance.images, &options);
    assert_eq!(larder.get(&file).body, b"of glance");
    let both = |path: &str| {
        (larder.get(path).json()["locations"].clone(), ask("GET", path, "", b"").json()["locations"].clone())
    };
    let url = |it: &Value| it[0]["url"].clone();
    let (ours, its) = both(&format!("/v2/images/{theirs}"));
    assert_eq!(url(&ours), url(&its));

    let mine = larder.upload(b"of larder");
    let (ours, its) = both(&format!("/v2/images/{mine}"));
    assert_eq!(url(&ours), url(&its));
    assert_eq!(ask("GET", &format!("/v2/images/{mine}/file"), "", b"").body, b"of larder");
    assert_eq!(locations(&database, "SELECT value FROM image_locations WHERE value LIKE '%://%'").len(), 0);
    // Each removes the other's data.
    assert_eq!(ask("DELETE", &format!("/v2/images/{mine}"), "", b"").status, 204);
    assert_eq!(larder.ask("DELETE", &format!("/v2/images/{theirs}"), &[], b"").status, 204);
    assert_eq!(crate::support::files(&glance.images), Vec::<String>::new());
}

#[test]
fn a_wrong_key_or_none_stops_the_start_and_removes_nothing() {
    let mut server = Server::with(&format!("metadata_encryption_key = {KEY}"));
    let id = server.upload(b"data");
    server.daemon.stop();
    let conf = fs::read_to_string(server.dir.path().join("catalogue.conf")).unwrap();
    let started = |line: &str| {
        let file = server.dir.path().join("other.conf");
        fs::write(&file, conf.replace(&format!("metadata_encryption_key = {KEY}"), line)).unwrap();
        let out = output(&mut crate::support::larder(&["catalogue", "--config-file", file.to_str().unwrap()]));
        (out.status.code(), text(&out.stderr))
    };
    for (line, words) in [
        ("metadata_encryption_key = 0123456789abcdeX", "metadata_encryption_key does not open the locations"),
        ("metadata_encryption_key =", "metadata_encryption_key is not set"),
        ("metadata_encryption_key = tooshort", "it takes 16, 24 or 32 characters"),
    ] {
        let (code, said) = started(line);
        assert!(code == Some(1) && said.contains(words) && !said.contains("tooshort"), "{line}: {code:?} {said}");
    }
    assert_eq!(crate::support::files(&server.images()), std::slice::from_ref(&id));

    // One row among others that the key does not open: the rest is served, this one says that it cannot be.
    let database = server.dir.path().join("catalogue.sqlite");
    server.daemon = Daemon::start(server.dir.path(), "again", &["catalogue", "--config-file", "catalogue.conf"]);
    crate::support::wait_until("it listens", std::time::Duration::from_secs(60), || {
        TcpStream::connect(server.address).is_ok()
    });
    let other = server.upload(b"other");
    let raw = rusqlite::Connection::open(&database).unwrap();
    let noise = "A".repeat(128);
    raw.execute("UPDATE image_locations SET value = ? WHERE image_id = ?", [&noise, &other]).unwrap();
    assert_eq!(server.get("/v2/images").json()["images"].as_array().unwrap().len(), 2);
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"data");
    server.get(&format!("/v2/images/{other}/file")).refuses(503, "cannot be read");
    assert!(server.daemon.log().contains("metadata_encryption_key does not open a location of the image"));
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{other}"), &[], b"").status, 204);
    let mut there = [id, other];
    there.sort();
    assert_eq!(crate::support::files(&server.images()), there);
}
