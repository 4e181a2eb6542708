//! How a conversion fails.

use crate::diskformat::{BackingError, Format};
use std::{io, path::PathBuf};

/// A conversion that did not come to its end; nothing is left at the target.
#[derive(Debug, thiserror::Error)]
pub enum ConvertError {
    /// The source cannot be read.
    #[error("cannot read {}", path.display())]
    ReadSource {
        /// The image.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// Which other files the source stands on cannot be told.
    #[error("cannot tell what the image stands on")]
    References(#[source] BackingError),
    /// The source may not, or need not, be converted.
    #[error("the {format} image is not converted: {why}")]
    Refused {
        /// What the image is.
        format: Format,
        /// The reason, in words.
        why: String,
    },
    /// The header claims a disk that is larger than allowed.
    #[error("the image claims a disk of {virtual_size} bytes; the limit is {limit}")]
    TooLarge {
        /// What the header says.
        virtual_size: u64,
        /// `virtual_size_limit`.
        limit: u64,
    },
    /// Only qemu-img reads this, and it is not there.
    #[error("the {format} image needs qemu-img ({why}), which is not installed")]
    NeedsQemuImg {
        /// What the image is.
        format: Format,
        /// What is special about it.
        why: &'static str,
    },
    /// The target cannot be made, or read back.
    #[error("cannot write {}", path.display())]
    WriteTarget {
        /// The raw file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The child process cannot be started.
    #[error("cannot start the conversion process {}", program.display())]
    Start {
        /// What was started.
        program: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The child process failed.
    #[error("the conversion failed ({status}): {words}")]
    Failed {
        /// How it ended.
        status: String,
        /// The last that it said.
        words: String,
    },
    /// No room, or too little of it.
    #[error("no room left at {}", path.display())]
    NoRoom {
        /// The raw file.
        path: PathBuf,
    },
    /// Nothing moved for so long.
    #[error("the conversion made no progress for {seconds} s")]
    Stalled {
        /// `stall_timeout`.
        seconds: u64,
    },
    /// It took longer than it may.
    #[error("the conversion took longer than {seconds} s")]
    TooLong {
        /// `time_limit`.
        seconds: u64,
    },
    /// The caller asked for it.
    #[error("the conversion was cancelled")]
    Cancelled,
    /// The guest's data look like an image themselves, which a reader that probes would follow; or what was made is not sound.
    #[error("the converted disk looks like {found} itself, which is not allowed")]
    BadResult {
        /// What it looks like.
        found: Format,
    },
}

impl ConvertError {
    /// Whether another attempt with the same image must fail too.
    pub fn is_permanent(&self) -> bool {
        matches!(
            self,
            Self::References(BackingError::Damaged { .. })
                | Self::Refused { .. }
                | Self::TooLarge { .. }
                | Self::BadResult { .. }
        )
    }
}
