//! Several agents, each the real program with a host name of its own, on one base directory.

use super::node::overlay;
use crate::faults::disk_full::{Small, can_mount};
use crate::support::{
    chaos::{Chaos, Fault},
    daemon::{Agent, Catalogue},
    disks, files, have, output, run, text, wait_until,
};
use larder::base::ofd_lock::OfdLock;
use nix::{
    sys::signal::{Signal, kill},
    unistd::Pid,
};
use std::{
    fs::{self, File},
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::Output,
    time::{Duration, SystemTime},
};

const PATIENCE: Duration = Duration::from_secs(120);
/// How long the agents wait for each other, seconds: short, where one of them is not to answer.
const SHORT: u64 = 2;
const LONG: u64 = 60;

/// One directory, and a folder for each agent.
struct Share {
    tmp: tempfile::TempDir,
    url: String,
    wait: u64,
    /// More of each agent's configuration.
    extra: &'static str,
}

impl Share {
    fn new(url: &str, wait: u64) -> Self {
        let it = Self { tmp: tempfile::tempdir().unwrap(), url: url.to_owned(), wait, extra: "" };
        fs::create_dir(it.instances()).unwrap();
        it
    }

    fn instances(&self) -> PathBuf {
        self.tmp.path().join("instances")
    }

    fn base_dir(&self) -> PathBuf {
        self.instances().join("_base")
    }

    fn registry(&self, file: &str) -> PathBuf {
        self.base_dir().join(".larder").join(file)
    }

    /// Where the agent `folder` has its things.
    fn configure(&self, folder: &str, host: &str) -> PathBuf {
        let dir = self.tmp.path().join(folder);
        fs::create_dir_all(&dir).unwrap();
        if !dir.join("instances").exists() {
            symlink(self.instances(), dir.join("instances")).unwrap();
        }
        let extra = format!(
            "host = {host}\ninstances_path = {}\nshared_answer_timeout = {}\nlibvirt_directories = {}\n\
             remove_unused_original_minimum_age_seconds = 0\nscan_interval = 1\nprune_interval = 0\n{}",
            self.instances().display(),
            self.wait,
            dir.join("qemu").display(),
            self.extra
        );
        Agent::configure(&dir, &self.url, &extra);
        dir
    }

    fn start(&self, host: &str) -> Agent {
        let agent = Agent::start_configured(&self.configure(host, host));
        wait_until("it says what it is", PATIENCE, || self.registry(&format!("host-{host}.json")).exists());
        agent
    }

    /// A base of no image, unused for a day.
    fn put(&self, number: u64) -> PathBuf {
        let path = self.base_dir().join(format!("{number:040x}"));
        fs::write(&path, vec![0xeb; 1 << 20]).unwrap();
        let then = SystemTime::now() - Duration::from_secs(86_400);
        File::open(&path).unwrap().set_modified(then).unwrap();
        path
    }
}

fn sees(agent: &Agent, host: &str, state: &str) -> bool {
    let others = agent.status()["sharing"]["others"].clone();
    others.as_array().unwrap().iter().any(|it| it["host"] == host && it["state"] == state)
}

fn wait_sees(agent: &Agent, host: &str, state: &str) {
    wait_until(&format!("{host} is {state}"), PATIENCE, || sees(agent, host, state));
}

fn prune(agent: &Agent) -> String {
    run(&mut agent.larder(&["cache", "prune"]))
}

/// Why the last pass kept a base.
fn why(agent: &Agent, base: &Path) -> String {
    let name = base.file_name().unwrap().to_str().unwrap().to_owned();
    let status = agent.status();
    let kept = status["last_prune"]["kept"].as_array().unwrap();
    let it = kept.iter().find(|it| it["base"] == *name).unwrap_or_else(|| panic!("{name} was not kept: {status}"));
    it["why"].as_str().unwrap().to_owned()
}

/// An agent that is refused.
fn refused(dir: &Path) -> String {
    let mut agent = Agent::spawn(dir);
    assert!(!agent.wait().success());
    agent.log()
}

fn said(out: &Output) -> String {
    text(&out.stdout) + &text(&out.stderr)
}

#[test]
fn hosts_share_and_one_name_is_refused_twice() {
    let share = Share::new("http://127.0.0.1:1", LONG);
    let (one, two) = (share.start("node-1"), share.start("node-2"));
    wait_sees(&one, "node-2", "live");
    wait_sees(&two, "node-1", "live");
    let status = run(&mut one.larder(&["cache", "status"]));
    assert!(status.contains("by node-1 (this host) and node-2"), "{status}");
    let check = said(&output(&mut one.larder(&["agent", "check", "--config-file", "agent.conf"])));
    assert!(check.contains("the agent of host node-2 takes part"), "{check}");
    let log = refused(&share.configure("third", "node-2"));
    assert!(log.contains("host node-2") && log.contains(&format!("is held by process {}", two.daemon.pid())), "{log}");
    let registry = || fs::read_to_string(share.instances().join("compute_nodes")).unwrap_or_default();
    wait_until("nova knows of both", PATIENCE, || ["node-1", "node-2"].iter().all(|it| registry().contains(it)));
    let novas: serde_json::Value = serde_json::from_str(&registry()).unwrap();
    assert!(novas["node-1"].as_f64().unwrap() > 1.7e9);
    let left = files(&share.base_dir());
    assert_eq!(left, [".larder.lock"], "nova looks at nothing of it");
}

#[test]
fn an_image_that_two_want_is_fetched_once() {
    let centre = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(centre.path(), "");
    let file = centre.path().join("disk.img");
    disks::noise(&file, 24 << 20, 1);
    let id = run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()])).trim().to_owned();
    let chaos = Chaos::before(&catalogue.url());
    let share = Share::new(&chaos.url(), LONG);
    let (one, two) = (share.start("node-1"), share.start("node-2"));
    let before = chaos.sent();
    one.queue(&id);
    two.queue(&id);
    one.wait_state(&id, "cached");
    two.wait_state(&id, "cached");
    assert!(fs::read(one.base(&id)).unwrap() == fs::read(&file).unwrap());
    assert!(chaos.sent() - before < 36 << 20, "{} bytes were sent", chaos.sent() - before);
    assert_eq!(files(&share.base_dir()).iter().filter(|it| it.contains(".fetch")).count(), 0);
}

#[test]
fn a_full_disk_stops_no_single_agent_from_making_room() {
    if !can_mount() {
        return;
    }
    let share = Share::new("http://127.0.0.1:1", LONG);
    let small = Small::mount(share.instances(), 8);
    fs::create_dir(share.base_dir()).unwrap();
    let base = share.put(1);
    let _ = fs::write(share.instances().join("somebody-elses"), vec![1; 8 << 20]);
    assert_eq!(larder::base::space::free(&share.instances()).unwrap().free, 0);
    let one = Agent::start_configured(&share.configure("node-1", "node-1"));
    prune(&one);
    assert!(!base.exists(), "{}", one.daemon.log());
    drop(one);
    drop(small);
}

#[test]
fn one_that_cannot_register_is_alone_or_refused() {
    let share = Share::new("http://127.0.0.1:1", LONG);
    fs::create_dir(share.base_dir()).unwrap();
    fs::write(share.base_dir().join(".larder"), "in the way").unwrap();
    let base = share.put(1);
    let one = Agent::start_configured(&share.configure("node-1", "node-1"));
    let log = refused(&share.configure("node-2", "node-2"));
    assert!(log.contains("an agent has the directory for itself"), "{log}");
    prune(&one);
    assert!(!base.exists());
    let status = run(&mut one.larder(&["cache", "status"]));
    assert!(status.contains("no other agent can share the directory"), "{status}");
}

/// What a host that is away has pinned stays; for the rest its disks in the directory speak.
#[test]
fn a_host_that_was_killed_keeps_its_pins_and_holds_nobody_up() {
    let centre = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(centre.path(), "");
    let file = centre.path().join("disk.img");
    disks::noise(&file, 1 << 20, 1);
    let id = run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()])).trim().to_owned();
    let share = Share::new(&catalogue.url(), SHORT);
    let (mut one, mut two) = (share.start("node-1"), share.start("node-2"));
    run(&mut two.larder(&["cache", "pin", &id]));
    two.wait_state(&id, "cached");
    let entry = || fs::read_to_string(share.registry("host-node-2.json")).unwrap_or_default();
    let pinned = two.base(&id).file_name().unwrap().to_str().unwrap().to_owned();
    wait_until("its pin is written", PATIENCE, || entry().contains(&pinned));
    two.daemon.kill();
    let unused = share.put(1);
    wait_sees(&one, "node-2", "away");
    prune(&one);
    assert!(!unused.exists());
    assert!(why(&one, &two.base(&id)).contains("pinned by host node-2, which is away"));
    // Nor does nova forget it.
    let seen_by_nova = || {
        let text = fs::read_to_string(share.instances().join("compute_nodes")).unwrap();
        serde_json::from_str::<serde_json::Value>(&text).unwrap()["node-2"].as_f64().unwrap()
    };
    let before = seen_by_nova();
    assert!(one.daemon.stop().success());
    one.again();
    wait_until("nova knows of it", PATIENCE, || seen_by_nova() > before);
    // It comes back as it was.
    two.again();
    wait_sees(&one, "node-2", "live");
    run(&mut two.larder(&["cache", "unpin", &id]));
    wait_until("its pin is gone", PATIENCE, || !entry().contains(&pinned));
    assert!(two.daemon.stop().success());
    wait_sees(&one, "node-2", "away");
    prune(&one);
    assert!(!two.base(&id).exists());
}

/// Signals one process; it goes on with the end of the test.
struct Stopped(Pid);

impl Stopped {
    fn now(agent: &Agent) -> Self {
        let pid = Pid::from_raw(i32::try_from(agent.daemon.pid()).unwrap());
        kill(pid, Signal::SIGSTOP).unwrap();
        Self(pid)
    }
}

impl Drop for Stopped {
    fn drop(&mut self) {
        let _ = kill(self.0, Signal::SIGCONT);
    }
}

#[test]
fn one_that_does_not_answer_keeps_everything() {
    let share = Share::new("http://127.0.0.1:1", SHORT);
    let (one, two) = (share.start("node-1"), share.start("node-2"));
    wait_sees(&one, "node-2", "live");
    let base = share.put(1);
    let stopped = Stopped::now(&two);
    std::thread::sleep(Duration::from_secs(SHORT * 2));
    prune(&one);
    assert!(
        base.exists()
            && why(&one, &base).contains("node-2 shares the directory, and its agent has not answered within 2 s"),
        "{}",
        why(&one, &base)
    );
    drop(stopped);
    wait_until("it answers again", PATIENCE, || {
        prune(&one);
        !base.exists()
    });
}

#[test]
fn an_entry_that_cannot_be_read_keeps_everything() {
    let share = Share::new("http://127.0.0.1:1", SHORT);
    let one = share.start("node-1");
    let base = share.put(1);
    fs::write(share.registry("host-node-9.json"), "{\"format\":").unwrap();
    wait_sees(&one, "node-9", "unclear");
    prune(&one);
    assert!(base.exists() && why(&one, &base).contains("host-node-9.json"), "{}", why(&one, &base));
    fs::remove_file(share.registry("host-node-9.json")).unwrap();
    prune(&one);
    assert!(!base.exists());
}

/// Nobody but node-2 knows of the disk outside, or of its pin.
#[test]
fn what_the_other_uses_or_wants_stays_and_the_rest_goes() {
    if !have(&["qemu-img"]) {
        return;
    }
    let centre = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(centre.path(), "");
    let file = centre.path().join("disk.img");
    disks::noise(&file, 1 << 20, 1);
    let id = run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()])).trim().to_owned();
    let share = Share::new(&catalogue.url(), LONG);
    let (one, two) = (share.start("node-1"), share.start("node-2"));
    wait_sees(&one, "node-2", "live");
    run(&mut two.larder(&["cache", "pin", &id]));
    two.wait_state(&id, "cached");
    let (used, unused) = (share.put(1), share.put(2));
    let disk = share.tmp.path().join("outside.qcow2");
    overlay(&disk, &used, "raw");
    let domain = format!("<domain><source file='{}'/></domain>", disk.display());
    fs::create_dir_all(share.tmp.path().join("node-2/qemu")).unwrap();
    fs::write(share.tmp.path().join("node-2/qemu/instance-1.xml"), domain).unwrap();
    prune(&one);
    assert!(used.exists() && two.base(&id).exists());
    assert!(!unused.exists(), "{}", why(&one, &unused));
    let of_used = why(&one, &used);
    assert!(of_used.contains("host node-2 keeps it: in use: the domain"), "{of_used}");
    assert!(why(&one, &two.base(&id)).contains("host node-2 keeps it: kept: pinned"));
    let out = output(&mut one.larder(&["cache", "delete-cached-image", "-f", &id]));
    assert!(!out.status.success() && said(&out).contains("host node-2 keeps it"), "{}", said(&out));
    // What is not wanted any more goes, whoever asks.
    run(&mut two.larder(&["cache", "unpin", &id]));
    run(&mut one.larder(&["cache", "delete-cached-image", "-f", &id]));
    assert!(!two.base(&id).exists());
}

#[test]
fn one_removes_at_a_time() {
    let share = Share::new("http://127.0.0.1:1", SHORT);
    let (one, two) = (share.start("node-1"), share.start("node-2"));
    wait_sees(&one, "node-2", "live");
    let base = share.put(1);
    let turn = OfdLock::try_lock(&share.registry("turn.lock"), None).unwrap().unwrap();
    prune(&one);
    assert!(base.exists() && why(&one, &base).contains("not this host's turn"), "{}", why(&one, &base));
    drop(turn);
    let more: Vec<PathBuf> = (2..40).map(|it| share.put(it)).collect();
    std::thread::scope(|scope| {
        for agent in [&one, &two] {
            scope.spawn(move || prune(agent));
        }
    });
    let passes = [&one, &two].map(|it| it.status()["last_prune"]["removed"].as_array().unwrap().len());
    wait_until("the rest goes with the next pass", PATIENCE, || {
        prune(&one);
        !base.exists() && more.iter().all(|it| !it.exists())
    });
    assert!(passes.iter().sum::<usize>() <= 39, "none was removed twice: {passes:?}");
}

#[test]
fn on_a_full_disk_they_still_agree() {
    if !can_mount() {
        return;
    }
    let share = Share::new("http://127.0.0.1:1", LONG);
    let small = Small::mount(share.instances(), 16);
    let (one, two) = (share.start("node-1"), share.start("node-2"));
    wait_sees(&one, "node-2", "live");
    wait_sees(&two, "node-1", "live");
    let base = share.put(1);
    let spares = ["host-node-1.spare", "host-node-2.spare"].map(|it| share.registry(it));
    wait_until("both have room to spare", PATIENCE, || spares.iter().all(|it| it.exists()));
    let filler = share.instances().join("somebody-elses");
    let _ = fs::write(&filler, vec![1; 16 << 20]);
    // The other one may be reading it just now, to see whether it is good.
    wait_until("it goes", PATIENCE, || {
        prune(&one);
        !base.exists() || !why(&one, &base).contains("has it open")
    });
    assert!(!base.exists(), "{}", why(&one, &base));
    drop((one, two));
    drop(small);
}

#[test]
fn together_they_stay_within_the_limit() {
    let centre = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(centre.path(), "");
    let ids = [1, 2].map(|seed| {
        let file = centre.path().join(format!("disk-{seed}.img"));
        disks::noise(&file, 24 << 20, seed);
        run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()])).trim().to_owned()
    });
    let chaos = Chaos::before(&catalogue.url());
    chaos.always(Fault::Throttle(2 << 20));
    let share = Share { extra: "cache_max_size = 40MiB", ..Share::new(&chaos.url(), LONG) };
    let agents = [share.start("node-1"), share.start("node-2")];
    wait_sees(&agents[0], "node-2", "live");
    agents[0].queue(&ids[0]);
    wait_until("it comes", PATIENCE, || agents[0].state(&ids[0]).as_deref() == Some("fetching"));
    agents[1].queue(&ids[1]);
    // The other's bytes are not on the disk yet: only its promise keeps this one waiting.
    wait_until("it is held", PATIENCE, || agents[1].state(&ids[1]).as_deref() == Some("held"));
    assert_eq!(agents[0].state(&ids[0]).as_deref(), Some("fetching"));
    let status = agents[1].status().to_string();
    assert!(status.contains("promised to other fetches"), "{status}");
    agents[0].wait_state(&ids[0], "cached");
    assert_eq!(agents[1].state(&ids[1]).as_deref(), Some("held"));
}
