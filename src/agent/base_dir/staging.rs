//! Names of our own in the base directory; nova looks at none of them.

use super::kind::is_original;

/// Every staging file begins with it.
pub(super) const PREFIX: &str = ".larder-";
/// The lock of the directory.
pub(in crate::agent) const LOCK: &str = ".larder.lock";

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

    /// The base that this is a download for.
    pub(super) fn download_for(name: &str) -> Option<&str> {
        name.strip_prefix(PREFIX)?.strip_suffix(Self::Fetch.suffix()).filter(|it| is_original(it))
    }

    /// Whether the name is exactly one that [`Staging::name`] gives.
    pub(super) fn is_name(name: &str) -> bool {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        [Self::Fetch, Self::Raw].iter().any(|kind| rest.strip_suffix(kind.suffix()).is_some_and(is_original))
    }
}
