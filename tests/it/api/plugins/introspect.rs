//! `image_introspection`, and the same for uploads.

use super::{Server, create, disk, has_qemu_img, image_of, import, settled, with_plugins};
use serde_json::{Value, json};
use std::{
    fs,
    path::{Path, PathBuf},
};

const NAMES: [&str; 6] = [
    "vmware_disktype",
    "vmware_adaptertype",
    "qcow2_virtual_size",
    "qcow2_cluster_size",
    "qcow2_compression_type",
    "iso_volume_id",
];

fn told(image: &Value) -> Vec<(&str, &str)> {
    NAMES.iter().filter_map(|it| Some((*it, image[*it].as_str()?))).collect()
}

/// An image, its format, and what it tells.
type Case = (PathBuf, &'static str, Vec<(&'static str, &'static str)>);

fn cases(dir: &Path) -> Vec<Case> {
    let raw = disk(dir);
    let mut iso = vec![0; 200 << 10];
    iso[32 << 10..(32 << 10) + 6].copy_from_slice(b"\x01CD001");
    iso[(32 << 10) + 40..(32 << 10) + 72].copy_from_slice(b"DEBIAN 12.8 AMD64               ");
    fs::write(dir.join("iso"), iso).unwrap();
    let zstd =
        [("qcow2_virtual_size", "25165824"), ("qcow2_cluster_size", "262144"), ("qcow2_compression_type", "zstd")];
    let stream = [("vmware_disktype", "streamOptimized"), ("vmware_adaptertype", "busLogic")];
    vec![
        (image_of(&raw, "qcow2", "cluster_size=256k,compression_type=zstd"), "qcow2", zstd.to_vec()),
        (image_of(&raw, "vmdk", ""), "vmdk", vec![("vmware_disktype", "sparse"), ("vmware_adaptertype", "ide")]),
        (image_of(&raw, "vmdk", "subformat=streamOptimized,adapter_type=buslogic"), "vmdk", stream.to_vec()),
        (dir.join("iso"), "iso", vec![("iso_volume_id", "DEBIAN 12.8 AMD64")]),
        (raw, "raw", vec![]),
    ]
}

#[test]
fn what_formats_say_of_themselves_becomes_properties() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = with_plugins("image_introspection", "[image_introspection]\nuploads = true");
    let quiet = with_plugins("no_op", "");
    for (file, format, expected) in cases(dir.path()) {
        let imported = |server: &Server| {
            let id = create(server, format);
            import(server, &id, &file);
            settled(server, &id).0
        };
        let uploaded = |server: &Server| {
            let id = create(server, format);
            let kind = [("Content-Type", "application/octet-stream")];
            let answer = server.ask("PUT", &format!("/v2/images/{id}/file"), &kind, &fs::read(&file).unwrap());
            assert_eq!(answer.status, 204, "{answer:?}");
            super::show(server, &id)
        };
        for image in [imported(&server), uploaded(&server)] {
            assert_eq!(image["status"], "active", "{image}");
            assert_eq!(told(&image), expected, "{}", file.display());
        }
        for image in [imported(&quiet), uploaded(&quiet)] {
            assert_eq!(told(&image), [], "{}", file.display());
        }
    }
}

#[test]
fn what_the_user_says_stays_and_the_order_counts() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let vmdk = image_of(&disk(dir.path()), "vmdk", "");
    let mine = ("vmware_adaptertype", "lsiLogic");
    for (plugins, expected) in [
        ("image_introspection, image_conversion", vec![("vmware_disktype", "sparse"), mine]),
        ("image_conversion, image_introspection", vec![mine]),
    ] {
        let server = with_plugins(plugins, "");
        let id = server.create(
            json!({"name": "x", "disk_format": "vmdk", "container_format": "bare", "vmware_adaptertype": "lsiLogic"}),
        );
        import(&server, &id, &vmdk);
        let (image, message) = settled(&server, &id);
        assert_eq!(
            (image["status"].as_str(), image["disk_format"].as_str()),
            (Some("active"), Some("raw")),
            "{message}"
        );
        assert_eq!(told(&image), expected, "{plugins}");
    }
}
