//! `larder image verify` against a real catalogue.

use super::import::with_stores;
use crate::support::{daemon::Catalogue, disks, output, run, text};
use serde_json::Value;
use std::fs;

#[test]
fn copies_are_read_and_compared() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), &with_stores(dir.path()));
    disks::noise(&dir.path().join("disk.raw"), 3 << 20, 5);
    let import = |name: &str| {
        let args = ["image", "import", "disk.raw", "--name", name, "--stores", "fast,slow", "--quiet"];
        run(&mut catalogue.larder(&args)).trim().to_owned()
    };
    let (id, other) = (import("one"), import("two"));
    let sound = run(&mut catalogue.larder(&["image", "verify", &id]));
    assert_eq!(sound.matches(" sound ").count(), 2, "{sound}");
    let verify = |args: &[&str]| {
        let all = output(&mut catalogue.larder(&[&["image", "verify", "--json"], args].concat()));
        let copies: Vec<Value> = text(&all.stdout).lines().map(|it| serde_json::from_str(it).unwrap()).collect();
        (all.status.code(), copies, text(&all.stderr).to_owned())
    };
    let (code, copies, _) = verify(&["--all"]);
    assert_eq!((code, copies.len()), (Some(0), 4), "{copies:?}");
    assert!(copies.iter().all(|it| it["outcome"] == "sound" && it["read"] == 3 << 20), "{copies:?}");
    // One bit of one copy, the end of another, all of a third.
    let file = |store: &str, id: &str| dir.path().join(store).join(id);
    let mut data = fs::read(file("slow", &id)).unwrap();
    data[2_000_000] ^= 1;
    fs::write(file("slow", &id), &data).unwrap();
    fs::write(file("fast", &other), &data[..1000]).unwrap();
    fs::remove_file(file("slow", &other)).unwrap();
    let (code, copies, _) = verify(&[&id, &other]);
    assert_eq!(code, Some(1));
    let outcome = |store: &str, id: &str| {
        let found = copies.iter().find(|it| it["store"] == store && it["image"] == id).unwrap();
        (found["outcome"].as_str().unwrap().to_owned(), found["why"].as_str().unwrap_or_default().to_owned())
    };
    assert_eq!(outcome("fast", &id).0, "sound");
    let (what, why) = outcome("slow", &id);
    assert!(what == "damaged" && why.starts_with("its checksum is "), "{what} {why}");
    assert_eq!(outcome("fast", &other), ("damaged".to_owned(), "it has 1000 bytes, not 3145728".to_owned()));
    assert_eq!(outcome("slow", &other), ("missing".to_owned(), String::new()));
    // What is queued has no copies, and what is not there says so; the others are told all the same.
    let (code, copies, words) = verify(&["00000000-0000-4000-8000-000000000000", &id]);
    assert!(code == Some(1) && copies.len() == 2 && words.contains("does not exist"), "{words}");
    let usage = output(&mut catalogue.larder(&["image", "verify"]));
    assert_eq!(usage.status.code(), Some(2));
}
