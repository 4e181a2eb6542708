//! The folder that the agents of one base directory share.

use super::HostName;
use crate::base::ofd_lock::Owner;
use nix::{
    libc,
    sys::{stat::futimens, time::TimeSpec},
    unistd::{Gid, Uid, fchown},
};
use std::{
    collections::BTreeSet,
    fs::{self, File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    time::Duration,
};

/// Its name in the base directory.
pub const FOLDER: &str = ".larder";
/// Ten thousand pins have 450 kB.
const LARGEST: u64 = 8 << 20;
/// A site with more hosts on one directory would be a surprise.
const MOST_HOSTS: usize = 10_000;

/// The folder, and to whom its files are given.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
    owner: Option<Owner>,
}

// === impl Folder ===

impl Folder {
    /// That of a base directory. Nothing is made.
    pub fn of(base_dir: &Path, owner: Option<Owner>) -> Self {
        Self { path: base_dir.join(FOLDER), owner }
    }

    /// Where it is.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Whom its files are given.
    pub fn owner(&self) -> Option<Owner> {
        self.owner
    }

    /// A host's lock.
    pub fn lock(&self, host: &HostName) -> PathBuf {
        self.path.join(format!("host-{host}.lock"))
    }

    /// What a host says of itself.
    pub fn entry(&self, host: &HostName) -> PathBuf {
        self.path.join(format!("host-{host}.json"))
    }

    /// What a host keeps of what is to go.
    pub fn answer(&self, host: &HostName) -> PathBuf {
        self.path.join(format!("host-{host}.answer"))
    }

    /// Bytes that go when the disk is full.
    pub fn spare(&self, host: &HostName) -> PathBuf {
        self.path.join(format!("host-{host}.spare"))
    }

    /// The lock of those who remove.
    pub fn turn_lock(&self) -> PathBuf {
        self.path.join("turn.lock")
    }

    /// The lock of those who promise room.
    pub fn room_lock(&self) -> PathBuf {
        self.path.join("room.lock")
    }

    /// What is to go.
    pub fn turn(&self) -> PathBuf {
        self.path.join("turn.json")
    }

    /// All hosts that have a lock or an entry.
    ///
    /// # Errors
    /// What the system says, but for a missing folder; more hosts than can be.
    pub fn hosts(&self) -> io::Result<BTreeSet<HostName>> {
        let mut hosts = BTreeSet::new();
        let entries = match fs::read_dir(&self.path) {
            Ok(entries) => entries,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(hosts),
            Err(error) => return Err(error),
        };
        for entry in entries {
            let name = entry?.file_name();
            let host = name.to_str().and_then(|it| it.strip_prefix("host-")).and_then(|it| it.rsplit_once('.'));
            if let Some((host, "lock" | "json")) = host
                && let Ok(host) = host.parse()
            {
                hosts.insert(host);
            }
            if hosts.len() > MOST_HOSTS {
                return Err(io::Error::other(format!("more than {MOST_HOSTS} hosts are registered there")));
            }
        }
        Ok(hosts)
    }

    /// The bytes of a small file and its mtime since 1970; none when it is missing. Opening it makes NFS ask the server.
    ///
    /// # Errors
    /// What the system says; a file that is too large, or none.
    pub fn read(path: &Path) -> io::Result<Option<(Vec<u8>, Duration)>> {
        let file = match OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path) {
            Ok(file) => file,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
            Err(error) => return Err(error),
        };
        let meta = file.metadata()?;
        if !meta.is_file() || meta.len() > LARGEST {
            return Err(io::Error::new(io::ErrorKind::InvalidData, "it is too large, or no file"));
        }
        let mut bytes = Vec::new();
        file.take(LARGEST).read_to_end(&mut bytes)?;
        Ok(Some((bytes, mtime(&meta))))
    }

    /// Replaces a file; readers see the old one or the new one.
    ///
    /// # Errors
    /// What the system says; the old file is untouched then.
    pub fn write(&self, path: &Path, bytes: &[u8]) -> io::Result<()> {
        replace(path, bytes, self.owner)
    }

    /// Sets a file's mtime to the file system's own now, which this gives back.
    ///
    /// # Errors
    /// What the system says.
    pub fn touch(path: &Path) -> io::Result<Duration> {
        let file = OpenOptions::new().append(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK).open(path)?;
        futimens(&file, &TimeSpec::UTIME_NOW, &TimeSpec::UTIME_NOW)?;
        Ok(mtime(&file.metadata()?))
    }
}

/// Writes beside `path`, syncs and renames over it; when we are root, what is made belongs to `owner` before it has the name.
pub(in crate::agent) fn replace(path: &Path, bytes: &[u8], owner: Option<Owner>) -> io::Result<()> {
    let mut name = std::ffi::OsString::from(".");
    name.push(path.file_name().unwrap_or_default());
    name.push(".new");
    let aside = path.with_file_name(name);
    let write = || -> io::Result<()> {
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o644).custom_flags(libc::O_NOFOLLOW);
        let mut file: File = options.open(&aside)?;
        if let Some(owner) = owner.filter(|_| Uid::effective().is_root()) {
            fchown(&file, Some(Uid::from_raw(owner.uid)), Some(Gid::from_raw(owner.gid)))?;
        }
        file.write_all(bytes)?;
        file.sync_all()?;
        fs::rename(&aside, path)
    };
    write().inspect_err(|_| drop(fs::remove_file(&aside)))
}

fn mtime(meta: &fs::Metadata) -> Duration {
    let secs = u64::try_from(meta.mtime()).unwrap_or(0);
    Duration::new(secs, u32::try_from(meta.mtime_nsec()).unwrap_or(0))
}
