//! A catalogue and an agent in one process.

use super::{Place, PlaceError};
use crate::agent::{self, Agent, AgentError};
use crate::catalogue::{
    self, BuildError, Catalogue,
    manage::{self, ManageError},
};
use crate::db;
use std::{fmt::Write, net::SocketAddr, path::Path, time::Duration};
use tokio_util::sync::CancellationToken;
use url::Url;

/// Both programs, listening.
pub struct Dev {
    place: Place,
    catalogue: Catalogue,
    agent: Agent,
}

/// Starting or running failed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum DevError {
    /// The folder.
    #[error(transparent)]
    Place(#[from] PlaceError),
    /// The catalogue.
    #[error("the catalogue failed")]
    Catalogue(#[from] BuildError),
    /// The standard metadata definitions, at the first start.
    #[error("the metadata definitions cannot be loaded")]
    Metadefs(#[from] ManageError),
    /// The agent.
    #[error("the agent failed")]
    Agent(#[from] AgentError),
    /// The catalogue's address makes no URL.
    #[error("the catalogue's address {0} makes no URL")]
    Address(SocketAddr, #[source] url::ParseError),
}

/// Builds both in the folder: the catalogue first, since the agent is told where it is.
///
/// # Errors
/// [`DevError`]
pub async fn build(place: Place) -> Result<Dev, DevError> {
    let settings = catalogue_settings(&place);
    if place.is_new() {
        let standard = manage::Source::Standard { instead_of: None };
        manage::load_metadefs(&settings.database, &standard, manage::How::Skip).await?;
    }
    let catalogue = catalogue::build(settings).await?;
    let address = catalogue.address();
    let endpoint = Url::parse(&format!("http://{address}")).map_err(|error| DevError::Address(address, error))?;
    let agent = agent::build(agent_settings(&place, endpoint)).await?.bind()?;
    place.announce(address.port())?;
    Ok(Dev { place, catalogue, agent })
}

pub(super) fn catalogue_settings(place: &Place) -> catalogue::Settings {
    let mut settings = catalogue::Settings::default();
    "127.0.0.1".clone_into(&mut settings.bind_host);
    settings.bind_port = place.port();
    settings.database = db::Settings::sqlite(&place.dir().join("catalogue.db"));
    settings.store.filesystem_store_datadir = place.dir().join("images");
    settings.staging_folder = place.dir().join("staging");
    settings
}

pub(super) fn agent_settings(place: &Place, endpoint: Url) -> agent::Settings {
    let mut settings = agent::Settings::default();
    place.dir().clone_into(&mut settings.state_path);
    settings.base_dir.instances_path = place.dir().join("instances");
    // The instances of a real nova on this machine have their bases elsewhere.
    settings.base_dir.libvirt_directories.clear();
    place.socket().clone_into(&mut settings.admin.socket);
    settings.catalogue.endpoint = Some(endpoint);
    // Whatever this machine is called.
    settings.fleet.node_name = Some("dev".to_owned());
    // One node needs not to keep out of others' way, and a laptop's disk may be nearly full.
    settings.prefetch_jitter = Duration::ZERO;
    settings.cache_min_free = 64 << 20;
    settings
}

// === impl Dev ===

impl Dev {
    /// Where everything is, and what to try; `program` is how the caller was started.
    pub fn greeting(&self, program: &str) -> String {
        let (dir, socket) = (self.place.dir(), self.place.socket());
        let mut text = String::from("Larder runs; Ctrl-C stops it, and the next start finds everything as it was.\n\n");
        let _ = writeln!(text, "  catalogue       http://{} (no login)", self.catalogue.address());
        let _ = writeln!(text, "  agent           {}", socket.display());
        let _ = writeln!(text, "  base directory  {}", dir.join("instances/_base").display());
        let _ = writeln!(text, "\nTry next, from another terminal:\n");
        if dir.parent().map(Path::to_owned) != std::env::current_dir().ok() || !dir.ends_with(crate::config::DEV_DIR) {
            let address = self.catalogue.address();
            let _ = writeln!(text, "  export LARDER_ENDPOINT=http://{address} LARDER_SOCKET={}", socket.display());
        }
        let _ = writeln!(text, "  {program} image push disk.qcow2 --name my-image");
        let _ = writeln!(text, "  {program} cache queue-image --force ID");
        let _ = write!(text, "  {program} cache status");
        text
    }

    /// Works until `shutdown`, then drains both; when one fails, the other is stopped too.
    ///
    /// # Errors
    /// [`DevError`]: the first of what failed.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), DevError> {
        let Self { place, catalogue, agent } = self;
        let _stop = shutdown.clone().drop_guard();
        // The agent ends first: its fetches come from the catalogue.
        let catalogue_stop = CancellationToken::new();
        let serving = async {
            let served = catalogue.run(catalogue_stop.clone()).await;
            shutdown.cancel();
            served
        };
        let keeping = async {
            let kept = agent.run(shutdown.clone()).await;
            shutdown.cancel();
            catalogue_stop.cancel();
            kept
        };
        let (served, kept) = tokio::join!(serving, keeping);
        drop(place);
        served?;
        Ok(kept?)
    }
}
