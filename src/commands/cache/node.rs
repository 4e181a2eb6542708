//! One node's cache, by the way that leads to it.

use crate::admin::{CachedImage, Client, ClientError};
use crate::image::ImageId;
use crate::remote::{Catalogue, Clear, RemoteError};

/// Whom the seven verbs talk to.
#[derive(Clone, Debug)]
pub enum Node {
    /// The agent of this node, over its admin socket.
    Agent(Client),
    /// A host's cache API over HTTP: a stock Glance's, or an agent's.
    Http {
        /// The host as it was given.
        host: String,
        /// Its client.
        catalogue: Catalogue,
    },
}

/// The node did not do it.
#[derive(Debug, thiserror::Error)]
pub(super) enum NodeError {
    #[error(transparent)]
    Agent(#[from] ClientError),
    #[error(transparent)]
    Http(#[from] RemoteError),
}

impl NodeError {
    /// The host has no such path, or no such image; Glance's command does not tell them apart.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_not_found())
    }

    /// Who asks may not.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Http(error) if error.is_denied())
    }
}

impl Node {
    pub(super) async fn cached(&self) -> Result<Vec<CachedImage>, NodeError> {
        match self {
            Self::Agent(client) => Ok(client.cached().await?),
            Self::Http { catalogue, .. } => {
                let listing = catalogue.cache_listing().await?;
                let entry = |it: crate::remote::CachedEntry| CachedImage {
                    image_id: it.image_id,
                    last_accessed: it.last_accessed,
                    last_modified: it.last_modified,
                    size: it.size,
                    hits: it.hits,
                    checksum: it.checksum,
                };
                Ok(listing.cached.into_iter().map(entry).collect())
            }
        }
    }

    pub(super) async fn queued(&self) -> Result<Vec<String>, NodeError> {
        match self {
            Self::Agent(client) => Ok(client.queued().await?.into_iter().map(String::from).collect()),
            Self::Http { catalogue, .. } => Ok(catalogue.cache_listing().await?.queued),
        }
    }

    pub(super) async fn queue(&self, id: &ImageId) -> Result<(), NodeError> {
        match self {
            Self::Agent(client) => Ok(client.queue(id).await?),
            Self::Http { catalogue, .. } => Ok(catalogue.cache_queue(id).await?),
        }
    }

    pub(super) async fn delete(&self, id: &ImageId, what: Clear) -> Result<(), NodeError> {
        match (self, what) {
            (Self::Agent(client), Clear::Cached) => Ok(client.delete_cached(id).await?),
            (Self::Agent(client), Clear::Queued) => Ok(client.delete_queued(id).await?),
            (Self::Http { catalogue, .. }, what) => Ok(catalogue.cache_delete(id, what).await?),
        }
    }

    pub(super) async fn clear(&self, what: Clear) -> Result<u64, NodeError> {
        match (self, what) {
            (Self::Agent(client), Clear::Cached) => Ok(client.delete_all_cached().await?),
            (Self::Agent(client), Clear::Queued) => Ok(client.delete_all_queued().await?),
            (Self::Http { catalogue, .. }, what) => Ok(catalogue.cache_clear(what).await?),
        }
    }
}
