//! A catalogue whose images are in Swift, as its clients see it.

use super::{KEY, ask, objects, soon_empty};
use crate::{
    api::Server,
    stores::s3::site::{block_on, noise, part},
    support::{files, rig, wait_until},
};
use serde_json::{Value, json};
use std::{fs, io::Write, net::TcpStream, path::Path, time::Duration};

/// Two stores: a folder, and this container, which is the one that uploads go to; `ways_in` are its further options.
pub(super) fn options(container: &str, folder: &Path, ways_in: &str) -> String {
    let folder = folder.display();
    format!(
        "enabled_backends = local:file, objects:swift\nshow_multiple_locations = true\nshow_image_direct_url = true\n\
         process_lease = 2\n[paste_deploy]\nflavor =\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         [local]\nfilesystem_store_datadir = {folder}/local\n\
         [objects]\n{ways_in}swift_store_container = {container}\n\
         swift_store_create_container_on_put = true\nswift_store_large_object_size = 4\n\
         swift_store_large_object_chunk_size = 4\n[glance_store]\ndefault_backend = objects\n"
    )
}

/// By Swift's own login.
fn own(server: &str) -> String {
    format!(
        "swift_store_auth_version = 1\nswift_store_auth_address = {server}/auth/v1.0\nswift_store_user = test:tester\n\
         swift_store_key = {KEY}\n"
    )
}

pub(super) fn show(server: &Server, id: &str) -> Value {
    server.get(&format!("/v2/images/{id}")).json()
}

pub(super) fn delete(server: &Server, id: &str) {
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}

pub(super) fn row(server: &Server, id: &str) -> String {
    let raw = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
    raw.busy_timeout(Duration::from_secs(60)).unwrap();
    raw.query_row("SELECT value FROM image_locations WHERE image_id = ?", [id], |it| it.get(0)).unwrap()
}

fn names(server: &str, container: &str) -> Vec<String> {
    block_on(objects(server, container))
}

#[test]
fn images_go_in_and_out_and_away() {
    let Some(swift) = rig::swift() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(&options("site", folder.path(), &own(swift)));
    let data = noise((12 << 20) + 345, 23);
    let id = server.upload(&data);
    let held = names(swift, "site");
    // The manifest and four segments.
    assert_eq!((held.len(), held[0].as_str()), (5, id.as_str()), "{held:?}");
    assert!(held[1..].iter().all(|it| it.starts_with(&format!("{id}_"))), "{held:?}");
    assert!(held[4].ends_with("-00004"), "{held:?}");
    let host = swift.trim_start_matches("http://");
    assert_eq!(row(&server, &id), format!("swift+http://test%3Atester:{KEY}@{host}/auth/v1.0/site/{id}"));
    let image = show(&server, &id);
    assert_eq!(image["direct_url"], format!("swift+http://{host}/auth/v1.0/site/{id}"));
    assert_eq!(image["locations"][0]["metadata"], json!({"store": "objects"}));
    assert_eq!((&image["size"], &image["stores"]), (&json!(data.len()), &json!("objects")));
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    for (range, from, to) in
        [("bytes=0-0", 0, 1), ("bytes=4095999-4096001", 4_095_999, 4_096_002), ("bytes=-9", data.len() - 9, data.len())]
    {
        let answer = part(&server, &id, range);
        assert_eq!(answer.status, 206, "{range} {}", answer.text());
        assert!(answer.body == data[from..to], "{range}");
    }
    assert_eq!(part(&server, &id, &format!("bytes={}-", data.len())).status, 416);
    delete(&server, &id);
    block_on(soon_empty(swift, "site"));
    // Of no length, short, and less than was announced.
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    server
        .put_file(&id, &[("x-openstack-image-size", "7777777")], &data[..6_000_000])
        .refuses(400, "expected 7777777 bytes");
    block_on(soon_empty(swift, "site"));
    assert_eq!(server.put_file(&id, &[], b"").status, 204);
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"");
    delete(&server, &id);
    let id = server.upload(b"short");
    assert_eq!(names(swift, "site"), [id.as_str()]);
    delete(&server, &id);
    block_on(soon_empty(swift, "site"));
    let told = server.get("/v2/info/stores/detail").json();
    let properties = json!({"container": "site", "large_object_size": 4_096_000, "large_object_chunk_size": 4_096_000});
    assert_eq!((&told["stores"][1]["type"], &told["stores"][1]["properties"]), (&json!("swift"), &properties));
    assert!(!server.daemon.log().contains(KEY), "{}", server.daemon.log());
}

#[test]
fn imports_fill_a_folder_and_a_container_and_copies_go_between_them() {
    let Some(swift) = rig::swift() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(&options("imports", folder.path(), &own(swift)));
    let data = noise(9 << 20, 24);
    let settled = |id: &str| {
        wait_until("the image is in its stores", Duration::from_secs(120), || {
            let image = show(&server, id);
            assert_ne!(image["status"], "queued", "{}", server.get(&format!("/v2/images/{id}/tasks")).text());
            let stores = image["stores"].as_str().unwrap_or_default();
            image["status"] == "active"
                && stores.contains("local")
                && stores.contains("objects")
                && image.get("os_glance_import_task").is_none()
        });
    };
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let kind = [("Content-Type", "application/octet-stream")];
    assert_eq!(server.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, &data).status, 204);
    let body = json!({"method": {"name": "glance-direct"}, "all_stores": true});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
    settled(&id);
    for store in ["local", "objects"] {
        assert!(server.get(&format!("/v2/images/{id}/file?prefer={store}")).body == data, "{store}");
    }
    assert_eq!(server.ask("DELETE", &format!("/v2/stores/local/{id}"), &[], b"").status, 204);
    wait_until("it is out of the folder", Duration::from_secs(60), || files(&folder.path().join("local")).is_empty());
    let body = json!({"method": {"name": "copy-image"}, "stores": ["local"]});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
    settled(&id);
    assert!(fs::read(folder.path().join("local").join(&id)).unwrap() == data);
    delete(&server, &id);
    block_on(soon_empty(swift, "imports"));
}

#[test]
fn accounts_of_a_file_are_used_and_named_in_locations() {
    let Some(swift) = rig::swift() else { return };
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("swift.conf");
    let account = |user: &str, key: &str| format!("user = {user}\nkey = {key}\nauth_address = {swift}/auth/v1.0\n");
    let text = format!("[ref1]\n{}[old]\n{}", account("test:tester", KEY), account("test:tester3", "testing3"));
    fs::write(&file, text).unwrap();
    let ways_in = format!("swift_store_auth_version = 1\nswift_store_config_file = {}\n", file.display());
    let server = Server::with(&options("file", folder.path(), &ways_in));
    let id = server.upload(b"some data");
    assert_eq!(row(&server, &id), format!("swift+config://ref1/file/{id}"));
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"some data");
    // Rows of before there was such a file, and of Glance's dynamic large objects.
    let host = swift.trim_start_matches("http://");
    for number in ["00001", "00002"] {
        assert_eq!(block_on(ask(swift, "PUT", &format!("file/{id}-{number}"), &[], number)).0, 201);
    }
    let manifest = format!("file/{id}-");
    assert_eq!(block_on(ask(swift, "PUT", &format!("file/{id}"), &[("X-Object-Manifest", &manifest)], "")).0, 201);
    for url in [
        format!("swift+http://test%3Atester:{KEY}@{host}/auth/v1.0/file/{id}"),
        format!("swift+http://test:tester:{KEY}@{host}/auth/v1.0/file/{id}"),
    ] {
        let raw = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
        raw.busy_timeout(Duration::from_secs(60)).unwrap();
        raw.execute("UPDATE image_locations SET value = ?, meta_data = '{}' WHERE image_id = ?", [&url, &id]).unwrap();
        raw.execute("UPDATE images SET size = 10 WHERE id = ?", [&id]).unwrap();
        let answer = server.get(&format!("/v2/images/{id}/file"));
        assert_eq!((answer.status, answer.body.as_slice()), (200, &b"0000100002"[..]));
        let seen =
            server.get(&format!("/v2/images/{id}")).text() + &server.get(&format!("/v2/images/{id}/locations")).text();
        assert!(seen.contains(&format!("/file/{id}")) && !seen.contains(KEY), "{seen}");
    }
    delete(&server, &id);
    block_on(soon_empty(swift, "file"));
    assert!(!server.daemon.log().contains(KEY), "{}", server.daemon.log());
}

#[test]
fn an_upload_that_is_killed_leaves_no_image_and_no_segments() {
    let Some(swift) = rig::swift() else { return };
    let folder = tempfile::tempdir().unwrap();
    let mut server = Server::with(&options("killed", folder.path(), &own(swift)));
    let data = noise(24 << 20, 25);
    let other = server.upload(b"untouched");
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let mut client = TcpStream::connect(server.address).unwrap();
    let head = format!(
        "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nContent-Type: application/octet-stream\r\nContent-Length: {}\r\n\r\n",
        data.len()
    );
    client.write_all(head.as_bytes()).unwrap();
    client.write_all(&data[..20 << 20]).unwrap();
    wait_until("segments are there", Duration::from_secs(120), || names(swift, "killed").len() > 3);
    server.daemon.kill();
    let left = names(swift, "killed");
    assert!(left.len() > 3 && !left.contains(&id), "{left:?}");
    server.again();
    wait_until("nothing of it is left", Duration::from_secs(120), || {
        names(swift, "killed") == [other.as_str()] && show(&server, &id)["status"] == "queued"
    });
    assert_eq!(server.put_file(&id, &[], &data).status, 204);
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    assert_eq!(server.get(&format!("/v2/images/{other}/file")).body, b"untouched");
    delete(&server, &id);
    delete(&server, &other);
    block_on(soon_empty(swift, "killed"));
}
