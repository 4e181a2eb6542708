//! A real Glance on the same database and the same objects, in turns with Larder: each reads and deletes what the other one
//! wrote.

use super::s3::site::noise;
use crate::{
    api::{Answer, exchange},
    support::{
        daemon::Daemon,
        free_port,
        rig::{self, OwnGlance},
        wait_until,
    },
};
use serde_json::{Value, json};
use std::{fs, net::SocketAddr, path::Path, path::PathBuf, time::Duration};

/// The store that both are on.
pub(super) struct Both<'a> {
    /// Its type: `s3`, `swift`.
    pub(super) kind: &'a str,
    /// Its options, a line each.
    pub(super) options: String,
    /// Whether it is one of several (`enabled_backends`).
    pub(super) several: bool,
    /// What Glance's driver stands on.
    pub(super) library: PathBuf,
    /// Bytes of data that is written in parts.
    pub(super) large: u64,
    /// What Glance shows in locations, and we do not.
    pub(super) hidden: &'a str,
    /// The names of all objects; those of an image begin with its id.
    pub(super) objects: &'a dyn Fn() -> Vec<String>,
}

/// Whoever answers at the port; its logs are in the folder.
struct Site(SocketAddr, PathBuf);

impl Site {
    fn ask(&self, method: &str, path: &str, kind: &str, body: &[u8]) -> Answer {
        exchange(self.0, method, path, &[("Content-Type", kind)], body)
    }

    /// The end of Glance's log.
    fn log(&self) -> String {
        let log = fs::read(self.1.join("uwsgi.log")).unwrap_or_default();
        String::from_utf8_lossy(&log[log.len().saturating_sub(5000)..]).into_owned()
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
        assert_eq!(answer.status, 204, "{}\n{}", answer.text(), self.log());
        id
    }

    fn holds(&self, id: &str, data: &[u8]) {
        let answer = self.ask("GET", &format!("/v2/images/{id}/file"), "", b"");
        assert_eq!(answer.status, 200, "{}", answer.text());
        assert!(answer.body == data, "{id}: {} bytes\n{}", answer.body.len(), self.log());
    }

    fn delete(&self, id: &str) {
        assert_eq!(self.ask("DELETE", &format!("/v2/images/{id}"), "", b"").status, 204);
    }
}

fn write_configuration(dir: &Path, port: u16, both: &Both<'_>) {
    let venv = rig::venv().unwrap();
    let (dir_, venv, Both { kind, options, .. }) = (dir.display(), venv.display(), both);
    let (enabled, stores) = if both.several {
        let own = format!("[local]\nfilesystem_store_datadir = {dir_}/local\n[objects]\n{options}");
        (
            format!("enabled_backends = local:file, objects:{kind}"),
            format!("[glance_store]\ndefault_backend = objects\n{own}"),
        )
    } else {
        (String::new(), format!("[glance_store]\nstores = file,http,{kind}\ndefault_store = {kind}\n{options}"))
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

/// The row of an image's data: its URL, and what else is known of the place.
fn row(dir: &Path, id: &str) -> String {
    let raw = rusqlite::Connection::open(dir.join("glance.db")).unwrap();
    raw.busy_timeout(Duration::from_secs(60)).unwrap();
    let query = "SELECT value, meta_data FROM image_locations WHERE image_id = ?";
    let (url, more): (String, String) = raw.query_row(query, [id], |it| Ok((it.get(0)?, it.get(1)?))).unwrap();
    format!("{url} {}", more.parse::<Value>().unwrap())
}

/// The images that have objects.
fn held(both: &Both<'_>) -> Vec<String> {
    let mut ids: Vec<String> = (both.objects)().iter().map(|it| it[..36].to_owned()).collect();
    ids.sort();
    ids.dedup();
    ids
}

pub(super) fn in_turns(both: &Both<'_>) {
    let dir = tempfile::tempdir().unwrap();
    let (at, port) = (dir.path(), free_port());
    std::os::unix::fs::symlink(&both.library, at.join("modules")).unwrap();
    write_configuration(at, port, both);
    let site = Site(SocketAddr::from(([127, 0, 0, 1], port)), at.to_owned());
    let larder = || {
        let mut larder = Daemon::start(at, "larder", &["catalogue", "--config-file", "glance-api.conf"]);
        wait_until("Larder answers", Duration::from_secs(120), || {
            assert!(larder.ended().is_none(), "{}", larder.log());
            std::net::TcpStream::connect(site.0).is_ok()
        });
        larder
    };
    let (large, small) = (noise(both.large, 12), noise(70_000, 13));

    let glance = OwnGlance::start(at, port, "none").unwrap();
    let [a, b, c] = [&large, &small, &large].map(|it| site.upload(it));
    // Of one image as of another; the container may have a digit of it.
    let of_any = |text: String, id: &str| {
        text.replace(both.hidden, "").replace(&format!("_{}/", &id[..1]), "_N/").replace(id, "ID")
    };
    let places = |id: &str| {
        let image = site.show(id);
        ["direct_url", "locations"].map(|it| of_any(image[it].to_string(), id))
    };
    let (told, written) = (places(&a), of_any(row(at, &a), &a));
    drop(glance);

    let mut ours = larder();
    assert_eq!(places(&a), told);
    for (id, data) in [(&a, &large), (&b, &small)] {
        site.holds(id, data);
        site.delete(id);
    }
    let [d, e, f] = [&large, &small, &small].map(|it| site.upload(it));
    let mut kept = vec![c.clone(), d.clone(), e.clone(), f.clone()];
    kept.sort();
    wait_until("what was deleted is gone", Duration::from_secs(60), || held(both) == kept);
    assert_eq!(places(&d), told);
    assert_eq!(of_any(row(at, &d), &d), written);
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
    wait_until("nothing is left", Duration::from_secs(60), || (both.objects)().is_empty());
}
