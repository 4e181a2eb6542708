//! A real Glance on the same database and the same bucket, in turns with Larder: each reads and deletes what the other one
//! wrote.

use super::{
    bucket, servers,
    site::{block_on, noise},
};
use crate::{
    api::{Answer, exchange},
    support::{
        daemon::Daemon,
        free_port,
        rig::{self, OwnGlance, S3},
        wait_until,
    },
};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, path::Path, time::Duration};

/// Whoever answers at the port.
struct Site(SocketAddr);

impl Site {
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        exchange(self.0, method, path, &[("Content-Type", kind)], body)
    }

    fn show(&self, id: &str) -> Value {
        self.ask("GET", &format!("/v2/images/{id}"), "", b"").json()
    }

    fn upload(&self, data: &[u8]) -> String {
        let fields = json!({"name": "x", "disk_format": "raw", "container_format": "bare"}).to_string();
        let made = self.ask("POST", "/v2/images", "application/json", fields.as_bytes());
        assert_eq!(made.status, 201, "{made:?}");
        let id = made.json()["id"].as_str().unwrap().to_owned();
        let answer = self.ask("PUT", &format!("/v2/images/{id}/file"), "application/octet-stream", data);
        assert_eq!(answer.status, 204, "{answer:?}");
        id
    }

    fn holds(&self, id: &str, data: &[u8]) {
        let answer = self.ask("GET", &format!("/v2/images/{id}/file"), "", b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.body == data, "{id}: {} bytes", answer.body.len());
    }

    fn delete(&self, id: &str) {
        assert_eq!(self.ask("DELETE", &format!("/v2/images/{id}"), "", b"").status, 204);
    }
}

fn write_configuration(dir: &Path, port: u16, s3: &S3, several: bool) {
    let venv = rig::venv().unwrap();
    let (dir_, venv, S3 { url, access, secret }) = (dir.display(), venv.display(), s3);
    let keys = format!(
        "s3_store_host = {url}\ns3_store_access_key = {access}\ns3_store_secret_key = {secret}\ns3_store_bucket = both\n\
         s3_store_create_bucket_on_put = true\ns3_store_large_object_size = 5\ns3_store_large_object_chunk_size = 5\n"
    );
    let (enabled, stores) = if several {
        let own = format!("[local]\nfilesystem_store_datadir = {dir_}/local\n[objects]\n{keys}");
        ("enabled_backends = local:file, objects:s3", format!("[glance_store]\ndefault_backend = objects\n{own}"))
    } else {
        ("", format!("[glance_store]\nstores = file,http,s3\ndefault_store = s3\n{keys}"))
    };
    let conf = format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\n{enabled}\nshow_multiple_locations = true\n\
         show_image_direct_url = true\nenabled_import_methods = []\nnode_staging_uri = file://{dir_}/staging\n\
         [wsgi]\ntask_pool_threads = 2\npython_interpreter = {venv}/bin/python\n{stores}\
         [os_glance_staging_store]\nfilesystem_store_datadir = {dir_}/staging\n\
         [os_glance_tasks_store]\nfilesystem_store_datadir = {dir_}/tasks\n\
         [database]\nconnection = sqlite:///{dir_}/glance.db\n[paste_deploy]\nconfig_file = {venv}/etc/glance/glance-api-paste.ini\n\
         [oslo_policy]\npolicy_file = {dir_}/policy.yaml\n[oslo_concurrency]\nlock_path = {dir_}/lock\n"
    );
    fs::write(dir.join("glance-api.conf"), conf).unwrap();
}

fn in_turns(s3: &S3, several: bool) {
    let Some(modules) = rig::boto3() else { return };
    let dir = tempfile::tempdir().unwrap();
    let (at, port) = (dir.path(), free_port());
    std::os::unix::fs::symlink(modules, at.join("modules")).unwrap();
    write_configuration(at, port, s3, several);
    let site = Site(SocketAddr::from(([127, 0, 0, 1], port)));
    let larder = || {
        let mut larder = Daemon::start(at, "larder", &["catalogue", "--config-file", "glance-api.conf"]);
        wait_until("Larder answers", Duration::from_secs(120), || {
            assert!(larder.ended().is_none(), "{}", larder.log());
            std::net::TcpStream::connect(site.0).is_ok()
        });
        larder
    };
    let (large, small) = (noise((11 << 20) + 3, 12), noise(70_000, 13));

    let glance = OwnGlance::start(at, port, "none").unwrap();
    let [a, b, c] = [&large, &small, &large].map(|it| site.upload(it));
    let told = site.show(&a);
    drop(glance);

    let mut ours = larder();
    assert_eq!((&site.show(&a)["direct_url"], &site.show(&a)["locations"]), (&told["direct_url"], &told["locations"]));
    for (id, data) in [(&a, &large), (&b, &small)] {
        site.holds(id, data);
        site.delete(id);
    }
    let [d, e, f] = [&large, &small, &small].map(|it| site.upload(it));
    let mut kept = vec![c.clone(), d.clone(), e.clone(), f.clone()];
    kept.sort();
    wait_until("what was deleted is gone", Duration::from_secs(60), || block_on(bucket::objects(s3, "both")) == kept);
    let ours_told = site.show(&d);
    for field in ["direct_url", "locations"] {
        let same = told[field].to_string().replace(&a, &d);
        assert_eq!(ours_told[field].to_string(), same, "{field}");
    }
    assert!(ours.stop().success());

    let glance = OwnGlance::start(at, port, "none").unwrap();
    for (id, data) in [(&c, &large), (&d, &large), (&e, &small)] {
        site.holds(id, data);
        site.delete(id);
    }
    drop(glance);
    let _ours = larder();
    site.holds(&f, &small);
    site.delete(&f);
    block_on(bucket::soon_empty(s3, "both"));
}

#[test]
fn with_several_stores() {
    if let Some([(_, s3), _]) = servers() {
        in_turns(&s3, true);
    }
}

#[test]
fn with_one_store_on_swift() {
    if let Some([_, (_, s3)]) = servers() {
        in_turns(&s3, false);
    }
}
