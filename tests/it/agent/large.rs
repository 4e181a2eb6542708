//! A base directory, and a queue, as large as they get.

use super::node::{DAY, Node, overlay, why, x};
use crate::{
    api::Server,
    support::{daemon::Agent, have},
};
use larder::{
    admin::{Client, Priority},
    image::ImageId,
};
use std::{
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    thread,
    time::{Duration, Instant, SystemTime},
};

const BASES: u64 = 10_000;
const INSTANCES: u64 = 1_000;
/// Each instance has two disks, each on a base of its own.
const USED: u64 = 2 * INSTANCES;

/// Overlays, made from one of qemu-img's: the names of bases are equally long.
struct Template {
    bytes: Vec<u8>,
    at: usize,
}

impl Template {
    fn new(node: &Node) -> Self {
        let (name, path) = ("f".repeat(40), node.tmp.path().join("template"));
        overlay(&path, node.base(&name), "raw");
        let bytes = fs::read(path).unwrap();
        let at = bytes.windows(40).position(|it| it == name.as_bytes()).unwrap();
        Self { bytes, at }
    }

    fn write(&self, disk: &Path, base: &str) {
        let mut bytes = self.bytes.clone();
        bytes[self.at..self.at + 40].copy_from_slice(base.as_bytes());
        fs::write(disk, bytes).unwrap();
    }
}

fn fill(node: &Node, overlays: &Template) {
    let then = SystemTime::now() - Duration::from_secs(2 * DAY);
    for number in 0..BASES {
        let path = node.base(&x(number));
        fs::write(&path, format!("\u{eb}{number}").repeat(40)).unwrap();
        File::open(path).unwrap().set_modified(then).unwrap();
    }
    for number in 0..INSTANCES {
        let folder = format!("{number:08x}-0000-4000-8000-000000000000");
        overlays.write(&node.at(format!("{folder}/disk")), &x(number));
        overlays.write(&node.at(format!("{folder}/disk.local")), &x(INSTANCES + number));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn eight_thousand_of_ten_thousand_bases_go_and_none_in_use() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let overlays = Template::new(&node);
    fill(&node, &overlays);
    // While they go, an instance comes to stand on the last one: under nova's lock, but without a touch, as when its disk
    // is copied from another host.
    let (last, first) = (x(BASES - 1), node.base(&x(USED)));
    let (base, disk) = (node.base(&last), node.at("ffffffff-0000-4000-8000-000000000000/disk"));
    let (dir, name) = (node.dir.clone(), last.clone());
    let nova = thread::spawn(move || {
        while first.exists() {
            thread::sleep(Duration::from_millis(1));
        }
        let began = Instant::now();
        let lock = loop {
            match dir.try_lock(&name).unwrap() {
                Some(lock) => break lock,
                None => assert!(began.elapsed() < Duration::from_secs(60), "spawns wait too long"),
            }
            thread::sleep(Duration::from_millis(1));
        };
        let is_there = base.exists();
        if is_there {
            overlays.write(&disk, &name);
        }
        drop(lock);
        is_there
    });
    let began = Instant::now();
    let pruned = node.prune().await;
    let took = began.elapsed();
    println!("removing {} of {BASES} bases under {INSTANCES} instances took {took:.1?}", pruned.removed.len());
    assert!(nova.join().unwrap(), "it came in time");
    assert_eq!(pruned.removed.len() as u64, BASES - USED - 1);
    assert!(why(&pruned, &last).contains("in use"), "{}", why(&pruned, &last));
    assert!((0..USED).all(|it| node.base(&x(it)).exists()) && node.base(&last).exists());
    assert_eq!(node.names().len() as u64, USED + 1);
    // Minutes on the busiest machine; to look at everything for each few would be an hour there.
    assert!(took < Duration::from_secs(300), "{took:?}");
}

const IMAGES: u64 = 1_000;
const AT_A_TIME: usize = 4;

/// Uploads small images, several at a time.
fn upload(server: &Server) -> Vec<ImageId> {
    let some = |first: u64| -> Vec<ImageId> {
        let numbers = (first..IMAGES).step_by(8);
        let data = |number: u64| format!("\u{eb}{number}").repeat(100).into_bytes();
        numbers.map(|it| server.upload(&data(it)).parse().unwrap()).collect()
    };
    thread::scope(|scope| {
        let threads: Vec<_> = (0..8).map(|it| scope.spawn(move || some(it))).collect();
        threads.into_iter().flat_map(|it| it.join().unwrap()).collect()
    })
}

/// The most memory that a process ever had, KiB.
fn most_memory(pid: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{pid}/status")).unwrap();
    let line = status.lines().find_map(|it| it.strip_prefix("VmHWM:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Asks for all that an operator looks at; how long the slowest answer took.
async fn ask(client: &Client) -> (usize, Duration) {
    let began = Instant::now();
    client.status().await.unwrap();
    let status = began.elapsed();
    let queued = client.queued().await.unwrap().len();
    client.cached().await.unwrap();
    (queued, status.max(began.elapsed() - status))
}

#[test]
fn a_thousand_images_queued_at_once_all_arrive_by_priority() {
    let server = Server::start();
    let ids = upload(&server);
    let dir = tempfile::tempdir().unwrap();
    let options = format!("prefetch_on_queue = false\nmax_concurrent_fetches = {AT_A_TIME}");
    let agent = Agent::start(dir.path(), &format!("http://{}", server.address), &options);
    let client = Client::new(&dir.path().join("agent.sock"));
    let passes = Client::new(&dir.path().join("agent.sock"));
    let priority = |at: usize| Priority::try_from([-50, 0, 50][at % 3]).unwrap();
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let (mut slowest, began) = (Duration::ZERO, Instant::now());
    runtime.block_on(async {
        for (at, id) in ids.iter().enumerate() {
            client.queue_with(id, priority(at)).await.unwrap();
        }
        println!("queueing {IMAGES} images took {:.1?}", began.elapsed());
        assert_eq!(client.queued().await.unwrap().len(), ids.len());
        let pass = tokio::spawn(async move { passes.prefetch().await });
        loop {
            let (left, took) = ask(&client).await;
            slowest = slowest.max(took);
            if left == 0 {
                break;
            }
            assert!(began.elapsed() < Duration::from_secs(900), "{left} are left: {:#?}", agent.status());
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
        assert_eq!(pass.await.unwrap().unwrap().images.len(), ids.len());
        let memory = most_memory(agent.daemon.pid());
        println!("all came after {:.1?}; the slowest answer took {slowest:.1?}; memory {memory} KiB", began.elapsed());
        // Others may keep the disk busy with syncs meanwhile.
        assert!(slowest < Duration::from_secs(25), "{slowest:?}");
        assert!(memory < 256 << 10, "{memory} KiB");
        in_order(&dir.path().join("instances/_base"), &ids, priority);
    });
}

/// Who came earlier was as urgent, but for those that were in work together.
fn in_order(bases: &Path, ids: &[ImageId], priority: impl Fn(usize) -> Priority) {
    let came = |path: PathBuf| {
        let meta = path.metadata().unwrap();
        (meta.mtime(), meta.mtime_nsec())
    };
    let mut order: Vec<_> =
        ids.iter().enumerate().map(|(at, id)| (came(bases.join(id.base_name())), i32::from(priority(at)))).collect();
    order.sort();
    let came: Vec<i32> = order.into_iter().map(|(_, priority)| priority).collect();
    let mut wanted = came.clone();
    wanted.sort_by_key(|it| std::cmp::Reverse(*it));
    for class in [-50, 0, 50] {
        let last = |order: &[i32]| order.iter().rposition(|it| *it >= class).unwrap_or(0);
        assert!(last(&came) <= last(&wanted) + AT_A_TIME, "priority {class}: {came:?}");
    }
}
