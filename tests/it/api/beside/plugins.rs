//! Import plugins: what becomes of the image and of its data.

use super::{
    Pair, address,
    imports::{compare, direct, import, stage_data},
    stores::{start_with_plugins, three},
};
use crate::{
    api::{Server, access::As},
    support::{rig, run},
};
use serde_json::json;
use std::{fs, path::Path, process::Command};

/// What a program makes of a file.
fn packed(folder: &Path, program: &str, args: &[&str], name: &str) -> Vec<u8> {
    run(Command::new(program).args(args).current_dir(folder));
    fs::read(folder.join(name)).unwrap()
}

#[test]
fn what_is_compressed_is_unpacked() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start_with_plugins(folder.path()) else { return };
    if !crate::support::have(&["gzip", "zip", "qemu-img"]) {
        return;
    }
    let owner = As::member("p");
    let disk: Vec<u8> = (0..200_000_u32).flat_map(|it| it.wrapping_mul(2_654_435_761).to_le_bytes()).collect();
    fs::write(folder.path().join("disk"), &disk).unwrap();
    fs::write(folder.path().join("more"), b"more").unwrap();
    let gzip = packed(folder.path(), "gzip", &["-k", "disk"], "disk.gz");
    let one = packed(folder.path(), "zip", &["-q", "one.zip", "disk"], "one.zip");
    let two = packed(folder.path(), "zip", &["-q", "two.zip", "disk", "more"], "two.zip");
    for (data, container, becomes) in [
        (&gzip, "bare", Some(&disk)),
        (&gzip, "ovf", Some(&disk)),
        (&gzip, "compressed", Some(&gzip)),
        (&one, "bare", Some(&disk)),
        (&disk, "bare", Some(&disk)),
        (&two, "compressed", Some(&two)),
    ] {
        let id = pair.image(&owner, json!({"container_format": container, "hw_disk_bus": "ide"}));
        stage_data(&pair, &owner, &id, data);
        assert_eq!(import(&pair, &owner, &id, &direct(&[])).larder.status, 202);
        if !compare(&pair, &owner, &id) {
            return;
        }
        let stored = fs::read(folder.path().join("fast").join(&id)).ok();
        assert!(stored.as_ref() == becomes, "{container} {}", data.len());
        assert!(!folder.path().join("staging").join(&id).exists());
    }
    pair.end();
}

#[test]
fn properties_are_injected() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start_with_plugins(folder.path()) else { return };
    for (who, site) in [(As::member("p"), json!("north")), (As::admin(), json!(null))] {
        let id = pair.image(&who, json!({"hw_disk_bus": "ide"}));
        stage_data(&pair, &who, &id, b"some data");
        import(&pair, &who, &id, &direct(&[]));
        if !compare(&pair, &who, &id) {
            return;
        }
        assert_eq!(pair.get(&who, &format!("/v2/images/{id}")).larder.json()["site"], site);
    }
    pair.end();
}

/// What `qemu-img` makes of a disk of 8 MiB.
fn image(folder: &Path, args: &[&str], name: &str) -> Vec<u8> {
    if !folder.join("raw").exists() {
        crate::support::disks::noise(&folder.join("raw"), 2 << 20, 5);
        fs::File::options().write(true).open(folder.join("raw")).unwrap().set_len(8 << 20).unwrap();
    }
    let convert = [&["convert", "-f", "raw", "-O"], args, &["raw", name]].concat();
    packed(folder, "qemu-img", &convert, name)
}

#[test]
fn disks_become_raw() {
    let folder = tempfile::tempdir().unwrap();
    let Some(pair) = start_with_plugins(folder.path()) else { return };
    if !crate::support::have(&["qemu-img"]) {
        return;
    }
    let owner = As::member("p");
    let mut iso = vec![0; 100 << 10];
    iso[32 << 10..(32 << 10) + 6].copy_from_slice(b"\x01CD001");
    let of = |args: &[&str], name: &str| image(folder.path(), args, name);
    let backing = ["create", "-q", "-f", "qcow2", "-u", "-F", "raw", "-b", "/etc/hostname", "backing", "1M"];
    for (data, declared, active) in [
        (of(&["qcow2"], "a"), "qcow2", true),
        (of(&["qcow2", "-c"], "b"), "qcow2", true),
        (of(&["vmdk"], "c"), "vmdk", true),
        (of(&["vmdk", "-o", "subformat=streamOptimized"], "d"), "vmdk", true),
        (of(&["vdi"], "e"), "vdi", true),
        (iso.clone(), "iso", true),
        (iso, "raw", false),
        (of(&["qcow2"], "f"), "raw", false),
        (of(&["qcow2"], "g"), "vmdk", false),
        (b"nothing at all".to_vec(), "qcow2", false),
        (packed(folder.path(), "qemu-img", &backing, "backing"), "qcow2", false),
    ] {
        let id = pair.image(&owner, json!({"disk_format": declared}));
        stage_data(&pair, &owner, &id, &data);
        import(&pair, &owner, &id, &direct(&[]));
        if !compare(&pair, &owner, &id) {
            return;
        }
        let image = pair.ask_freely(&owner, ("GET", &format!("/v2/images/{id}")), "", b"").larder.json();
        let expected = if active { "active" } else { "queued" };
        assert_eq!(image["status"], expected, "{declared}: {image}");
    }
    pair.end();
}

/// Properties of the operator's count against the quota, and what Glance notes of an import does not.
#[test]
fn injected_properties_count() {
    let folder = tempfile::tempdir().unwrap();
    let options = format!("image_property_quota = 3\n{}", rig::PLUGINS);
    let Some(glance) = rig::trusting_glance_with("quota", &options) else { return };
    let config = format!("image_property_quota = 3\n{}\n{}", three(folder.path()), rig::PLUGINS);
    let pair = Pair::of(Server::with(&config), address(&glance));
    let owner = As::member("p");
    for (fields, fits) in [
        (json!({"a": "1"}), true),
        (json!({"a": "1", "hw_disk_bus": "ide"}), true),
        (json!({"a": "1", "b": "2"}), false),
        (json!({"a": "1", "b": "2", "c": "3"}), false),
        (json!({"a": "1", "hw_disk_bus": "ide", "site": "south"}), true),
    ] {
        let id = pair.image(&owner, fields);
        stage_data(&pair, &owner, &id, b"some data");
        assert_eq!(import(&pair, &owner, &id, &direct(&[])).larder.status, 202);
        if !compare(&pair, &owner, &id) {
            return;
        }
        let image = pair.ask_freely(&owner, ("GET", &format!("/v2/images/{id}")), "", b"").larder.json();
        assert_eq!(image["status"] == "active", fits, "{image}");
        for name in ["d", "e", "f"] {
            pair.patch(&owner, &id, &json!([{"op": "add", "path": format!("/{name}"), "value": "x"}]));
        }
    }
    pair.end();
}
