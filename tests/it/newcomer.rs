//! What a newcomer does, whole: `larder dev`, push, queue, prefetch, boot, prune.

use crate::support::{
    daemon::{Agent, Catalogue, Daemon},
    disks, files, have, larder, output, run, text, wait_until,
};
use serde_json::Value;
use std::{
    fs::{self, FileTimes},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

/// A folder with `larder dev` in it.
struct Newcomer {
    _dir: tempfile::TempDir,
    home: PathBuf,
    dev: Daemon,
}

impl Newcomer {
    fn new() -> Self {
        let dir = tempfile::tempdir().unwrap();
        let home = dir.path().to_owned();
        let dev = Self::start(&home);
        Self { _dir: dir, home, dev }
    }

    fn start(home: &Path) -> Daemon {
        let port = crate::support::free_port().to_string();
        let mut dev = Daemon::start(home, "dev", &["dev", "--port", &port]);
        wait_until("the admin socket", Duration::from_secs(120), || {
            assert!(dev.ended().is_none(), "{}", dev.log());
            larder(&["cache", "status", "--json"]).current_dir(home).output().unwrap().status.success()
                && larder(&["image", "list"]).current_dir(home).output().unwrap().status.success()
        });
        dev
    }

    fn larder(&self, args: &[&str]) -> String {
        run(larder(args).current_dir(&self.home))
    }

    fn json(&self, args: &[&str]) -> Value {
        let out = self.larder(args);
        serde_json::from_str(&out).unwrap_or_else(|e| panic!("larder {args:?} printed no JSON: {e}\n{out}"))
    }

    fn instances(&self) -> PathBuf {
        self.home.join("larder-dev/instances")
    }

    fn base(&self, id: &str) -> PathBuf {
        self.instances().join("_base").join(base_name(id))
    }

    fn wait_cached(&self, id: &str) {
        wait_until("the image is cached", Duration::from_secs(60), || {
            self.larder(&["cache", "list-cached"]).contains(id)
        });
    }
}

fn base_name(id: &str) -> String {
    id.parse::<larder::image::ImageId>().unwrap().base_name()
}

/// Makes a file look unused for `days`.
fn age(path: &Path, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 86_400);
    fs::File::options().append(true).open(path).unwrap().set_times(FileTimes::new().set_modified(then)).unwrap();
}

#[test]
fn from_an_image_file_to_a_base_that_an_instance_boots_from() {
    if !have(&disks::TOOLS) {
        return;
    }
    let mut it = Newcomer::new();
    let raw = disks::partitioned(&it.home, "debian", 64);
    let qcow2 = disks::qcow2(&raw, true);

    let id = it.larder(&["image", "push", qcow2.to_str().unwrap(), "--name", "debian-12"]).trim().to_owned();
    let shown = it.json(&["image", "show", &id, "--json"]);
    assert_eq!(shown["disk_format"], "qcow2");
    assert_eq!(shown["status"], "active");
    assert_eq!(shown["virtual_size"], fs::metadata(&raw).unwrap().len());
    assert!(it.larder(&["image", "list"]).contains("debian-12"));

    it.larder(&["cache", "queue-image", "-f", &id]);
    it.wait_cached(&id);
    assert!(it.larder(&["cache", "list-queued"]).contains("No queued images."));
    let base = it.base(&id);
    assert!(disks::same((&raw, "raw"), (&base, "raw")), "the base is another disk than the one that was pushed");
    let beside: Vec<_> =
        files(&it.instances().join("_base")).into_iter().filter(|name| name != ".larder.lock").collect();
    assert_eq!(beside, [base_name(&id)], "something is left beside the base");
    {
        use std::os::unix::fs::MetadataExt;
        let meta = fs::metadata(&base).unwrap();
        assert_eq!(meta.mode() & 0o777, 0o644);
        assert!(
            meta.blocks() * 512 < meta.len() * 3 / 4,
            "the holes are gone: {} of {}",
            meta.blocks() * 512,
            meta.len()
        );
    }

    // An instance boots from it.
    let instance = it.instances().join("7c1d9a52-53a4-4bd6-8d0e-0f1c6b5a4d3e");
    fs::create_dir(&instance).unwrap();
    let disk = instance.join("disk");
    let backing = format!("backing_file={},backing_fmt=raw", base.display());
    run(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-o", &backing]).arg(&disk));
    age(&base, 10);
    let pruned = it.larder(&["cache", "prune"]);
    assert!(base.exists(), "an instance's base was pruned:\n{pruned}");
    let why = it.larder(&["cache", "why", &id]);
    assert!(why.contains("7c1d9a52-53a4-4bd6-8d0e-0f1c6b5a4d3e"), "{why}");
    let status = it.larder(&["cache", "status"]);
    assert!(status.contains("in use"), "{status}");

    // The instance is gone: the base was in use a moment ago, so it stays for a day.
    fs::remove_dir_all(&instance).unwrap();
    let dry = it.larder(&["agent", "prune", "--dry-run"]);
    assert!(base.exists() && dry.contains(&base_name(&id)), "{dry}");
    it.larder(&["agent", "prune"]);
    assert!(base.exists(), "a young base was pruned");

    it.larder(&["image", "delete", &id]);
    assert!(!it.larder(&["image", "list"]).contains("debian-12"));
    assert!(files(&it.home.join("larder-dev/images")).is_empty());
    assert!(it.dev.stop().success(), "{}", it.dev.log());
}

#[test]
fn a_base_goes_when_its_instance_is_gone_and_the_age_has_passed() {
    if !have(&disks::TOOLS) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let qcow2 = disks::qcow2(&disks::partitioned(dir.path(), "debian", 32), true);
    let id =
        run(&mut catalogue.larder(&["image", "push", qcow2.to_str().unwrap(), "--name", "debian"])).trim().to_owned();
    let ages = "[image_cache]\nremove_unused_original_minimum_age_seconds = 3";
    let mut agent = Agent::start(dir.path(), &catalogue.url(), ages);
    agent.queue(&id);
    agent.wait_state(&id, "cached");
    let base = agent.base(&id);
    let instance = dir.path().join("instances/7c1d9a52-53a4-4bd6-8d0e-0f1c6b5a4d3e");
    fs::create_dir(&instance).unwrap();
    let backing = format!("backing_file={},backing_fmt=raw", base.display());
    run(Command::new("qemu-img").args(["create", "-q", "-f", "qcow2", "-o", &backing]).arg(instance.join("disk")));
    std::thread::sleep(Duration::from_secs(4));
    let in_use = std::time::Instant::now();
    run(&mut agent.larder(&["cache", "prune"]));
    assert!(base.exists(), "an instance's base was pruned after the age");
    fs::remove_dir_all(&instance).unwrap();
    run(&mut agent.larder(&["cache", "prune"]));
    // On a busy machine the moment may be longer than the age.
    assert!(base.exists() || in_use.elapsed() > Duration::from_secs(3), "it was in use a moment ago");
    std::thread::sleep(Duration::from_secs(4));
    run(&mut agent.larder(&["cache", "prune"]));
    assert!(!base.exists(), "an old, unused base stays: {}", agent.status());
    for line in ["Active base files: ", "Removable base files: ", "Removing base, swap or ephemeral file: "] {
        assert!(
            agent.daemon.log().contains(&format!("{line}{}", base.display())),
            "no '{line}' in\n{}",
            agent.daemon.log()
        );
    }
    assert!(agent.daemon.stop().success());
}

#[test]
fn a_second_start_finds_everything_as_it_was() {
    let mut it = Newcomer::new();
    let disk = it.home.join("disk.img");
    disks::noise(&disk, 3 << 20, 7);
    let push = |name: &str| it.larder(&["image", "push", disk.to_str().unwrap(), "--name", name]).trim().to_owned();
    let (cached, gone) = (push("one"), push("two"));
    it.larder(&["cache", "queue-image", "-f", &cached]);
    it.wait_cached(&cached);
    assert!(it.dev.stop().success());

    it.dev = Newcomer::start(&it.home);
    assert!(it.larder(&["image", "list"]).contains(&gone));
    assert!(it.larder(&["cache", "list-cached"]).contains(&cached));
    assert_eq!(fs::read(it.base(&cached)).unwrap(), fs::read(&disk).unwrap());
    // A second one beside it says so, and harms nothing.
    let second = output(larder(&["dev"]).current_dir(&it.home));
    assert!(!second.status.success());
    assert!(text(&second.stderr).contains("larder-dev"), "{}", text(&second.stderr));
    assert!(it.larder(&["cache", "list-cached"]).contains(&cached));
}

#[test]
fn the_seven_verbs() {
    let it = Newcomer::new();
    let disk = it.home.join("disk.img");
    disks::noise(&disk, 1 << 20, 3);
    let id = it.larder(&["image", "push", disk.to_str().unwrap(), "--name", "seven"]).trim().to_owned();
    assert!(it.larder(&["cache", "list-cached"]).contains("No cached images."));
    it.larder(&["cache", "queue-image", "-f", &id]);
    it.wait_cached(&id);
    let cached = it.json(&["cache", "list-cached", "--json"]);
    assert!(cached.to_string().contains(&id), "{cached}");
    let table = it.larder(&["cache", "list-cached"]);
    assert!(table.starts_with("Found 1 cached images..."), "{table}");
    assert!(table.contains("Last Accessed (UTC)") && table.contains("Last Modified (UTC)"), "{table}");
    it.larder(&["cache", "delete-cached-image", "-f", &id]);
    assert!(!it.base(&id).exists());
    // What the catalogue does not have is refused at once, and nothing is queued.
    let unknown = "11111111-2222-3333-4444-555555555555";
    let refused = output(larder(&["cache", "queue-image", "-f", unknown]).current_dir(&it.home));
    assert_eq!(refused.status.code(), Some(1));
    assert!(text(&refused.stderr).contains(unknown), "{}", text(&refused.stderr));
    assert!(it.larder(&["cache", "list-queued"]).contains("No queued images."));
    let absent = output(larder(&["cache", "delete-queued-image", "-f", unknown]).current_dir(&it.home));
    assert_eq!(absent.status.code(), Some(1));
    it.larder(&["cache", "queue-image", "-f", &id]);
    it.wait_cached(&id);
    it.larder(&["cache", "delete-all-cached-images", "-f"]);
    it.larder(&["cache", "delete-all-queued-images", "-f"]);
    assert!(it.larder(&["cache", "list-cached"]).contains("No cached images."));
    // The same program by its other name.
    let other = it.home.join("glance-cache-manage");
    std::os::unix::fs::symlink(crate::support::LARDER, &other).unwrap();
    let out = run(Command::new(&other).arg("list-queued").current_dir(&it.home));
    assert!(out.contains("No queued images."), "{out}");
}

#[test]
fn the_only_node_of_a_fleet_of_one() {
    let it = Newcomer::new();
    fs::write(it.home.join("disk.raw"), vec![7; 1 << 20]).unwrap();
    let id = it.larder(&["image", "push", "--quiet", "--name", "x", "disk.raw"]).trim().to_owned();
    wait_until("the node has joined", Duration::from_secs(60), || it.larder(&["node", "list"]).contains("| dev "));
    it.larder(&["image", "prefetch", &id, "--all", "--wait"]);
    wait_until("the centre knows what the node has", Duration::from_secs(60), || {
        let nodes = it.json(&["image", "where", &id, "--json"]).to_string();
        nodes.contains("\"dev\"") && nodes.contains("\"cached\"")
    });
}
