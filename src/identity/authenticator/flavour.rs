//! `[paste_deploy] flavor`.

use std::str::FromStr;

/// Who says who asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Flavour {
    /// Nobody: every caller is an admin.
    #[default]
    None,
    /// Keystone, by the request's token.
    Keystone,
    /// A proxy in front, by headers that it sets.
    TrustedHeaders,
}

/// No pipeline of Glance has this name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no flavor; those that exist are keystone and trusted-auth, alone or with +caching or +cachemanagement, \
     and caching, cachemanagement or nothing for a server without authentication"
)]
pub struct UnknownFlavour(pub String);

impl FromStr for Flavour {
    type Err = UnknownFlavour;

    /// What the name says of caching is read by the configuration.
    fn from_str(text: &str) -> Result<Self, UnknownFlavour> {
        match text.trim() {
            "" | "caching" | "cachemanagement" => Ok(Self::None),
            "keystone" | "keystone+caching" | "keystone+cachemanagement" => Ok(Self::Keystone),
            "trusted-auth" | "trusted-auth+caching" | "trusted-auth+cachemanagement" => Ok(Self::TrustedHeaders),
            other => Err(UnknownFlavour(other.chars().take(80).collect())),
        }
    }
}
