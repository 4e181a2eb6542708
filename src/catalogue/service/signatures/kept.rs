//! A certificate that an import keeps, as its row has it.

use crate::base::certificate::Certificate;
use crate::catalogue::service::Fault;
use crate::image::signature::{CertificateId, Signer};
use base64::{Engine, engine::general_purpose::STANDARD};
use serde::{Deserialize, Serialize};

/// Longest certificate that is kept, bytes of DER: rows have room for 64 KiB.
const LONGEST: usize = 24 << 10;

/// A certificate, and the id by which the image's properties name it.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(in crate::catalogue::service) struct Kept {
    id: String,
    /// In base64.
    der: String,
}

// === impl Kept ===

impl Kept {
    /// # Errors
    /// `Invalid`: it is too long.
    pub(in crate::catalogue::service) fn of(signer: &Signer) -> Result<Self, Fault> {
        let (id, der) = (signer.signature().certificate(), signer.certificate().der());
        if der.len() > LONGEST {
            let words = format!(
                "The certificate {id} has {} bytes; that of an imported image has at most {LONGEST}.",
                der.len()
            );
            return Err(Fault::Invalid(words));
        }
        Ok(Self { id: id.to_string(), der: STANDARD.encode(der) })
    }

    /// The certificate, if it is the one of this id.
    pub(super) fn get(&self, id: &CertificateId) -> Option<Certificate> {
        let der = STANDARD.decode(&self.der).ok().filter(|_| self.id == id.as_str())?;
        Certificate::read(&der).ok()
    }
}
