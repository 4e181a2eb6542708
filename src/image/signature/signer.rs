//! A signature together with whose it is.

use super::{Signature, SignatureError};
use crate::base::certificate::{Certificate, VerifyError};

/// An image's signature, with the certificate that it verifies with.
#[derive(Clone, Debug)]
pub struct Signer {
    signature: Signature,
    certificate: Certificate,
}

// === impl Signer ===

impl Signer {
    /// Both, before there is data.
    ///
    /// # Errors
    /// [`SignatureError`]: such a key cannot have signed this, or it cannot be verified by this program and this machine.
    pub fn new(signature: Signature, certificate: Certificate) -> Result<Self, SignatureError> {
        signature.fits(&certificate)?;
        // Whether it can be verified at all shows on any digest.
        let probe = "0".repeat(signature.hash().hex_len());
        match signature.verify(&certificate, &probe) {
            Ok(()) | Err(SignatureError::Wrong { source: VerifyError::Mismatch, .. }) => {
                Ok(Self { signature, certificate })
            }
            Err(other) => Err(other),
        }
    }

    /// The signature.
    pub fn signature(&self) -> &Signature {
        &self.signature
    }

    /// The certificate.
    pub fn certificate(&self) -> &Certificate {
        &self.certificate
    }

    /// Verifies the image by the hash of its data ([`Signature::hash`]), in hex.
    ///
    /// # Errors
    /// [`SignatureError`]
    pub fn verify(&self, hash: &str) -> Result<(), SignatureError> {
        self.signature.verify(&self.certificate, hash)
    }
}
