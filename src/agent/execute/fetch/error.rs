//! Why an image did not arrive.

use crate::agent::{
    base_dir::{LockError, PublishError, ScanError},
    desired::Failure,
    execute::publish::AppearError,
    plan::fetch::{Missing, NoRoom, Refused},
    signatures::SignerError,
};
use crate::base::{byte_size::ByteSize, digest::Algorithm};
use crate::diskformat::{Refusal, convert::ConvertError};
use crate::image::signature::SignatureError;
use crate::remote::RemoteError;
use std::{io, path::PathBuf, time::Duration};

/// Why an image did not arrive.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum FetchError {
    /// The catalogue did not show it.
    #[error("the catalogue does not show the image")]
    Ask(#[source] RemoteError),
    /// Its record rules it out.
    #[error("the image is refused")]
    Refused(#[source] Refused),
    /// Nothing to verify its signature by.
    #[error("the signature cannot be verified")]
    Signer(#[source] Box<SignerError>),
    /// There is too little room for it.
    #[error(transparent)]
    Room(#[from] NoRoom),
    /// The base directory could not be looked at.
    #[error("the base directory cannot be looked at")]
    Look(#[source] ScanError),
    /// Its free space could not be asked.
    #[error("the free space of {} cannot be asked", path.display())]
    Space {
        /// The base directory.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Those who share the directory could not be told how much room it takes.
    #[error("cannot tell the other hosts' agents in {} how much room it takes", path.display())]
    Told {
        /// The folder that they share.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Something that is no base has its name.
    #[error("{} is in the way: not a regular file; remove it by hand", path.display())]
    InTheWay {
        /// The base's path.
        path: PathBuf,
    },
    /// Nova's lock failed.
    #[error("nova's lock of the base cannot be taken")]
    Lock(#[source] LockError),
    /// The bytes did not come, or are not the image's.
    #[error("the transfer failed")]
    Transfer(#[source] TransferError),
    /// The content is not what it says, or not safe.
    #[error("the image is refused: its content does not pass")]
    Content(#[source] Refusal),
    /// It could not be made raw.
    #[error("making the image raw failed")]
    Convert(#[source] ConvertError),
    /// It did not become the base.
    #[error("the base could not be published")]
    Appear(#[source] AppearError),
    /// It was taken out of the queue, or the agent stops.
    #[error("stopped")]
    Cancelled,
    /// A fault of this program.
    #[error("the fetch ended by a fault of this program; the log has its place, please report it")]
    Died,
}

/// Why the bytes did not come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum TransferError {
    /// The catalogue, or the way to it.
    #[error("after {} and {cuts} new starts without progress", ByteSize(*got))]
    Remote {
        /// Bytes that had come.
        got: u64,
        /// Starts without a byte.
        cuts: u32,
        /// The last trouble.
        source: RemoteError,
    },
    /// Silence.
    #[error("the server sent nothing for {} s, {} had come", patience.as_secs(), ByteSize(*got))]
    Stalled {
        /// Bytes that had come.
        got: u64,
        /// How long was waited.
        patience: Duration,
    },
    /// More or fewer bytes than the record says.
    #[error("the server has {got} bytes, the image's record says {expected}")]
    Length {
        /// Bytes at the server.
        got: u64,
        /// Bytes by the record.
        expected: u64,
    },
    /// Other bytes than the record says.
    #[error("the bytes are not the image's: their {algorithm} is {got}, the image's record says {expected}")]
    Hash {
        /// The algorithm.
        algorithm: Algorithm,
        /// Of what came.
        got: String,
        /// By the record.
        expected: String,
    },
    /// Other bytes than were signed.
    #[error("the bytes are not what was signed: sign the image again at the catalogue, or find out who has changed it")]
    Signature(#[source] SignatureError),
    /// The hash could not be computed.
    #[error("the bytes cannot be verified")]
    Digest(#[source] crate::base::digest::DigestError),
    /// The disk is full.
    #[error(
        "no room in {}: the image takes {}, and {} are free now: prune, or make room",
        path.display(), ByteSize(*need), ByteSize(*free)
    )]
    Full {
        /// The staging file.
        path: PathBuf,
        /// Bytes of the image.
        need: u64,
        /// Bytes free when it happened.
        free: u64,
    },
    /// Writing failed.
    #[error("cannot write {}", path.display())]
    Write {
        /// The staging file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// It was taken out of the queue, or the agent stops.
    #[error("stopped")]
    Cancelled,
}

/// Whether the system said that there is no room.
pub(super) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded)
}

// === impl TransferError ===

impl TransferError {
    /// Whether the bytes that have come are of use for the next try.
    pub fn may_go_on(&self) -> bool {
        match self {
            Self::Remote { source, .. } => source.is_transient(),
            Self::Stalled { .. } | Self::Cancelled => true,
            _ => false,
        }
    }
}

// === impl FetchError ===

impl FetchError {
    /// Whether it may work next time as it is.
    pub fn kind(&self) -> Failure {
        let passing = match self {
            Self::Ask(error) => error.is_transient(),
            Self::Refused(refused) => refused.may_pass(),
            Self::Room(error) => !error.is_for_good(),
            Self::Transfer(TransferError::Remote { source, .. }) => source.is_transient(),
            Self::Signer(error) => !error.is_lasting(),
            Self::InTheWay { .. } | Self::Content(_) | Self::Transfer(TransferError::Signature(_)) => false,
            Self::Convert(error) => !error.is_permanent(),
            _ => true,
        };
        if passing { Failure::Passing } else { Failure::Lasting }
    }

    /// Whether what was downloaded stays for the next try: not when somebody else has filled the disk. What stays goes first
    /// when others need the room.
    pub fn may_go_on(&self) -> bool {
        match self {
            Self::Transfer(error) => error.may_go_on(),
            Self::Ask(error) => error.is_transient(),
            Self::Convert(error) => matches!(error, ConvertError::Cancelled),
            Self::Signer(error) => !error.is_lasting(),
            Self::Room(error) => !error.is_for_good(),
            Self::Cancelled | Self::Lock(_) | Self::Look(_) | Self::Space { .. } | Self::Told { .. } => true,
            _ => false,
        }
    }

    /// One of few words, for metrics.
    pub fn label(&self) -> &'static str {
        match self {
            Self::Ask(_) => "catalogue",
            Self::Refused(_) | Self::Content(_) => "refused",
            Self::Room(_) | Self::Transfer(TransferError::Full { .. }) => "no_room",
            Self::Look(_) | Self::Space { .. } | Self::Told { .. } | Self::InTheWay { .. } => "directory",
            Self::Lock(_) => "lock",
            Self::Signer(_) | Self::Transfer(TransferError::Signature(_)) => "signature",
            Self::Transfer(TransferError::Hash { .. } | TransferError::Length { .. }) => "corrupt",
            Self::Transfer(TransferError::Write { .. }) => "write",
            Self::Transfer(_) => "transfer",
            Self::Convert(_) => "convert",
            Self::Appear(_) => "publish",
            Self::Cancelled => "stopped",
            Self::Died => "fault",
        }
    }

    /// Whether the disk, or the cache, is full: that is not the image's fault, and passes.
    pub fn is_full(&self) -> bool {
        match self {
            Self::Room(error) => !error.is_for_good(),
            Self::Transfer(TransferError::Full { .. }) | Self::Convert(ConvertError::NoRoom { .. }) => true,
            Self::Appear(AppearError::Publish(PublishError::Prepare { source, .. })) => is_full(source),
            _ => false,
        }
    }

    /// What must go before it fits.
    pub fn missing(&self) -> Missing {
        match self {
            Self::Room(error) => error.lacks(),
            Self::Transfer(TransferError::Full { need, free, .. }) => {
                Missing { bytes: need.saturating_sub(*free), on_disk: true }
            }
            _ => Missing::default(),
        }
    }

    /// How long the server wants to be left alone.
    pub fn retry_after(&self) -> Option<Duration> {
        match self {
            Self::Ask(error) | Self::Transfer(TransferError::Remote { source: error, .. }) => error.retry_after(),
            _ => None,
        }
    }

    /// Whether somebody stopped it.
    pub fn is_stop(&self) -> bool {
        matches!(
            self,
            Self::Cancelled
                | Self::Transfer(TransferError::Cancelled)
                | Self::Convert(ConvertError::Cancelled)
                | Self::Lock(LockError::Cancelled { .. })
                | Self::Appear(AppearError::Lock(LockError::Cancelled { .. }))
        )
    }
}
