//! A catalogue whose images are in S3, as its clients see it.

use super::{bucket, servers};
use crate::{
    api::{Answer, Server},
    support::{disks, files, rig::S3, wait_until},
};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

/// Two stores: a folder, and this bucket, which is the one that uploads go to.
pub(super) fn options(server: &S3, bucket: &str, folder: &Path, more: &str) -> String {
    let (S3 { url, access, secret }, folder) = (server, folder.display());
    format!(
        "enabled_backends = local:file, objects:s3\nshow_multiple_locations = true\nshow_image_direct_url = true\n\
         process_lease = 2\n[paste_deploy]\nflavor =\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         [local]\nfilesystem_store_datadir = {folder}/local\n\
         [objects]\ns3_store_host = {url}\ns3_store_access_key = {access}\ns3_store_secret_key = {secret}\n\
         s3_store_bucket = {bucket}\ns3_store_create_bucket_on_put = true\ns3_store_large_object_chunk_size = 5\n{more}\n\
         [glance_store]\ndefault_backend = objects\n"
    )
}

pub(crate) fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

/// Bytes that are like no others.
pub(crate) fn noise(len: u64, seed: u64) -> Vec<u8> {
    let dir = tempfile::tempdir().unwrap();
    disks::noise(&dir.path().join("disk"), len, seed);
    fs::read(dir.path().join("disk")).unwrap()
}

fn show(server: &Server, id: &str) -> Value {
    server.get(&format!("/v2/images/{id}")).json()
}

pub(crate) fn part(server: &Server, id: &str, range: &str) -> Answer {
    server.ask("GET", &format!("/v2/images/{id}/file"), &[("Range", range)], b"")
}

fn delete(server: &Server, id: &str) {
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}

#[test]
fn images_go_in_and_out_and_away() {
    let Some(servers) = servers() else { return };
    let data = noise((12 << 20) + 345, 7);
    for (name, s3) in servers {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::with(&options(&s3, "site", folder.path(), ""));
        let id = server.upload(&data);
        assert_eq!(block_on(bucket::objects(&s3, "site")), [id.as_str()], "{name}");
        let image = show(&server, &id);
        let host = s3.url.trim_start_matches("http://");
        assert_eq!(image["direct_url"], format!("s3://{host}/site/{id}"));
        assert_eq!(image["locations"][0]["metadata"], json!({"store": "objects"}));
        assert_eq!((&image["size"], &image["stores"]), (&json!(data.len()), &json!("objects")));
        assert!(server.get(&format!("/v2/images/{id}/file")).body == data, "{name}");
        for (range, from, to) in [
            ("bytes=0-0", 0, 1),
            ("bytes=5242879-5242880", 5_242_879, 5_242_881),
            ("bytes=-9", data.len() - 9, data.len()),
        ] {
            let answer = part(&server, &id, range);
            assert_eq!(answer.status, 206, "{name} {range} {}", answer.text());
            assert!(answer.body == data[from..to], "{name} {range}");
        }
        assert_eq!(part(&server, &id, &format!("bytes={}-", data.len())).status, 416);
        delete(&server, &id);
        block_on(bucket::soon_empty(&s3, "site"));
        // Of no length, and less than was announced.
        let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
        server.put_file(&id, &[("x-openstack-image-size", "77")], &data[..1000]).refuses(400, "expected 77 bytes");
        block_on(bucket::soon_empty(&s3, "site"));
        assert_eq!(show(&server, &id)["status"], "queued");
        assert_eq!(server.put_file(&id, &[], b"").status, 204);
        assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"");
        delete(&server, &id);
        block_on(bucket::soon_empty(&s3, "site"));
        assert!(!server.daemon.log().contains(s3.secret), "{}", server.daemon.log());
    }
}

#[test]
fn imports_fill_a_folder_and_a_bucket_at_once_and_copies_go_between_them() {
    let Some([(_, s3), _]) = servers() else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(&options(&s3, "imports", folder.path(), ""));
    let data = noise(11 << 20, 8);
    let settled = |id: &str, stores: &[&str]| {
        wait_until("the image is in its stores", Duration::from_secs(120), || {
            let image = show(&server, id);
            assert_ne!(image["status"], "queued", "{}", server.get(&format!("/v2/images/{id}/tasks")).text());
            let has = |it: &&str| image["stores"].as_str().is_some_and(|all| all.split(',').any(|one| one == *it));
            image["status"] == "active" && stores.iter().all(has) && image.get("os_glance_import_task").is_none()
        });
    };
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    let kind = [("Content-Type", "application/octet-stream")];
    assert_eq!(server.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, &data).status, 204);
    let body = json!({"method": {"name": "glance-direct"}, "all_stores": true});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
    settled(&id, &["local", "objects"]);
    assert!(fs::read(folder.path().join("local").join(&id)).unwrap() == data);
    for store in ["local", "objects"] {
        assert!(server.get(&format!("/v2/images/{id}/file?prefer={store}")).body == data, "{store}");
    }
    assert_eq!(server.ask("DELETE", &format!("/v2/stores/local/{id}"), &[], b"").status, 204);
    wait_until("it is out of the folder", Duration::from_secs(60), || files(&folder.path().join("local")).is_empty());
    let body = json!({"method": {"name": "copy-image"}, "stores": ["local"]});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
    settled(&id, &["local", "objects"]);
    assert!(fs::read(folder.path().join("local").join(&id)).unwrap() == data);
    delete(&server, &id);
    block_on(bucket::soon_empty(&s3, "imports"));
    let told = server.get("/v2/info/stores/detail").json();
    let properties = json!({"s3_store_large_object_size": 104_857_600, "s3_store_large_object_chunk_size": 5_242_880,
                            "s3_store_thread_pools": 10});
    assert_eq!((&told["stores"][1]["type"], &told["stores"][1]["properties"]), (&json!("s3"), &properties));
}

#[test]
fn urls_of_old_releases_are_read_and_deleted_and_their_keys_are_shown_to_nobody() {
    let Some(servers) = servers() else { return };
    for (_, s3) in servers {
        let folder = tempfile::tempdir().unwrap();
        let server = Server::with(&options(&s3, "old", folder.path(), ""));
        let host = s3.url.trim_start_matches("http://");
        let forms = [
            "s3://{h}/old/{id}",
            "s3://OLDKEY:SEC/RET@{h}/old/{id}",
            "s3+http://OLDKEY:SEC+RET@former.example.org/old/{id}",
        ];
        for form in forms {
            let id = server.upload(b"written by Glance");
            let url = form.replace("{h}", host).replace("{id}", &id);
            let raw = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
            raw.busy_timeout(Duration::from_secs(60)).unwrap();
            // Without a store, as in rows of a site that had one.
            raw.execute("UPDATE image_locations SET value = ?, meta_data = '{}' WHERE image_id = ?", [&url, &id])
                .unwrap();
            let answer = server.get(&format!("/v2/images/{id}/file"));
            assert_eq!((answer.status, answer.body.as_slice()), (200, &b"written by Glance"[..]), "{form}");
            let seen = server.get(&format!("/v2/images/{id}")).text()
                + &server.get(&format!("/v2/images/{id}/locations")).text();
            assert!(
                seen.contains(&format!("/old/{id}")) && !seen.contains("SEC") && !seen.contains("OLDKEY"),
                "{seen}"
            );
            delete(&server, &id);
            block_on(bucket::soon_empty(&s3, "old"));
        }
        let log = server.daemon.log();
        assert!(!log.contains("SEC") && !log.contains("OLDKEY"), "{log}");
    }
}

#[test]
fn one_store_without_enabled_backends_is_s3_as_well() {
    let Some([(_, s3), _]) = servers() else { return };
    let dir = tempfile::tempdir().unwrap();
    let S3 { url, access, secret } = &s3;
    let options = format!(
        "[paste_deploy]\nflavor =\n[glance_store]\nstores = file,http,s3\ndefault_store = s3\ns3_store_host = {url}\n\
         s3_store_access_key = {access}\ns3_store_secret_key = {secret}\ns3_store_bucket = only\n\
         s3_store_create_bucket_on_put = true\n"
    );
    let server = Server::with(&options);
    let id = server.upload(b"some data");
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"some data");
    assert_eq!(block_on(bucket::objects(&s3, "only")), [id.as_str()]);
    delete(&server, &id);
    block_on(bucket::soon_empty(&s3, "only"));
    drop(dir);
}
