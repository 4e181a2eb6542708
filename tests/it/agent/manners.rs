//! How fetches keep out of others' way, and who goes first.

use super::site::{Running, Site, state};
use crate::support::have;
use larder::{
    admin::{ImageState, Status},
    base::pressure,
    image::ImageId,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    thread,
    time::{Duration, Instant},
};

/// Waits for a lock as nova does (fasteners polls), says so when it has it, and keeps it until a line comes in.
const NOVA: &str = "
import fcntl, sys, time
f = open(sys.argv[1], 'a')
while True:
    try:
        fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
        break
    except OSError:
        time.sleep(0.05)
print('held', flush=True)
sys.stdin.readline()
";

struct Nova(Child);

impl Nova {
    fn waits_for(lock: &Path) -> Self {
        let mut command = Command::new("python3");
        command.args(["-c", NOVA]).arg(lock).stdin(Stdio::piped()).stdout(Stdio::piped());
        Self(command.spawn().unwrap())
    }

    /// Blocks until it has the lock.
    fn is_in(&mut self) -> bool {
        let mut line = String::new();
        BufReader::new(self.0.stdout.take().unwrap()).read_line(&mut line).unwrap();
        line.trim() == "held"
    }
}

impl Drop for Nova {
    fn drop(&mut self) {
        let _ = self.0.stdin.take().map(|mut it| it.write_all(b"\n"));
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn comes(status: &Status, id: &ImageId) -> bool {
    matches!(state(status, id), Some(ImageState::Fetching { done, total: Some(_), .. }) if *done > 0)
}

async fn queue(agent: &Running, id: &ImageId) {
    agent.client.queue(id).await.unwrap();
    agent.wait("bytes come", |it| comes(it, id)).await;
}

/// At this pace an image of 16 MiB takes eight minutes, longer than any test waits.
const CRAWL: u64 = 32 << 10;

#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_a_start_waits_for_goes_first_and_unthrottled() {
    if !have(&["python3"]) {
        return;
    }
    let mut site = Site::new();
    site.settings.prefetch_bandwidth = CRAWL;
    let (wanted, other) = (site.push_raw(16).0, site.push_raw(15).0);
    let agent = site.start().await;
    queue(&agent, &other).await;
    queue(&agent, &wanted).await;
    let lock = site.tmp.path().join("instances/locks").join(format!("nova-{}", wanted.base_name()));
    let mut nova = Nova::waits_for(&lock);
    let gives_way = |it: &Status| {
        let why = match state(it, &other) {
            Some(ImageState::Held { why }) => why.as_str(),
            _ => "",
        };
        why.contains(&format!("image {wanted} goes first"))
    };
    let mut gave_way = false;
    let started = Instant::now();
    loop {
        let status = agent.client.status().await.unwrap();
        gave_way |= gives_way(&status);
        if state(&status, &wanted) == Some(&ImageState::Cached) {
            break;
        }
        assert!(started.elapsed() < Duration::from_secs(300), "{status:#?}");
        tokio::time::sleep(Duration::from_millis(2)).await;
    }
    let nova = tokio::task::spawn_blocking(move || nova.is_in().then_some(nova)).await.unwrap();
    assert!(nova.is_some(), "nova has the lock, and finds the base");
    assert!(site.base(&wanted).exists());
    // The other one is where it was, and goes on.
    agent.wait("the other one goes on", |it| comes(it, &other)).await;
    println!("seen giving way: {gave_way}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn all_fetches_together_keep_to_the_bandwidth_of_the_time_of_day() {
    let mut site = Site::new();
    site.settings.prefetch_bandwidth_schedule = "00:00-12:00=8MiB,12:00-00:00=8MiB".parse().unwrap();
    let ids = [site.push_raw(12).0, site.push_raw(12).0];
    let agent = site.start().await;
    let began = Instant::now();
    for id in &ids {
        agent.client.queue(id).await.unwrap();
    }
    let status = agent.wait("the pace is told", |it| it.pace.is_some()).await;
    let pace = status.pace.unwrap();
    assert!(pace.contains("8.0 MiB/s") && pace.contains("prefetch_bandwidth"), "{pace}");
    for id in &ids {
        agent.wait_cached(id).await;
    }
    // 24 MiB at 8 MiB/s; what a burst and the beginning let through is less than one second's worth.
    let took = began.elapsed();
    assert!(took >= Duration::from_secs(2), "{took:?}");
    assert!(fs::metadata(site.base(&ids[0])).unwrap().len() == 12 << 20);
    agent.stop().await;
}

/// Writers that wait for the disk all the time, until this is dropped.
struct Strain(Arc<AtomicBool>, Vec<thread::JoinHandle<()>>);

impl Strain {
    fn on(folder: &Path) -> Self {
        let end = Arc::new(AtomicBool::new(false));
        let writer = |number: usize| {
            let (end, path) = (end.clone(), folder.join(format!("strain-{number}")));
            thread::spawn(move || {
                let mut file = fs::File::create(path).unwrap();
                while !end.load(Ordering::Relaxed) {
                    file.write_all(&[7; 4096]).unwrap();
                    file.sync_all().unwrap();
                }
            })
        };
        let writers = (0..8).map(writer).collect();
        Self(end, writers)
    }
}

impl Drop for Strain {
    fn drop(&mut self) {
        self.0.store(true, Ordering::Relaxed);
        self.1.drain(..).for_each(|it| it.join().unwrap());
    }
}

/// Per cent of the time in which somebody waits for a disk.
const LIMIT: u32 = 2;

fn strained() -> bool {
    pressure::some_avg10(Path::new(pressure::IO)).is_ok_and(|it| it > f64::from(2 * LIMIT))
}

#[tokio::test(flavor = "multi_thread")]
async fn pressure_on_the_disks_slows_a_fetch_down() {
    let mut site = Site::new();
    let strain = Strain::on(site.tmp.path());
    let began = Instant::now();
    while !strained() {
        if began.elapsed() > Duration::from_secs(60) {
            return println!("skipped: this kernel tells no pressure, or these disks bear all of it");
        }
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    site.settings.io_pressure_limit = LIMIT;
    site.settings.prefetch_bandwidth = 8 << 20;
    let id = site.push_raw(96).0;
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let slow =
        |it: &Status| it.pace.as_ref().is_some_and(|it| it.contains("4.0 MiB/s") && it.contains("io_pressure_limit"));
    agent.wait("the pressure sets the pace", |it| slow(it) && comes(it, &id)).await;
    let done = |status: &Status| match state(status, &id) {
        Some(ImageState::Fetching { done, .. }) => *done,
        other => panic!("it came too fast: {other:?}"),
    };
    let (before, since) = (done(&agent.client.status().await.unwrap()), Instant::now());
    tokio::time::sleep(Duration::from_secs(4)).await;
    let status = agent.client.status().await.unwrap();
    let (came, took) = (done(&status) - before, since.elapsed().as_secs_f64());
    println!("{:.1} MiB/s under pressure", came as f64 / took / 1_048_576.0);
    // Half of what it was, with a second's worth of burst; and it goes on.
    assert!(came > 0 && came as f64 <= (took + 1.0) * f64::from(4 << 20), "{came} bytes in {took:.1} s");
    drop(strain);
    agent.stop().await;
}
