//! `larder catalogue scrub`: passes, failures, kills, several at once, and bringing images back.

use super::{PENDING, Site, count, gone};
use crate::support::{LARDER, daemon::Daemon, files, output, run, text, wait_until};
use serde_json::Value;
use std::{fs, process::Command, time::Duration};

#[test]
fn data_stays_for_scrub_time_and_then_goes() {
    let site = Site::start("delayed_delete = true");
    let (first, second) = (site.server.upload(b"first"), site.server.upload(b"second"));
    let queued = site.server.create(serde_json::json!({}));
    for id in [&first, &queued] {
        site.delete(id);
    }
    assert_eq!(site.server.get(&format!("/v2/images/{first}")).status, 404);
    assert_eq!(site.server.get("/v2/images").json()["images"].as_array().unwrap().len(), 1);
    assert_eq!(count(&site.database, PENDING), 1);

    let (code, report) = site.scrub_json(&["--json"], "scrub_time = 3600");
    assert_eq!((code, &report["scrubbed"], &report["waiting"]), (0, &0.into(), &1.into()), "{report}");
    let (code, report) = site.scrub_json(&["--dry-run", "--json"], "");
    assert_eq!((code, &report["scrubbed"], &report["images"][0]["id"]), (0, &1.into(), &first.as_str().into()));
    assert_eq!(files(&site.server.images()).len(), 2);
    let (_, said) = site.scrub(&["--dry-run"], "");
    assert!(said.contains(&format!("would scrub {first}: deleted 20")) && said.contains("1 location(s)"), "{said}");

    let (code, report) = site.scrub_json(&["--json"], "");
    assert_eq!((code, &report["scrubbed"], &report["bytes"]), (0, &1.into(), &5.into()), "{report}");
    assert_eq!(files(&site.server.images()), std::slice::from_ref(&second));
    assert_eq!((count(&site.database, PENDING), count(&site.database, &gone(&first))), (0, 1));
    // A link by the name of Glance's program is the same.
    let link = site.dir().join("glance-scrubber");
    std::os::unix::fs::symlink(LARDER, &link).unwrap();
    let mut command = Command::new(link);
    command.env_clear().args(["--config-file", site.dir().join("catalogue.conf").to_str().unwrap(), "--dry-run"]);
    assert!(run(&mut command).contains("0 image(s) would be scrubbed"));
}

#[test]
fn one_that_fails_is_told_and_keeps_no_other() {
    let site = Site::start("delayed_delete = true\nscrub_pool_size = 3");
    let ids: Vec<String> = (0..5).map(|_| site.server.upload(b"data")).collect();
    let (stuck, foreign) = (&ids[1], &ids[3]);
    // Nobody removes a folder as a file, not even root.
    let file = site.server.images().join(stuck);
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let raw = rusqlite::Connection::open(&site.database).unwrap();
    let elsewhere = "UPDATE image_locations SET value = 'swift+https://user:pass@auth/c/o' WHERE image_id = ?";
    raw.execute(elsewhere, [foreign]).unwrap();
    fs::remove_file(site.server.images().join(&ids[4])).unwrap();
    ids.iter().for_each(|id| site.delete(id));

    let (code, said) = site.scrub(&[], "");
    assert!(code == 1 && said.contains("3 image(s) scrubbed") && said.contains("2 failed"), "{said}");
    assert!(
        said.contains(stuck) && said.contains("swift+https://***@auth/c/o") && !said.contains("user:pass"),
        "{said}"
    );
    assert!(said.contains("data was gone already"), "{said}");
    assert_eq!(files(&site.server.images()), std::slice::from_ref(foreign));
    assert_eq!(count(&site.database, PENDING), 2);
    // Mended, it goes with the next pass; what another store has is Glance's to remove.
    fs::remove_dir(&file).unwrap();
    fs::write(&file, b"data").unwrap();
    let (code, report) = site.scrub_json(&["--json"], "");
    assert_eq!((code, &report["scrubbed"], &report["failed"]), (1, &1.into(), &1.into()), "{report}");
    assert_eq!(report["failures"][0]["image"], foreign.as_str());
    assert_eq!(count(&site.database, PENDING), 1);
    assert_eq!(files(&site.server.images()), std::slice::from_ref(foreign));
}

#[test]
fn with_another_key_nothing_is_removed() {
    let site = Site::start("delayed_delete = true\nmetadata_encryption_key = 0123456789abcdef");
    let id = site.server.upload(b"data");
    site.server.upload(b"another, which tells that the key is wrong");
    site.delete(&id);
    for other in ["metadata_encryption_key = fedcba9876543210", "metadata_encryption_key ="] {
        let (code, said) = site.scrub(&[], other);
        assert!(code == 1 && said.contains("metadata_encryption_key"), "{said}");
    }
    // No live location tells; each one tells for itself.
    rusqlite::Connection::open(&site.database).unwrap().execute("UPDATE image_locations SET deleted = 1", []).unwrap();
    let (code, said) = site.scrub(&[], "metadata_encryption_key = fedcba9876543210");
    assert!(code == 1 && said.contains("metadata_encryption_key does not open it"), "{said}");
    let (code, said) = site.scrub(&["--restore", &id], "metadata_encryption_key = fedcba9876543210");
    assert!(code == 1 && said.contains("metadata_encryption_key does not open location"), "{said}");
    assert_eq!((files(&site.server.images()).len(), count(&site.database, PENDING)), (2, 1));
    assert_eq!(site.scrub(&[], "").0, 0);
    assert_eq!(files(&site.server.images()).len(), 1);
}

#[test]
fn killed_in_the_middle_it_goes_on_the_next_time() {
    let site = Site::start("");
    let ids = site.fill(400);
    for _ in 0..3 {
        let mut killed = Daemon::spawn(site.dir(), "killed", &mut site.command(&[], ""));
        killed.wait_for_log("image scrubbed");
        killed.kill();
        fs::write(site.dir().join("killed.log"), "").unwrap();
        // Whatever is still there is still noted as there.
        let raw = rusqlite::Connection::open(&site.database).unwrap();
        for id in files(&site.server.images()) {
            let noted = "SELECT count(*) FROM image_locations WHERE image_id = ? AND status = 'pending_delete'";
            assert_eq!(raw.query_row(noted, [&id], |row| row.get::<_, i64>(0)).unwrap(), 1, "{id}");
        }
        if files(&site.server.images()).is_empty() {
            break;
        }
    }
    let (code, said) = site.scrub(&[], "scrub_pool_size = 4");
    assert!(code == 0, "{said}");
    site.all_gone(&ids);
}

#[test]
fn several_at_once_do_no_harm() {
    let site = Site::start("");
    let ids = site.fill(300);
    let mut running: Vec<Daemon> = ["one", "two", "three"]
        .iter()
        .map(|name| Daemon::spawn(site.dir(), name, &mut site.command(&[], "scrub_pool_size = 3")))
        .collect();
    for it in &mut running {
        wait_until("a pass ends", Duration::from_secs(180), || it.ended().is_some());
        assert!(it.ended().unwrap().success(), "{}", it.log());
    }
    site.all_gone(&ids);
}

#[test]
fn restoring_beside_a_scrubber_is_whole_or_not_at_all() {
    let site = Site::start("");
    let ids = site.fill(200);
    let mut pass = Daemon::spawn(site.dir(), "pass", &mut site.command(&[], ""));
    let mut back = 0;
    for id in ids.iter().rev().take(20) {
        let (code, said) = site.scrub(&["--restore", id], "");
        let shown = site.server.get(&format!("/v2/images/{id}"));
        if code == 0 {
            back += 1;
            assert_eq!(shown.json()["status"], "active");
        } else {
            assert!(said.contains("cannot restore the image from") || said.contains("is gone"), "{said}");
        }
    }
    wait_until("the pass ends", Duration::from_secs(180), || pass.ended().is_some());
    assert!(pass.ended().unwrap().success(), "{}", pass.log());
    let listed = site.server.get("/v2/images?limit=500").json();
    let alive: Vec<&str> = listed["images"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect();
    assert_eq!(alive.len(), back);
    for id in alive {
        assert_eq!(site.server.get(&format!("/v2/images/{id}/file")).body, id.as_bytes());
    }
    assert_eq!(files(&site.server.images()).len(), back);
}

#[test]
fn an_image_comes_back_as_it_was() {
    let site = Site::start("delayed_delete = true");
    let id = site.server.upload(b"data");
    let path = format!("/v2/images/{id}");
    let op = |op: &str, path: &str, value: Value| serde_json::json!({"op": op, "path": path, "value": value});
    let old =
        serde_json::json!([op("add", "/gone", "before".into()), op("replace", "/tags", serde_json::json!(["old"]))]);
    assert_eq!(site.server.patch(&id, &old).status, 200);
    let new = serde_json::json!([
        {"op": "remove", "path": "/gone"},
        op("add", "/color", "red".into()),
        op("replace", "/tags", serde_json::json!(["a", "b"])),
    ]);
    assert_eq!(site.server.patch(&id, &new).status, 200);
    // Deleted well before the image, so not brought back with it.
    let raw = rusqlite::Connection::open(&site.database).unwrap();
    for table in ["image_properties", "image_tags"] {
        raw.execute(&format!("UPDATE {table} SET deleted_at = '2026-01-02 03:04:05.000000' WHERE deleted"), [])
            .unwrap();
    }
    assert_eq!(site.server.post(&format!("{path}/members"), &serde_json::json!({"member": "m"})).status, 200);
    let before = site.server.get(&path).json();
    site.delete(&id);
    let (code, said) = site.scrub(&["--restore", &id], "");
    assert!(code == 0 && said.contains("is active again"), "{said}");
    let mut after = site.server.get(&path).json();
    after["updated_at"] = before["updated_at"].clone();
    assert_eq!(after, before);
    assert_eq!(site.server.get(&format!("{path}/file")).body, b"data");
    assert_eq!(site.server.get(&format!("{path}/members")).json()["members"][0]["member_id"], "m");
    let left = "SELECT count(*) FROM images WHERE deleted_at IS NOT NULL";
    assert_eq!(count(&site.database, left), 0, "Glance's purge would take it for deleted");
    // Again, to the end.
    site.delete(&id);
    assert_eq!(site.scrub(&[], "").0, 0);
    for (id, words) in [
        (id.as_str(), "cannot restore the image from deleted to active"),
        ("9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69", "No image found with ID"),
    ] {
        let (code, said) = site.scrub(&["--restore", id], "");
        assert!(code == 1 && said.contains(words), "{said}");
    }
    let (missing, short) = (site.server.upload(b"missing"), site.server.upload(b"short"));
    fs::remove_file(site.server.images().join(&missing)).unwrap();
    fs::write(site.server.images().join(&short), b"sho").unwrap();
    for id in [&missing, &short] {
        site.delete(id);
        let (code, said) = site.scrub(&["--restore", id, "--json"], "");
        assert!(code == 1 && said.contains(&format!("the data of image {id} is gone")), "{said}");
    }
    assert_eq!(count(&site.database, PENDING), 2);
    for wrong in [&["--restore", "x", "--daemon"][..], &["--wakeup-time", "5"], &["--daemon", "--dry-run"]] {
        assert_eq!(site.scrub(wrong, "").0, 2, "{wrong:?}");
    }
}

#[test]
fn the_daemon_wakes_up_again_and_again_and_ends_when_told() {
    let site = Site::start("delayed_delete = true");
    let mut daemon =
        Daemon::spawn(site.dir(), "scrubber", &mut site.command(&["-D", "--wakeup_time", "1"], "wakeup_time = 3600"));
    daemon.wait_for_log("the scrubber runs");
    for _ in 0..2 {
        let id = site.server.upload(b"data");
        site.delete(&id);
        wait_until("the data goes", Duration::from_secs(60), || files(&site.server.images()).is_empty());
        wait_until("it is noted", Duration::from_secs(60), || count(&site.database, &gone(&id)) == 1);
    }
    assert!(daemon.stop().success(), "{}", daemon.log());
}

#[test]
fn a_pass_that_cannot_begin_says_why() {
    let site = Site::start("");
    let out = output(&mut site.command_with(&[], |conf| conf.replace("catalogue.sqlite", "no/such/folder.sqlite")));
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("cannot open the database"), "{}", text(&out.stderr));
}
