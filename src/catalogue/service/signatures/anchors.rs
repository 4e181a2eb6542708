//! The certificates that vouch for signers.

use crate::base::certificate::{Anchor, Certificate, NotACertificate};
use std::{
    fs::{self, File},
    io::{self, Read},
    path::{Path, PathBuf},
};

/// Longest file, bytes.
const LONGEST: u64 = 1 << 20;

/// Most certificates that are trusted.
const MOST: usize = 1000;

/// `signature_trust_anchors` cannot be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AnchorsError {
    /// The file or the folder cannot be read.
    #[error("signature_trust_anchors: cannot read {}", path.display())]
    Read {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// There is something else in it.
    #[error("signature_trust_anchors: {} holds something else than certificates", path.display())]
    Malformed {
        /// Which.
        path: PathBuf,
        /// Why.
        source: NotACertificate,
    },
    /// It is too large.
    #[error("signature_trust_anchors: {} is longer than 1 MiB", path.display())]
    TooLong {
        /// Which.
        path: PathBuf,
    },
    /// There are too many.
    #[error("signature_trust_anchors: {} has more than {MOST} certificates", path.display())]
    TooMany {
        /// The file or the folder.
        path: PathBuf,
    },
    /// Nobody would be trusted.
    #[error("signature_trust_anchors: there is no certificate in {}: put one there (*.pem, *.crt), or do not set it", path.display())]
    None {
        /// The file or the folder.
        path: PathBuf,
    },
}

/// Reads a file, or the `*.pem` and `*.crt` of a folder. Blocks.
///
/// # Errors
/// [`AnchorsError`]; one certificate that is none spoils all.
pub(super) fn read(path: &Path) -> Result<Vec<Anchor>, AnchorsError> {
    let mut anchors = Vec::new();
    for file in files(path)? {
        let bytes = bytes(&file)?;
        let found = Certificate::read_all(&bytes);
        let found = found.map_err(|source| AnchorsError::Malformed { path: file.clone(), source })?;
        for certificate in found {
            let id = format!("{} ({})", certificate.subject(), file.display());
            anchors.push(Anchor { id, certificate });
        }
        if anchors.len() > MOST {
            return Err(AnchorsError::TooMany { path: path.to_owned() });
        }
    }
    if anchors.is_empty() {
        return Err(AnchorsError::None { path: path.to_owned() });
    }
    Ok(anchors)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, AnchorsError> {
    let failed = |source| AnchorsError::Read { path: path.to_owned(), source };
    if !fs::metadata(path).map_err(failed)?.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path).map_err(failed)? {
        let file = entry.map_err(failed)?.path();
        if file.extension().is_some_and(|it| it == "pem" || it == "crt") {
            files.push(file);
        }
        if files.len() > MOST {
            return Err(AnchorsError::TooMany { path: path.to_owned() });
        }
    }
    files.sort();
    Ok(files)
}

fn bytes(file: &Path) -> Result<Vec<u8>, AnchorsError> {
    let mut bytes = Vec::new();
    let read = File::open(file).and_then(|it| it.take(LONGEST + 1).read_to_end(&mut bytes));
    read.map_err(|source| AnchorsError::Read { path: file.to_owned(), source })?;
    if bytes.len() as u64 > LONGEST {
        return Err(AnchorsError::TooLong { path: file.to_owned() });
    }
    Ok(bytes)
}
