//! What an operator sets about signatures.

use crate::image::signature::{CertificateId, Signatures};
use crate::remote::certificates;
use std::{fmt, str::FromStr};

/// Options about signatures, with their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `verify_signatures`: of which images.
    pub verify_signatures: Verify,
    /// `[glance] verify_glance_signatures` (Nova's): every image must be signed.
    pub verify_glance_signatures: bool,
    /// `[glance] enable_certificate_validation` (Nova's): the certificate must be valid now, and a trusted one vouch for it.
    pub enable_certificate_validation: bool,
    /// `[glance] default_trusted_certificate_ids` (Nova's): the trusted ones.
    pub default_trusted_certificate_ids: Vec<CertificateId>,
    /// Where certificates come from.
    pub certificates: certificates::Settings,
}

/// The images whose signature is verified before they become bases.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Verify {
    /// All, where nova-compute would verify what it downloads; otherwise none.
    #[default]
    Nova,
    /// None.
    Off,
    /// Those that have one.
    WhenPresent,
    /// All: one without is refused.
    Required,
}

/// There is no such value of `verify_signatures`.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is none of nova, off, when_present and required")]
pub struct UnknownVerify(pub String);

// === impl Settings ===

impl Settings {
    /// Of which images signatures are verified. Nova (its `nova.image.glance`) verifies when either of its options says so,
    /// and then takes no image without a signature.
    pub fn policy(&self) -> Signatures {
        let trusts = self.enable_certificate_validation && !self.default_trusted_certificate_ids.is_empty();
        match self.verify_signatures {
            Verify::Nova if self.verify_glance_signatures || trusts => Signatures::Required,
            Verify::Nova | Verify::Off => Signatures::Off,
            Verify::WhenPresent => Signatures::WhenPresent,
            Verify::Required => Signatures::Required,
        }
    }

    /// The certificates that one of must vouch for a signer's; none when that is not asked for.
    pub fn trusted(&self) -> Option<&[CertificateId]> {
        self.enable_certificate_validation.then_some(self.default_trusted_certificate_ids.as_slice())
    }
}

// === impl Verify ===

impl Verify {
    const ALL: [Self; 4] = [Self::Nova, Self::Off, Self::WhenPresent, Self::Required];

    /// The option's value.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Nova => "nova",
            Self::Off => "off",
            Self::WhenPresent => "when_present",
            Self::Required => "required",
        }
    }
}

impl fmt::Display for Verify {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Verify {
    type Err = UnknownVerify;

    fn from_str(text: &str) -> Result<Self, UnknownVerify> {
        Self::ALL
            .into_iter()
            .find(|it| it.as_str() == text)
            .ok_or_else(|| UnknownVerify(text.chars().take(80).collect()))
    }
}
