//! The folder, and what goes when.

use super::Draft;
use crate::agent::{
    lists::FileId,
    plan::fetch::{Bounds, Ledger, NoRoom, Seen, with_overhead},
    through::wanted::Wanted,
};
use crate::base::{byte_size::ByteSize, digest::Algorithm, pieces::Pieces, space};
use crate::image::ImageId;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fs::{self, DirBuilder, File, OpenOptions},
    io,
    os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, SystemTime},
};

/// How much may be kept, and for how long.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::agent) struct Rules {
    /// Bytes of all originals together.
    pub(in crate::agent) limit: u64,
    /// Bytes that must stay free on the file system.
    pub(in crate::agent) min_free: u64,
    /// Once less is free, originals go until so much is.
    pub(in crate::agent) until_free: u64,
    /// What nobody has asked for during this time goes; none: it stays.
    pub(in crate::agent) max_age: Option<Duration>,
}

/// The shelf; all methods block on the disk.
#[derive(Debug)]
pub(in crate::agent) struct Shelf {
    pub(super) folder: PathBuf,
    rules: Rules,
    /// The agent's own when bases are on the same file system.
    ledger: Ledger,
    pub(super) state: Mutex<State>,
}

#[derive(Debug, Default)]
pub(super) struct State {
    pub(super) kept: HashMap<ImageId, Entry>,
    /// Bytes of downloads under way.
    pub(super) drafted: u64,
    pub(super) drafts: u64,
}

#[derive(Debug)]
pub(super) struct Entry {
    pub(super) label: Label,
    pub(super) pieces: Arc<Pieces>,
    pub(super) used: SystemTime,
}

/// What is written with a piece list.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Label {
    pub(super) file: FileId,
    algorithm: String,
    hash: String,
}

/// An original, open to be read.
#[derive(Debug)]
pub(in crate::agent::through) struct Kept {
    pub(in crate::agent::through) file: File,
    pub(in crate::agent::through) pieces: Arc<Pieces>,
}

/// A download cannot be kept.
#[derive(Debug, thiserror::Error)]
pub(in crate::agent::through) enum NoPlace {
    #[error("it takes {}, and originals may take {} (read_through_cache_size)", ByteSize(*need), ByteSize(*limit))]
    Limit { need: u64, limit: u64 },
    #[error(transparent)]
    Room(NoRoom),
    #[error("cannot write to {}", path.display())]
    Disk { path: PathBuf, source: io::Error },
}

const DATA: &str = ".original";
const LIST: &str = ".pieces";
const PART: &str = ".part";

// === impl Label ===

impl Label {
    pub(super) fn new(file: FileId, (algorithm, hash): &(Algorithm, String)) -> Self {
        Self { file, algorithm: algorithm.to_string(), hash: hash.clone() }
    }

    fn is_of(&self, (algorithm, hash): &(Algorithm, String)) -> bool {
        self.algorithm == algorithm.as_str() && self.hash == *hash
    }
}

// === impl Shelf ===

impl Shelf {
    /// Takes the folder over: what is whole stays, all else that has a name of ours goes.
    ///
    /// # Errors
    /// What the system says.
    pub(in crate::agent::through) fn open(folder: PathBuf, rules: Rules, ledger: Ledger) -> io::Result<Self> {
        // Private images are in it.
        DirBuilder::new().recursive(true).mode(0o700).create(&folder)?;
        let mut kept = HashMap::new();
        for name in names(&folder)? {
            if let Some(id) = name.strip_suffix(DATA).and_then(|it| it.parse::<ImageId>().ok())
                && let Some(entry) = load(&folder, &id)
            {
                kept.insert(id, entry);
            }
        }
        for name in names(&folder)? {
            let id = name.strip_suffix(DATA).or(name.strip_suffix(LIST)).and_then(|it| it.parse::<ImageId>().ok());
            let is_part = name.starts_with('.');
            if is_ours(&name) && (is_part || id.is_some_and(|id| !kept.contains_key(&id))) {
                tracing::info!(path = %folder.join(&name).display(), "removing what a crash has left");
                fs::remove_file(folder.join(&name))?;
            }
        }
        let state = State { kept, ..State::default() };
        let shelf = Self { folder, rules, ledger, state: Mutex::new(state) };
        shelf.show();
        Ok(shelf)
    }

    /// Its room is nobody else's: bases are on another file system.
    pub(in crate::agent::through) fn with_own_ledger(self) -> Self {
        Self { ledger: Ledger::default(), ..self }
    }

    /// The original of an image, if it is this data; that counts as a use.
    pub(in crate::agent::through) fn take(&self, id: &ImageId, wanted: &Wanted) -> Option<Kept> {
        let mut state = self.lock();
        let entry = state.kept.get_mut(id)?;
        if !entry.label.is_of(&wanted.hash) || entry.pieces.size() != wanted.size {
            self.remove(&mut state, id);
            return None;
        }
        let opened = open(&self.data(id)).ok().filter(|(_, meta)| FileId::from(meta) == entry.label.file);
        let Some((file, _)) = opened else {
            self.remove(&mut state, id);
            return None;
        };
        entry.used = SystemTime::now();
        // So that the order outlives the process; in memory it is right in any case.
        let _ = file.set_modified(entry.used);
        Some(Kept { file, pieces: entry.pieces.clone() })
    }

    /// Takes room for a download of so many bytes, before its first one; others go for it.
    ///
    /// # Errors
    /// [`NoPlace`]
    pub(in crate::agent::through) fn begin(self: &Arc<Self>, id: &ImageId, size: u64) -> Result<Draft, NoPlace> {
        let number = {
            let mut state = self.lock();
            let limit = self.rules.limit;
            let need = size.saturating_add(state.drafted);
            if need > limit {
                // Nothing goes for what would not fit even so.
                return Err(NoPlace::Limit { need, limit });
            }
            while self.taken(&state).saturating_add(size) > limit {
                if !self.remove_oldest(&mut state) {
                    return Err(NoPlace::Limit { need, limit });
                }
            }
            state.drafted += size;
            state.drafts += 1;
            state.drafts
        };
        let give_back = || self.lock().drafted -= size;
        let room = loop {
            let failed = |source| NoPlace::Disk { path: self.folder.clone(), source };
            let mark = self.ledger.mark();
            let free = space::free(&self.folder).map_err(failed).inspect_err(|_| give_back())?.free;
            let seen = Seen { path: self.folder.clone(), own: 0, free, elsewhere: 0, mark };
            let bounds = Bounds { max_size: None, min_free: self.rules.min_free };
            match self.ledger.reserve(id, with_overhead(size), seen, bounds) {
                Ok(room) => break room,
                Err(error) => {
                    let able = self.contents().1;
                    if error.missing() > able || !self.remove_oldest(&mut self.lock()) {
                        give_back();
                        return Err(NoPlace::Room(error));
                    }
                }
            }
        };
        let part = self.folder.join(format!(".{id}.{number}{PART}"));
        Draft::new(self.clone(), id.clone(), part.clone(), size, room).map_err(|source| {
            give_back();
            NoPlace::Disk { path: part, source }
        })
    }

    /// The bytes are not what they were: the original goes.
    pub(in crate::agent::through) fn condemn(&self, id: &ImageId) {
        tracing::error!(image.id = %id, path = %self.data(id).display(), "an original is damaged on disk; it is removed");
        self.remove(&mut self.lock(), id);
    }

    /// Removes what nobody has used for long, and what others need the room of.
    pub(in crate::agent::through) fn tidy(&self, now: SystemTime) {
        let mut state = self.lock();
        if let Some(age) = self.rules.max_age {
            let is_old = |it: &Entry| now.duration_since(it.used).is_ok_and(|unused| unused > age);
            let old: Vec<ImageId> = state.kept.iter().filter(|(_, it)| is_old(it)).map(|(id, _)| id.clone()).collect();
            old.iter().for_each(|id| self.remove(&mut state, id));
        }
        let free = || space::free(&self.folder).map_or(u64::MAX, |it| it.free);
        if free() < self.rules.min_free {
            let enough = self.rules.until_free.max(self.rules.min_free);
            while free() < enough && self.remove_oldest(&mut state) {}
        }
    }

    /// Removes the least recently used until `bytes` are freed, for those who need them more; how many were.
    pub(in crate::agent) fn give(&self, bytes: u64) -> u64 {
        let mut state = self.lock();
        let before = self.taken(&state);
        while before - self.taken(&state) < bytes && self.remove_oldest(&mut state) {}
        before - self.taken(&state)
    }

    /// Whether what goes here makes room in this folder.
    pub(in crate::agent) fn shares_disk_with(&self, folder: &Path) -> bool {
        let device = |path: &Path| fs::metadata(path).ok().map(|it| it.dev());
        device(&self.folder).is_some_and(|it| device(folder) == Some(it))
    }

    /// How many originals there are, and their bytes.
    pub(in crate::agent::through) fn contents(&self) -> (u64, u64) {
        let state = self.lock();
        (state.kept.len() as u64, self.taken(&state) - state.drafted)
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub(super) fn data(&self, id: &ImageId) -> PathBuf {
        self.folder.join(format!("{id}{DATA}"))
    }

    pub(super) fn list(&self, id: &ImageId) -> PathBuf {
        self.folder.join(format!("{id}{LIST}"))
    }

    /// Tells Prometheus.
    pub(in crate::agent::through) fn show(&self) {
        metrics::gauge!("larder_read_through_kept_bytes").set(self.contents().1 as f64);
    }

    fn taken(&self, state: &State) -> u64 {
        state.kept.values().fold(state.drafted, |sum, it| sum.saturating_add(it.pieces.size()))
    }

    fn remove_oldest(&self, state: &mut State) -> bool {
        let oldest = state.kept.iter().min_by_key(|(id, it)| (it.used, *id)).map(|(id, _)| id.clone());
        oldest.inspect(|id| self.remove(state, id)).is_some()
    }

    fn remove(&self, state: &mut State, id: &ImageId) {
        if state.kept.remove(id).is_none() {
            return;
        }
        for path in [self.data(id), self.list(id)] {
            if let Err(error) = fs::remove_file(&path)
                && error.kind() != io::ErrorKind::NotFound
            {
                tracing::warn!(path = %path.display(), %error, "cannot remove an original image");
            }
        }
        tracing::info!(image.id = %id, "removed an original image");
    }
}

/// Removes everything that a shelf has left in this folder, and the folder.
pub(in crate::agent::through) fn clear(folder: &Path) {
    let Ok(names) = names(folder) else { return };
    for name in names.iter().filter(|it| is_ours(it)) {
        if let Err(error) = fs::remove_file(folder.join(name)) {
            tracing::warn!(path = %folder.join(name).display(), %error, "cannot remove an original image");
        }
    }
    // It may hold what is not ours.
    let _ = fs::remove_dir(folder);
}

fn names(folder: &Path) -> io::Result<Vec<String>> {
    let entries = fs::read_dir(folder)?.collect::<io::Result<Vec<_>>>()?;
    Ok(entries.into_iter().filter_map(|it| it.file_name().into_string().ok()).collect())
}

/// Whether a file here has a name that a shelf gives.
fn is_ours(name: &str) -> bool {
    let is_id = |text: &str| text.get(..36).is_some_and(|it| it.parse::<ImageId>().is_ok());
    match name.strip_prefix('.') {
        Some(hidden) => is_id(hidden) && (hidden.ends_with(PART) || hidden.ends_with(".new")),
        None => is_id(name) && (name[36..] == *DATA || name[36..] == *LIST),
    }
}

fn load(folder: &Path, id: &ImageId) -> Option<Entry> {
    let (_, meta) = open(&folder.join(format!("{id}{DATA}"))).ok()?;
    let (pieces, label) = Pieces::load(&folder.join(format!("{id}{LIST}"))).ok()??;
    let label: Label = serde_json::from_slice(&label).ok()?;
    let is_whole = label.file == FileId::from(&meta) && meta.len() == pieces.size();
    let used = meta.modified().ok()?.min(SystemTime::now());
    is_whole.then(|| Entry { label, pieces: Arc::new(pieces), used })
}

fn open(path: &Path) -> io::Result<(File, fs::Metadata)> {
    let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(path)?;
    let meta = file.metadata()?;
    if meta.is_file() { Ok((file, meta)) } else { Err(io::ErrorKind::InvalidInput.into()) }
}
