//! Two stores of one kind, whose URLs do not tell which of them has the data.

use super::s3::{
    bucket,
    site::{block_on, noise},
};
use crate::{
    api::Server,
    support::{
        files, larder,
        rig::{self, S3},
        run, wait_until,
    },
};
use serde_json::{Value, json};
use std::{fs, path::Path, time::Duration};

/// Two buckets of one name on two servers; uploads go to `east`.
fn options(east: &S3, west: &S3, folder: &Path) -> String {
    let section = |id: &str, S3 { url, access, secret }: &S3| {
        format!(
            "[{id}]\ns3_store_host = {url}\ns3_store_access_key = {access}\ns3_store_secret_key = {secret}\n\
             s3_store_bucket = alike\ns3_store_create_bucket_on_put = true\ns3_store_large_object_chunk_size = 5\n"
        )
    };
    format!(
        "enabled_backends = east:s3, west:s3\nshow_multiple_locations = true\n[paste_deploy]\nflavor =\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n{}{}[glance_store]\ndefault_backend = east\n",
        section("east", east),
        section("west", west),
        folder = folder.display()
    )
}

/// The places of an image, as they stand in the database.
fn rows(server: &Server, id: &str) -> Vec<(String, Value)> {
    let raw = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
    let mut select =
        raw.prepare("SELECT value, meta_data FROM image_locations WHERE image_id = ? AND deleted = 0").unwrap();
    let rows = select.query_map([id], |it| Ok((it.get(0)?, it.get::<_, String>(1)?))).unwrap();
    rows.map(|it| it.unwrap()).map(|it: (String, String)| (it.0, serde_json::from_str(&it.1).unwrap())).collect()
}

fn change(server: &Server, sql: &str, params: &[&str]) {
    let raw = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
    raw.busy_timeout(Duration::from_secs(60)).unwrap();
    assert!(raw.execute(sql, rusqlite::params_from_iter(params)).unwrap() > 0);
}

#[test]
fn data_is_read_copied_and_deleted_where_its_row_says() {
    let (Some(east), Some(west)) = (rig::ceph_s3(), rig::swift_s3()) else { return };
    let folder = tempfile::tempdir().unwrap();
    let server = Server::with(&options(east, &west, folder.path()));
    let data = noise((6 << 20) + 7, 31);
    let id = server.create(json!({"disk_format": "raw", "container_format": "bare"}));
    assert_eq!(server.put_file(&id, &[("X-Image-Meta-Store", "west")], &data).status, 204);
    assert_eq!(rows(&server, &id)[0].1, json!({"store": "west"}));
    // The server had another name then: nothing but the note tells which store it is.
    let former = format!("s3://former.example.org/alike/{id}");
    for note in [json!({"store": "west"}), json!({"backend": "west"})] {
        let sql = "UPDATE image_locations SET value = ?, meta_data = ? WHERE image_id = ? AND deleted = 0";
        change(&server, sql, &[&former, &note.to_string(), &id]);
        assert!(server.get(&format!("/v2/images/{id}/file")).body == data, "{note}");
        assert_eq!(server.get(&format!("/v2/images/{id}")).json()["stores"], "west", "{note}");
    }
    let endpoint = format!("http://{}", server.address);
    let verified = run(larder(&["image", "verify", "--json", &id, "--endpoint", &endpoint]).current_dir(folder.path()));
    assert!(verified.contains("\"sound\"") && verified.contains("\"west\""), "{verified}");

    // It is copied from there, and each copy is deleted where it is.
    let body = json!({"method": {"name": "copy-image"}, "stores": ["east"]});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
    wait_until("it is in both", Duration::from_secs(120), || {
        server.get(&format!("/v2/images/{id}")).json()["stores"].as_str().is_some_and(|it| it.split(',').count() == 2)
    });
    for bucket_of in [east, &west] {
        assert_eq!(block_on(bucket::objects(bucket_of, "alike")), [id.as_str()]);
    }
    assert_eq!(server.ask("DELETE", &format!("/v2/stores/west/{id}"), &[], b"").status, 204);
    block_on(bucket::soon_empty(&west, "alike"));
    assert_eq!(block_on(bucket::objects(east, "alike")), [id.as_str()]);
    assert!(server.get(&format!("/v2/images/{id}/file")).body == data);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    block_on(bucket::soon_empty(east, "alike"));
}

/// Rows of other tools say of one folder that it is another store's.
#[test]
fn a_file_is_read_whichever_store_of_files_is_noted() {
    let folder = tempfile::tempdir().unwrap();
    let dir = folder.path().display();
    let options = format!(
        "enabled_backends = fast:file, slow:file\nshow_multiple_locations = true\n[fast]\nfilesystem_store_datadir = {dir}/fast\n\
         [slow]\nfilesystem_store_datadir = {dir}/slow\n[os_glance_staging_store]\nfilesystem_store_datadir = {dir}/staging\n\
         [glance_store]\ndefault_backend = fast\n"
    );
    let server = Server::with(&options);
    let id = server.upload(b"in the fast one");
    change(&server, "UPDATE image_locations SET meta_data = '{\"store\": \"slow\"}' WHERE image_id = ?", &[&id]);
    assert_eq!(server.get(&format!("/v2/images/{id}/file")).body, b"in the fast one");
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    assert!(files(&folder.path().join("fast")).is_empty(), "{:?}", fs::read_dir(folder.path().join("fast")));
}
