//! Nova's locks exclude us and ours exclude nova, as Python sees it.

use super::node::{Node, x};
use crate::support::{have, rig, wait_until};
use std::{
    io::{BufRead, BufReader, Write},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};
use tokio_util::sync::CancellationToken;

/// Takes the lock, says so, and keeps it until a line comes in; or says that it is taken.
const LOCKF: &str = "
import fcntl, sys
f = open(sys.argv[1], 'a')
try:
    fcntl.lockf(f, fcntl.LOCK_EX | fcntl.LOCK_NB)
except OSError:
    print('busy', flush=True)
else:
    print('held', flush=True)
    sys.stdin.readline()
";

/// As nova does it; waits for the lock.
const OSLO: &str = "
import os, sys
from oslo_concurrency import lockutils
folder, name = os.path.split(sys.argv[1])
print('waiting', flush=True)
with lockutils.lock(name[len('nova-'):], lock_file_prefix='nova-', external=True, lock_path=folder):
    print('held', flush=True)
    sys.stdin.readline()
print('released', flush=True)
";

struct Python {
    child: Child,
    says: BufReader<std::process::ChildStdout>,
}

impl Python {
    fn start(python: &Path, script: &str, lock: &Path) -> Self {
        let mut command = Command::new(python);
        command.args(["-c", script]).arg(lock).stdin(Stdio::piped()).stdout(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let says = BufReader::new(child.stdout.take().unwrap());
        Self { child, says }
    }

    fn says(&mut self) -> String {
        let mut line = String::new();
        self.says.read_line(&mut line).unwrap();
        line.trim().to_owned()
    }

    fn let_go(mut self) {
        self.child.stdin.take().unwrap().write_all(b"\n").unwrap();
        self.child.wait().unwrap();
    }
}

impl Drop for Python {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn lock_file(node: &Node) -> PathBuf {
    node.dir.instances_path().join(format!("locks/nova-{}", x(1)))
}

#[tokio::test]
async fn pythons_lockf_and_ours_exclude_each_other() {
    if !have(&["python3"]) {
        return;
    }
    let node = Node::new();
    let (path, python) = (lock_file(&node), Path::new("python3"));
    let cancel = CancellationToken::new();

    let mut nova = Python::start(python, LOCKF, &path);
    assert_eq!(nova.says(), "held");
    assert!(node.dir.is_locked(&x(1)).unwrap());
    assert!(node.dir.try_lock(&x(1)).unwrap().is_none());
    let busy = node.dir.lock(&x(1), Duration::from_millis(200), &cancel).await.unwrap_err();
    assert!(busy.to_string().contains("still locked"), "{busy}");
    nova.let_go();

    let ours = node.dir.lock(&x(1), Duration::from_secs(120), &cancel).await.unwrap();
    let mut nova = Python::start(python, LOCKF, &path);
    assert_eq!(nova.says(), "busy");
    drop(ours);
    let mut nova = Python::start(python, LOCKF, &path);
    assert_eq!(nova.says(), "held");
}

#[tokio::test]
async fn novas_own_locks_and_ours_exclude_each_other() {
    let Some(python) = rig::program("python") else { return };
    let node = Node::new();
    let path = lock_file(&node);
    let cancel = CancellationToken::new();
    let ours = node.dir.lock(&x(1), Duration::from_secs(120), &cancel).await.unwrap();
    let mut nova = Python::start(&python, OSLO, &path);
    assert_eq!(nova.says(), "waiting");
    std::thread::sleep(Duration::from_millis(300));
    assert!(node.dir.is_locked(&x(1)).unwrap());
    drop(ours);
    assert_eq!(nova.says(), "held");
    assert!(node.dir.try_lock(&x(1)).unwrap().is_none());

    let dir = std::sync::Arc::clone(&node.dir);
    let waits = tokio::spawn(async move { dir.lock(&x(1), Duration::from_secs(120), &CancellationToken::new()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    assert!(!waits.is_finished());
    nova.let_go();
    waits.await.unwrap().unwrap();
}

/// Nova's manager unlinks the lock file of a base that it removed, while it holds it.
#[tokio::test]
async fn a_lock_file_that_nova_unlinks_is_taken_anew() {
    if !have(&["python3"]) {
        return;
    }
    let node = Node::new();
    let path = lock_file(&node);
    let mut nova = Python::start(Path::new("python3"), LOCKF, &path);
    assert_eq!(nova.says(), "held");
    let dir = std::sync::Arc::clone(&node.dir);
    let waits = tokio::spawn(async move { dir.lock(&x(1), Duration::from_secs(120), &CancellationToken::new()).await });
    tokio::time::sleep(Duration::from_millis(100)).await;
    std::fs::remove_file(&path).unwrap();
    nova.let_go();
    let _ours = waits.await.unwrap().unwrap();
    wait_until("the lock file is there again", Duration::from_secs(60), || path.exists());
    let mut nova = Python::start(Path::new("python3"), LOCKF, &path);
    assert_eq!(nova.says(), "busy", "a newcomer is kept out");
}
