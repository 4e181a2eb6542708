//! What a conversion may use.

use crate::diskformat::Format;
use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// What is made of an image.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Output {
    /// The disk's bytes.
    #[default]
    Raw,
    /// QEMU's format, as `qemu-img` makes it.
    Qcow2,
    /// VMware's, monolithicSparse.
    Vmdk,
}

/// Nothing else is made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no format that images are converted to; there are raw, qcow2 and vmdk")]
pub struct UnknownOutput(pub String);

/// Limits of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program with the subcommand `convert-worker`; this program itself if none.
    pub worker: Option<PathBuf>,
    /// `qemu-img`, for the formats that are not read natively; looked for in the usual places if none.
    pub qemu_img: Option<PathBuf>,
    /// Threads of a conversion; one per core, but no more than 8, if 0.
    pub threads: usize,
    /// Bytes of memory (address space) that a conversion may map. qemu-img needs 512 MiB.
    pub memory_limit: u64,
    /// CPU time of all threads of a conversion.
    pub cpu_limit: Duration,
    /// How long a conversion may go without progress.
    pub stall_timeout: Duration,
    /// How long a conversion may take in all.
    pub time_limit: Option<Duration>,
    /// The largest disk that is converted, bytes; a header may claim anything.
    pub virtual_size_limit: u64,
    /// Bytes that stay free on the target's file system: a conversion that would take them is stopped.
    pub keep_free: u64,
    /// Whether a conversion gives way to everything else on the machine (nice 19, idle I/O class).
    pub idle: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker: None,
            qemu_img: None,
            threads: 0,
            memory_limit: 1 << 30,
            cpu_limit: Duration::from_secs(4 * 3600),
            stall_timeout: Duration::from_secs(600),
            time_limit: None,
            virtual_size_limit: 16 << 40,
            keep_free: 0,
            idle: false,
        }
    }
}

// === impl Output ===

impl Output {
    /// The name, which is qemu's, too.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Vmdk => "vmdk",
        }
    }

    /// Whether a file of this format is such a one.
    pub fn is(self, format: Format) -> bool {
        match self {
            Self::Raw => format.is_raw(),
            Self::Qcow2 => format == Format::Qcow2,
            Self::Vmdk => format == Format::Vmdk,
        }
    }
}

impl fmt::Display for Output {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Output {
    type Err = UnknownOutput;

    fn from_str(text: &str) -> Result<Self, UnknownOutput> {
        let unknown = || UnknownOutput(text.chars().take(80).collect());
        [Self::Raw, Self::Qcow2, Self::Vmdk].into_iter().find(|it| it.as_str() == text).ok_or_else(unknown)
    }
}
