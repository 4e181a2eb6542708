//! A raw image of 2 GiB with 1 GiB of data, from the queue to the rename, against the slowest of its parts.

use crate::{
    limits::{BLOCK, blocks, hash, length, pread_and_send, write},
    report::{best, rate},
    support::{
        daemon::{Agent, Catalogue},
        run,
    },
};
use larder::base::digest::Algorithm;
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    time::{Duration, Instant},
};

const MIB: u64 = 1 << 20;

pub(crate) fn bench(dir: &Path) {
    let blocks = blocks(64);
    let disk = dir.join("disk.raw");
    let file = File::create(&disk).unwrap();
    // 16 MiB of data, 16 MiB of nothing, and so on.
    for at in 0..1024_u64 {
        let offset = (at / 16 * 32 + at % 16) * MIB;
        file.write_all_at(&blocks[usize::try_from(at % 64).unwrap()], offset).unwrap();
    }
    file.set_len(2048 * MIB).unwrap();
    drop(file);
    let catalogue = Catalogue::start(dir, "");
    let id = run(&mut catalogue.larder(&["image", "push", "--quiet", "--name", "x", disk.to_str().unwrap()]));
    let id = id.trim();
    let agent = Agent::start(dir, &catalogue.url(), "");
    let stored = catalogue.images().join(id);
    let transfer = best(2, || assert_eq!(pread_and_send(&stored), 2048 * MIB));
    let zeros = vec![vec![0; BLOCK]];
    let hashed = best(2, || {
        hash(Algorithm::Sha512, &blocks, 16);
        hash(Algorithm::Sha512, &zeros, 1024);
    });
    let plain = dir.join("plain");
    let written = best(2, || write(&plain, &blocks, 16));
    fs::remove_file(&plain).unwrap();
    println!("  transfer {transfer:.2?}, sha512 {hashed:.2?}, write of the data {written:.2?}");
    let ours = (0..3).map(|_| prefetch(&agent, id)).min().unwrap();
    rate("prefetch 2 GiB raw, 1 GiB of data", 2 * length(&blocks, 16), ours, transfer.max(hashed).max(written), 0.75);
    let allocated = fs::metadata(agent.base(id)).unwrap().blocks() * 512;
    println!("  holes: {} MiB allocated of 2048", allocated / MIB);
}

fn prefetch(agent: &Agent, id: &str) -> Duration {
    let base = agent.base(id);
    if base.exists() {
        run(&mut agent.larder(&["cache", "delete-cached-image", "-f", id]));
    }
    let start = Instant::now();
    agent.queue(id);
    while !base.exists() {
        std::thread::sleep(Duration::from_millis(1));
        assert!(start.elapsed() < Duration::from_secs(120), "{}", agent.status());
    }
    start.elapsed()
}
