//! Openers that no list of descriptors shows, and files that grow in place.

use super::node::{DAY, Node, removed, why, x};
use crate::support::{have, have_root, output, skip, text, wait_until};
use std::{
    fs::{File, OpenOptions},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    time::Duration,
};

/// The agent's own process is left out of what `/proc` tells, so this opener is seen by the lease alone.
#[tokio::test]
async fn the_lease_notices_an_opener_that_proc_does_not_show() {
    let node = Node::new();
    node.put(&x(1), 2 * DAY);
    let reader = File::open(node.base(&x(1))).unwrap();
    assert!(node.evidence(&x(1)).is_empty());
    let pruned = node.prune().await;
    assert!(removed(&pruned).is_empty(), "{pruned:?}");
    assert_eq!(why(&pruned, &x(1)), "in use: a process has it open");
    drop(reader);
    assert_eq!(removed(&node.prune().await), [x(1)]);
}

struct Loop(PathBuf);

impl Loop {
    fn over(file: &Path) -> Option<Self> {
        let made = output(Command::new("losetup").args(["--find", "--show", "--read-only"]).arg(file));
        if !made.status.success() {
            skip(&format!("no loop devices here: {}", text(&made.stderr).trim()));
            return None;
        }
        Some(Self(PathBuf::from(text(&made.stdout).trim())))
    }
}

impl Drop for Loop {
    fn drop(&mut self) {
        let _ = Command::new("losetup").arg("--detach").arg(&self.0).status();
    }
}

/// The kernel itself holds the file then, and no process does.
#[tokio::test]
async fn a_base_under_a_loop_device_stays() {
    if !have_root() || !have(&["losetup"]) {
        return;
    }
    let node = Node::new();
    let base = node.put(&x(1), 2 * DAY);
    let Some(device) = Loop::over(&base) else { return };
    node.set_age(&x(1), 2 * DAY);
    assert!(removed(&node.prune().await).is_empty());
    drop(device);
    // Detaching ends when the last user of the device is gone, such as udev.
    for _ in 0..600 {
        if removed(&node.prune().await) == [x(1)] {
            return;
        }
        tokio::time::sleep(Duration::from_millis(100)).await;
    }
    panic!("it stays for ever: {:?}", node.prune().await);
}

/// Nova fetches kernels and ramdisks straight to their name, and may take days over a slow line.
#[tokio::test]
async fn a_kernel_that_grows_in_place_stays_however_old_it_looks() {
    let node = Node::new();
    let path = node.put(&x(1), 2 * DAY);
    let file = OpenOptions::new().append(true).open(&path).unwrap();
    let mut nova = Command::new("sleep").arg("600").stdin(Stdio::from(file)).spawn().unwrap();
    let pruned = node.prune().await;
    nova.kill().unwrap();
    nova.wait().unwrap();
    assert!(why(&pruned, &x(1)).contains("(sleep) is writing it"), "{pruned:?}");
    assert_eq!(removed(&node.prune().await), [x(1)]);
}

/// A config drive is a file system or an ISO, never an overlay: it keeps nothing, and is no reason for doubt.
#[tokio::test]
async fn a_config_drive_keeps_nothing() {
    let node = Node::new();
    node.put(&x(1), 2 * DAY);
    let mut iso = vec![0_u8; 64 << 10];
    iso[0x8000..0x8006].copy_from_slice(b"\x01CD001");
    let vfat = [b"\xeb\x3c\x90mkfs.fat".as_slice(), &[0; 600]].concat();
    for (instance, drive) in [("7c1d5a0e", iso), ("7c1d5a0f", vfat)] {
        std::fs::write(node.at(format!("{instance}/disk.config")), drive).unwrap();
    }
    // A process that another test starts just now has this one's files open until it runs its program.
    wait_until("nothing is in use or in doubt", Duration::from_secs(10), || {
        let found = node.observe();
        found.doubts.is_empty() && found.by_base.is_empty()
    });
    assert_eq!(removed(&node.prune().await), [x(1)]);
}
