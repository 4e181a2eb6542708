//! From bytes to a certificate.

use super::key::{self, KeyKind, Scheme, VerifyError};
use crate::base::digest::Algorithm;
use base64::{Engine, engine::general_purpose::STANDARD};
use chrono::{DateTime, Utc};
use x509_cert::{
    certificate::{CertificateInner, Raw},
    der::{Decode, Encode, Reader, SliceReader},
    ext::pkix::{BasicConstraints, KeyUsage},
    time::Time,
};

/// An X.509 certificate.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Certificate {
    der: Vec<u8>,
    /// The part that its issuer has signed, as it was written.
    signed: Vec<u8>,
    parsed: CertificateInner<Raw>,
}

/// The bytes are no certificate.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("it is no X.509 certificate in PEM or DER: {0}")]
pub struct NotACertificate(pub String);

/// Longest certificate that is read, bytes.
const LONGEST: usize = 64 << 10;
const BEGIN: &[u8] = b"-----BEGIN CERTIFICATE-----";
const END: &[u8] = b"-----END CERTIFICATE-----";

// === impl Certificate ===

impl Certificate {
    /// From PEM (the first certificate in it counts, text before it is skipped) or DER, up to 64 KiB.
    ///
    /// # Errors
    /// [`NotACertificate`] says why.
    pub fn read(bytes: &[u8]) -> Result<Self, NotACertificate> {
        if bytes.len() > LONGEST {
            return Err(NotACertificate(format!("it is longer than {LONGEST} bytes")));
        }
        let der = match find(bytes, BEGIN) {
            Some(at) => unwrap(&bytes[at + BEGIN.len()..])?,
            None => bytes.to_vec(),
        };
        let malformed = |error: x509_cert::der::Error| NotACertificate(error.to_string());
        let parsed = CertificateInner::<Raw>::from_der(&der).map_err(malformed)?;
        let signed = signed_part(&der).map_err(malformed)?;
        Ok(Self { der, signed, parsed })
    }

    /// All that stand in a file, one after the other: PEM, or one in DER.
    ///
    /// # Errors
    /// [`NotACertificate`] of the first that is none.
    pub fn read_all(bytes: &[u8]) -> Result<Vec<Self>, NotACertificate> {
        let Some(mut at) = find(bytes, BEGIN) else { return Ok(vec![Self::read(bytes)?]) };
        let mut found = Vec::new();
        loop {
            let rest = &bytes[at + BEGIN.len()..];
            let next = find(rest, BEGIN);
            let one = &bytes[at..next.map_or(bytes.len(), |it| at + BEGIN.len() + it)];
            found.push(Self::read(one)?);
            match next {
                Some(next) => at += BEGIN.len() + next,
                None => return Ok(found),
            }
        }
    }

    /// Its bytes.
    pub fn der(&self) -> &[u8] {
        &self.der
    }

    #[cfg(test)]
    pub(super) fn parsed_key(&self) -> &x509_cert::SubjectPublicKeyInfo {
        self.parsed.tbs_certificate().subject_public_key_info()
    }

    /// What kind of key it certifies.
    pub fn key(&self) -> KeyKind {
        KeyKind::of(self.parsed.tbs_certificate().subject_public_key_info())
    }

    /// Whether its key has signed data with this digest: `digest` is the `hash` of the data.
    ///
    /// # Errors
    /// [`VerifyError`]: it has not, or that can't be found out.
    pub fn verify(&self, scheme: Scheme, hash: Algorithm, digest: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
        let key = self.parsed.tbs_certificate().subject_public_key_info();
        key::verify(key, scheme, hash, digest, signature)
    }

    /// Whose key it is, as `CN=…,O=…`; at most 200 characters.
    pub fn subject(&self) -> String {
        shown(&self.parsed.tbs_certificate().subject().to_string())
    }

    /// Who has signed it, likewise.
    pub fn issuer(&self) -> String {
        shown(&self.parsed.tbs_certificate().issuer().to_string())
    }

    /// From when on it is valid.
    pub fn not_before(&self) -> DateTime<Utc> {
        time(self.parsed.tbs_certificate().validity().not_before)
    }

    /// The last second of its validity.
    pub fn not_after(&self) -> DateTime<Utc> {
        time(self.parsed.tbs_certificate().validity().not_after)
    }

    /// Whether it names itself as its issuer.
    pub(super) fn is_self_issued(&self) -> bool {
        let it = self.parsed.tbs_certificate();
        it.subject() == it.issuer()
    }

    /// Whether its key may sign certificates: it says so in both of the extensions that matter.
    pub(super) fn is_authority(&self) -> bool {
        let usage = self.parsed.tbs_certificate().get_extension::<KeyUsage>().ok().flatten();
        self.constraints().is_some_and(|it| it.ca) && usage.is_some_and(|(_, it)| it.key_cert_sign())
    }

    /// How many authorities there may be between it and the last certificate of a chain; none: any number.
    pub(super) fn longest_path(&self) -> Option<usize> {
        self.constraints().and_then(|it| it.path_len_constraint).map(usize::from)
    }

    fn constraints(&self) -> Option<BasicConstraints> {
        self.parsed.tbs_certificate().get_extension::<BasicConstraints>().ok().flatten().map(|(_, it)| it)
    }

    /// Whether this one's key has signed `other`, in the name of its subject.
    pub(super) fn has_issued(&self, other: &Self) -> bool {
        let (ours, theirs) = (self.parsed.tbs_certificate(), other.parsed.tbs_certificate());
        if ours.subject() != theirs.issuer() || other.parsed.signature_algorithm() != theirs.signature() {
            return false;
        }
        let Some((scheme, hash)) = Scheme::of(other.parsed.signature_algorithm().oid) else { return false };
        let Some(signature) = other.parsed.signature().as_bytes() else { return false };
        let digest = key::digest(hash, &other.signed);
        self.verify(scheme, hash, &digest, signature).is_ok()
    }
}

fn find(bytes: &[u8], what: &[u8]) -> Option<usize> {
    bytes.windows(what.len()).position(|it| it == what)
}

/// The DER in what stands after the first line of PEM.
fn unwrap(text: &[u8]) -> Result<Vec<u8>, NotACertificate> {
    let end = find(text, END).ok_or_else(|| NotACertificate("its PEM has no last line".to_owned()))?;
    let letters: Vec<u8> = text[..end].iter().copied().filter(|it| !it.is_ascii_whitespace()).collect();
    STANDARD.decode(letters).map_err(|error| NotACertificate(format!("its PEM is not base64: {error}")))
}

fn signed_part(der: &[u8]) -> x509_cert::der::Result<Vec<u8>> {
    let mut reader = SliceReader::new(der)?;
    reader.sequence(|inner| {
        let signed = inner.tlv_bytes()?.to_vec();
        while !inner.is_finished() {
            inner.tlv_bytes()?;
        }
        Ok(signed)
    })
}

/// A year beyond what times of X.509 hold does not occur.
fn time(time: Time) -> DateTime<Utc> {
    let seconds = i64::try_from(time.to_unix_duration().as_secs()).unwrap_or(i64::MAX);
    DateTime::from_timestamp(seconds, 0).unwrap_or(DateTime::<Utc>::MAX_UTC)
}

fn shown(name: &str) -> String {
    name.chars().filter(|it| !it.is_control()).take(200).collect()
}

/// The DER of a key, for libcrypto.
pub(super) fn encoded(key: &x509_cert::SubjectPublicKeyInfo) -> Option<Vec<u8>> {
    key.to_der().ok()
}
