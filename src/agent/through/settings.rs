//! What an operator sets.

use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
};
use url::{Host, Url};

/// The settings of the read-through endpoint.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `read_through_bind`: where it listens; none for no endpoint.
    pub bind: Option<SocketAddr>,
    /// `read_through_allow_remote`: it may listen elsewhere than on a loopback address.
    pub allow_remote: bool,
    /// `read_through_cache_size`: bytes of original images that are kept; 0 for none.
    pub cache_size: u64,
    /// `read_through_path`: the folder where they are kept; none for `originals` in `state_path`.
    pub path: Option<PathBuf>,
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self { bind: None, allow_remote: false, cache_size: 20 << 30, path: None }
    }
}

impl Settings {
    /// Whether whoever asks this URL asks this endpoint.
    pub fn is_here(&self, url: &Url) -> bool {
        let Some(bind) = self.bind.filter(|it| Some(it.port()) == url.port_or_known_default()) else { return false };
        let named = match url.host() {
            Some(Host::Ipv4(it)) => IpAddr::V4(it),
            Some(Host::Ipv6(it)) => IpAddr::V6(it),
            Some(Host::Domain(name)) if name.eq_ignore_ascii_case("localhost") => IpAddr::V4(Ipv4Addr::LOCALHOST),
            _ => return false,
        };
        named == bind.ip() || named.is_loopback() && (bind.ip().is_unspecified() || bind.ip().is_loopback())
    }

    /// The address, when nobody but this machine's processes may reach the endpoint and this is not such an address.
    pub fn refused(&self) -> Option<SocketAddr> {
        self.bind.filter(|it| !it.ip().to_canonical().is_loopback() && !self.allow_remote)
    }
}
