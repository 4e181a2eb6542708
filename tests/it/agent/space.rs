//! Room on disk: promised before the first byte, never passed, and what happens when somebody else takes it.

use super::{
    node::overlay,
    site::{Running, Site, state},
};
use crate::faults::disk_full::{Small, can_mount};
use crate::support::{disks, have};
use larder::{
    admin::{ImageState, Status},
    image::ImageId,
};
use std::{
    fs,
    io::Write,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    thread,
    time::{Duration, SystemTime},
};

const MIB: u64 = 1 << 20;

/// Blocks of all files in a folder, bytes.
fn taken(folder: &Path) -> u64 {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter_map(|it| it.metadata().ok()).map(|it| it.blocks() * 512).sum()
}

/// Looks all the time how much a folder takes.
struct Meter {
    most: Arc<AtomicU64>,
    end: Arc<AtomicBool>,
    thread: thread::JoinHandle<()>,
}

impl Meter {
    fn start(folder: PathBuf) -> Self {
        let (most, end) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicBool::new(false)));
        let (max, stop) = (most.clone(), end.clone());
        let thread = thread::spawn(move || {
            while !stop.load(Ordering::Relaxed) {
                max.fetch_max(taken(&folder), Ordering::Relaxed);
                thread::sleep(Duration::from_millis(2));
            }
        });
        Self { most, end, thread }
    }

    fn stop(self) -> u64 {
        self.end.store(true, Ordering::Relaxed);
        self.thread.join().unwrap();
        self.most.load(Ordering::Relaxed)
    }
}

/// Others' bytes on the same file system; gone with this.
struct Filler(PathBuf);

impl Filler {
    /// Fills the disk but for so many bytes.
    fn leave(folder: &Path, bytes: u64) -> Self {
        let path = folder.join("somebody-elses");
        let mut file = fs::File::create(&path).unwrap();
        // The agent writes meanwhile: up to where it is full, in the end.
        while larder::base::space::free(folder).unwrap().free > bytes {
            let left = larder::base::space::free(folder).unwrap().free - bytes;
            let some = vec![0xee; usize::try_from(left.min(MIB)).unwrap()];
            if file.write_all(&some).is_err() {
                break;
            }
        }
        Self(path)
    }

    fn free(self) {
        fs::remove_file(&self.0).unwrap();
    }
}

fn held(status: &Status, id: &ImageId) -> Option<String> {
    match state(status, id) {
        Some(ImageState::Held { why }) => Some(why.clone()),
        _ => None,
    }
}

fn fetching(status: &Status, id: &ImageId, bytes: u64) -> bool {
    matches!(state(status, id), Some(ImageState::Fetching { done, total: Some(_), .. }) if *done > bytes)
}

fn make_old(site: &Site, id: &ImageId, hours: u64) {
    let then = SystemTime::now() - Duration::from_secs(hours * 3600);
    fs::File::open(site.base(id)).unwrap().set_modified(then).unwrap();
}

/// The loop looks at the disk when it is asked about an image.
async fn wait_looking(agent: &Running, id: &ImageId, what: &str, so: impl Fn(&Status) -> bool) -> Status {
    for _ in 0..1200 {
        agent.client.why(id).await.unwrap();
        let status = agent.client.status().await.unwrap();
        if so(&status) {
            return status;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    panic!("waited in vain: {what}\n{:#?}", agent.client.status().await);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_cache_never_passes_its_limit_and_the_least_used_goes() {
    let mut site = Site::new();
    // Raw images of 8 MiB, of which 4 are a hole: each is promised 8, and takes 4.
    site.settings.cache_max_size = 17 * MIB;
    site.settings.max_concurrent_fetches = 4;
    site.settings.evict.min_age = 0;
    let ids: Vec<ImageId> = (0..6).map(|_| site.push_raw(8).0).collect();
    let meter = Meter::start(site.tmp.path().join("instances/_base"));
    let agent = site.start().await;
    for (hours, id) in [(30, &ids[0]), (60, &ids[1])] {
        agent.client.queue(id).await.unwrap();
        agent.wait_cached(id).await;
        make_old(&site, id, hours);
    }
    let status = agent.client.status().await.unwrap();
    assert_eq!(status.room.limit, Some(17 * MIB));
    // All at once: they come one after the other, as room is made.
    for id in &ids[2..] {
        agent.client.queue(id).await.unwrap();
    }
    for _ in 0..1200 {
        if agent.client.queued().await.unwrap().is_empty() {
            break;
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert_eq!(agent.client.queued().await.unwrap(), [], "{:#?}", agent.client.status().await);
    let status = agent.client.status().await.unwrap();
    assert_eq!(status.room.promised, 0);
    assert!(!site.base(&ids[1]).exists() && !site.base(&ids[0]).exists(), "the oldest two went");
    let said = status.warnings.join("\n");
    assert!(said.contains("for its room") || said.contains("for their room"), "{said}");
    let gone = said.find(&ids[1].base_name()).unwrap();
    assert!(said.find(&ids[0].base_name()).is_none_or(|it| it > gone), "the least recently used first: {said}");
    agent.stop().await;
    let most = meter.stop();
    assert!(most <= 17 * MIB, "{most} bytes were taken at some time");
    assert!(most > 8 * MIB, "several were there together: {most}");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_larger_than_the_cache_fails_with_the_figures() {
    let mut site = Site::new();
    site.settings.cache_max_size = 4 * MIB;
    site.settings.evict.min_age = 0;
    let (small, _) = site.push_raw(2);
    let (large, _) = site.push_raw(8);
    let agent = site.start().await;
    agent.client.queue(&small).await.unwrap();
    agent.wait_cached(&small).await;
    agent.client.queue(&large).await.unwrap();
    let why = agent.wait_failed(&large).await;
    assert!(why.contains("it takes 8.1 MiB, the cache may have 4.0 MiB (cache_max_size)"), "{why}");
    assert!(site.base(&small).exists(), "nobody loses a base for an image that would not fit even so");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_in_use_stays_and_the_image_waits_with_the_reason() {
    if !have(&["qemu-img"]) {
        return;
    }
    let mut site = Site::new();
    site.settings.cache_max_size = 12 * MIB;
    site.settings.evict.min_age = 0;
    let ids: Vec<ImageId> = (0..2).map(|_| site.push_raw(8).0).collect();
    let agent = site.start().await;
    agent.client.queue(&ids[0]).await.unwrap();
    agent.wait_cached(&ids[0]).await;
    make_old(&site, &ids[0], 99);
    let disk = site.tmp.path().join("instances/7c1d5a0e/disk");
    fs::create_dir(disk.parent().unwrap()).unwrap();
    overlay(&disk, site.base(&ids[0]), "raw");
    agent.client.queue(&ids[1]).await.unwrap();
    let status = agent
        .wait("it says what is to be had", |it| held(it, &ids[1]).is_some_and(|it| it.contains("removing all")))
        .await;
    let why = held(&status, &ids[1]).unwrap();
    assert!(why.contains("cache_max_size") && why.contains("removing all that may go would free 0 B"), "{why}");
    // A pass ends nevertheless, and says so.
    let pass = agent.client.prefetch().await.unwrap();
    assert!(matches!(&pass.images[0].state, ImageState::Held { .. }), "{pass:?}");
    assert!(site.base(&ids[0]).exists());
    fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    make_old(&site, &ids[0], 99);
    agent.wait_cached(&ids[1]).await;
    assert!(!site.base(&ids[0]).exists());
    agent.stop().await;
}

/// A site whose instances folder is a small file system.
fn on_small_disk(mib: u64) -> (Site, Small) {
    let site = Site::new();
    let small = Small::mount(site.tmp.path().join("instances"), mib);
    (site, small)
}

#[tokio::test(flavor = "multi_thread")]
async fn when_somebody_fills_the_disk_a_fetch_stands_still_and_goes_on() {
    if !can_mount() {
        return;
    }
    let (mut site, small) = on_small_disk(64);
    site.settings.cache_min_free = 8 * MIB;
    // Slow enough to be met in its middle.
    site.settings.prefetch_bandwidth = 3 * MIB;
    let (id, file) = site.push_raw(24);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait("bytes have come", |it| fetching(it, &id, 2 * MIB)).await;
    let filler = Filler::leave(&site.tmp.path().join("instances"), 4 * MIB);
    let status = agent.wait("it is held", |it| held(it, &id).is_some()).await;
    let why = held(&status, &id).unwrap();
    assert!(why.contains("the disk is full") && why.contains("cache_min_free"), "{why}");
    assert!(status.room.promised > 0, "its room stays promised");
    // No start of an instance waits for a disk that is full.
    let lock = site.tmp.path().join("instances/locks").join(format!("nova-{}", id.base_name()));
    agent.wait("nova has its lock back", |_| !larder::base::ofd_lock::OfdLock::is_held(&lock).unwrap()).await;
    assert_eq!(site.names().len(), 1, "what has come is kept");
    filler.free();
    agent.wait_cached(&id).await;
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(&file).unwrap());
    let status = agent.client.status().await.unwrap();
    assert_eq!(status.room.promised, 0);
    agent.stop().await;
    drop(small);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_write_that_finds_the_disk_full_is_tried_again() {
    if !can_mount() {
        return;
    }
    let (mut site, small) = on_small_disk(64);
    site.settings.prefetch_bandwidth = 4 * MIB;
    let (id, file) = site.push_raw(24);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait("bytes have come", |it| fetching(it, &id, 2 * MIB)).await;
    let filler = Filler::leave(&site.tmp.path().join("instances"), 0);
    agent.wait("it is held", |it| held(it, &id).is_some_and(|it| it.contains("the disk is full"))).await;
    filler.free();
    let status = agent.wait_cached(&id).await;
    assert!(!status.warnings.iter().any(|it| it.contains("failed")), "{:?}", status.warnings);
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(&file).unwrap());
    agent.stop().await;
    drop(small);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fetch_that_stands_still_too_long_gives_its_bytes_back() {
    if !can_mount() {
        return;
    }
    let (mut site, small) = on_small_disk(64);
    site.settings.cache_min_free = 8 * MIB;
    site.settings.prefetch_bandwidth = 3 * MIB;
    site.settings.full_disk_wait = Duration::from_secs(1);
    let (id, file) = site.push_raw(24);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait("bytes have come", |it| fetching(it, &id, 14 * MIB)).await;
    let filler = Filler::leave(&site.tmp.path().join("instances"), 4 * MIB);
    agent.wait("its bytes are given back", |it| held(it, &id).is_some() && site.names().is_empty()).await;
    assert_eq!(agent.client.queued().await.unwrap(), std::slice::from_ref(&id), "it stays in the queue");
    filler.free();
    agent.wait_cached(&id).await;
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(&file).unwrap());
    agent.stop().await;
    drop(small);
}

#[tokio::test(flavor = "multi_thread")]
async fn when_somebody_fills_the_disk_unused_bases_go_and_no_others() {
    if !can_mount() || !have(&["qemu-img"]) {
        return;
    }
    let (mut site, small) = on_small_disk(96);
    site.settings.cache_min_free = 8 * MIB;
    site.settings.evict.until_free = 11 * MIB;
    let ids: Vec<ImageId> = (0..5).map(|_| site.push_raw(8).0).collect();
    let agent = site.start().await;
    for id in &ids {
        agent.client.queue(id).await.unwrap();
        agent.wait_cached(id).await;
    }
    // In use, pinned, just used; of the other two one is older.
    let disk = site.tmp.path().join("instances/7c1d5a0e/disk");
    fs::create_dir(disk.parent().unwrap()).unwrap();
    overlay(&disk, site.base(&ids[0]), "raw");
    agent.client.pin(&ids[1]).await.unwrap();
    for (id, hours) in [(&ids[0], 99), (&ids[1], 98), (&ids[3], 2), (&ids[4], 3)] {
        make_old(&site, id, hours);
    }
    wait_looking(&agent, &ids[0], "use is seen", |it| it.bases.iter().any(|it| it.in_use)).await;
    let filler = Filler::leave(&site.tmp.path().join("instances"), 7 * MIB);
    let status = wait_looking(&agent, &ids[0], "one goes", |_| !site.base(&ids[4]).exists()).await;
    assert!(ids[..4].iter().all(|id| site.base(id).exists()), "as many as needed, and no more: {status:#?}");
    filler.free();
    // Now more is needed than there is to be had.
    let filler = Filler::leave(&site.tmp.path().join("instances"), MIB);
    wait_looking(&agent, &ids[0], "the other one goes", |_| !site.base(&ids[3]).exists()).await;
    assert!(ids[..3].iter().all(|id| site.base(id).exists()));
    filler.free();
    agent.stop().await;
    drop(small);
}

/// What the disk of an image holds needs room, not its air; and as long as there is too little, the download is kept.
#[tokio::test(flavor = "multi_thread")]
async fn a_disk_that_is_mostly_air_needs_room_for_the_rest_only() {
    if !can_mount() || !have(&["qemu-img"]) {
        return;
    }
    let (site, small) = on_small_disk(64);
    let raw = site.tmp.path().join("air.raw");
    fs::write(&raw, "all work and no play\n".repeat(600_000)).unwrap();
    fs::File::options().write(true).open(&raw).unwrap().set_len(1 << 30).unwrap();
    let id = site.push(&disks::qcow2(&raw, true));
    let filler = Filler::leave(&site.tmp.path().join("instances"), 8 * MIB);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let status = agent.wait("it is held", |it| held(it, &id).is_some()).await;
    let why = held(&status, &id).unwrap();
    assert!(why.contains("no room") && why.contains("it takes 12."), "{why}");
    let names = site.names();
    let is_its_download = |it: &String| it.contains(&id.base_name()) && it.ends_with(".fetch");
    assert!(names.len() == 1 && names.iter().all(is_its_download), "what has come is kept: {names:?}");
    filler.free();
    agent.wait_cached(&id).await;
    assert!(disks::same((&raw, "raw"), (&site.base(&id), "raw")));
    assert!(site.base(&id).metadata().unwrap().blocks() * 512 < 16 * MIB);
    assert_eq!(agent.client.status().await.unwrap().room.promised, 0);
    agent.stop().await;
    drop(small);
}
