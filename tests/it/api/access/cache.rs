//! The commands for the image cache, of Glance's package and of OpenStack's clients: the same at a catalogue as at a
//! real Glance.

use crate::{
    api::{Server, exchange},
    clients::drive::Driver,
    identity::admin::Cloud,
    support::{
        free_port,
        rig::{self, Keystone, PASSWORD},
        wait_until,
    },
};
use serde_json::json;
use std::{collections::BTreeMap, net::SocketAddr, sync::Mutex, time::Duration};

const NOBODY: &str = "00000000-1111-2222-3333-444444444444";

/// A server of images, as the commands see it.
struct Site<'a> {
    address: SocketAddr,
    keystone: &'a Keystone,
    tokens: [(&'static str, String); 2],
    /// By program and user.
    drivers: Mutex<BTreeMap<(String, String), Driver>>,
    home: tempfile::TempDir,
    id: String,
}

impl Site<'_> {
    /// Exit code and output, without what differs from run to run.
    fn said(&self, user: &str, line: &str) -> String {
        let line = line.replace("ID", &self.id).replace("NOBODY", NOBODY);
        let mut args: Vec<&str> = line.split(' ').collect();
        let program = args.remove(0);
        let port = self.address.port().to_string();
        if program == "glance-cache-manage" {
            // With a password it would go where Keystone's catalogue says.
            let token = &self.tokens.iter().find(|it| it.0 == user).unwrap().1;
            args.splice(0..0, ["-H", "127.0.0.1", "-p", &port, "--os-auth-token", token]);
        }
        let mut drivers = self.drivers.lock().unwrap();
        let driver = drivers.entry((program.to_owned(), user.to_owned())).or_insert_with(|| {
            let url = format!("http://{}", self.address);
            Driver::start(program, user, self.home.path(), (&self.keystone.auth_url, &url))
        });
        let out = driver.run(&args);
        let both = format!("{}\n{}", out.out, out.err).replace(&self.id, "ID");
        let both = both.replace(&format!("http://{}", self.address), "URL").replace(&port, "PORT");
        let words = both.split_whitespace().map(plain).collect::<Vec<_>>().join(" ");
        format!("{}: {words}", out.code)
    }

    fn state(&self) -> serde_json::Value {
        exchange(self.address, "GET", "/v2/cache", &[("X-Auth-Token", &self.tokens[0].1)], b"").json()
    }

    fn wait_cached(&self) {
        wait_until("the image is cached", Duration::from_secs(120), || {
            let state = self.state();
            state["cached_images"][0]["image_id"] == self.id.as_str() && state["queued_images"] == json!([])
        });
    }
}

/// Times, durations, request ids and the lines of tables vary.
fn plain(word: &str) -> &str {
    let time = word.len() >= 19 && word.as_bytes()[10] == b'T' && word[..4].bytes().all(|it| it.is_ascii_digit());
    let number = word.contains('.') && word.parse::<f64>().is_ok();
    match word {
        _ if time => "TIME",
        _ if number => "NUMBER",
        _ if word.contains("req-") => "REQUEST",
        _ if word.starts_with("+-") => "+-",
        other => other,
    }
}

/// A catalogue with a cache, under this Keystone.
fn caching(keystone: &Keystone, url: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let options = format!(
        "image_cache_dir = {}/cache\nworker_self_reference_url = {url}\n[paste_deploy]\nflavor = keystone+cachemanagement\n\
         [keystone_authtoken]\nauth_url = {}\nauth_type = password\nhttp_connect_timeout = 120\nusername = glance\npassword = {PASSWORD}\n\
         project_name = service\nuser_domain_id = default\nproject_domain_id = default\n",
        dir.path().display(),
        keystone.auth_url
    );
    let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
    Server::over(dir, &database, &images, &options)
}

fn site<'a>(address: SocketAddr, keystone: &'a Keystone, tokens: &[String; 2]) -> Site<'a> {
    let token = ("X-Auth-Token", tokens[0].as_str());
    let image = json!({"name": "cached", "disk_format": "raw", "container_format": "bare"}).to_string();
    let made =
        exchange(address, "POST", "/v2/images", &[token, ("Content-Type", "application/json")], image.as_bytes());
    assert_eq!(made.status, 201, "{made:?} {}", made.text());
    let id = made.json()["id"].as_str().unwrap().to_owned();
    let kind = ("Content-Type", "application/octet-stream");
    let put = exchange(address, "PUT", &format!("/v2/images/{id}/file"), &[token, kind], &[7; 5000]);
    assert_eq!(put.status, 204, "{put:?}");
    let tokens = [("admin", tokens[0].clone()), ("demo", tokens[1].clone())];
    Site { address, keystone, tokens, drivers: Mutex::default(), home: tempfile::tempdir().unwrap(), id }
}

#[test]
fn the_commands_say_what_they_say_at_glance() {
    let Some(keystone) = rig::keystone() else { return };
    let Some(glance) = rig::caching_glance(keystone) else { return };
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let cloud = Cloud::new(&keystone.auth_url);
    let tokens = runtime.block_on(async { [cloud.admin().await, cloud.project("demo", "demo").await.token] });
    let server = caching(keystone, &format!("http://127.0.0.1:{}", free_port()));
    let theirs = site(glance.url.trim_start_matches("http://").parse().unwrap(), keystone, &tokens);
    let ours = site(server.address, keystone, &tokens);
    let same = |user: &str, line: &str| {
        let (want, got) = std::thread::scope(|scope| {
            let want = scope.spawn(|| theirs.said(user, line));
            let got = ours.said(user, line);
            (want.join().unwrap(), got)
        });
        assert_eq!(got, want, "{line}");
        got
    };
    assert!(same("admin", "glance-cache-manage list-cached").contains("No cached images."));
    same("admin", "glance cache-queue ID");
    theirs.wait_cached();
    ours.wait_cached();
    assert!(same("admin", "glance cache-list").contains("ID | cached | TIME"));
    assert!(same("admin", "openstack cached image list").contains("ID | cached | TIME"));
    assert!(same("admin", "glance-cache-manage list-cached").contains("Found 1 cached images"));
    let nodes = ours.said("admin", "glance cache-nodes-list ID");
    assert!(nodes.starts_with("0:") && nodes.contains("http://127.0.0.1"), "{nodes}");
    same("admin", "glance cache-clean");
    assert!(same("admin", "glance cache-prune").contains("Pruned 0 file(s), 0 byte(s)."));
    same("admin", "openstack cached image delete ID");
    same("admin", "openstack cached image queue ID");
    theirs.wait_cached();
    ours.wait_cached();
    assert!(same("admin", "glance-cache-manage -f -v delete-all-cached-images").contains("Deleted 1 cached images"));
    same("admin", "glance-cache-manage -f -v queue-image NOBODY");
    assert!(same("admin", "glance-cache-manage list-queued").contains("Found 1 queued images"));
    same("admin", "openstack cached image list");
    same("admin", "glance-cache-manage -f -v delete-queued-image NOBODY");
    same("admin", "glance-cache-manage -f -v delete-cached-image ID");
    assert!(same("admin", "glance-cache-manage list-queued").contains("No queued images."));
    same("admin", "glance-cache-manage -f -v delete-all-queued-images");
    same("admin", "glance cache-delete NOBODY");
    same("admin", "glance cache-queue NOBODY");
    same("admin", "glance cache-clear --target queue");
    same("admin", "openstack cached image clear");
    assert!(same("demo", "glance-cache-manage list-cached").contains("Not authorized"));
    same("demo", "glance cache-list");
    same("demo", "glance cache-prune");
    same("demo", "openstack cached image clear");
}
