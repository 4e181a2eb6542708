//! Certificates by their id: from Barbican, OpenStack's key manager, or from a folder.

mod barbican;
mod error;
mod folder;
mod settings;
#[cfg(test)]
mod tests;
mod users;

pub use barbican::KeyManager;
pub use error::CertificateError;
pub use settings::Settings;
pub use users::{User, UserCertificates};

use crate::base::certificate::Certificate;
use crate::image::signature::CertificateId;
use crate::remote::RemoteError;
use folder::Folder;
use std::sync::Arc;

/// Where certificates come from; clones share the login and the connections.
#[derive(Clone, Debug)]
pub struct Certificates(From);

#[derive(Clone, Debug)]
enum From {
    Folder(Folder),
    Barbican(Arc<KeyManager>),
    /// Nowhere, and why.
    Nowhere(Arc<str>),
}

// === impl Certificates ===

impl Certificates {
    /// By these settings; nobody is asked yet. What is missing in them is said when a certificate is asked for.
    ///
    /// # Errors
    /// When the settings make no client.
    pub fn new(settings: &Settings) -> Result<Self, RemoteError> {
        if let Some(path) = &settings.folder {
            return Ok(Self(From::Folder(Folder(path.clone()))));
        }
        if !settings.is_barbican() {
            return Ok(Self(From::Nowhere(settings.other_backend().into())));
        }
        if !settings.barbican.is_somewhere() {
            let why = "there is no Keystone to find Barbican by, and [barbican] barbican_endpoint is not set";
            return Ok(Self(From::Nowhere(why.into())));
        }
        Ok(Self(From::Barbican(Arc::new(KeyManager::new(settings.barbican.clone())?))))
    }

    /// The certificate with this id.
    ///
    /// # Errors
    /// [`CertificateError`] says where it was looked for.
    pub async fn get(&self, id: &CertificateId) -> Result<Certificate, CertificateError> {
        let (bytes, place) = match &self.0 {
            From::Folder(folder) => folder.read(id).await?,
            From::Barbican(barbican) => (barbican.certificate(id).await?, barbican.describe()),
            From::Nowhere(why) => return Err(CertificateError::Nowhere { why: why.to_string() }),
        };
        Certificate::read(&bytes).map_err(|source| CertificateError::Malformed { place, source })
    }

    /// Whether there is anybody to ask: the folder is there, the key manager answers and knows the login.
    ///
    /// # Errors
    /// [`CertificateError`]
    pub async fn probe(&self) -> Result<(), CertificateError> {
        match &self.0 {
            From::Folder(folder) => folder.probe().await,
            From::Barbican(barbican) => barbican.probe().await,
            From::Nowhere(why) => Err(CertificateError::Nowhere { why: why.to_string() }),
        }
    }

    /// Where they come from, for people.
    pub fn describe(&self) -> String {
        match &self.0 {
            From::Folder(folder) => folder.0.display().to_string(),
            From::Barbican(barbican) => barbican.describe(),
            From::Nowhere(_) => "nowhere".to_owned(),
        }
    }
}
