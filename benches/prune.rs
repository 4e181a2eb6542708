//! What a node's `_base` costs the agent: a look and a decision, by itself and in a pass, and doing nothing.

use crate::{
    memory::{own, resident, watch},
    report::{best, bound},
    requests::cpu,
    support::{
        daemon::{Agent, Catalogue},
        larder, run, wait_until,
    },
};
use chrono::Utc;
use larder::agent::{
    base_dir::{BaseDir, Settings},
    in_use::observe,
    plan::prune,
};
use std::{
    collections::HashMap,
    fs::{self, File, FileTimes},
    io::Read,
    path::{Path, PathBuf},
    process::Command,
    thread,
    time::{Duration, SystemTime},
};

/// How long the agent is watched while it does nothing.
const WATCHED: Duration = Duration::from_secs(60);

pub(crate) fn bench(dir: &Path) {
    let node = dir.join("node");
    let instances = make(&node, 2000, 1000);
    let (mut kept, mut goes) = (0, 0);
    let ours = best(3, || (kept, goes) = decide(&instances));
    assert_eq!((kept, goes), (1000, 1000));
    let plain = best(3, || read_headers(&instances));
    bound("prune decision, 1,000 instances, 2,000 bases", ours.as_secs_f64(), 1.0, "s");
    println!("  a loop that only reads the headers: {:.2} s", plain.as_secs_f64());
    let agent = Agent::start(&node, "http://127.0.0.1:1", "");
    // In a process of its own, with all that the agent is beside.
    let peak = watch(agent.daemon.pid(), own, || {
        let args = ["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf", "prune", "--dry-run"];
        run(larder(&args).current_dir(&node));
    });
    bound("prune decision: memory", peak, 64.0, "MiB");
    drop(agent);

    let node = dir.join("large");
    let instances = make(&node, 10_000, 10);
    let plain = best(3, || read_headers(&instances));
    let ours = best(3, || assert_eq!(decide(&instances), (10, 9990)));
    // Each file is looked at, its header is read, and so is its lock.
    bound("a _base of 10,000 files, in header reads", ours.as_secs_f64() / plain.as_secs_f64(), 5.0, "times");
}

pub(crate) fn idle(dir: &Path) {
    make(dir, 1000, 100);
    let catalogue = Catalogue::start(dir, "");
    // They are not the images' bytes, so reading them once tells nothing.
    let agent = Agent::start(dir, &catalogue.url(), "scrub_adopted = false");
    // Its own lock file is listed too.
    let seen = || agent.status()["bases"].as_array().map_or(0, Vec::len) > 1000;
    wait_until("all bases are known", Duration::from_secs(120), seen);
    thread::sleep(Duration::from_secs(5));
    let pid = agent.daemon.pid();
    let before = cpu(pid);
    thread::sleep(WATCHED);
    let share = (cpu(pid) - before).as_secs_f64() / WATCHED.as_secs_f64() * 100.0;
    bound("agent: idle with 1,000 bases, of a core", share, 0.1, "%");
    bound("agent: memory when idle with 1,000 bases", resident(pid), 24.0, "MiB");
}

/// Old bases, the first of which instances stand on, each on one; the folder of the instances.
fn make(dir: &Path, bases: usize, used: usize) -> PathBuf {
    let instances = dir.join("instances");
    fs::create_dir_all(instances.join("_base")).unwrap();
    let old = SystemTime::now() - Duration::from_secs(10 * 86_400);
    for n in 0..bases {
        let path = instances.join("_base").join(format!("{n:040x}"));
        fs::write(&path, format!("\0{n}")).unwrap();
        File::options().write(true).open(&path).unwrap().set_times(FileTimes::new().set_modified(old)).unwrap();
    }
    let name = "x".repeat(1023);
    let template = dir.join("template.qcow2");
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-u", "-f", "qcow2", "-F", "raw", "-b", &name]).arg(&template).arg("1G");
    run(&mut create);
    let template = fs::read(template).unwrap();
    let at = usize::try_from(u64::from_be_bytes(template[8..16].try_into().unwrap())).unwrap();
    for n in 0..used {
        let folder = instances.join(format!("{n:08x}-0000-4000-8000-000000000000"));
        fs::create_dir(&folder).unwrap();
        let base = instances.join("_base").join(format!("{n:040x}"));
        let base = base.to_str().unwrap().as_bytes();
        let mut disk = template.clone();
        disk[16..20].copy_from_slice(&u32::try_from(base.len()).unwrap().to_be_bytes());
        disk[at..at + base.len()].copy_from_slice(base);
        fs::write(folder.join("disk"), disk).unwrap();
    }
    instances
}

/// How many stay, and how many go.
fn decide(instances: &Path) -> (usize, usize) {
    let dir = BaseDir::open(Settings { instances_path: instances.to_owned(), ..Settings::default() }).unwrap();
    let files: Vec<_> = dir.scan().unwrap().into_iter().filter(|it| it.kind.is_base()).collect();
    let in_use = observe(&dir, &files);
    let decisions = prune::decide(&files, &in_use, &HashMap::new(), Utc::now(), &prune::Settings::default());
    let goes = decisions.iter().filter(|it| it.removes()).count();
    (decisions.len() - goes, goes)
}

/// Looks at every file and reads its first sectors.
fn read_headers(instances: &Path) {
    for folder in fs::read_dir(instances).unwrap().flatten().filter(|it| it.path().is_dir()) {
        for file in fs::read_dir(folder.path()).unwrap().flatten() {
            assert!(file.metadata().unwrap().is_file());
            let _ = File::open(file.path()).unwrap().read(&mut [0; 4096]).unwrap();
        }
    }
}
