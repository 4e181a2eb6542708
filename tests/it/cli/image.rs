//! `larder image …` against a real catalogue.

use crate::support::{daemon::Catalogue, disks, files, have, larder, output, run, text};
use std::{fs, path::Path};

const MIB: u64 = 1 << 20;

fn raw(dir: &Path, name: &str, len: u64) -> String {
    disks::noise(&dir.join(name), len, 7);
    name.to_owned()
}

fn ids(catalogue: &Catalogue) -> Vec<String> {
    let listed: serde_json::Value =
        serde_json::from_str(&run(&mut catalogue.larder(&["image", "list", "--json"]))).unwrap();
    listed.as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
}

#[test]
fn an_image_goes_in_is_seen_comes_out_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let file = raw(dir.path(), "disk.raw", 3 * MIB + 17);
    let push = [
        "image",
        "push",
        &file,
        "--name",
        "web one",
        "--tag",
        "lts",
        "--property",
        "os_distro=debian",
        "--min-ram",
        "64",
    ];
    let pushed = output(&mut catalogue.larder(&push));
    assert!(pushed.status.success(), "{}", text(&pushed.stderr));
    let id = text(&pushed.stdout).trim().to_owned();
    assert_eq!(id.len(), 36, "the id, and nothing else, is on standard output");

    let shown: serde_json::Value =
        serde_json::from_str(&run(&mut catalogue.larder(&["image", "show", "--json", &id]))).unwrap();
    assert_eq!((shown["status"].as_str(), shown["disk_format"].as_str()), (Some("active"), Some("raw")));
    assert_eq!((shown["size"].as_u64(), shown["min_ram"].as_u64()), (Some(3 * MIB + 17), Some(64)));
    assert_eq!((shown["os_distro"].as_str(), shown["tags"][0].as_str()), (Some("debian"), Some("lts")));
    assert!(run(&mut catalogue.larder(&["image", "show", &id])).contains("| os_distro "));

    let other = raw(dir.path(), "other.raw", 4096);
    run(&mut catalogue.larder(&["image", "push", &other, "--name", "db", "--quiet"]));
    assert_eq!(ids(&catalogue).len(), 2);
    let only = run(&mut catalogue.larder(&["image", "list", "--filter", "os_distro=debian", "--columns", "name,size"]));
    assert_eq!(only.matches("web one").count(), 1, "{only}");
    assert!(!only.contains("| db"), "{only}");
    assert_eq!(run(&mut catalogue.larder(&["image", "list", "--limit", "1", "--columns", "id"])).lines().count(), 5);

    run(&mut catalogue.larder(&["image", "save", &id, "copy.raw"]));
    assert_eq!(fs::read(dir.path().join("copy.raw")).unwrap(), fs::read(dir.path().join("disk.raw")).unwrap());
    let again = output(&mut catalogue.larder(&["image", "save", &id, "copy.raw"]));
    assert!(text(&again.stderr).contains("copy.raw is there already"), "{}", text(&again.stderr));

    let absent = "00000000-0000-4000-8000-000000000000";
    let deleted = output(&mut catalogue.larder(&["image", "delete", absent, &id]));
    assert_eq!(deleted.status.code(), Some(1));
    assert!(text(&deleted.stderr).contains(absent), "{}", text(&deleted.stderr));
    assert_eq!(ids(&catalogue).len(), 1, "the second one is deleted all the same");
}

#[test]
fn the_format_is_recognised() {
    if !have(&disks::TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let qcow2 = disks::qcow2(&disks::partitioned(dir.path(), "disk", 16), true);
    let id = run(&mut catalogue.larder(&["image", "push", qcow2.to_str().unwrap(), "--name", "q"]));
    let shown = run(&mut catalogue.larder(&["image", "show", "--json", id.trim()]));
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(shown["disk_format"], "qcow2");
    assert_eq!(shown["virtual_size"].as_u64(), Some(17 * MIB));
}

#[test]
fn a_failed_push_leaves_nothing_behind_unless_asked_to() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "image_size_cap = 1000");
    let file = raw(dir.path(), "disk.raw", MIB);
    let failed = output(&mut catalogue.larder(&["image", "push", &file, "--name", "big"]));
    let said = text(&failed.stderr);
    assert_eq!(failed.status.code(), Some(1), "{said}");
    assert!(said.contains("was removed again"), "{said}");
    assert!(failed.stdout.is_empty());
    assert_eq!(ids(&catalogue), Vec::<String>::new());
    assert_eq!(files(&catalogue.images()), Vec::<String>::new());

    let kept = output(&mut catalogue.larder(&["image", "push", &file, "--name", "big", "--keep"]));
    assert!(text(&kept.stderr).contains("in status queued"), "{}", text(&kept.stderr));
    assert_eq!(ids(&catalogue).len(), 1);
}

#[test]
fn what_cannot_be_pushed_says_why() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("empty"), "").unwrap();
    raw(dir.path(), "ok.raw", 4096);
    let nowhere = "http://127.0.0.1:1";
    for (args, words) in [
        (&["no-such-file"][..], "cannot open no-such-file"),
        (&["."], "is not a regular file"),
        (&["empty"], "is empty"),
        (&["ok.raw", "--property", "nonsense"], "'nonsense' is no KEY=VALUE"),
        (&["ok.raw"], "http://127.0.0.1:1/v2/images did not answer"),
    ] {
        let mut command = larder(&["image", "push", "--endpoint", nowhere]);
        let out = output(command.args(args).current_dir(dir.path()));
        assert_eq!(out.status.code(), Some(1), "{args:?}");
        assert!(text(&out.stderr).contains(words), "{args:?}: {}", text(&out.stderr));
    }
    let mut command = larder(&["image", "list", "--endpoint", "not a url"]);
    let out = output(command.current_dir(dir.path()));
    assert!(text(&out.stderr).contains("--endpoint 'not a url' is not an address"), "{}", text(&out.stderr));
}
