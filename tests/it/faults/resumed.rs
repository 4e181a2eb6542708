//! SIGKILL in the middle of downloads: how many bytes the catalogue has to send again.

use crate::support::{
    chaos::{Chaos, Fault},
    daemon::{Agent, Catalogue},
    disks, files, have, run, wait_until,
};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::{
    fs,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    time::Duration,
};

const MIB: u64 = 1 << 20;
const PIECE: u64 = 16 * MIB;
/// What may be on the way at a kill: sockets' buffers, batches that wait for the disk, and answers that are no data.
const ON_THE_WAY: u64 = 16 * MIB;

struct Site {
    /// Held for its end.
    _catalogue: Catalogue,
    chaos: Chaos,
    agent: Agent,
    id: String,
    disk: PathBuf,
    /// Last, so that a failing test can still show its logs.
    tmp: tempfile::TempDir,
}

impl Site {
    /// An image of so many bytes behind a wire of 32 MiB a second, so that the agent keeps up on a busy machine.
    fn new(size: u64) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        let disk = tmp.path().join("disk.raw");
        disks::noise(&disk, size, 1);
        Self::with(tmp, &disk.clone(), disk)
    }

    fn with(tmp: tempfile::TempDir, image: &Path, disk: PathBuf) -> Self {
        let catalogue = Catalogue::start(tmp.path(), "");
        let push = ["image", "push", "--quiet", "--name", "x", image.to_str().unwrap()];
        let id = run(&mut catalogue.larder(&push)).trim().to_owned();
        let chaos = Chaos::before(&catalogue.url());
        chaos.always(Fault::Throttle(32 * MIB));
        let agent = Agent::start(tmp.path(), &chaos.url(), "host = node-1");
        Self { tmp, _catalogue: catalogue, chaos, agent, id, disk }
    }

    fn there(&self) -> bool {
        self.agent.base(&self.id).exists()
    }

    fn staged(&self) -> PathBuf {
        let base = self.agent.base(&self.id);
        base.with_file_name(format!(".larder-{}.node-1.fetch", base.file_name().unwrap().to_str().unwrap()))
    }

    /// Waits until so many bytes have been sent, or all is there.
    fn wait_sent(&self, bytes: u64) {
        wait_until("bytes come", Duration::from_secs(120), || self.chaos.sent() >= bytes || self.there());
    }

    /// Where the agent that was started last goes on, if it does.
    fn resumed_at(&self, starts: u64) -> u64 {
        let mut at = None;
        wait_until("it goes on", Duration::from_secs(120), || {
            let log = self.agent.daemon.log();
            let now = log.split("the agent is ready").nth(usize::try_from(starts).unwrap() + 1).unwrap_or_default();
            at = now.split("resumed_at=").nth(1).map(|it| it.split_whitespace().next().unwrap().parse().unwrap());
            at.is_some() || self.there()
        });
        at.unwrap_or(u64::MAX).min(self.chaos.sent())
    }

    /// The base is the image, and nothing else is left.
    fn wait_whole(&self) {
        wait_until("the base is there", Duration::from_secs(120), || self.there());
        self.agent.wait_state(&self.id, "cached");
        assert!(fs::read(self.agent.base(&self.id)).unwrap() == fs::read(&self.disk).unwrap());
        let names = files(&self.agent.base_dir());
        assert!(names.iter().all(|it| it.len() == 40 || it == ".larder.lock"), "{names:?}");
        let lists = files(&self.tmp.path().join("state/pieces"));
        assert!(lists.len() == 1 && lists[0].ends_with(".base"), "{lists:?}");
    }
}

#[test]
fn a_kill_costs_a_piece_at_most() {
    let size = 144 * MIB + 12345;
    let mut site = Site::new(size);
    let seed = std::env::var("LARDER_KILL_SEED").ok().and_then(|seed| seed.parse().ok());
    let seed = seed.unwrap_or_else(|| rand::rng().random());
    eprintln!("LARDER_KILL_SEED={seed}");
    let mut dice = StdRng::seed_from_u64(seed);
    site.agent.queue(&site.id);
    let (mut kills, mut lost) = (0, 0);
    // Often within the first piece since the last kill, too.
    while kills < 10 && !site.there() {
        site.wait_sent(site.chaos.sent() + dice.random_range(0..40 * MIB));
        site.agent.daemon.kill();
        let written = fs::metadata(site.staged()).map_or(0, |it| it.len());
        kills += 1;
        site.agent.again();
        if written >= PIECE && !site.there() {
            lost = lost.max(written.saturating_sub(site.resumed_at(kills)));
        }
    }
    site.wait_whole();
    let (sent, most) = (site.chaos.sent(), size + kills * (PIECE + ON_THE_WAY));
    let (image, most_lost) = (size / MIB, lost / MIB);
    eprintln!(
        "{kills} kills, {} MiB sent for an image of {image} MiB, {most_lost} MiB of the file lost at most",
        sent / MIB
    );
    // The hash may be some batches behind the writer.
    assert!(lost <= PIECE + 9 * MIB, "{lost}");
    assert!(kills > 2 && sent <= most, "{kills} kills cost {} bytes, not {} at most", sent - size, most - size);
}

#[test]
fn a_damaged_download_is_fetched_again_from_the_damage_on() {
    let size = 96 * MIB;
    let mut site = Site::new(size);
    site.agent.queue(&site.id);
    site.wait_sent(60 * MIB);
    site.agent.daemon.kill();
    let file = fs::File::options().write(true).open(site.staged()).unwrap();
    file.write_all_at(b"?", PIECE + 4711).unwrap();
    let before = site.chaos.sent();
    site.agent.again();
    site.wait_whole();
    let again = site.chaos.sent() - before;
    eprintln!("{} of {} MiB sent after the damage at {} MiB", again / MIB, size / MIB, PIECE / MIB);
    assert!((size - PIECE..=size - PIECE + MIB).contains(&again), "{again}");
    assert!(site.agent.daemon.log().contains("is not what was noted"));
}

#[test]
fn a_stop_in_order_costs_no_more_and_a_cut_wire_neither() {
    let size = 64 * MIB;
    let mut site = Site::new(size);
    site.agent.queue(&site.id);
    site.wait_sent(40 * MIB);
    assert!(site.agent.daemon.stop().success());
    assert!(site.staged().exists());
    site.agent.again();
    site.wait_whole();
    assert!(site.chaos.sent() <= size + PIECE + ON_THE_WAY, "{}", site.chaos.sent());
}

#[test]
fn a_kill_while_converting_costs_no_byte() {
    if !have(&disks::TOOLS) {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    let disk = disks::partitioned(tmp.path(), "x", 192);
    let image = disks::qcow2(&disk, true);
    let mut site = Site::with(tmp, &image, disk);
    let raw = site.staged().with_extension("raw");
    site.agent.queue(&site.id);
    wait_until("it is being converted", Duration::from_secs(120), || raw.exists() || site.there());
    site.agent.daemon.kill();
    let (killed_in_time, before) = (!site.there(), site.chaos.sent());
    site.agent.again();
    site.wait_whole();
    eprintln!("killed while converting: {killed_in_time}, {} bytes sent after that", site.chaos.sent() - before);
    assert!(site.chaos.sent() - before < MIB, "{}", site.chaos.sent() - before);
}
