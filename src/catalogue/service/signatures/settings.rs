//! What an operator sets about signatures.

use crate::image::signature::Signatures;
use crate::remote::certificates;
use std::path::PathBuf;

/// Options about signatures, with their defaults.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `verify_signatures`: of which images.
    pub demand: Signatures,
    /// Where certificates come from: `certificate_directory`, `[key_manager]`, `[barbican]`.
    pub certificates: certificates::Settings,
    /// `signature_trust_anchors`: a file or a folder; none: any certificate will do.
    pub trust_anchors: Option<PathBuf>,
}
