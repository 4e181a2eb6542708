//! Who has signed an image: the certificate, fetched and found good before the first byte of the image is.

use super::Settings;
use crate::base::certificate::{Anchor, ChainError, check_chain};
use crate::image::signature::{CertificateId, Signature, SignatureError, Signer};
use crate::remote::{
    RemoteError,
    certificates::{CertificateError, Certificates},
};
use chrono::Utc;

/// Finds the signers of images.
#[derive(Clone, Debug)]
pub struct Signers {
    certificates: Certificates,
    trusted: Option<Vec<CertificateId>>,
}

/// There is no certificate to verify an image with.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SignerError {
    /// It did not come.
    #[error("the certificate {id} that its signature needs is not to be had")]
    Certificate {
        /// Which.
        id: CertificateId,
        /// Why.
        source: Box<CertificateError>,
    },
    /// One that is trusted did not come.
    #[error("the trusted certificate {id} is not to be had")]
    Trusted {
        /// Which.
        id: CertificateId,
        /// Why.
        source: Box<CertificateError>,
    },
    /// Nobody is trusted.
    #[error(
        "enable_certificate_validation is on, but [glance] default_trusted_certificate_ids names no certificate to trust"
    )]
    NobodyTrusted,
    /// It is not trusted, or not valid now.
    #[error("the certificate {id} ({subject}) that it is signed with is refused")]
    Refused {
        /// Which.
        id: CertificateId,
        /// Whose.
        subject: String,
        /// Why.
        source: ChainError,
    },
    /// It cannot have signed this.
    #[error("its signature cannot be verified")]
    Unfit(#[source] SignatureError),
}

// === impl Signers ===

impl Signers {
    /// By these settings.
    ///
    /// # Errors
    /// When the key manager's settings make no client.
    pub fn new(settings: &Settings) -> Result<Self, RemoteError> {
        let certificates = Certificates::new(&settings.certificates)?;
        Ok(Self { certificates, trusted: settings.trusted().map(<[_]>::to_vec) })
    }

    /// The certificate of a signature.
    ///
    /// # Errors
    /// [`SignerError`] says what is missing or refused.
    pub async fn find(&self, signature: &Signature) -> Result<Signer, SignerError> {
        let id = signature.certificate();
        let failed = |source| SignerError::Certificate { id: id.clone(), source: Box::new(source) };
        let certificate = self.certificates.get(id).await.map_err(failed)?;
        let signer = Signer::new(signature.clone(), certificate).map_err(SignerError::Unfit)?;
        let certificate = signer.certificate();
        if let Some(trusted) = &self.trusted {
            let anchors = self.anchors(trusted).await?;
            check_chain(certificate, &anchors, Utc::now()).map_err(|source| SignerError::Refused {
                id: id.clone(),
                subject: certificate.subject(),
                source,
            })?;
        }
        Ok(signer)
    }

    /// The trusted ones. One that is not there, or is none, vouches for nobody, as in Nova; so it is said in the log.
    async fn anchors(&self, trusted: &[CertificateId]) -> Result<Vec<Anchor>, SignerError> {
        if trusted.is_empty() {
            return Err(SignerError::NobodyTrusted);
        }
        let mut anchors = Vec::new();
        for id in trusted {
            match self.certificates.get(id).await {
                Ok(certificate) => anchors.push(Anchor { id: id.to_string(), certificate }),
                Err(error) if error.is_lasting() || error.is_missing() => {
                    tracing::warn!(certificate.id = %id, error = %crate::base::chain(&error), "a trusted certificate is left out");
                }
                Err(source) => return Err(SignerError::Trusted { id: id.clone(), source: Box::new(source) }),
            }
        }
        Ok(anchors)
    }
}

// === impl SignerError ===

impl SignerError {
    /// Whether somebody has to change something before it can work.
    pub fn is_lasting(&self) -> bool {
        match self {
            Self::Certificate { source, .. } | Self::Trusted { source, .. } => source.is_lasting(),
            Self::NobodyTrusted | Self::Refused { .. } | Self::Unfit(_) => true,
        }
    }
}
