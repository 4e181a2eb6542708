//! Which other files a disk on this machine stands on.

mod header;
mod name;
#[cfg(test)]
mod tests;

pub use name::Unresolvable;

use super::{Format, bytes};
use std::{
    io::{self, Read, Seek},
    path::{Path, PathBuf},
};

/// The name of another file, as the header has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Backing {
    /// The name as written: a path, absolute or relative to the disk, `file:…`, `json:{…}`, or another protocol's.
    pub name: Vec<u8>,
    /// The other file's format, where the header declares it.
    pub format: Option<String>,
}

impl Backing {
    /// The path of the file that is meant, for a disk at `disk`.
    ///
    /// Not every name means a file on this machine; whoever asks what is in use must take an error as doubt.
    pub fn resolve(&self, disk: &Path) -> Result<PathBuf, Unresolvable> {
        name::resolve(&self.name, disk)
    }
}

/// All that a disk stands on.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct References {
    /// The disk's own format; `Raw` for anything that names no other files.
    pub format: Format,
    /// Bytes that a guest sees, where the header says it (qcow2); a raw disk has its length.
    pub virtual_size: Option<u64>,
    /// The file under it.
    pub backing: Option<Backing>,
    /// Where its own data are, if elsewhere: a qcow2's external data file, a VMDK's extents.
    pub data: Vec<Backing>,
}

/// Why the header did not tell. A caller who must be sure treats each as "it may stand on anything".
#[derive(Debug, thiserror::Error)]
pub enum BackingError {
    /// The file cannot be read.
    #[error("cannot read the disk's header")]
    Read(#[source] io::Error),
    /// A header that contradicts itself.
    #[error("the {format} header is damaged: {what}")]
    Damaged {
        /// What the file claims to be.
        format: Format,
        /// What is wrong.
        what: &'static str,
    },
}

/// Reads the name of the file under a disk from its header: qcow2 (all versions), qed, vmdk; none for others.
///
/// Reads less than 1 MiB whatever the header says. Blocks.
pub fn backing_file<F: Read + Seek>(file: &mut F) -> Result<Option<Backing>, BackingError> {
    references(file).map(|it| it.backing)
}

/// Like [`backing_file`], with the files that hold the disk's own data.
pub fn references<F: Read + Seek>(file: &mut F) -> Result<References, BackingError> {
    header::read(file)
}
