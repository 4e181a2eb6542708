//! Zeros end to end: what is a run of zeros in an image is a hole in the store, and on the node.

use crate::{
    api::Server,
    support::{daemon::Agent, disks, have},
};
use serde_json::json;
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    process::Command,
};

/// The disk's size, and the bytes of it that are no zeros.
const SIZE: u64 = 256 << 20;
const FULL: u64 = 6 << 20;
/// What a file system and the writers may add.
const SLACK: u64 = 4 << 20;

/// A disk with data at its begin, in its middle (not on a block's boundary) and at its end.
fn disk(path: &Path) {
    disks::noise(path, 2 << 20, 11);
    let data = fs::read(path).unwrap();
    let file = File::options().write(true).open(path).unwrap();
    file.set_len(SIZE).unwrap();
    for at in [(100 << 20) + 777, SIZE - (2 << 20)] {
        file.write_all_at(&data, at).unwrap();
    }
}

fn taken(path: &Path) -> u64 {
    path.metadata().unwrap().blocks() * 512
}

fn same(one: &Path, two: &Path) -> bool {
    Command::new("cmp").args(["-s"]).args([one, two]).status().unwrap().success()
}

#[test]
fn zeros_are_holes_in_the_store_and_in_the_base() {
    if !have(&["cmp", "qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = dir.path().join("disk.raw");
    disk(&raw);
    let qcow2 = disks::qcow2(&raw, false);
    let server = Server::with(
        "[paste_deploy]\nflavor =\n[image_import_opts]\nimage_import_plugins = [image_decompression, image_conversion]\n\
         [glance_store]\nfilesystem_thin_provisioning = true\n",
    );
    let agent = Agent::start(dir.path(), &format!("http://{}", server.address), "");
    let kind = [("Content-Type", "application/octet-stream")];
    let create = |format: &str| server.create(json!({"name": "x", "disk_format": format, "container_format": "bare"}));
    let uploaded = |file: &Path, format: &str| {
        let id = create(format);
        // All of it comes over the wire, zeros and all.
        let answer = server.ask("PUT", &format!("/v2/images/{id}/file"), &kind, &fs::read(file).unwrap());
        assert_eq!(answer.status, 204, "{answer:?}");
        id
    };
    let imported = |file: &Path, format: &str| {
        let id = create(format);
        let answer = server.ask("PUT", &format!("/v2/images/{id}/stage"), &kind, &fs::read(file).unwrap());
        assert_eq!(answer.status, 204, "{answer:?}");
        let body = json!({"method": {"name": "glance-direct"}});
        assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
        crate::support::wait_until("it is active", std::time::Duration::from_secs(120), || {
            server.get(&format!("/v2/images/{id}")).json()["status"] == "active"
        });
        id
    };
    // As it is, out of a conversion, and a qcow2 that the node converts.
    for (id, stored_raw) in
        [(uploaded(&raw, "raw"), true), (imported(&qcow2, "qcow2"), true), (uploaded(&qcow2, "qcow2"), false)]
    {
        let stored = server.images().join(&id);
        if stored_raw {
            assert!(same(&raw, &stored));
        }
        assert!((FULL..FULL + SLACK).contains(&taken(&stored)), "{} in the store", taken(&stored));
        agent.queue(&id);
        agent.wait_state(&id, "cached");
        let base = agent.base(&id);
        assert!(same(&raw, &base));
        assert!((FULL..FULL + SLACK).contains(&taken(&base)), "{} on the node", taken(&base));
    }
}
