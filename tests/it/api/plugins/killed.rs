//! Conversions that end in the middle: nothing is left of them.

use super::{Server, create, disk, has_qemu_img, image_of, import, settled, show, staged, with_plugins};
use crate::support::{disks::same, files, wait_until};
use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    time::Duration,
};

const PATIENCE: Duration = Duration::from_secs(120);

/// A qemu-img that takes its time, until the file `go` is there.
fn slow(dir: &Path) -> PathBuf {
    let path = dir.join("bin/qemu-img");
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    let script = format!(
        "#!/bin/sh\nfor i in $(seq 600); do [ -e {}/bin/go ] && break; sleep 0.1; done\nexec /usr/bin/qemu-img \"$@\"\n",
        dir.display()
    );
    fs::write(&path, script).unwrap();
    fs::set_permissions(&path, PermissionsExt::from_mode(0o755)).unwrap();
    path
}

/// A server whose conversion of an image of the file is under way.
fn converting(dir: &Path, file: &Path) -> (Server, String) {
    let conversion = format!("[image_conversion]\noutput_format = qcow2\nqemu_img = {}", slow(dir).display());
    let server = with_plugins("image_conversion", &conversion);
    let id = create(&server, "vdi");
    import(&server, &id, file);
    wait_until("it converts", PATIENCE, || staged(&server).iter().any(|it| it.starts_with(&format!("{id}."))));
    wait_until("the child runs", PATIENCE, || !children(&server).is_empty());
    (server, id)
}

/// Processes that work in the server's staging folder.
fn children(server: &Server) -> Vec<u32> {
    let folder = server.dir.path().to_str().unwrap().to_owned();
    let all = fs::read_dir("/proc").unwrap().flatten().filter_map(|it| it.file_name().to_str()?.parse::<u32>().ok());
    let line = |pid: &u32| fs::read_to_string(format!("/proc/{pid}/cmdline")).unwrap_or_default();
    all.filter(|it| line(it).contains("convert") && line(it).contains(&folder)).collect()
}

#[test]
fn a_killed_conversion_begins_anew_at_the_next_start() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = disk(dir.path());
    let (mut server, id) = converting(dir.path(), &image_of(&raw, "vdi", ""));
    server.daemon.kill();
    wait_until("the child ends with its parent", PATIENCE, || children(&server).is_empty());
    fs::write(dir.path().join("bin/go"), b"").unwrap();
    server.again();
    wait_until("the image is active", PATIENCE, || show(&server, &id)["status"] == "active");
    let (image, _) = settled(&server, &id);
    assert_eq!(image["disk_format"], "qcow2");
    assert!(same((&raw, "raw"), (&server.images().join(&id), "qcow2")));
}

#[test]
fn deleting_the_image_ends_its_conversion() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (server, id) = converting(dir.path(), &image_of(&disk(dir.path()), "vdi", ""));
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    wait_until("the child ends", PATIENCE, || children(&server).is_empty());
    wait_until("nothing is left", PATIENCE, || staged(&server).is_empty() && files(&server.images()).is_empty());
}
