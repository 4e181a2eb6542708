//! Why a certificate did not come.

use crate::base::certificate::NotACertificate;
use crate::remote::RemoteError;
use std::{io, path::PathBuf, time::Duration};

/// Why a certificate did not come.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum CertificateError {
    /// Nobody is to be asked.
    #[error("no certificates are to be had: {why}; set certificate_directory, or a key manager")]
    Nowhere {
        /// Why.
        why: String,
    },
    /// The key manager gives certificates to users only.
    #[error("the key manager gives a certificate to a user who is logged in at Keystone, and here nobody is")]
    Nobody,
    /// It took too long.
    #[error("the certificate did not come within {} s", patience.as_secs())]
    Slow {
        /// The longest wait.
        patience: Duration,
    },
    /// No such file.
    #[error("there is no {id}.pem, {id}.crt or {id}.der in {}", folder.display())]
    NoFile {
        /// The certificate.
        id: String,
        /// The folder.
        folder: PathBuf,
    },
    /// The file, or the folder, cannot be read.
    #[error("cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The key manager did not give it.
    #[error(transparent)]
    Remote(#[from] RemoteError),
    /// The key manager has something else under this id.
    #[error(
        "{place} has a secret of type '{kind}' under this id, which is not 'certificate': store it with --secret-type certificate"
    )]
    OtherKind {
        /// Where.
        place: String,
        /// Its type.
        kind: String,
    },
    /// It is no certificate.
    #[error("what {place} has under this id is not usable")]
    Malformed {
        /// Where.
        place: String,
        /// Why.
        source: NotACertificate,
    },
}

// === impl CertificateError ===

impl CertificateError {
    /// Whether what is there has to be replaced. All else may pass: a key manager comes back, a certificate is added, an
    /// access list is changed.
    pub fn is_lasting(&self) -> bool {
        matches!(self, Self::OtherKind { .. } | Self::Malformed { .. })
    }

    /// Whether the same call may work a little later, though nobody changes anything: a server or a file system is away.
    pub fn is_passing(&self) -> bool {
        match self {
            Self::Slow { .. } | Self::Read { .. } => true,
            Self::Remote(error) => error.is_transient(),
            _ => false,
        }
    }

    /// Whether there is nothing under this id, or not for us.
    pub fn is_missing(&self) -> bool {
        match self {
            Self::NoFile { .. } => true,
            Self::Remote(error) => error.is_not_found(),
            _ => false,
        }
    }
}
