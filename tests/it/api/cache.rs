//! The cache API, asked beside a real Glance.

use super::{Answer, Server, exchange};
use crate::support::{free_port, rig, wait_until};
use serde_json::json;
use std::{net::SocketAddr, time::Duration};

const NOBODY: &str = "00000000-1111-2222-3333-444444444444";

/// Requests with a body that they must not have, which Glance answers with 500.
const GLANCE_FAILS: [&str; 4] =
    ["DELETE /v2/cache {}", "PUT /v2/cache/ACTIVE {}", "POST /v2/cache/prune {}", "GET /v2/queued_images {}"];

/// Method, path and body; ACTIVE, QUEUED and NOBODY stand for ids.
const REQUESTS: [&str; 46] = [
    "GET /v2/cache",
    "POST /v2/cache",
    "GET /v2/cache/",
    "GET /v2/cache {}",
    "DELETE /v2/cache {}",
    "PUT /v2/cache/NOBODY",
    "PUT /v2/cache/junk",
    "PUT /v2/cache/QUEUED",
    "PUT /v2/cache/ACTIVE {}",
    "GET /v2/cache/ACTIVE",
    "GET /v2/cache/nodes/ACTIVE",
    "GET /v2/cache/nodes/NOBODY",
    "GET /v2/cache/nodes/junk",
    "GET /v2/cache/nodes",
    "POST /v2/cache/nodes/ACTIVE",
    "POST /v2/cache/clean",
    "POST /v2/cache/prune",
    "POST /v2/cache/prune {}",
    "GET /v2/cache/prune",
    "PUT /v2/cache/clean",
    "DELETE /v2/cache/NOBODY",
    "DELETE /v2/cache/junk",
    "DELETE /v2/cache/QUEUED",
    "DELETE /v2/cache/ACTIVE",
    "DELETE /v2/cache",
    "GET /v2/cached_images",
    "POST /v2/cached_images",
    "GET /v2/cached_images/ACTIVE",
    "PUT /v2/queued_images/NOBODY",
    "PUT /v2/queued_images/NOBODY",
    "GET /v2/queued_images",
    "GET /v2/queued_images {}",
    "GET /v2.14/queued_images",
    "GET /v2.16/cache",
    "GET /v2.18/cache",
    "DELETE /v2/queued_images/NOBODY",
    "DELETE /v2/queued_images/NOBODY",
    "PUT /v2/queued_images/NOBODY",
    "DELETE /v2/cache/NOBODY",
    "PUT /v2/queued_images/NOBODY",
    "DELETE /v2/queued_images",
    "DELETE /v2/queued_images",
    "DELETE /v2/cached_images/NOBODY",
    "DELETE /v2/cached_images/ACTIVE",
    "DELETE /v2/cached_images",
    "GET /v2/cache",
];

struct Side {
    address: SocketAddr,
    active: String,
    queued: String,
}

impl Side {
    fn new(address: SocketAddr) -> Self {
        let image = json!({"name": "cached", "disk_format": "raw", "container_format": "bare"}).to_string();
        let make = || {
            let answer =
                exchange(address, "POST", "/v2/images", &[("Content-Type", "application/json")], image.as_bytes());
            assert_eq!(answer.status, 201, "{answer:?}");
            answer.json()["id"].as_str().unwrap().to_owned()
        };
        let (active, queued) = (make(), make());
        let kind = ("Content-Type", "application/octet-stream");
        let put = exchange(address, "PUT", &format!("/v2/images/{active}/file"), &[kind], b"data of an image");
        assert_eq!(put.status, 204, "{put:?}");
        Self { address, active, queued }
    }

    fn ask(&self, request: &str, headers: &[(&str, &str)]) -> Answer {
        let mut words = request.splitn(3, ' ');
        let (method, path) = (words.next().unwrap(), words.next().unwrap());
        let path = path.replace("ACTIVE", &self.active).replace("QUEUED", &self.queued).replace("NOBODY", NOBODY);
        exchange(self.address, method, &path, headers, words.next().unwrap_or_default().as_bytes())
    }

    /// What two servers are compared by.
    fn said(&self, answer: &Answer) -> (u16, Option<String>, String) {
        let kind = answer.header("content-type").map(str::to_owned);
        let text = answer.text().replace(&self.active, "ACTIVE").replace(&self.queued, "QUEUED");
        let text = serde_json::from_str(&text).map_or(text, |it: serde_json::Value| it.to_string());
        (answer.status, kind, text)
    }

    fn is_cached(&self) -> bool {
        self.ask("GET /v2/cache", &[]).json()["cached_images"].as_array().unwrap().len() == 1
    }
}

/// A catalogue without a login, with a cache; its own name is `url`.
fn with_cache(url: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    let options = format!(
        "image_cache_dir = {}/cache\nworker_self_reference_url = {url}\n[paste_deploy]\nflavor = cachemanagement",
        dir.path().display()
    );
    let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
    Server::over(dir, &database, &images, &options)
}

#[test]
fn it_answers_as_glance_does() {
    let Some(glance) = rig::glance_with("cached", "") else { return };
    let address: SocketAddr = glance.url.trim_start_matches("http://").parse().unwrap();
    let server = with_cache(&glance.url);
    let (theirs, ours) = (Side::new(address), Side::new(server.address));
    let same = |request: &str, headers: &[(&str, &str)]| {
        let (want, got) = (theirs.said(&theirs.ask(request, headers)), ours.said(&ours.ask(request, headers)));
        if GLANCE_FAILS.contains(&request) {
            assert_eq!((want.0, got.0), (500, 400), "{request}: {got:?}");
        } else {
            assert_eq!(got, want, "{request}");
        }
    };
    let versions = |side: &Side| {
        let all = side.ask("GET /versions", &[]).json();
        let all: Vec<_> =
            all["versions"].as_array().unwrap().iter().map(|it| (it["id"].clone(), it["status"].clone())).collect();
        all.into_iter()
            .filter(|it| ["v2.14", "v2.16", "v2.17", "v2.18"].contains(&it.0.as_str().unwrap()))
            .collect::<Vec<_>>()
    };
    assert_eq!(versions(&ours), versions(&theirs));
    for request in REQUESTS {
        same(request, &[]);
    }
    for target in ["nothing", "cache", "Queue", ""] {
        same("DELETE /v2/cache", &[("x-image-cache-clear-target", target)]);
    }
    same("PUT /v2/cache/ACTIVE", &[]);
    for side in [&theirs, &ours] {
        wait_until("the image is cached", Duration::from_secs(60), || side.is_cached());
    }
    same("PUT /v2/cache/ACTIVE", &[]);
    same("GET /v2/cache/nodes/ACTIVE", &[]);
    same("GET /v2/images/ACTIVE/file", &[]);
    for side in [&theirs, &ours] {
        wait_until("the hit is counted", Duration::from_secs(60), || {
            let state = side.ask("GET /v2/cache", &[]).json();
            let row = &state["cached_images"][0];
            let keys: Vec<&String> = row.as_object().unwrap().keys().collect();
            assert_eq!(keys, ["id", "image_id", "last_accessed", "last_modified", "size", "hits", "checksum"]);
            assert!(row["last_accessed"].is_f64() && row["size"] == 16, "{row}");
            row["hits"] == 1
        });
    }
    same("DELETE /v2/cached_images", &[]);
    same("GET /v2/cache", &[]);
    same("DELETE /v2/images/ACTIVE", &[]);
}

#[test]
fn a_hit_does_without_the_store_and_gives_parts_too() {
    let server = with_cache("http://node.example");
    let data: Vec<u8> = (0..3_000_000_u32).map(|it| (it / 3 % 251) as u8).collect();
    let id = server.upload(&data);
    let file = format!("/v2/images/{id}/file");
    assert_eq!(server.get(&file).body, data);
    wait_until("the image is cached", Duration::from_secs(60), || {
        server.get("/v2/cache").json()["cached_images"][0]["image_id"] == id.as_str()
    });
    std::fs::remove_file(server.images().join(&id)).unwrap();
    let whole = server.get(&file);
    assert!(whole.status == 200 && whole.body == data, "{}", whole.status);
    assert_eq!(whole.header("content-length"), Some("3000000"));
    assert_eq!(whole.header("content-md5").unwrap().len(), 32);
    let part = server.ask("GET", &file, &[("Range", "bytes=1048570-1048580")], b"");
    assert_eq!((part.status, &part.body[..]), (206, &data[1_048_570..=1_048_580]));
    assert_eq!(part.header("content-range"), Some("bytes 1048570-1048580/3000000"));
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    assert_eq!(server.get(&file).status, 404);
    assert!(!server.dir.path().join("cache").join(&id).exists());
}

#[test]
fn without_a_folder_there_is_no_cache() {
    let server = Server::start();
    for (method, path) in [("GET", "/v2/cache"), ("DELETE", "/v2/cache"), ("POST", "/v2/cache/prune")] {
        server.ask(method, path, &[], b"").refuses(404, "Caching via API is not supported at this site.");
    }
    assert_eq!(server.get("/v2/cached_images").status, 404);
    assert_eq!(server.get("/v2.14/images").status, 300);
    let mut command = crate::support::larder(&["catalogue", "--config-file", "c.conf"]);
    let dir = tempfile::tempdir().unwrap();
    let conf = format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {}\nimage_cache_dir = {dir}/cache\n[paste_deploy]\nflavor = caching\n\
         [database]\nconnection = sqlite:///{dir}/c.db\n[glance_store]\nfilesystem_store_datadir = {dir}/images\n",
        free_port(),
        dir = dir.path().display()
    );
    std::fs::write(dir.path().join("c.conf"), conf).unwrap();
    let out = crate::support::output(command.current_dir(dir.path()));
    let said = crate::support::text(&out.stderr);
    assert!(!out.status.success() && said.contains("'worker_self_reference_url' needs to be set"), "{said}");
}
