//! SIGKILL at random moments of imports: another process goes on, or the image is queued again, and nothing is left.

use super::killed::{dice, rounds};
use crate::{
    api::{Server, on_engine},
    support::{database, disks, files, wait_until},
};
use rand::Rng;
use serde_json::{Value, json};
use std::{
    fs,
    path::Path,
    thread,
    time::{Duration, Instant},
};

const PATIENCE: Duration = Duration::from_secs(120);

/// A server with no login and two stores in `folder`, whose staging folder is there, too.
fn options(folder: &Path) -> String {
    let folder = folder.display();
    format!(
        "process_lease = 2\nenabled_backends = fast:file, slow:file\n[paste_deploy]\nflavor =\n\
         [os_glance_staging_store]\nfilesystem_store_datadir = {folder}/staging\n\
         [fast]\nfilesystem_store_datadir = {folder}/fast\n[slow]\nfilesystem_store_datadir = {folder}/slow\n\
         [glance_store]\ndefault_backend = fast\n"
    )
}

fn stage(server: &Server, data: &[u8]) -> String {
    let id = server.create(json!({"name": "x", "disk_format": "raw", "container_format": "bare"}));
    let kind = [("Content-Type", "application/octet-stream")];
    let answer = server.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, data);
    assert_eq!(answer.status, 204, "{answer:?}");
    id
}

fn import(server: &Server, id: &str) {
    let body = json!({"method": {"name": "glance-direct"}, "all_stores": true});
    let answer = server.post(&format!("/v2/images/{id}/import"), &body);
    assert_eq!(answer.status, 202, "{answer:?}");
}

fn show(server: &Server, id: &str) -> Value {
    server.get(&format!("/v2/images/{id}")).json()
}

/// Waits until the image is settled; it is active and whole in both stores, and nothing is staged.
fn assert_whole(server: &Server, folder: &Path, id: &str, data: &[u8]) {
    wait_until("the image is active", PATIENCE, || {
        let image = show(server, id);
        assert_ne!(image["status"], "queued", "{image} {}", server.get(&format!("/v2/images/{id}/tasks")).text());
        image["status"] == "active"
    });
    for store in ["fast", "slow"] {
        assert!(fs::read(folder.join(store).join(id)).unwrap() == data, "{store}");
        wait_until("nothing else is left", PATIENCE, || files(&folder.join(store)) == [id.to_owned()]);
    }
    wait_until("nothing is staged", PATIENCE, || !folder.join("staging").join(id).exists());
    let tasks = server.get(&format!("/v2/images/{id}/tasks")).json();
    assert_eq!(tasks["tasks"][0]["status"], "success");
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    wait_until("the data is gone", PATIENCE, || {
        files(&folder.join("fast")).is_empty() && files(&folder.join("slow")).is_empty()
    });
}

#[test]
fn an_import_killed_anywhere_goes_on_at_the_next_start() {
    let folder = tempfile::tempdir().unwrap();
    let mut dice = dice("import");
    let disk = folder.path().join("disk.img");
    disks::noise(&disk, 24 << 20, 3);
    let data = fs::read(&disk).unwrap();
    let mut server = Server::with(&options(folder.path()));
    for _ in 0..rounds(30) {
        let id = stage(&server, &data);
        import(&server, &id);
        thread::sleep(Duration::from_micros(dice.random_range(0..400_000)));
        server.daemon.kill();
        server.again();
        assert_whole(&server, folder.path(), &id, &data);
    }
}

/// The one that has the import is killed while the other one runs.
fn another_takes_over() {
    let folder = tempfile::tempdir().unwrap();
    let disk = folder.path().join("disk.img");
    disks::noise(&disk, 256 << 20, 4);
    let data = fs::read(&disk).unwrap();
    let mut first = Server::with(&options(folder.path()));
    let id = stage(&first, &data);
    let second = Server::beside_with(&first.connection, &first.images(), &options(folder.path()));
    import(&first, &id);
    // Whoever has it: the first one took it in, and is called at once.
    let start = Instant::now();
    while files(&folder.path().join("fast")).is_empty() && start.elapsed() < Duration::from_secs(5) {
        thread::sleep(Duration::from_millis(1));
    }
    first.daemon.kill();
    assert_whole(&second, folder.path(), &id, &data);
}

#[test]
fn another_process_takes_an_import_over_on_sqlite() {
    another_takes_over();
}

#[test]
fn another_process_takes_an_import_over_on_mariadb() {
    on_engine(database::mysql, &[another_takes_over]);
}

#[test]
fn another_process_takes_an_import_over_on_postgresql() {
    on_engine(database::postgres, &[another_takes_over]);
}
