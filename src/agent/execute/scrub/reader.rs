//! One base, read.

use super::compare::{Bad, compare, compare_again, in_words};
use crate::agent::{
    base_dir::BaseDir,
    in_use::{Evidence, observe},
    index::{How, Verified},
    lists::{FileId, Label, Lists, Trust},
};
use crate::base::{
    chain,
    digest::{Algorithm, Hasher},
    pace::Pace,
    pieces::{Block, Manner, PieceHasher, Pieces, Way, walk},
    priority::give_way,
};
use chrono::Utc;
use std::{
    fs::{self, Metadata},
    io,
    ops::ControlFlow,
    path::PathBuf,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::SystemTime,
};
use tokio::sync::oneshot;
use tokio_util::sync::CancellationToken;

/// Reads bases.
#[derive(Clone, Debug)]
pub struct Reader {
    /// Where they are.
    pub dir: Arc<BaseDir>,
    /// Where their lists are.
    pub lists: Arc<Lists>,
    /// Bytes a second; 0 for as many as the disk gives.
    pub rate: u64,
}

/// What a base must be by the catalogue.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Expected {
    /// The image's own bytes, unconverted.
    Bytes {
        /// Length of the image, if the record says.
        size: Option<u64>,
        /// The algorithm and the hash.
        digest: (Algorithm, String),
    },
    /// The image's own file, or the raw disk of this length that was made of it.
    Disk {
        /// Length of the image.
        file: u64,
        /// Bytes that a guest sees.
        virtual_size: u64,
    },
    /// It was damaged by what the catalogue had said, which now says nothing.
    Unknown,
}

/// How far the reading of one base is.
#[derive(Debug, Default)]
pub struct Progress {
    /// Bytes so far, holes included.
    pub done: AtomicU64,
    /// Bytes in all.
    pub total: AtomicU64,
}

/// What reading a base has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Read {
    /// Its length.
    pub size: u64,
    /// The outcome.
    pub finding: Finding,
}

/// What reading a base has shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Finding {
    /// It is as its list says, or as the catalogue says; its BLAKE3, in hex.
    Good(How, String),
    /// Some of it is not what it was, or not what the image is.
    Damaged(String),
    /// It could not be told; why.
    Unclear(String),
    /// The agent stops.
    Stopped,
}

/// What must not change while a file is read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Seen {
    file: FileId,
    size: u64,
    mtime: Option<SystemTime>,
}

type Outcome = Result<Finding, String>;

// === impl Reader ===

impl Reader {
    /// Reads one base on a thread of its own, which gives way to everything else on the node.
    pub async fn read(
        self,
        base: String,
        expected: Option<Expected>,
        progress: Arc<Progress>,
        cancel: CancellationToken,
    ) -> Read {
        let (answer, answered) = oneshot::channel();
        let work = move || {
            give_way();
            let one = One { reader: &self, path: self.dir.path().join(&base), base: &base, progress: &progress };
            let read = one.read(expected.as_ref(), &|| cancel.is_cancelled());
            metrics::counter!("larder_scrubbed_bytes_total").increment(progress.done.load(Ordering::Relaxed));
            // Nobody may be waiting any more.
            let _ = answer.send(read);
        };
        let lost = |why: String| Read { size: 0, finding: Finding::Unclear(why) };
        match std::thread::Builder::new().name("larder-scrub".to_owned()).spawn(work) {
            Ok(_) => answered.await.unwrap_or_else(|_| lost("reading it ended by a fault of this program".to_owned())),
            Err(error) => lost(format!("no thread to read it: {error}")),
        }
    }
}

struct One<'a> {
    reader: &'a Reader,
    path: PathBuf,
    base: &'a str,
    progress: &'a Progress,
}

// === impl One ===

impl One<'_> {
    fn read(&self, expected: Option<&Expected>, stop: &(dyn Fn() -> bool + Sync)) -> Read {
        let before = match self.look() {
            Ok(before) => before,
            Err(why) => return Read { size: 0, finding: Finding::Unclear(why) },
        };
        self.progress.total.store(before.size, Ordering::Relaxed);
        let finding = match self.reader.lists.load(self.base, before.file) {
            Ok(Some((list, label))) => self.against(&list, &label, before, stop),
            Ok(None) => self.first(expected, before, stop),
            Err(error) => Err(chain(&error).to_string()),
        };
        Read { size: before.size, finding: finding.unwrap_or_else(Finding::Unclear) }
    }

    fn manner<'a>(&self, stop: &'a (dyn Fn() -> bool + Sync)) -> Manner<'a> {
        Manner { way: Way::Disk, pace: Pace::new(self.reader.rate), stop }
    }

    fn look(&self) -> Result<Seen, String> {
        match fs::symlink_metadata(&self.path) {
            Ok(meta) if meta.is_file() => Ok(Seen::from(&meta)),
            Ok(_) => Err("it is not a regular file".to_owned()),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err("it is gone".to_owned()),
            Err(error) => Err(format!("it cannot be looked at: {error}")),
        }
    }

    fn against(&self, list: &Pieces, label: &Label, before: Seen, stop: &(dyn Fn() -> bool + Sync)) -> Outcome {
        if list.size() != before.size {
            let damage = format!("it has {} bytes, and had {}", before.size, list.size());
            return self.damaged(damage, before);
        }
        let progress = |done| self.progress.done.store(done, Ordering::Relaxed);
        let bad = compare(&self.path, list, self.manner(stop), &progress);
        let bad = match bad.map_err(|error| format!("it cannot be opened: {error}"))? {
            None => return Ok(Finding::Stopped),
            Some(bad) if bad.is_empty() => return Ok(Finding::Good(How::Scrubbed, list.root())),
            Some(bad) => bad,
        };
        self.confirm(list, label, &bad)
    }

    /// Only what is wrong twice, while nothing moves and nobody writes, is damage.
    fn confirm(&self, list: &Pieces, label: &Label, bad: &[Bad]) -> Outcome {
        let before = self.look()?;
        let again = compare_again(&self.path, list, bad).map_err(|error| format!("it cannot be opened: {error}"))?;
        if again.is_empty() {
            return Err(format!(
                "{} when it was read first, and was right when it was read again: look at the node's memory and disk",
                in_words(list, &bad[..1], bad.len())
            ));
        }
        if label.file != before.file {
            return Err("another file took its place while it was read".to_owned());
        }
        self.damaged(in_words(list, &again, bad.len().max(again.len())), before)
    }

    fn damaged(&self, damage: String, before: Seen) -> Outcome {
        if let Some(writer) = self.writer()? {
            return Err(format!("{damage}; but {writer}"));
        }
        if self.look()? != before {
            return Err(format!("{damage}; but it changed while it was read"));
        }
        Ok(Finding::Damaged(damage))
    }

    /// Who has it open for writing.
    fn writer(&self) -> Result<Option<String>, String> {
        let files = self.reader.dir.scan().map_err(|error| chain(&error).to_string())?;
        let in_use = observe(&self.reader.dir, &files);
        let writes = in_use.evidence(self.base).iter().find(|it| matches!(it, Evidence::Open { writing: true, .. }));
        Ok(writes.map(ToString::to_string))
    }

    /// There is no list of this file yet.
    fn first(&self, expected: Option<&Expected>, before: Seen, stop: &(dyn Fn() -> bool + Sync)) -> Outcome {
        if let Some(damage) = wrong_length(expected, before.size) {
            return self.damaged(damage, before);
        }
        let digest = match expected {
            Some(Expected::Bytes { digest, .. }) => Some(digest),
            Some(Expected::Unknown) => return Err("the catalogue does not say what it must be".to_owned()),
            Some(Expected::Disk { .. }) | None => None,
        };
        let mut pieces = PieceHasher::default();
        let mut hash = digest.map(|it| Hasher::new(it.0));
        let mut trouble = None;
        let visit = |block: Block<'_>| match block {
            Block::Data(bytes) => {
                pieces.update(bytes);
                hash.iter_mut().for_each(|it| it.update(bytes));
                self.progress.done.store(pieces.taken(), Ordering::Relaxed);
                ControlFlow::Continue(())
            }
            Block::Unreadable(_, error) => {
                trouble = Some(error);
                ControlFlow::Break(())
            }
        };
        let all = walk(&self.path, (0, before.size), self.manner(stop), visit);
        let all = all.map_err(|error| format!("it cannot be opened: {error}"))?;
        if let Some(error) = trouble {
            return self
                .damaged(format!("byte {} and those behind it cannot be read: {error}", pieces.taken()), before);
        }
        if !all {
            return Ok(Finding::Stopped);
        }
        let trust = match digest.zip(hash) {
            None => Trust::FirstSeen,
            Some(((algorithm, wanted), hash)) => {
                let got = hash.finish().ok_or_else(|| format!("its {algorithm} could not be computed"))?;
                if got != *wanted {
                    return self.damaged(format!("its {algorithm} is {got}, and the image's is {wanted}"), before);
                }
                Trust::Catalogue
            }
        };
        if self.look()? != before {
            return Err("it changed while it was read".to_owned());
        }
        let label = Label { file: before.file, trust, signed_by: None, made_at: Utc::now() };
        let pieces = pieces.finish();
        let kept = self.reader.lists.save(self.base, &pieces, &label);
        kept.map_err(|error| format!("its piece list cannot be written: {error}"))?;
        let how = if trust == Trust::Catalogue { How::Catalogue } else { How::FirstSeen };
        Ok(Finding::Good(how, pieces.root()))
    }
}

/// A copy from another host that broke off is used by nova as it is: the guest reads zeros behind its end.
fn wrong_length(expected: Option<&Expected>, is: u64) -> Option<String> {
    match expected {
        _ if is == 0 => Some("it is empty".to_owned()),
        Some(Expected::Bytes { size: Some(size), .. }) if is != *size => {
            Some(format!("it has {is} bytes, and the image has {size}"))
        }
        Some(Expected::Disk { file, virtual_size }) if is != *file && is < *virtual_size => {
            Some(format!("it has {is} bytes, and the image's disk has {virtual_size}"))
        }
        _ => None,
    }
}

// === impl Read ===

impl Read {
    /// What the index keeps of it; none when nothing was found out.
    pub fn verified(&self) -> Option<Verified> {
        let at = Utc::now();
        match &self.finding {
            Finding::Good(how, blake3) => Some(Verified { at, how: *how, damage: None, blake3: Some(blake3.clone()) }),
            Finding::Damaged(damage) => {
                Some(Verified { at, how: How::Scrubbed, damage: Some(damage.clone()), blake3: None })
            }
            Finding::Unclear(_) | Finding::Stopped => None,
        }
    }
}

impl From<&Metadata> for Seen {
    fn from(meta: &Metadata) -> Self {
        Self { file: FileId::from(meta), size: meta.len(), mtime: meta.modified().ok() }
    }
}
