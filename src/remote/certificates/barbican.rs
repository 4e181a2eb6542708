//! Barbican's secrets, as castellan reads them: first what a secret is, then its payload.

use super::CertificateError;
use crate::image::signature::CertificateId;
use crate::remote::{RemoteError, Settings, session::Session, transport::Transport};
use serde::Deserialize;
use std::{collections::BTreeMap, sync::Arc};

/// A Barbican.
pub struct KeyManager {
    session: Session,
}

/// A secret without its payload.
#[derive(Deserialize)]
struct Secret {
    #[serde(default)]
    secret_type: Option<String>,
    /// By what the payload can be asked for: `{"default": "application/octet-stream"}`.
    #[serde(default)]
    content_types: BTreeMap<String, String>,
}

// === impl KeyManager ===

impl KeyManager {
    /// Connects to nobody yet: the login happens with the first call.
    ///
    /// # Errors
    /// When the settings make no client.
    pub fn new(settings: Settings) -> Result<Self, RemoteError> {
        Ok(Self { session: Session::new(settings)? })
    }

    /// Likewise, over connections that others use, too.
    pub(super) fn over(transport: Arc<Transport>, settings: Settings) -> Result<Self, RemoteError> {
        Ok(Self { session: Session::over(transport, settings)? })
    }

    /// Where it is, for people.
    pub fn describe(&self) -> String {
        self.session.settings().place("the key manager")
    }

    /// The payload of the secret of this id, which must be of type `certificate`.
    pub(super) async fn certificate(&self, id: &CertificateId) -> Result<Vec<u8>, CertificateError> {
        let doing = format!("asking for certificate {id}");
        let path = format!("/v1/secrets/{id}");
        let (call, response) = self.session.call(&doing, &path, |client, url| client.get(url)).await?;
        let secret: Secret = call.json(call.check(response).await?).await?;
        let kind = secret.secret_type.unwrap_or_else(|| "opaque".to_owned());
        if kind != "certificate" {
            let kind = kind.chars().filter(|it| !it.is_control()).take(40).collect();
            return Err(CertificateError::OtherKind { place: call.url, kind });
        }
        let accept = secret.content_types.get("default").map_or("application/octet-stream", String::as_str);
        let path = format!("{path}/payload");
        let (call, response) = self.session.call_for(accept, &doing, &path, |client, url| client.get(url)).await?;
        Ok(call.bytes(call.check(response).await?).await?)
    }

    /// Whether it answers, and knows the login.
    pub(super) async fn probe(&self) -> Result<(), CertificateError> {
        let (call, response) = self
            .session
            .call("looking for the key manager", "/v1/secrets?limit=1", |client, url| client.get(url))
            .await?;
        call.check(response).await?;
        Ok(())
    }
}

impl std::fmt::Debug for KeyManager {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_tuple("KeyManager").field(&self.describe()).finish()
    }
}
