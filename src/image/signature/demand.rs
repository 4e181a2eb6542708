//! Which images a site wants to be signed.

use super::{Signature, SignatureError};
use std::{fmt, str::FromStr};

/// Of which images the signature is verified.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Signatures {
    /// Of none.
    Off,
    /// Of those that have one.
    #[default]
    WhenPresent,
    /// Of all: what is not signed is refused.
    Required,
}

/// There is no such value of `verify_signatures`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of off, when_present and required")]
pub struct UnknownSignatures(pub String);

// === impl Signatures ===

impl Signatures {
    const ALL: [Self; 3] = [Self::Off, Self::WhenPresent, Self::Required];

    /// The option's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Off => "off",
            Self::WhenPresent => "when_present",
            Self::Required => "required",
        }
    }

    /// The signature that is to be verified of an image whose properties `property` gives by name; none when none is.
    ///
    /// # Errors
    /// [`SignatureError`]: it has only some of the properties, one makes no sense, or it should be signed and is not.
    pub fn find<'a>(self, property: impl Fn(&str) -> Option<&'a str>) -> Result<Option<Signature>, SignatureError> {
        if self == Self::Off {
            return Ok(None);
        }
        match Signature::of(property)? {
            None if self == Self::Required => Err(SignatureError::Unsigned),
            found => Ok(found),
        }
    }
}

impl fmt::Display for Signatures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Signatures {
    type Err = UnknownSignatures;

    fn from_str(text: &str) -> Result<Self, UnknownSignatures> {
        let unknown = || UnknownSignatures(text.chars().take(80).collect());
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::image::signature::{CERTIFICATE, HASH_METHOD, KEY_TYPE, SIGNATURE};

    #[test]
    fn a_part_of_a_signature_is_none_only_where_nobody_looks() {
        let whole = [
            (SIGNATURE, "QUJD"),
            (HASH_METHOD, "SHA-256"),
            (KEY_TYPE, "RSA-PSS"),
            (CERTIFICATE, "3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f11"),
        ];
        for demand in Signatures::ALL {
            assert_eq!(demand.as_str().parse(), Ok(demand));
            let find = |of: &[(&str, &'static str)]| {
                demand.find(|name| of.iter().find(|it| it.0 == name).map(|it| it.1)).map(|it| it.is_some())
            };
            let (nothing, part) = match demand {
                Signatures::Off => (Ok(false), Ok(false)),
                Signatures::WhenPresent => (Ok(false), Err(SignatureError::Missing(CERTIFICATE))),
                Signatures::Required => (Err(SignatureError::Unsigned), Err(SignatureError::Missing(CERTIFICATE))),
            };
            assert_eq!((find(&[]), find(&whole[..3])), (nothing, part), "{demand}");
            assert_eq!(find(&whole), Ok(demand != Signatures::Off));
        }
        assert!("Required".parse::<Signatures>().is_err());
    }
}
