//! Verifying a digest by a certified key.

use super::{read::encoded, system};
use crate::base::digest::Algorithm;
use rsa::{Pkcs1v15Sign, Pss, RsaPublicKey, traits::PublicKeyParts};
use sha2::{Digest, Sha224, Sha256, Sha384, Sha512};
use std::fmt;
use x509_cert::{
    SubjectPublicKeyInfo,
    der::{Decode, oid::ObjectIdentifier},
    spki::SubjectPublicKeyInfoRef,
};

const RSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.113549.1.1.1");
const DSA: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10040.4.1");
const EC: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.2.1");
const P256: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.2.840.10045.3.1.7");
const P384: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.34");
const P521: ObjectIdentifier = ObjectIdentifier::new_unwrap("1.3.132.0.35");

/// Curves by name (SEC 2).
const CURVES: [(&str, &str); 7] = [
    ("1.2.840.10045.3.1.7", "secp256r1"),
    ("1.3.132.0.34", "secp384r1"),
    ("1.3.132.0.35", "secp521r1"),
    ("1.3.132.0.36", "sect409k1"),
    ("1.3.132.0.37", "sect409r1"),
    ("1.3.132.0.38", "sect571k1"),
    ("1.3.132.0.39", "sect571r1"),
];

/// What kind of key a certificate is of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyKind {
    /// RSA.
    Rsa,
    /// DSA.
    Dsa,
    /// Elliptic curve; its name, or its object identifier.
    Ec(String),
    /// Another algorithm, by its object identifier.
    Other(String),
}

/// How a digest is signed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scheme {
    /// RSASSA-PSS with MGF1 of the same hash and the longest salt that fits, as `cryptography`'s `PSS.MAX_LENGTH`.
    RsaPssLongestSalt,
    /// RSASSA-PKCS1-v1_5, which certificates are signed with.
    RsaPkcs1,
    /// DSA, as DER.
    Dsa,
    /// ECDSA, as DER.
    Ecdsa,
}

/// A signature could not be verified, or is wrong.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum VerifyError {
    /// The key has not signed this.
    #[error("the signature is not of these bytes by this key")]
    Mismatch,
    /// The key is malformed, or of a size that nobody should use.
    #[error("the certificate's {0} key is not usable")]
    Key(KeyKind),
    /// Neither this program nor the system's libcrypto can.
    #[error("{kind} keys need OpenSSL, and {}", if *there { "the libcrypto of this machine was built without them" } else { "there is no libcrypto on this machine: install libssl3 (openssl-libs)" })]
    Unsupported {
        /// Of which.
        kind: KeyKind,
        /// Whether there is a libcrypto.
        there: bool,
    },
}

// === impl KeyKind ===

impl KeyKind {
    pub(super) fn of(key: &SubjectPublicKeyInfo) -> Self {
        let algorithm = &key.algorithm;
        match algorithm.oid {
            RSA => Self::Rsa,
            DSA => Self::Dsa,
            EC => Self::Ec(curve(key).map_or_else(|| "unnamed".to_owned(), name)),
            other => Self::Other(other.to_string()),
        }
    }
}

impl fmt::Display for KeyKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rsa => f.write_str("RSA"),
            Self::Dsa => f.write_str("DSA"),
            Self::Ec(curve) => write!(f, "elliptic curve ({curve})"),
            Self::Other(oid) => f.write_str(oid),
        }
    }
}

fn curve(key: &SubjectPublicKeyInfo) -> Option<ObjectIdentifier> {
    key.algorithm.parameters.as_ref()?.decode_as().ok()
}

fn name(curve: ObjectIdentifier) -> String {
    let oid = curve.to_string();
    CURVES.iter().find(|(it, _)| *it == oid).map_or(oid.clone(), |(_, name)| (*name).to_owned())
}

// === impl Scheme ===

impl Scheme {
    /// Of the algorithms that certificates are signed with, those whose hash nobody forges (no MD5, no SHA-1).
    pub(super) fn of(algorithm: ObjectIdentifier) -> Option<(Self, Algorithm)> {
        Some(match algorithm.to_string().as_str() {
            "1.2.840.113549.1.1.14" => (Self::RsaPkcs1, Algorithm::Sha224),
            "1.2.840.113549.1.1.11" => (Self::RsaPkcs1, Algorithm::Sha256),
            "1.2.840.113549.1.1.12" => (Self::RsaPkcs1, Algorithm::Sha384),
            "1.2.840.113549.1.1.13" => (Self::RsaPkcs1, Algorithm::Sha512),
            "1.2.840.10045.4.3.1" => (Self::Ecdsa, Algorithm::Sha224),
            "1.2.840.10045.4.3.2" => (Self::Ecdsa, Algorithm::Sha256),
            "1.2.840.10045.4.3.3" => (Self::Ecdsa, Algorithm::Sha384),
            "1.2.840.10045.4.3.4" => (Self::Ecdsa, Algorithm::Sha512),
            "2.16.840.1.101.3.4.3.1" => (Self::Dsa, Algorithm::Sha224),
            "2.16.840.1.101.3.4.3.2" => (Self::Dsa, Algorithm::Sha256),
            "2.16.840.1.101.3.4.3.3" => (Self::Dsa, Algorithm::Sha384),
            "2.16.840.1.101.3.4.3.4" => (Self::Dsa, Algorithm::Sha512),
            _ => return None,
        })
    }
}

/// The hash of what fits into memory.
pub(super) fn digest(hash: Algorithm, bytes: &[u8]) -> Vec<u8> {
    match hash {
        Algorithm::Sha224 => Sha224::digest(bytes).to_vec(),
        Algorithm::Sha384 => Sha384::digest(bytes).to_vec(),
        Algorithm::Sha512 => Sha512::digest(bytes).to_vec(),
        _ => Sha256::digest(bytes).to_vec(),
    }
}

pub(super) fn verify(
    key: &SubjectPublicKeyInfo,
    scheme: Scheme,
    hash: Algorithm,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    if digest.len() != hash.bytes() {
        return Err(VerifyError::Mismatch);
    }
    match (scheme, KeyKind::of(key)) {
        (Scheme::RsaPssLongestSalt | Scheme::RsaPkcs1, KeyKind::Rsa) => by_rsa(key, scheme, hash, digest, signature),
        (Scheme::Dsa, KeyKind::Dsa) => by_dsa(key, digest, signature),
        (Scheme::Ecdsa, KeyKind::Ec(_)) => by_curve(key, digest, signature),
        (_, kind) => Err(VerifyError::Key(kind)),
    }
}

fn by_rsa(
    key: &SubjectPublicKeyInfo,
    scheme: Scheme,
    hash: Algorithm,
    digest: &[u8],
    signature: &[u8],
) -> Result<(), VerifyError> {
    let unusable = VerifyError::Key(KeyKind::Rsa);
    let der = encoded(key).ok_or(unusable.clone())?;
    let parsed = SubjectPublicKeyInfoRef::from_der(&der).ok().and_then(|it| RsaPublicKey::try_from(it).ok());
    let key = parsed.ok_or(unusable.clone())?;
    // RFC 8017, 9.1.1: the encoded message has a bit less than the modulus.
    let encoded = (key.n().bits() as usize).saturating_sub(1).div_ceil(8);
    let salt = encoded.checked_sub(digest.len() + 2).ok_or(unusable)?;
    let pss = scheme == Scheme::RsaPssLongestSalt;
    let verified = match (hash, pss) {
        (Algorithm::Sha224, true) => key.verify(Pss::<Sha224>::new_with_salt(salt), digest, signature),
        (Algorithm::Sha256, true) => key.verify(Pss::<Sha256>::new_with_salt(salt), digest, signature),
        (Algorithm::Sha384, true) => key.verify(Pss::<Sha384>::new_with_salt(salt), digest, signature),
        (Algorithm::Sha512, true) => key.verify(Pss::<Sha512>::new_with_salt(salt), digest, signature),
        (Algorithm::Sha224, false) => key.verify(Pkcs1v15Sign::new::<Sha224>(), digest, signature),
        (Algorithm::Sha256, false) => key.verify(Pkcs1v15Sign::new::<Sha256>(), digest, signature),
        (Algorithm::Sha384, false) => key.verify(Pkcs1v15Sign::new::<Sha384>(), digest, signature),
        (Algorithm::Sha512, false) => key.verify(Pkcs1v15Sign::new::<Sha512>(), digest, signature),
        (Algorithm::Md5 | Algorithm::Sha1, _) => return Err(VerifyError::Mismatch),
    };
    verified.map_err(|_| VerifyError::Mismatch)
}

fn by_dsa(key: &SubjectPublicKeyInfo, digest: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    use dsa::signature::hazmat::PrehashVerifier;
    let der = encoded(key).ok_or(VerifyError::Key(KeyKind::Dsa))?;
    let parsed = SubjectPublicKeyInfoRef::from_der(&der).ok().and_then(|it| dsa::VerifyingKey::try_from(it).ok());
    // Sizes that FIPS 186 does not have are for OpenSSL.
    let Some(parsed) = parsed else { return by_system(key, digest, signature) };
    let signature = dsa::Signature::try_from(signature).map_err(|_| VerifyError::Mismatch)?;
    parsed.verify_prehash(digest, &signature).map_err(|_| VerifyError::Mismatch)
}

/// One of the curves that are computed here.
macro_rules! on_curve {
    ($curve:ident, $key:expr, $digest:expr, $signature:expr) => {{
        use $curve::ecdsa::{Signature, VerifyingKey, signature::hazmat::PrehashVerifier};
        let point = $key.subject_public_key.as_bytes().and_then(|it| VerifyingKey::from_sec1_bytes(it).ok());
        let point = point.ok_or_else(|| VerifyError::Key(KeyKind::of($key)))?;
        let signature = Signature::from_der($signature).map_err(|_| VerifyError::Mismatch)?;
        point.verify_prehash($digest, &signature).map_err(|_| VerifyError::Mismatch)
    }};
}

fn by_curve(key: &SubjectPublicKeyInfo, digest: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    match curve(key) {
        Some(P256) => on_curve!(p256, key, digest, signature),
        Some(P384) => on_curve!(p384, key, digest, signature),
        Some(P521) => on_curve!(p521, key, digest, signature),
        _ => by_system(key, digest, signature),
    }
}

/// By the system's libcrypto.
pub(super) fn by_system(key: &SubjectPublicKeyInfo, digest: &[u8], signature: &[u8]) -> Result<(), VerifyError> {
    let kind = KeyKind::of(key);
    let der = encoded(key).ok_or(VerifyError::Key(kind.clone()))?;
    match system::verify(&der, digest, signature) {
        Ok(true) => Ok(()),
        Ok(false) => Err(VerifyError::Mismatch),
        Err(system::Unable { there }) => Err(VerifyError::Unsupported { kind, there }),
    }
}
