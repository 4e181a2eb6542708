//! The agent's loop, in process: turned by hand, at any time; it may crash between any two of its steps.

use crate::admin::server::Fault;
use crate::agent::{
    Settings, base_dir,
    daemon::{Agent, AgentError, build_at},
    reconcile::{Command, Reconciler, Reply},
};
use crate::base::dir_lock::DirLock;
use crate::remote;
use chrono::{DateTime, Utc};
use std::{
    path::Path,
    time::{Duration, Instant},
};
use tokio::sync::oneshot;

pub(super) struct Node {
    pub(super) loop_: Reconciler,
    _state: DirLock,
}

/// Nothing takes longer, however loaded the machine is.
const PATIENCE: Duration = Duration::from_secs(120);

/// The agent's settings: short ages, nothing that reads all bytes.
pub(super) fn settings(dir: &Path, port: u16) -> Settings {
    let base_dir = base_dir::Settings {
        instances_path: dir.join("instances"),
        libvirt_directories: vec![dir.join("qemu")],
        ..base_dir::Settings::default()
    };
    let endpoint = Some(format!("http://127.0.0.1:{port}").parse().unwrap());
    Settings {
        catalogue: remote::Settings { endpoint, ..remote::Settings::default() },
        base_dir,
        state_path: dir.join("state"),
        scrub_adopted: false,
        io_pressure_limit: 0,
        cache_min_free: 0,
        scan_interval: Duration::from_secs(1800),
        prefetch_jitter: Duration::ZERO,
        ..Settings::default()
    }
}

// === impl Node ===

impl Node {
    /// Starts at this time, as soon as what a crash has left running lets go of the directory.
    pub(super) async fn start(settings: &Settings, now: DateTime<Utc>) -> Self {
        let began = Instant::now();
        loop {
            match build_at(settings.clone(), now).await {
                Ok(Agent { reconciler, _state, .. }) => return Self { loop_: reconciler, _state },
                Err(AgentError::BaseDir(base_dir::BaseDirError::Lock { .. }) | AgentError::State(_)) => {
                    assert!(began.elapsed() < PATIENCE, "the directory was not let go of");
                    tokio::time::sleep(Duration::from_millis(1)).await;
                }
                Err(error) => panic!("{error:?}"),
            }
        }
    }

    /// Turns until nothing is in work; `between` is called whenever something has ended.
    pub(super) async fn settle(&mut self, now: DateTime<Utc>, mut between: impl FnMut()) {
        let began = Instant::now();
        loop {
            self.loop_.turn(now).await;
            let ended = tokio::time::timeout(PATIENCE, self.loop_.work.join_next()).await.expect("it takes too long");
            let Some(done) = ended else { return };
            between();
            self.loop_.take_in(done.expect("a task died")).await;
            assert!(began.elapsed() < PATIENCE, "it finds no rest");
        }
    }

    /// Asks; the answer comes when the loop has turned.
    pub(super) async fn ask<T>(
        &mut self,
        command: impl FnOnce(Reply<T>) -> Command,
    ) -> oneshot::Receiver<Result<T, Fault>> {
        let (reply, answer) = oneshot::channel();
        self.loop_.obey(command(reply)).await;
        answer
    }
}
