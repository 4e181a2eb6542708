//! Names of our own in the base directory; nova looks at none of them.

use super::kind::is_original;
use crate::agent::seat::HostName;

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

    /// Each host has names of its own: two that fetch the same image do not write into one file.
    pub(super) fn name(self, base: &str, host: &HostName) -> String {
        format!("{PREFIX}{base}.{host}{}", self.suffix())
    }

    /// The base that this is a download of `host` for.
    pub(super) fn download_for<'a>(name: &'a str, host: &HostName) -> Option<&'a str> {
        Self::Fetch.base_of(name, host)
    }

    /// Whether the name is exactly one that [`Staging::name`] gives, or one of an earlier version's, which had no host:
    /// none of those runs beside this one.
    pub(super) fn is_name(name: &str, host: &HostName) -> bool {
        let Some(rest) = name.strip_prefix(PREFIX) else { return false };
        let kinds = [Self::Fetch, Self::Raw];
        kinds
            .iter()
            .any(|kind| kind.base_of(name, host).is_some() || rest.strip_suffix(kind.suffix()).is_some_and(is_original))
    }

    fn base_of<'a>(self, name: &'a str, host: &HostName) -> Option<&'a str> {
        let rest = name.strip_prefix(PREFIX)?.strip_suffix(self.suffix())?;
        rest.strip_suffix(host.as_str())?.strip_suffix('.').filter(|it| is_original(it))
    }
}
