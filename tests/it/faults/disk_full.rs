//! A full disk in each phase: a clear error, nothing half made, and it works again when there is room.

use crate::support::{
    daemon::{Agent, Catalogue},
    disks, files, have, have_root, output, run, text, wait_until,
};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    time::Duration,
};

/// A small file system of its own, unmounted with the test.
pub(crate) struct Small(PathBuf);

impl Small {
    pub(crate) fn mount(at: PathBuf, mib: u64) -> Self {
        fs::create_dir_all(&at).unwrap();
        run(Command::new("mount").args(["-t", "tmpfs", "-o", &format!("size={mib}m"), "larder-test"]).arg(&at));
        Self(at)
    }

    pub(crate) fn grow(&self, mib: u64) {
        run(Command::new("mount").args(["-o", &format!("remount,size={mib}m")]).arg(&self.0));
    }
}

impl Drop for Small {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(&self.0).status();
    }
}

pub(crate) fn can_mount() -> bool {
    have_root() && have(&["mount", "umount"])
}

fn disk(dir: &Path, mib: u64) -> PathBuf {
    let file = dir.join("disk.img");
    disks::noise(&file, mib << 20, mib);
    file
}

#[test]
fn of_the_store_during_an_upload() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path().join("images"), 8);
    let catalogue = Catalogue::start(dir.path(), "");
    let file = disk(dir.path(), 16);
    let push = ["image", "push", "--name", "big", file.to_str().unwrap()];
    let out = output(&mut catalogue.larder(&push));
    assert!(!out.status.success());
    let said = text(&out.stderr);
    assert!(
        said.contains("413") || said.to_lowercase().contains("full") || said.to_lowercase().contains("space"),
        "{said}"
    );
    assert_eq!(files(&catalogue.images()), Vec::<String>::new(), "bytes are left in the store");
    small.grow(64);
    let id = run(&mut catalogue.larder(&push));
    assert_eq!(files(&catalogue.images()), [id.trim()]);
}

#[test]
fn of_the_base_directory_during_fetch_and_conversion() {
    if !can_mount() || !have(&disks::TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let raw = disks::partitioned(dir.path(), "disk", 48);
    let zlib = disks::qcow2(&raw, true);
    let push = |file: &Path| {
        run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()])).trim().to_owned()
    };
    let ids = [push(&raw), push(&zlib)];
    let need = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&raw).unwrap()) / 2048;
    let small = Small::mount(dir.path().join("instances"), 2);
    let agent = Agent::start(dir.path(), &catalogue.url(), "");
    // Too small for either; then large enough for the download, not for the result.
    for mib in [2, need + 2] {
        small.grow(mib);
        let id = &ids[usize::from(mib != 2)];
        agent.queue(id);
        wait_until("it is held", Duration::from_secs(120), || agent.state(id).as_deref() == Some("held"));
        let status = agent.status().to_string();
        assert!(status.contains("space") || status.contains("room") || status.contains("free"), "{status}");
        assert!(!agent.base(id).exists());
        let left: Vec<_> = files(&agent.base_dir())
            .into_iter()
            .filter(|name| name.contains("fetch") || name.contains("raw"))
            .collect();
        assert!(left.is_empty(), "{left:?}");
    }
    small.grow(256);
    for id in &ids {
        wait_until("cached once there is room", Duration::from_secs(120), || {
            let _ = output(&mut agent.larder(&["cache", "prefetch"]));
            agent.state(id).as_deref() == Some("cached")
        });
        assert!(disks::same((&raw, "raw"), (&agent.base(id), "raw")));
    }
}

#[test]
fn of_the_state_directory() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path().join("state"), 1);
    let catalogue = Catalogue::start(dir.path(), "");
    let file = disk(dir.path(), 1);
    let id = run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()])).trim().to_owned();
    let agent = Agent::start(dir.path(), &catalogue.url(), "");
    let filler = dir.path().join("state/filler");
    let _ = fs::write(&filler, vec![1; 1 << 20]);
    let out = output(&mut agent.larder(&["cache", "queue-image", "-f", &id]));
    if out.status.success() {
        // It fitted in what SQLite had already: then it must be done.
        agent.wait_state(&id, "cached");
    } else {
        assert!(text(&out.stderr).contains("index"), "{}", text(&out.stderr));
        fs::remove_file(&filler).unwrap();
        agent.queue(&id);
        agent.wait_state(&id, "cached");
    }
    drop(small);
}
