//! Names of our own in the base directory; nova looks at none of them.

use super::kind::is_original;

/// Every staging file begins with it.
pub(super) const PREFIX: &str = ".larder-";
/// The lock of the directory.
pub(super) const LOCK: &str = ".larder.lock";

/// What a staging file is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Staging {
    /// Bytes from the catalogue.
    Fetch,
    /// The raw image that a conversion makes.
    Raw,
}

impl Staging {
    fn suffix(self) -> &'static str {
        match self {
            Self::Fetch => ".fetch",
            Self::Raw => ".raw",
        }
    }

    pub(super) fn name(self, base: &str) -> String {
        format!("{PREFIX}{base}{}", self.suffix())
    }

    /// Whether the name is exactly one that [`Staging::name`] gives.
    pub(super) fn is_name(name: &str) -> bool {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        [Self::Fetch, Self::Raw].iter().any(|kind| rest.strip_suffix(kind.suffix()).is_some_and(is_original))
    }
}
