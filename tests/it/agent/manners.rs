//! How fetches keep out of others' way, and who goes first.

use super::site::{Running, Site, state};
use crate::support::have;
use larder::{
    admin::{ImageState, Status},
    image::ImageId,
};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Child, Command, Stdio},
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
