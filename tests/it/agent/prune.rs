//! What goes and what stays, on real disks.

use super::node::{DAY, Node, overlay, removable, removed, why, x};
use crate::support::have;
use larder::agent::{execute::prune, seat::Turn};
use std::{
    fs::{self, File},
    io::Write,
    os::unix::fs::symlink,
    path::Path,
    process::{Command, Stdio},
    sync::{Arc, Mutex, OnceLock},
};
use tokio_util::sync::CancellationToken;

#[derive(Clone, Default)]
struct Lines(Arc<Mutex<Vec<u8>>>);

impl Write for Lines {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().extend_from_slice(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

impl Lines {
    /// What all tests of this process log; each has a folder of its own, so its lines are known.
    fn of_all() -> &'static Self {
        static LINES: OnceLock<Lines> = OnceLock::new();
        LINES.get_or_init(|| {
            let lines = Self::default();
            let writer = lines.clone();
            let log = tracing_subscriber::fmt().with_ansi(false).with_writer(move || writer.clone()).finish();
            tracing::subscriber::set_global_default(log).unwrap();
            lines
        })
    }

    fn mentioning(&self, folder: &Path) -> String {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        let folder = folder.display().to_string();
        text.lines().filter(|line| line.contains(&folder)).flat_map(|line| [line, "\n"]).collect()
    }
}

#[tokio::test]
async fn the_old_and_unused_goes_and_the_log_has_novas_lines() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    let used = node.put(&x(1), 9 * DAY);
    overlay(&node.at("7c1d5a0e/disk"), &used, "raw");
    node.put(&x(2), 2 * DAY);
    node.put(&x(3), DAY / 2);
    node.put("swap_512", 2 * DAY);
    node.put("ephemeral_1_0706d66", 2 * DAY);
    node.put(&format!("{}_20", x(4)), 3601);
    node.put(&format!("{}.part", x(5)), 2 * DAY);
    node.put("README", 99 * DAY);
    let lines = Lines::of_all();
    let dry = node.carry_out(node.job(true)).await;
    assert!(dry.dry_run && node.names().len() == 8 && node.age(&x(1)).as_secs() > 8 * DAY, "nothing changes");
    assert!(!lines.mentioning(node.tmp.path()).contains("Removing"));
    let pruned = node.prune().await;
    let gone = [&x(2), &format!("{}_20", x(4)), &format!("{}.part", x(5)), "ephemeral_1_0706d66", "swap_512"];
    assert_eq!(removed(&pruned), gone);
    assert_eq!(removed(&dry), gone, "a dry run says the same");
    assert_eq!(pruned.freed, 5 << 20);
    assert_eq!(node.names(), [&x(1), &x(3), "README"]);
    assert!(node.age(&x(1)).as_secs() < 60, "used now");
    assert!(node.age("README").as_secs() > 98 * DAY);
    assert!(pruned.ended_at.is_some() && why(&pruned, "README").contains("not a name"));

    let (text, base) = (lines.mentioning(node.tmp.path()), |name: &str| node.base(name).display().to_string());
    for line in [
        format!("Active base files: {}\n", base(&x(1))),
        format!("Base, swap or ephemeral file too young to remove: {}\n", base(&x(3))),
        format!("Removing base, swap or ephemeral file: {}\n", base(&x(2))),
    ] {
        assert!(text.contains(&line), "{line} in {text}");
    }
    assert!(text.contains(&format!("Removable base files: {} {} ", base(&x(2)), base(&x(3)))), "{text}");
}

#[tokio::test]
async fn what_is_used_after_the_decision_stays() {
    if !have(&["qemu-img"]) {
        return;
    }
    let node = Node::new();
    for number in 1..=7 {
        node.put(&x(number), 2 * DAY);
    }
    let job = node.job(false);
    assert_eq!(removable(&job.decisions).len(), 7);
    overlay(&node.at("7c1d5a0e/disk"), node.base(&x(1)), "raw");
    node.set_age(&x(2), 10);
    let reader = File::open(node.base(&x(3))).unwrap();
    let mut child = Command::new("sleep").arg("60").stdin(Stdio::from(reader)).spawn().unwrap();
    let lock = node.dir.try_lock(&x(4)).unwrap().unwrap();
    fs::rename(node.base(&x(5)), node.base("aside")).unwrap();
    node.put(&x(5), 2 * DAY);
    fs::remove_file(node.base(&x(6))).unwrap();
    let pruned = node.carry_out(job).await;
    child.kill().unwrap();
    child.wait().unwrap();
    drop(lock);
    assert_eq!(removed(&pruned), [x(7)]);
    assert!(why(&pruned, &x(1)).contains("names it as backing file"));
    // By the time that the pass began at.
    assert!(
        why(&pruned, &x(2)).starts_with("used ") && why(&pruned, &x(2)).contains(" s ago"),
        "{}",
        why(&pruned, &x(2))
    );
    assert!(why(&pruned, &x(3)).contains("(sleep) has it open"));
    assert!(why(&pruned, &x(4)).contains("lock is held"));
    assert!(why(&pruned, &x(5)).contains("replaced"));
}

#[tokio::test]
async fn a_doubt_keeps_everything_and_says_so() {
    let node = Node::new();
    node.put(&x(1), 2 * DAY);
    let disk = node.at("7c1d5a0e/disk");
    fs::write(&disk, b"QFI\xfb\0\0\0\x03").unwrap();
    let pruned = node.prune().await;
    assert!(removed(&pruned).is_empty());
    let why_kept = why(&pruned, &x(1));
    assert!(why_kept.starts_with("kept in doubt: ") && why_kept.contains(&disk.display().to_string()), "{why_kept}");
    fs::remove_file(disk).unwrap();
    assert_eq!(removed(&node.prune().await), [x(1)]);
}

#[tokio::test]
async fn links_are_neither_followed_nor_removed() {
    let node = Node::new();
    let target = node.tmp.path().join("precious");
    fs::write(&target, b"x").unwrap();
    symlink(&target, node.base(&x(1))).unwrap();
    symlink("/nowhere", node.base(&x(2))).unwrap();
    let set = filetime(&node.base(&x(1)));
    let pruned = node.prune().await;
    assert!(removed(&pruned).is_empty() && target.exists());
    assert!(why(&pruned, &x(1)).contains("symbolic link") && why(&pruned, &x(2)).contains("symbolic link"));
    assert_eq!(filetime(&node.base(&x(1))), set);
}

fn filetime(path: &Path) -> std::time::SystemTime {
    path.symlink_metadata().unwrap().modified().unwrap()
}

#[tokio::test]
async fn a_base_with_another_name_frees_nothing() {
    let node = Node::new();
    let path = node.put(&x(1), 2 * DAY);
    fs::hard_link(path, node.tmp.path().join("kept")).unwrap();
    let pruned = node.prune().await;
    assert_eq!((removed(&pruned), pruned.freed), (vec![x(1).as_str()], 0));
}

#[tokio::test]
async fn a_download_of_novas_stays_while_nova_holds_the_lock() {
    let node = Node::new();
    let part = format!("{}.part", x(1));
    node.put(&part, 2 * DAY);
    let lock = node.dir.try_lock(&x(1)).unwrap().unwrap();
    assert!(why(&node.prune().await, &part).contains("lock is held"));
    drop(lock);
    // A base and the download beside it share one lock.
    node.put(&x(1), 2 * DAY);
    assert_eq!(removed(&node.prune().await), [x(1), part]);
}

#[tokio::test]
async fn a_stop_is_heeded_and_many_go_in_one_pass() {
    let node = Node::new();
    for number in 0..100 {
        File::create(node.base(&x(number))).unwrap();
        node.set_age(&x(number), 2 * DAY);
    }
    let stopping = CancellationToken::new();
    stopping.cancel();
    let turn = Arc::new(Turn::without(node.dir.seat()).await);
    let pruned = prune::run(&node.dir, node.job(false), &turn, &stopping).await;
    assert_eq!((pruned.removed.len(), pruned.kept.len()), (0, 101), "with the directory's own lock");
    assert!(why(&pruned, &x(0)).contains("stopping"));
    assert_eq!(node.prune().await.removed.len(), 100);
    assert!(node.names().is_empty());
}
