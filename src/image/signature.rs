//! The signature of an image's data, in four properties of the image, as OpenStack's `cursive` has them.

mod demand;
mod signer;

pub use demand::{Signatures, UnknownSignatures};
pub use signer::Signer;

use crate::base::{
    certificate::{Certificate, KeyKind, Scheme, VerifyError},
    digest::Algorithm,
};
use base64::{Engine, engine::general_purpose::STANDARD};
use std::fmt;
use uuid::Uuid;

/// The property with the signature itself, in base64.
pub const SIGNATURE: &str = "img_signature";
/// The property with the hash: SHA-224, SHA-256, SHA-384 or SHA-512.
pub const HASH_METHOD: &str = "img_signature_hash_method";
/// The property with the kind of key: RSA-PSS, DSA, or ECC_ with the name of a curve.
pub const KEY_TYPE: &str = "img_signature_key_type";
/// The property with the id of the certificate at the key manager.
pub const CERTIFICATE: &str = "img_signature_certificate_uuid";

/// All four.
pub const PROPERTIES: [&str; 4] = [SIGNATURE, HASH_METHOD, KEY_TYPE, CERTIFICATE];

/// Longest signature that is looked at, characters of base64; one of RSA with 8192 bits has 1368.
const LONGEST: usize = 8192;

const HASHES: [(&str, Algorithm); 4] = [
    ("SHA-224", Algorithm::Sha224),
    ("SHA-256", Algorithm::Sha256),
    ("SHA-384", Algorithm::Sha384),
    ("SHA-512", Algorithm::Sha512),
];

/// What the four properties of an image say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Signature {
    value: Vec<u8>,
    hash: Algorithm,
    key_type: KeyType,
    certificate: CertificateId,
}

/// The id of a certificate at a key manager: a UUID, in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct CertificateId(String);

/// The kinds of key that images may be signed with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum KeyType {
    /// RSASSA-PSS with MGF1 and the longest salt.
    RsaPss,
    /// DSA.
    Dsa,
    /// ECDSA. The curve that is named does not count, as in `cursive`: that of the certificate does.
    Ecc(&'static str),
}

/// What is wrong with an image's signature.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[non_exhaustive]
pub enum SignatureError {
    /// There is none at all.
    #[error("it is not signed: it has no property {SIGNATURE}")]
    Unsigned,
    /// Some of the properties are there.
    #[error("its signature is incomplete: it has no property {0}")]
    Missing(&'static str),
    /// A property makes no sense.
    #[error("its property {property} is '{value}', which is not {takes}")]
    Property {
        /// Which.
        property: &'static str,
        /// Its value, shortened.
        value: String,
        /// What it takes.
        takes: &'static str,
    },
    /// The certificate's key is of another kind.
    #[error("its property {KEY_TYPE} is {key_type}, but the certificate {certificate} is of a key of type {kind}")]
    Kind {
        /// By the property.
        key_type: KeyType,
        /// The certificate.
        certificate: CertificateId,
        /// By the certificate.
        kind: KeyKind,
    },
    /// The bytes are not what was signed.
    #[error("its signature does not verify with the certificate {certificate}")]
    Wrong {
        /// The certificate.
        certificate: CertificateId,
        /// Why.
        source: VerifyError,
    },
}

/// Text that is no UUID.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not the id of a certificate, which is a UUID")]
pub struct InvalidCertificateId(pub String);

// === impl Signature ===

impl Signature {
    /// From an image's properties, which `property` gives by name; none when it has none of the four.
    ///
    /// # Errors
    /// When it has only some of them, or one makes no sense.
    pub fn of<'a>(property: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Self>, SignatureError> {
        if PROPERTIES.iter().all(|it| property(it).is_none()) {
            return Ok(None);
        }
        let need = |name: &'static str| property(name).ok_or(SignatureError::Missing(name));
        let (value, hash) = (need(SIGNATURE)?, need(HASH_METHOD)?);
        let (key_type, certificate) = (need(KEY_TYPE)?, need(CERTIFICATE)?);
        let wrong = |property, value: &str, takes| SignatureError::Property { property, value: short(value), takes };
        let known = HASHES.iter().find(|(name, _)| *name == hash);
        let hash = known.map(|(_, it)| *it);
        let hash = hash.ok_or_else(|| {
            let value = property(HASH_METHOD).unwrap_or_default();
            wrong(HASH_METHOD, value, "one of SHA-224, SHA-256, SHA-384 and SHA-512")
        })?;
        let key_type = KeyType::ALL.into_iter().find(|it| it.as_str() == key_type).ok_or_else(|| {
            wrong(
                KEY_TYPE,
                key_type,
                "RSA-PSS, DSA or ECC_ with SECP384R1, SECP521R1, SECT409K1, SECT409R1, SECT571K1 or SECT571R1",
            )
        })?;
        Ok(Some(Self {
            value: decode(value).ok_or_else(|| wrong(SIGNATURE, value, "base64"))?,
            hash,
            key_type,
            certificate: certificate.parse().map_err(|_| wrong(CERTIFICATE, certificate, "a UUID"))?,
        }))
    }

    /// The hash of the data that is signed.
    pub fn hash(&self) -> Algorithm {
        self.hash
    }

    /// Whose key has signed it.
    pub fn certificate(&self) -> &CertificateId {
        &self.certificate
    }

    /// Whether such a certificate can have signed it, before there is data.
    ///
    /// # Errors
    /// [`SignatureError::Kind`]
    pub fn fits(&self, certificate: &Certificate) -> Result<(), SignatureError> {
        let kind = certificate.key();
        let fits = match self.key_type {
            KeyType::RsaPss => kind == KeyKind::Rsa,
            KeyType::Dsa => kind == KeyKind::Dsa,
            KeyType::Ecc(_) => matches!(kind, KeyKind::Ec(_)),
        };
        if fits {
            return Ok(());
        }
        Err(SignatureError::Kind { key_type: self.key_type, certificate: self.certificate.clone(), kind })
    }

    /// Verifies data by its [`Signature::hash`], in hex.
    ///
    /// # Errors
    /// [`SignatureError`]: it is not what was signed, or that can't be found out.
    pub fn verify(&self, certificate: &Certificate, hash: &str) -> Result<(), SignatureError> {
        self.fits(certificate)?;
        let wrong = |source| SignatureError::Wrong { certificate: self.certificate.clone(), source };
        let digest = from_hex(hash).ok_or_else(|| wrong(VerifyError::Mismatch))?;
        certificate.verify(self.key_type.scheme(), self.hash, &digest, &self.value).map_err(wrong)
    }
}

/// Python's decoder, which cursive uses, skips line ends too.
fn decode(text: &str) -> Option<Vec<u8>> {
    let letters: Vec<u8> = text.bytes().filter(|it| !it.is_ascii_whitespace()).take(LONGEST + 1).collect();
    let fits = !letters.is_empty() && letters.len() <= LONGEST;
    STANDARD.decode(letters).ok().filter(|_| fits)
}

fn from_hex(text: &str) -> Option<Vec<u8>> {
    let digit = |it: &u8| char::from(*it).to_digit(16).and_then(|it| u8::try_from(it).ok());
    let (pairs, rest) = text.as_bytes().as_chunks::<2>();
    let bytes = pairs.iter().map(|[high, low]| Some(digit(high)? << 4 | digit(low)?)).collect();
    if rest.is_empty() { bytes } else { None }
}

fn short(value: &str) -> String {
    value.chars().map(|it| if it.is_control() { ' ' } else { it }).take(60).collect()
}

// === impl KeyType ===

impl KeyType {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::RsaPss,
        Self::Dsa,
        Self::Ecc("ECC_SECP384R1"),
        Self::Ecc("ECC_SECP521R1"),
        Self::Ecc("ECC_SECT409K1"),
        Self::Ecc("ECC_SECT409R1"),
        Self::Ecc("ECC_SECT571K1"),
        Self::Ecc("ECC_SECT571R1"),
    ];

    /// As the property has it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::RsaPss => "RSA-PSS",
            Self::Dsa => "DSA",
            Self::Ecc(name) => name,
        }
    }

    fn scheme(self) -> Scheme {
        match self {
            Self::RsaPss => Scheme::RsaPssLongestSalt,
            Self::Dsa => Scheme::Dsa,
            Self::Ecc(_) => Scheme::Ecdsa,
        }
    }
}

impl fmt::Display for KeyType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

// === impl CertificateId ===

impl CertificateId {
    /// Its text.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for CertificateId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::str::FromStr for CertificateId {
    type Err = InvalidCertificateId;

    fn from_str(text: &str) -> Result<Self, InvalidCertificateId> {
        let id = Uuid::try_parse(text).map_err(|_| InvalidCertificateId(short(text)))?;
        Ok(Self(id.hyphenated().to_string()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::digest::Hasher;
    use proptest::prelude::*;
    use serde_json::Value;
    use std::collections::HashMap;

    const ID: &str = "3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f11";

    fn vectors() -> Value {
        serde_json::from_str(include_str!("../base/certificate/vectors.json")).unwrap()
    }

    fn properties(at: usize) -> HashMap<&'static str, String> {
        let all = vectors();
        let text = |column: usize| all["signatures"][at][column].as_str().unwrap().to_owned();
        HashMap::from([(KEY_TYPE, text(0)), (HASH_METHOD, text(1)), (SIGNATURE, text(2)), (CERTIFICATE, ID.to_owned())])
    }

    fn read(properties: &HashMap<&'static str, String>) -> Result<Option<Signature>, SignatureError> {
        Signature::of(|name| properties.get(name).map(String::as_str))
    }

    fn certificate(name: &str) -> Certificate {
        Certificate::read(vectors()["certificates"][name].as_str().unwrap().as_bytes()).unwrap()
    }

    fn hash(algorithm: Algorithm, data: &[u8]) -> String {
        let mut hasher = Hasher::new(algorithm);
        hasher.update(data);
        hasher.finish().unwrap()
    }

    #[test]
    fn what_was_signed_verifies_and_nothing_else() {
        let data = vectors()["data"].as_str().unwrap().to_owned();
        for at in 0..16 {
            let properties = properties(at);
            let signature = read(&properties).unwrap().unwrap();
            let kind = signature.key_type.as_str();
            let certificate = certificate(kind);
            assert_eq!(signature.certificate().as_str(), ID);
            assert_eq!(signature.verify(&certificate, &hash(signature.hash(), data.as_bytes())), Ok(()), "{kind}");
            for wrong in [hash(signature.hash(), b"another"), String::new(), "x".repeat(64)] {
                let outcome = signature.verify(&certificate, &wrong);
                assert!(matches!(outcome, Err(SignatureError::Wrong { .. })), "{outcome:?}");
            }
        }
        let signature = read(&properties(0)).unwrap().unwrap();
        let outcome = signature.verify(&certificate("DSA"), &hash(signature.hash(), data.as_bytes()));
        assert!(outcome.unwrap_err().to_string().contains("RSA-PSS, but the certificate"));
    }

    #[test]
    fn properties_are_all_there_or_none() {
        assert_eq!(read(&HashMap::new()), Ok(None));
        for name in PROPERTIES {
            let mut some = properties(0);
            some.remove(name);
            assert_eq!(read(&some), Err(SignatureError::Missing(name)));
        }
        let with = |name, value: &str| {
            let mut all = properties(0);
            all.insert(name, value.to_owned());
            read(&all)
        };
        let wrong = [
            (HASH_METHOD, "MD5"),
            (HASH_METHOD, "sha-256"),
            (KEY_TYPE, "RSA"),
            (KEY_TYPE, "ECC_SECP256R1"),
            (CERTIFICATE, "../../etc/passwd"),
            (CERTIFICATE, ""),
            (SIGNATURE, "not/base64!"),
            (SIGNATURE, "QUJ"),
            (SIGNATURE, " \n"),
            (SIGNATURE, &"QUJD".repeat(3000)),
        ];
        for (name, value) in wrong {
            let outcome = with(name, value);
            assert!(
                matches!(outcome, Err(SignatureError::Property { property, .. }) if property == name),
                "{outcome:?}"
            );
        }
        let folded: String = properties(0)[SIGNATURE]
            .as_bytes()
            .chunks(64)
            .map(|it| format!("{}\n", str::from_utf8(it).unwrap()))
            .collect();
        assert_eq!(with(SIGNATURE, &folded), read(&properties(0)));
        assert_eq!(with(CERTIFICATE, &ID.to_uppercase()), read(&properties(0)));
    }

    proptest! {
        #[test]
        fn no_text_panics(value in ".{0,40}", hash in "SHA-(224|256|x)", key in "(RSA-PSS|DSA|.{0,9})", id in "[0-9a-f-]{0,40}") {
            let text = [(SIGNATURE, value), (HASH_METHOD, hash), (KEY_TYPE, key), (CERTIFICATE, id)];
            let _ = read(&HashMap::from(text));
        }
    }
}
