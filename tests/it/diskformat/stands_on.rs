//! Which files a disk stands on, against what `qemu-img info` says.

use super::{image, qemu_img, raw};
use crate::support::{have, run};
use larder::diskformat::{References, references};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

fn read(path: &Path) -> References {
    references(&mut fs::File::open(path).unwrap()).unwrap()
}

/// What qemu makes of the name.
fn full_backing_file(path: &Path) -> PathBuf {
    let info = run(Command::new("qemu-img").args(["info", "--output=json"]).arg(path));
    let info: serde_json::Value = serde_json::from_str(&info).unwrap();
    PathBuf::from(info["full-backing-filename"].as_str().unwrap())
}

#[test]
fn names_are_found_and_resolved_as_qemu_does() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let base = raw(dir.path(), 8 << 20);
    let absolute = base.to_str().unwrap();
    let file = format!("file:{absolute}");
    let json = format!(r#"json:{{"driver":"raw","file":{{"driver":"file","filename":"{absolute}"}}}}"#);
    let flat = format!(r#"json:{{"driver":"raw","file.driver":"file","file.filename":"{absolute}"}}"#);
    for (index, name) in [absolute, "disk.raw", "./disk.raw", &file, &json, &flat].into_iter().enumerate() {
        for format in ["qcow2", "qed"] {
            // qed has no room for a format beside "raw", and takes no JSON.
            if format == "qed" && name.starts_with("json") {
                continue;
            }
            for compat in ["", "-ocompat=0.10"] {
                let path = dir.path().join(format!("{format}{index}"));
                let mut create = Command::new("qemu-img");
                create.current_dir(dir.path()).args(["create", "-q", "-f", format, "-F", "raw", "-b", name]);
                if !compat.is_empty() && format == "qcow2" {
                    create.arg(compat);
                }
                run(create.arg(&path));
                let backing = read(&path).backing.unwrap();
                assert_eq!(backing.name, name.as_bytes());
                assert_eq!(backing.format.as_deref(), Some("raw"), "{format} {name}");
                let resolved = backing.resolve(&path).unwrap();
                assert_eq!(fs::canonicalize(&resolved).unwrap(), base, "{format} {name}");
                if !name.starts_with("json") && !name.starts_with("file") {
                    assert_eq!(fs::canonicalize(full_backing_file(&path)).unwrap(), base, "{format} {name}");
                }
            }
        }
    }
}

#[test]
fn external_data_are_found() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let base = raw(dir.path(), 8 << 20);
    let path = dir.path().join("outside");
    // qemu-img makes the data file in the folder it runs in.
    let made = Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-o", "data_file=the.data", "outside", "1M"])
        .current_dir(dir.path())
        .status();
    assert!(made.unwrap().success());
    let found = read(&path);
    assert_eq!((found.backing, found.data[0].name.as_slice()), (None, &b"the.data"[..]));
    let flat = read(&image(&base, "vmdk", false, "subformat=monolithicFlat"));
    assert_eq!(flat.data.len(), 1, "{flat:?}");
    assert!(flat.data[0].resolve(&path).unwrap().is_file(), "{flat:?}");
    for (format, options) in [("qcow2", ""), ("vmdk", ""), ("vmdk", "subformat=streamOptimized"), ("vdi", "")] {
        let found = read(&image(&base, format, false, options));
        assert_eq!((found.backing, found.data), (None, vec![]), "{format}");
    }
    assert_eq!(read(&base).backing, None);
}

#[test]
fn a_vmdk_names_its_parent() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let base = image(&raw(dir.path(), 8 << 20), "vmdk", false, "");
    let path = dir.path().join("child");
    qemu_img(&["create", "-q", "-f", "vmdk", "-F", "vmdk", "-b"], &[&base, &path]);
    let backing = read(&path).backing.unwrap();
    assert_eq!(backing.resolve(&path).unwrap(), base);
}
