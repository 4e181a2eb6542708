//! What is in the directory.

use super::{BaseDir, Kind};
use chrono::{DateTime, Utc};
use std::{
    collections::HashSet,
    fs::{self, Metadata},
    io,
    os::unix::fs::MetadataExt,
    path::PathBuf,
};

/// One file of the base directory, as it was when looked at. Directories and special files are left out.
#[derive(Clone, Debug, PartialEq)]
pub struct BaseFile {
    /// Its name; bytes that are not UTF-8 are replaced, and such a file is [`Kind::Other`].
    pub name: String,
    /// What the name means.
    pub kind: Kind,
    /// Its length, bytes.
    pub size: u64,
    /// What it takes on disk, bytes.
    pub allocated: u64,
    /// Its mtime: nova's record of the last known use.
    pub mtime: DateTime<Utc>,
    /// The last known use: mtime, unless whoever keeps records knows of a later one and raises it.
    pub last_used: DateTime<Utc>,
    /// Its ctime, seconds and nanoseconds: whatever changes its bytes, size, owner or names moves it.
    pub changed: (i64, i64),
    /// Device and inode: the file, whatever its name.
    pub inode: (u64, u64),
    /// How many names the file has.
    pub links: u64,
    /// The user it belongs to; libvirt takes it over when a guest starts.
    pub uid: u32,
}

/// The directory could not be read.
#[derive(Debug, thiserror::Error)]
#[error("cannot read the base directory {path}", path = path.display())]
pub struct ScanError {
    path: PathBuf,
    source: io::Error,
}

impl BaseDir {
    /// All files, sorted by name.
    ///
    /// # Errors
    /// [`ScanError`] when the directory cannot be read; a file that vanishes meanwhile is left out.
    pub fn scan(&self) -> Result<Vec<BaseFile>, ScanError> {
        let failed = |source| ScanError { path: self.path.clone(), source };
        let mut files = Vec::new();
        for entry in fs::read_dir(&self.path).map_err(failed)? {
            let entry = entry.map_err(failed)?;
            match entry.metadata() {
                Ok(meta) => {
                    let name = entry.file_name();
                    let text = name.to_str().ok_or_else(|| name.to_string_lossy().into_owned());
                    files.extend(BaseFile::new(text, &meta));
                }
                Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                Err(error) => return Err(failed(error)),
            }
        }
        files.sort_by(|a, b| a.name.cmp(&b.name));
        Ok(files)
    }

    /// One file, as it is now; `None` when it is not there.
    ///
    /// # Errors
    /// [`ScanError`].
    pub fn look(&self, name: &str) -> Result<Option<BaseFile>, ScanError> {
        let path = self.path.join(name);
        match fs::symlink_metadata(&path) {
            Ok(meta) => Ok(BaseFile::new(Ok(name), &meta)),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(ScanError { path, source }),
        }
    }
}

/// Blocks that these files take, bytes; a file with several names counts once.
pub fn own_bytes(files: &[BaseFile]) -> u64 {
    let mut seen = HashSet::new();
    let new = files.iter().filter(|it| it.links <= 1 || seen.insert(it.inode));
    new.fold(0, |sum, it| sum.saturating_add(it.allocated))
}

// === impl BaseFile ===

impl BaseFile {
    /// `Err(text)` is a name that is not UTF-8, made readable.
    fn new(name: Result<&str, String>, meta: &Metadata) -> Option<Self> {
        let kind = match (&name, meta.file_type()) {
            (_, kind) if kind.is_symlink() => Kind::Link,
            (Ok(name), kind) if kind.is_file() => Kind::of(name),
            (Err(_), kind) if kind.is_file() => Kind::Other,
            _ => return None,
        };
        let mtime = time(meta.mtime(), meta.mtime_nsec());
        Some(Self {
            name: name.map_or_else(|text| text, str::to_owned),
            kind,
            size: meta.len(),
            allocated: meta.blocks().saturating_mul(512),
            mtime,
            last_used: mtime,
            changed: (meta.ctime(), meta.ctime_nsec()),
            inode: (meta.dev(), meta.ino()),
            links: meta.nlink(),
            uid: meta.uid(),
        })
    }

    /// Whether nothing has happened to the file since: no exchange, no growth, no use.
    pub(super) fn is_still(&self, meta: &Metadata) -> bool {
        let mtime = time(meta.mtime(), meta.mtime_nsec());
        meta.is_file() && (meta.dev(), meta.ino()) == self.inode && meta.len() == self.size && mtime == self.mtime
    }

    /// The name in nova's lock of this file: that of the base that a download is for, else its own.
    pub fn lock_name(&self) -> &str {
        match &self.kind {
            Kind::Part { of } => of,
            _ => &self.name,
        }
    }
}

/// File systems keep more years than calendars do.
fn time(secs: i64, nanos: i64) -> DateTime<Utc> {
    let far = if secs < 0 { DateTime::<Utc>::MIN_UTC } else { DateTime::<Utc>::MAX_UTC };
    DateTime::from_timestamp(secs, u32::try_from(nanos).unwrap_or(0)).unwrap_or(far)
}
