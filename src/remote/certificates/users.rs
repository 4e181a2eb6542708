//! Certificates that users name, asked for in their name.

use super::{CertificateError, KeyManager, Settings, folder::Folder};
use crate::base::certificate::Certificate;
use crate::image::signature::CertificateId;
use crate::remote::{Auth, RemoteError, Secret, keystone::endpoint_in, transport::Transport};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{sync::OnceCell, time::timeout};

/// Somebody who is logged in at Keystone.
#[derive(Clone, Debug)]
pub struct User {
    /// The user's token.
    pub token: Secret,
    /// Keystone's service catalogue for the user.
    pub catalog: Option<Arc<Value>>,
}

/// Where certificates come from that each user may have or not.
pub struct UserCertificates {
    settings: Settings,
    /// Connections to the key manager, which all users share; made for the first one.
    transport: OnceCell<Arc<Transport>>,
}

/// Longest wait for a certificate, all calls together.
const PATIENCE: Duration = Duration::from_secs(45);

// === impl UserCertificates ===

impl UserCertificates {
    /// By these settings; nobody is asked yet.
    pub fn new(settings: Settings) -> Self {
        Self { settings, transport: OnceCell::new() }
    }

    /// Whether a user has to be logged in to get one, and needs the service catalogue.
    pub fn wants_user(&self) -> (bool, bool) {
        let asks = self.settings.folder.is_none() && self.settings.is_barbican();
        (asks, asks && self.settings.barbican.endpoint.is_none())
    }

    /// The certificate with this id, if `user` may have it; of a folder, everybody may have all. At most 45 s.
    ///
    /// # Errors
    /// [`CertificateError`] says where it was looked for.
    pub async fn get(&self, user: Option<&User>, id: &CertificateId) -> Result<Certificate, CertificateError> {
        let got = timeout(PATIENCE, self.bytes(user, id)).await;
        let (bytes, place) = got.unwrap_or(Err(CertificateError::Slow { patience: PATIENCE }))?;
        Certificate::read(&bytes).map_err(|source| CertificateError::Malformed { place, source })
    }

    async fn bytes(&self, user: Option<&User>, id: &CertificateId) -> Result<(Vec<u8>, String), CertificateError> {
        let settings = &self.settings;
        if let Some(path) = &settings.folder {
            return Folder(path.clone()).read(id).await;
        }
        if !settings.is_barbican() {
            return Err(CertificateError::Nowhere { why: settings.other_backend() });
        }
        let user = user.ok_or(CertificateError::Nobody)?;
        let endpoint = match (&settings.barbican.endpoint, &user.catalog) {
            (Some(endpoint), _) => endpoint.clone(),
            (None, Some(catalog)) => endpoint_in(catalog, &settings.barbican)?,
            (None, None) => {
                let why = "[barbican] barbican_endpoint is not set, and Keystone gave no service catalogue";
                return Err(CertificateError::Nowhere { why: why.to_owned() });
            }
        };
        let auth = Auth::Token(user.token.clone());
        let of_user = crate::remote::Settings { endpoint: Some(endpoint), auth, ..settings.barbican.clone() };
        let barbican = KeyManager::over(self.transport().await?, of_user)?;
        Ok((barbican.certificate(id).await?, barbican.describe()))
    }

    async fn transport(&self) -> Result<Arc<Transport>, RemoteError> {
        let make = || async {
            let settings = self.settings.barbican.clone();
            // Reads certificates.
            let made = tokio::task::spawn_blocking(move || Transport::new(&settings)).await;
            made.unwrap_or_else(|died| {
                let (what, source) = ("no client was made of them".to_owned(), Some(Box::new(died).into()));
                Err(RemoteError::Settings { what, source })
            })
            .map(Arc::new)
        };
        self.transport.get_or_try_init(make).await.cloned()
    }
}

impl std::fmt::Debug for UserCertificates {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("UserCertificates").field(&self.settings).finish()
    }
}
