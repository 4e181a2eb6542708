//! A base of 2 GiB, read and compared with its piece list, against a loop that only reads the file from the disk.

use crate::{
    limits::BLOCK,
    report::{best, rate},
    support::{
        daemon::{Agent, Catalogue},
        disks, larder, run,
    },
};
use std::{
    fs::{File, OpenOptions},
    io::Read,
    os::unix::fs::OpenOptionsExt,
    path::Path,
};

const SIZE: u64 = 2 << 30;

pub(crate) fn bench(dir: &Path) {
    let disk = dir.join("disk.raw");
    disks::noise(&disk, SIZE, 1);
    let catalogue = Catalogue::start(dir, "");
    let id = run(&mut catalogue.larder(&["image", "push", "--quiet", "--name", "x", disk.to_str().unwrap()]));
    let id = id.trim();
    let agent = Agent::start(dir, &catalogue.url(), "scrub_rate = 0");
    agent.queue(id);
    agent.wait_state(id, "cached");
    let base = agent.base(id);
    File::open(&base).unwrap().sync_all().unwrap();
    let plain = best(3, || assert_eq!(read(&base), SIZE));
    let ours = best(3, || {
        let mut scrub = larder(&["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf", "scrub"]);
        assert!(run(scrub.current_dir(dir)).contains("1 good, 0 damaged"));
    });
    rate("scrub 2 GiB", SIZE, ours, plain, 0.75);
}

/// Past the page cache where that works, as the scrub does.
fn read(path: &Path) -> u64 {
    let direct = OpenOptions::new().read(true).custom_flags(nix::libc::O_DIRECT).open(path);
    let mut file = direct.unwrap_or_else(|_| File::open(path).unwrap());
    // O_DIRECT wants an aligned place.
    let mut memory = vec![0; 4 * BLOCK + 4096];
    let start = memory.as_ptr().align_offset(4096);
    let mut sum = 0;
    loop {
        match file.read(&mut memory[start..start + 4 * BLOCK]).unwrap() {
            0 => return sum,
            n => sum += n as u64,
        }
    }
}
