//! Names of web servers become addresses that were judged, and nothing else is connected to: a name server that answers
//! differently from one time to the next (DNS rebinding) leads nowhere inside.

use super::filter::{Filtering, may_connect};
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use std::net::SocketAddr;

/// The resolver of the store's HTTP client, which asks it for each connection that it makes, but for those to plain
/// addresses.
pub(super) struct Judging {
    rules: Filtering,
    /// Hosts that the operator has named (proxies): they are not judged.
    known: Vec<String>,
}

/// All that a name stands for is out of bounds.
#[derive(Debug, thiserror::Error)]
#[error(
    "{host} stands for addresses of this machine or its links, or for ones in disallowed_hosts; where that is meant, add it to allowed_hosts of [import_filtering_opts]"
)]
pub(super) struct Inside {
    host: String,
}

// === impl Judging ===

impl Judging {
    pub(super) fn new(rules: Filtering, known: Vec<String>) -> Self {
        Self { rules, known }
    }
}

impl Resolve for Judging {
    fn resolve(&self, name: Name) -> Resolving {
        let (rules, host) = (self.rules.now(), name.as_str().to_ascii_lowercase());
        let is_known = self.known.contains(&host);
        Box::pin(async move {
            let found = tokio::net::lookup_host((host.as_str(), 0)).await?;
            let may = |it: &SocketAddr| is_known || may_connect(&rules, &host, it.ip());
            let judged: Vec<SocketAddr> = found.filter(may).collect();
            if judged.is_empty() {
                return Err(Inside { host }.into());
            }
            Ok(Box::new(judged.into_iter()) as Addrs)
        })
    }
}
