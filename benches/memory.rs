//! Resident memory: the agent idle and during a fetch, the catalogue during eight uploads.

use crate::{
    client::{Client, create, upload},
    limits::{BLOCK, blocks},
    report::bound,
    support::{
        daemon::{Agent, Catalogue},
        run,
    },
};
use std::{
    fs,
    path::Path,
    sync::atomic::{AtomicBool, Ordering},
    thread,
    time::Duration,
};

pub(crate) fn bench(dir: &Path) {
    let catalogue = Catalogue::start(dir, "");
    let blocks = blocks(64);
    let pid = catalogue.daemon.pid();
    let port = catalogue.port;
    let peak = watch(pid, resident, || {
        thread::scope(|scope| {
            for n in 0..8 {
                let blocks = &blocks;
                scope.spawn(move || {
                    let mut client = Client::connect(port);
                    let id = create(&mut client, &format!("upload-{n}"));
                    upload(&mut client, &id, blocks.iter().cycle().take(256), 256 * BLOCK as u64);
                });
            }
        });
    });
    bound("catalogue: memory during eight uploads", peak, 96.0, "MiB");

    let disk = dir.join("disk.raw");
    fs::write(&disk, blocks.concat().repeat(8)).unwrap();
    let id = run(&mut catalogue.larder(&["image", "push", "--quiet", "--name", "x", disk.to_str().unwrap()]));
    let agent = Agent::start(dir, &catalogue.url(), "");
    thread::sleep(Duration::from_secs(3));
    bound("agent: memory when idle", resident(agent.daemon.pid()), 20.0, "MiB");
    let peak = watch(agent.daemon.pid(), resident, || {
        agent.queue(id.trim());
        agent.wait_state(id.trim(), "cached");
    });
    bound("agent: memory during a fetch", peak, 64.0, "MiB");
}

/// Resident memory of a process now, MiB.
pub(crate) fn resident(pid: u32) -> f64 {
    status(pid, "VmRSS:")
}

/// Of it what is the process's own, MiB: not the system's cache of files that it maps (each reader maps the database).
pub(crate) fn own(pid: u32) -> f64 {
    status(pid, "RssAnon:")
}

fn status(pid: u32, field: &str) -> f64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find(|line| line.starts_with(field)).unwrap();
    line.split_whitespace().nth(1).unwrap().parse::<f64>().unwrap() / 1024.0
}

/// The highest that `pid` reached while `work` ran, MiB.
pub(crate) fn watch(pid: u32, memory: fn(u32) -> f64, work: impl FnOnce()) -> f64 {
    let done = AtomicBool::new(false);
    thread::scope(|scope| {
        let watcher = scope.spawn(|| {
            let mut peak = 0.0_f64;
            while !done.load(Ordering::Relaxed) {
                peak = peak.max(memory(pid));
                thread::sleep(Duration::from_millis(10));
            }
            peak
        });
        work();
        done.store(true, Ordering::Relaxed);
        watcher.join().unwrap()
    })
}
