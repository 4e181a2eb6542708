//! The program: settings → build → run → drain.

use crate::base::chain;
use crate::catalogue::{
    Read, Settings, api,
    reload::Configuration,
    service::{Fault, OpenError, Service},
    workers,
};
use crate::http::server::{self, BindError, Dial, Listener};
use crate::runtime::open_files;
use std::{
    io,
    net::{SocketAddr, ToSocketAddrs},
    sync::Arc,
    time::Duration,
};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// Work that requests left behind gets so long at the end; what is not done then is undone at the next start.
const SETTLE: Duration = Duration::from_secs(10);

/// The broker gets so long to take the last notifications.
const LAST_NOTES: Duration = Duration::from_secs(5);

/// Files that are open beside those of connections: the database, the log…
const OTHER_FILES: u64 = 200;

/// A catalogue, listening but not answering yet.
pub struct Catalogue {
    service: Service,
    listener: Listener,
    address: SocketAddr,
    configuration: Option<Configuration>,
}

/// The catalogue cannot start.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// What it stands on.
    #[error("the catalogue cannot start")]
    Open(#[from] OpenError),
    /// Undoing what an earlier process left.
    #[error("the catalogue cannot clean up after an earlier run")]
    Recover(#[source] Fault),
    /// The address makes no sense.
    #[error("bind_host = {host} is no address of this machine")]
    Address {
        /// `bind_host`
        host: String,
        /// Why.
        source: io::Error,
    },
    /// The address cannot be had.
    #[error("the catalogue cannot listen")]
    Bind(#[from] BindError),
}

/// Opens the database and the store, undoes what an earlier process left, and binds the address.
///
/// # Errors
/// [`BuildError`]; nothing runs then.
pub async fn build(settings: Settings) -> Result<Catalogue, BuildError> {
    raise_open_files(settings.server.max_connections);
    let (host, port, backlog) = (settings.bind_host.clone(), settings.bind_port, settings.backlog);
    let service = Service::open(settings).await?;
    workers::recover(&service).await.map_err(BuildError::Recover)?;
    let wanted = resolve(host, port).await?;
    let listener = Listener::bind_tcp(wanted, backlog)?;
    let address = listener.address().unwrap_or(wanted);
    Ok(Catalogue { service, listener, address, configuration: None })
}

/// Each connection takes a descriptor, and uploads and downloads one more.
fn raise_open_files(connections: usize) {
    let Some(limit) = open_files::raise() else { return };
    if (connections as u64).saturating_mul(2).saturating_add(OTHER_FILES) > limit {
        tracing::warn!(
            limit,
            connections,
            "the process may have too few files open for max_connections: raise LimitNOFILE, or lower max_connections"
        );
    }
}

async fn resolve(host: String, port: u16) -> Result<SocketAddr, BuildError> {
    let name = host.clone();
    let found = tokio::task::spawn_blocking(move || (name.trim_matches(['[', ']']), port).to_socket_addrs()).await;
    let first = match found {
        Ok(Ok(mut addresses)) => addresses.next().ok_or_else(|| io::ErrorKind::NotFound.into()),
        Ok(Err(source)) => Err(source),
        Err(broken) => Err(io::Error::other(broken)),
    };
    first.map_err(|source| BuildError::Address { host, source })
}

// === impl Catalogue ===

impl Catalogue {
    /// Where it listens; the port is a real one even if the settings said 0.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Reads the configuration again by `read` at each hang-up (SIGHUP). What cannot change while the catalogue runs is
    /// named in the log; a configuration with an error changes nothing.
    #[must_use]
    pub fn configured_by(
        self,
        hangups: mpsc::Receiver<()>,
        read: impl Fn() -> Result<Read, String> + Send + Sync + 'static,
    ) -> Self {
        Self { configuration: Some(Configuration { hangups, read: Arc::new(read) }), ..self }
    }

    /// Answers until `shutdown`, then lets requests under way end.
    ///
    /// # Errors
    /// None by now; the signature leaves room.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), BuildError> {
        let Self { service, listener, address, configuration } = self;
        let (dial, limits) = Dial::new(service.settings().server.clone());
        let background = tokio::spawn(workers::run(service.clone(), shutdown.clone()));
        let ended = CancellationToken::new();
        let beats = tokio::spawn(workers::beats(service.clone(), ended.clone()));
        if let Some(configuration) = configuration {
            tokio::spawn(configuration.follow(service.clone(), dial, shutdown.clone()));
        }
        let service = Arc::new(service);
        let router = api::router(Arc::clone(&service));
        tracing::info!(%address, "the catalogue listens");
        server::serve(vec![listener], router, limits, shutdown.clone()).await;
        shutdown.cancel();
        if let Err(error) = background.await {
            tracing::error!(error = %chain(&error), "the work in the background broke off");
        }
        if tokio::time::timeout(SETTLE, service.settle()).await.is_err() {
            tracing::warn!("some uploads were still being undone; the next start goes on with them");
        }
        ended.cancel();
        if let Err(error) = beats.await {
            tracing::error!(error = %chain(&error), "the signs of life broke off");
        }
        service.end_notes(LAST_NOTES).await;
        Ok(())
    }
}
