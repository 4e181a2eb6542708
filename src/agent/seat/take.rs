//! Taking the seat, and giving signs of life from it.

use super::{Claims, Entry, Folder, HostName, InvalidHost, Mount, Seen, Standing, claims, seen, standing};
use crate::base::{
    chain,
    dir_lock::{self, DirLock, DirLockError, ORPHANS},
    ofd_lock::{OfdLock, Owner},
};
use std::{
    fs, io,
    os::unix::fs::DirBuilderExt,
    path::{Path, PathBuf},
    sync::{Mutex, PoisonError},
    thread::sleep,
    time::{Duration, Instant},
};

/// Our place at the directory; given up when this is dropped.
#[derive(Debug)]
pub struct Seat {
    folder: Folder,
    host: HostName,
    patience: Duration,
    /// Why nobody else can have a seat here, if so.
    alone: Option<String>,
    /// Locks reach other hosts.
    reach: bool,
    /// One writer at a time.
    entry: Mutex<Entry>,
    lock: Option<OfdLock>,
    _dir: DirLock,
}

/// There is no seat for us.
#[derive(Debug, thiserror::Error)]
pub enum SeatError {
    /// `host` is no name.
    #[error("bad name of this host")]
    Host(#[source] InvalidHost),
    /// Another agent has this name here.
    #[error("host {host} of {path} is held by {holder}: stop that agent, or, if it runs on another machine, set host in [DEFAULT] of nova.conf or of the agent to a name of its own", path = path.display())]
    Held {
        /// Our name.
        host: HostName,
        /// Its lock.
        path: PathBuf,
        /// Who has it.
        holder: String,
    },
    /// An agent has the directory for itself.
    #[error("an agent has the directory for itself: it is of an earlier version, or could not register in {FOLDER}: stop it, or upgrade it", FOLDER = super::FOLDER)]
    Taken(#[source] DirLockError),
    /// We cannot register, and are not alone.
    #[error("others share the directory, and this agent cannot register in {FOLDER} ({why})", FOLDER = super::FOLDER)]
    Unregistered {
        /// What failed.
        why: String,
        /// Who has the directory.
        source: DirLockError,
    },
}

const AGAIN: Duration = Duration::from_millis(20);
/// A question about a thousand bases, or the answer.
const SPARE: usize = 256 << 10;

// === impl Seat ===

impl Seat {
    /// Takes the seat of `host` at the directory whose lock is at `dir_lock`. A disk that is full, or a folder that cannot
    /// be written, does not keep a single agent out: it has the directory for itself then. Others' `patience` tells for
    /// how long a sign of life is fresh.
    ///
    /// # Errors
    /// [`SeatError`]; each says who is in the way.
    pub fn take(dir_lock: &Path, owner: Owner, host: &HostName, patience: Duration) -> Result<Self, SeatError> {
        let base_dir = dir_lock.parent().unwrap_or(Path::new("."));
        let folder = Folder::of(base_dir, Some(owner));
        let reach = !Mount::now(base_dir).is_some_and(|it| it.has_no_locks());
        let entry = Mutex::new(Entry::new(host));
        let seat = |dir, lock, alone| {
            let (host, folder) = (host.clone(), folder.clone());
            Self { folder, host, patience, alone, reach, entry, lock, _dir: dir }
        };
        let dir = DirLock::share(dir_lock).map_err(SeatError::Taken)?;
        match register(&folder, host) {
            Ok(lock) => Ok(seat(dir, Some(lock), None)),
            Err(Refused::Held(error)) => Err(error),
            Err(Refused::Broken(why)) => {
                drop(dir);
                let alone = DirLock::acquire(dir_lock);
                let dir = alone.map_err(|source| SeatError::Unregistered { why: why.clone(), source })?;
                tracing::warn!("no other agent can share {}: {why}", base_dir.display());
                Ok(seat(dir, None, Some(why)))
            }
        }
    }

    /// Our name.
    pub fn host(&self) -> &HostName {
        &self.host
    }

    /// The shared folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }

    /// For how long a sign of life is fresh.
    pub fn patience(&self) -> Duration {
        self.patience
    }

    /// Why nobody else can have a seat here, if so.
    pub fn alone(&self) -> Option<&str> {
        self.alone.as_deref()
    }

    /// Gives a sign of life, and writes our entry if `change` changes it; the file system's now. Blocks on the disk.
    ///
    /// # Errors
    /// What the system says; the others see the old entry, or that we are silent.
    pub fn beat(&self, change: impl FnOnce(&mut Entry)) -> io::Result<Duration> {
        let path = self.folder.entry(&self.host);
        let mut entry = self.entry.lock().unwrap_or_else(PoisonError::into_inner);
        let mut new = entry.clone();
        change(&mut new);
        let there = match Folder::read(&path) {
            Ok(Some((text, _))) => text == new.to_bytes(),
            _ => false,
        };
        if !there {
            self.write(&path, &new.to_bytes())?;
        }
        *entry = new;
        Folder::touch(&path)
    }

    /// The others; none when nobody else can be there. Blocks on the disk.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn others(&self) -> io::Result<Vec<Seen>> {
        if self.alone.is_some() {
            return Ok(Vec::new());
        }
        seen(&self.folder, &self.host, self.now())
    }

    /// What the others keep, as far as that is known without asking. Blocks on the disk.
    pub fn claims(&self) -> Claims {
        match self.others() {
            Ok(others) => claims(&others, self.patience, self.reach),
            Err(error) => {
                let path = self.folder.path().display();
                let why = format!("it cannot be told who shares the directory: cannot read {path}: {error}");
                Claims { everything: Some(why), ..Claims::default() }
            }
        }
    }

    /// Writes a file of the folder, on a full disk into the room of the spare one.
    pub(super) fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        match self.folder.write(path, bytes) {
            Err(error) if is_full(&error) && fs::remove_file(self.folder.spare(&self.host)).is_ok() => {
                self.folder.write(path, bytes)
            }
            done => done,
        }
    }

    /// Makes the spare file, if there is room. Blocks on the disk.
    pub fn spare(&self) {
        let path = self.folder.spare(&self.host);
        if !path.exists() {
            // No compression makes nothing of it.
            let bytes: Vec<u8> = std::iter::repeat_with(rand::random).take(SPARE).collect();
            let _ = self.folder.write(&path, &bytes);
        }
    }

    /// Bytes that the agents of other hosts have promised to their fetches; none when no other agent is there. Blocks on
    /// the disk.
    pub fn promised_elsewhere(&self) -> Option<u64> {
        // Who cannot look is perhaps not alone.
        let Ok(others) = self.others() else { return Some(0) };
        let live = others.iter().filter(|it| matches!(standing(it, self.patience), Standing::Live));
        let promised = live.filter_map(|it| it.entry.as_ref().ok()?.as_ref()).map(|it| it.promised);
        promised.fold(None, |sum, it| Some(sum.unwrap_or(0_u64).saturating_add(it)))
    }

    /// Whether our lock is still the one that others look at.
    pub fn is_ours(&self) -> bool {
        self.lock.as_ref().is_none_or(OfdLock::is_current)
    }

    /// By the file system's clock; where that cannot be had, nobody has been silent for long.
    fn now(&self) -> Duration {
        Folder::touch(&self.folder.entry(&self.host))
            .or_else(|_| Folder::touch(&self.folder.lock(&self.host)))
            .unwrap_or_default()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        if self.alone.is_none() && self.folder.entry(&self.host).exists() {
            // At the worst we are silent from now on.
            let _ = self.beat(|it| it.left = true);
        }
    }
}

enum Refused {
    Held(SeatError),
    Broken(String),
}

/// Makes the folder, and takes the host's lock; what an agent that was killed has left running is waited for.
fn register(folder: &Folder, host: &HostName) -> Result<OfdLock, Refused> {
    let broken = |what: &Path, error: &(dyn std::error::Error + 'static)| {
        Refused::Broken(format!("{}: {}", what.display(), chain(error)))
    };
    make(folder).map_err(|error| broken(folder.path(), &error))?;
    // Later the disk may be full.
    drop(OfdLock::try_lock(&folder.turn_lock(), folder.owner()).map_err(|error| broken(&folder.turn_lock(), &error))?);
    let path = folder.lock(host);
    let began = Instant::now();
    loop {
        let lock = OfdLock::try_lock(&path, folder.owner()).map_err(|error| broken(&path, &error))?;
        if let Some(lock) = lock {
            // Only for the message of the next one who tries.
            let _ = fs::write(&path, dir_lock::us());
            return Ok(lock);
        }
        let text = fs::read_to_string(&path).unwrap_or_default();
        let text = text.trim();
        if began.elapsed() >= ORPHANS || !dir_lock::is_gone(text) {
            let holder = dir_lock::holder(&text.chars().filter(|it| !it.is_control()).take(300).collect::<String>());
            return Err(Refused::Held(SeatError::Held { host: host.clone(), path, holder }));
        }
        sleep(AGAIN);
    }
}

fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

fn make(folder: &Folder) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o755).create(folder.path()) {
        Ok(()) => {
            let owner = folder.owner().filter(|_| nix::unistd::Uid::effective().is_root());
            owner.map_or(Ok(()), |it| std::os::unix::fs::lchown(folder.path(), Some(it.uid), Some(it.gid)))
        }
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && folder.path().is_dir() => Ok(()),
        Err(error) => Err(error),
    }
}
