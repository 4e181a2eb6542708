//! `image_conversion`, judged by `qemu-img compare`.

use super::{Server, create, disk, has_qemu_img, image_of, import, refused, settled, with_plugins};
use crate::support::{disks::same, run, web::Web};
use serde_json::json;
use std::{fs, path::Path, process::Command};

fn to(format: &str, more: &str) -> Server {
    let conversion = format!("[image_conversion]\noutput_format = {format}\n{more}");
    with_plugins("image_decompression, image_conversion", &conversion)
}

/// Imports it; what is stored is of the format that is asked for, and the same disk.
fn becomes(server: &Server, (file, format): (&Path, &str), output: &str, raw: &Path) {
    let id = create(server, format);
    import(server, &id, file);
    let (image, message) = settled(server, &id);
    let what = format!("{} to {output}: {image} {message}", file.display());
    assert_eq!((image["status"].as_str(), image["disk_format"].as_str()), (Some("active"), Some(output)), "{what}");
    assert_eq!(
        (image["container_format"].as_str(), image["virtual_size"].as_u64()),
        (Some("bare"), Some(24 << 20)),
        "{what}"
    );
    let stored = server.images().join(&id);
    let length = stored.metadata().unwrap().len();
    assert_eq!(image["size"].as_u64(), Some(length), "{what}");
    assert!(same((raw, "raw"), (&stored, output)), "{what}");
    let hash = run(Command::new("sha512sum").arg(&stored));
    assert_eq!(image["os_hash_value"].as_str(), hash.split(' ').next(), "{what}");
    if format == output && file.extension().is_none_or(|it| it != "gz") {
        assert!(fs::read(file).unwrap() == fs::read(&stored).unwrap(), "{what}");
    }
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
}

#[test]
fn disks_are_stored_in_one_format() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = disk(dir.path());
    let sources = [
        (raw.clone(), "raw"),
        (image_of(&raw, "qcow2", ""), "qcow2"),
        (image_of(&raw, "qcow2", "compression_type=zstd"), "qcow2"),
        (image_of(&raw, "vmdk", ""), "vmdk"),
        (image_of(&raw, "vmdk", "subformat=streamOptimized"), "vmdk"),
        (image_of(&raw, "vdi", ""), "vdi"),
        (image_of(&raw, "vhdx", ""), "vhdx"),
    ];
    for output in ["raw", "qcow2", "vmdk"] {
        let server = to(output, "");
        for (file, format) in &sources {
            becomes(&server, (file, format), output, &raw);
        }
        // Unpacked on the way into a file.
        let packed = raw.with_file_name("packed.gz");
        fs::write(&packed, run_bytes(Command::new("gzip").arg("-c").arg(&sources[1].0))).unwrap();
        becomes(&server, (&packed, "qcow2"), output, &raw);
    }
}

fn run_bytes(command: &mut Command) -> Vec<u8> {
    let output = command.output().unwrap();
    assert!(output.status.success());
    output.stdout
}

#[test]
fn what_comes_from_the_web_is_converted() {
    if !has_qemu_img() {
        return;
    }
    let server = to("qcow2", "[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []");
    let web = Web::start();
    let id = create(&server, "raw");
    let body = json!({"method": {"name": "web-download", "uri": web.url("/big")}});
    assert_eq!(server.post(&format!("/v2/images/{id}/import"), &body).status, 202);
    let (image, message) = settled(&server, &id);
    assert_eq!((image["status"].as_str(), image["disk_format"].as_str()), (Some("active"), Some("qcow2")), "{message}");
    let raw = server.dir.path().join("raw");
    fs::write(&raw, crate::support::web::data("/big").unwrap()).unwrap();
    let stored = server.images().join(&id);
    assert!(same((&raw, "raw"), (&stored, "qcow2")));
}

#[test]
fn an_iso_stays_one_and_nothing_hides_as_one() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let server = to("qcow2", "");
    let mut iso = vec![0; 200 << 10];
    iso[32 << 10] = 1;
    iso[(32 << 10) + 1..(32 << 10) + 6].copy_from_slice(b"CD001");
    let file = dir.path().join("iso");
    fs::write(&file, &iso).unwrap();
    let id = create(&server, "iso");
    import(&server, &id, &file);
    let (image, message) = settled(&server, &id);
    assert_eq!((image["status"].as_str(), image["disk_format"].as_str()), (Some("active"), Some("iso")), "{message}");
    assert!(fs::read(server.images().join(&id)).unwrap() == iso);
    assert_eq!(server.ask("DELETE", &format!("/v2/images/{id}"), &[], b"").status, 204);
    refused(&server, "raw", &file, "declared as raw, but its content is iso");
}

#[test]
fn limits_end_a_conversion_with_words() {
    if !has_qemu_img() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = disk(dir.path());
    let vdi = image_of(&raw, "vdi", "");
    for (options, words) in [
        ("qemu_img = /nonexistent/qemu-img", "needs qemu-img"),
        ("memory_limit = 24MiB", "image_conversion: the conversion failed"),
        ("time_limit = 0", "took longer than 0 s"),
    ] {
        refused(&to("raw", options), "vdi", &vdi, words);
    }
    let server = with_plugins("image_conversion", "[DEFAULT]\nimage_size_cap = 20MiB");
    refused(&server, "vdi", &vdi, "claims a disk of 25165824 bytes; the limit is 20971520");
}
