//! A folder of certificates.

use super::CertificateError;
use crate::image::signature::CertificateId;
use std::{
    fs::File,
    io::{self, Read},
    path::PathBuf,
};

/// A folder with `<id>.pem`, `<id>.crt` and `<id>.der`.
#[derive(Clone, Debug)]
pub(super) struct Folder(pub(super) PathBuf);

const ENDINGS: [&str; 3] = ["pem", "crt", "der"];
/// What is longer is no certificate; its reader says so.
const LONGEST: u64 = (64 << 10) + 1;

// === impl Folder ===

impl Folder {
    /// The bytes of the file, and its path.
    pub(super) async fn read(&self, id: &CertificateId) -> Result<(Vec<u8>, String), CertificateError> {
        let (folder, id) = (self.0.clone(), id.to_string());
        let read = move || {
            for ending in ENDINGS {
                let path = folder.join(format!("{id}.{ending}"));
                let mut bytes = Vec::new();
                match File::open(&path).and_then(|file| file.take(LONGEST).read_to_end(&mut bytes)) {
                    Ok(_) => return Ok((bytes, path.display().to_string())),
                    Err(error) if error.kind() == io::ErrorKind::NotFound => {}
                    Err(source) => return Err(CertificateError::Read { path, source }),
                }
            }
            // A folder that is not there, such as one that is not mounted, is another trouble.
            match folder.read_dir() {
                Ok(_) => Err(CertificateError::NoFile { id, folder }),
                Err(source) => Err(CertificateError::Read { path: folder, source }),
            }
        };
        tokio::task::spawn_blocking(read).await.unwrap_or_else(|died| Err(self.died(died)))
    }

    pub(super) async fn probe(&self) -> Result<(), CertificateError> {
        let path = self.0.clone();
        let look = move || match path.read_dir() {
            Ok(_) => Ok(()),
            Err(source) => Err(CertificateError::Read { path, source }),
        };
        tokio::task::spawn_blocking(look).await.unwrap_or_else(|died| Err(self.died(died)))
    }

    fn died(&self, died: tokio::task::JoinError) -> CertificateError {
        CertificateError::Read { path: self.0.clone(), source: io::Error::other(died) }
    }
}
