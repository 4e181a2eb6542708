//! Hints that something changed on disk, by inotify. Never the truth: the periodic look is.
//!
//! Watched are `_base`, the instances folder, and the folders of the configuration files (editors replace files). A
//! watch dies silently with its folder, so all are compared with what the paths name now, and made again.

use notify::{
    Config, Event, EventKind, RecommendedWatcher, RecursiveMode, Watcher,
    event::{AccessKind, AccessMode, ModifyKind},
};
use std::{
    collections::HashMap,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::Notify,
    time::{Instant, sleep, sleep_until},
};
use tokio_util::sync::CancellationToken;

/// What is watched, and whom to tell.
#[derive(Debug, Default)]
pub(super) struct Watch {
    folders: Vec<PathBuf>,
    files: Vec<PathBuf>,
    disk: Arc<Notify>,
    configuration: Arc<Notify>,
}

/// Changes come in bursts: one hint for all within this time.
const BURST: Duration = Duration::from_secs(1);
/// How often the watches are compared with the paths.
const RENEW: Duration = Duration::from_secs(60);

// === impl Watch ===

impl Watch {
    pub(super) fn new(folders: Vec<PathBuf>, files: Vec<PathBuf>) -> Self {
        Self { folders, files, ..Self::default() }
    }

    /// Rings when one of the folders changed.
    pub(super) fn disk(&self) -> Arc<Notify> {
        self.disk.clone()
    }

    /// Rings when one of the files changed.
    pub(super) fn configuration(&self) -> Arc<Notify> {
        self.configuration.clone()
    }

    /// Watches until `shutdown`; without inotify it only says so.
    pub(super) async fn run(self, shutdown: CancellationToken) {
        let (folders, files) = (self.folders.clone(), self.files.clone());
        let (disk, configuration) = (self.disk.clone(), self.configuration.clone());
        let heard = move |event: notify::Result<Event>| match event {
            Ok(event) if event.need_rescan() => disk.notify_one(),
            Ok(event) => {
                if changes_a_name(&event) && event.paths.iter().any(|it| is_in(it, &folders)) {
                    disk.notify_one();
                }
                if changes_content(&event) && event.paths.iter().any(|it| files.contains(it)) {
                    configuration.notify_one();
                }
            }
            Err(_) => disk.notify_one(),
        };
        let mut watcher = match RecommendedWatcher::new(heard, Config::default()) {
            Ok(watcher) => watcher,
            Err(error) => {
                tracing::warn!(%error, "cannot watch the disk: changes are seen by the periodic scan only");
                return;
            }
        };
        let mut watched = HashMap::new();
        let mut known = Vec::new();
        loop {
            self.renew(&mut watcher, &mut watched);
            // What changed between the first reading and the watch, and what inotify did not tell of.
            let now = self.files.iter().map(|it| stamp(it)).collect();
            if known != now {
                known = now;
                self.configuration.notify_one();
            }
            tokio::select! {
                () = shutdown.cancelled() => return,
                () = sleep(RENEW) => {}
            }
        }
    }

    /// Watches each folder that is there now and was not, or is another one.
    fn renew(&self, watcher: &mut RecommendedWatcher, watched: &mut HashMap<PathBuf, (u64, u64)>) {
        let parents = self.files.iter().filter_map(|it| it.parent());
        for folder in self.folders.iter().map(PathBuf::as_path).chain(parents) {
            let now = folder.metadata().ok().map(|it| (it.dev(), it.ino()));
            if watched.get(folder).copied() == now {
                continue;
            }
            let _ = watcher.unwatch(folder);
            let was = watched.remove(folder);
            let Some(now) = now else { continue };
            match watcher.watch(folder, RecursiveMode::NonRecursive) {
                Ok(()) => drop(watched.insert(folder.to_owned(), now)),
                Err(error) => tracing::warn!(path = %folder.display(), %error, "cannot watch the folder"),
            }
            if was.is_some() {
                self.disk.notify_one();
            }
        }
    }
}

/// Changes when the file is written, replaced or gone.
fn stamp(file: &Path) -> Option<(u64, u64, i64, i64)> {
    file.metadata().ok().map(|it| (it.ino(), it.size(), it.mtime(), it.mtime_nsec()))
}

/// Passes the bell's rings on, one for each burst, until `shutdown`.
pub(super) async fn debounce<F: Future<Output = ()>>(
    bell: Arc<Notify>,
    shutdown: CancellationToken,
    ring: impl Fn() -> F,
) {
    loop {
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = bell.notified() => {}
        }
        let end = Instant::now() + BURST;
        tokio::select! {
            () = shutdown.cancelled() => return,
            () = sleep_until(end) => {}
        }
        // Rings during the burst are answered by this one.
        let _ = tokio::time::timeout(Duration::ZERO, bell.notified()).await;
        ring().await;
    }
}

/// Files came, went or were renamed, but for our own staging files.
fn changes_a_name(event: &Event) -> bool {
    let kind =
        matches!(event.kind, EventKind::Create(_) | EventKind::Remove(_) | EventKind::Modify(ModifyKind::Name(_)));
    let ours = |path: &PathBuf| path.file_name().is_some_and(|it| it.as_encoded_bytes().starts_with(b".larder"));
    kind && !event.paths.iter().all(ours)
}

/// A file was written and closed, or put in place.
fn changes_content(event: &Event) -> bool {
    matches!(
        event.kind,
        EventKind::Access(AccessKind::Close(AccessMode::Write))
            | EventKind::Create(_)
            | EventKind::Modify(ModifyKind::Name(_))
    )
}

fn is_in(path: &Path, folders: &[PathBuf]) -> bool {
    folders.iter().any(|it| path == it || path.parent() == Some(it))
}
