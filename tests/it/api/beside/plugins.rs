//! Import plugins: what becomes of the image and of its data.

use super::{
    imports::{compare, direct, import, stage_data},
    stores::start_with_plugins,
};
use crate::{api::access::As, support::run};
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
    if !crate::support::have(&["gzip", "zip"]) {
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
