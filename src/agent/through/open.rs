//! What the endpoint is made of.

use super::{Settings, bases::Bases, counts::Counts, flights::Flights, serve, shelf};
use crate::admin::{Download, ReadThrough};
use crate::agent::{base_dir::BaseDir, index::Index, lists::Lists, plan::fetch::Ledger, through::shelf::Shelf};
use crate::http::server::{BACKLOG, BindError, Listener};
use crate::remote::Catalogue;
use http::HeaderValue;
use std::{
    io,
    net::SocketAddr,
    path::PathBuf,
    sync::{
        Arc, OnceLock,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};
use tokio::sync::watch;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The endpoint; it serves once it is bound.
pub(in crate::agent) struct Through {
    settings: Settings,
    catalogue: watch::Receiver<Catalogue>,
    pub(super) bases: Arc<Bases>,
    pub(super) shelf: Option<Arc<Shelf>>,
    pub(super) flights: Flights,
    pub(super) counts: Arc<Counts>,
    /// Who this is, in `Via`: by it a request that comes back is known.
    pub(super) via: HeaderValue,
    /// Whether the catalogue's stores know ranges, as far as they were asked.
    pub(super) ranges: AtomicBool,
    /// Longest silence of the catalogue in a download.
    pub(super) patience: Duration,
    pub(super) tasks: TaskTracker,
    pub(super) cancel: CancellationToken,
    address: OnceLock<SocketAddr>,
}

/// What the agent gives it.
pub(in crate::agent) struct Parts {
    pub(in crate::agent) settings: Settings,
    pub(in crate::agent) rules: shelf::Rules,
    pub(in crate::agent) patience: Duration,
    /// The agent's own folder.
    pub(in crate::agent) state_path: PathBuf,
    pub(in crate::agent) dir: Arc<BaseDir>,
    pub(in crate::agent) index: Index,
    pub(in crate::agent) lists: Arc<Lists>,
    pub(in crate::agent) ledger: Ledger,
    pub(in crate::agent) catalogue: watch::Receiver<Catalogue>,
}

/// There is no read-through endpoint.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ThroughError {
    /// Others than this machine's processes would reach it.
    #[error(
        "read_through_bind = {0} is not a loopback address: set 127.0.0.1 or [::1], or read_through_allow_remote = true if \
         that is what you want"
    )]
    Remote(SocketAddr),
    /// The folder of the originals is not usable.
    #[error("cannot keep original images in {}", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The port is taken, or it takes more rights.
    #[error("read_through_bind is not usable")]
    Bind(#[source] BindError),
}

// === impl Through ===

impl Through {
    /// None when it is off: then what an earlier one has kept goes. Blocking.
    ///
    /// # Errors
    /// [`ThroughError`]
    pub(in crate::agent) fn open(parts: Parts) -> Result<Option<Arc<Self>>, ThroughError> {
        let Parts { settings, rules, patience, state_path, dir, index, lists, ledger, catalogue } = parts;
        let folder = settings.path.clone().unwrap_or_else(|| state_path.join("originals"));
        if let Some(address) = settings.refused() {
            return Err(ThroughError::Remote(address));
        }
        if settings.bind.is_none() || rules.limit == 0 {
            shelf::clear(&folder);
        }
        if settings.bind.is_none() {
            return Ok(None);
        }
        let shelf = if rules.limit > 0 {
            let failed = |source| ThroughError::Folder { path: folder.clone(), source };
            let shelf = Shelf::open(folder.clone(), rules, ledger).map_err(failed)?;
            let beside = shelf.shares_disk_with(dir.path());
            Some(Arc::new(if beside { shelf } else { shelf.with_own_ledger() }))
        } else {
            None
        };
        let via = format!("1.1 larder-{:016x}", rand::random::<u64>());
        Ok(Some(Arc::new(Self {
            settings,
            catalogue,
            bases: Arc::new(Bases::new(dir, index, lists)),
            shelf,
            flights: Flights::default(),
            counts: Arc::default(),
            via: HeaderValue::try_from(via).unwrap_or_else(|_| HeaderValue::from_static("1.1 larder")),
            ranges: AtomicBool::new(true),
            patience,
            tasks: TaskTracker::new(),
            cancel: CancellationToken::new(),
            address: OnceLock::new(),
        })))
    }

    /// Listens.
    ///
    /// # Errors
    /// [`ThroughError::Bind`]
    pub(in crate::agent) fn bind(&self) -> Result<Option<Listener>, ThroughError> {
        let Some(address) = self.settings.bind else { return Ok(None) };
        let listener = Listener::bind_tcp(address, BACKLOG).map_err(ThroughError::Bind)?;
        let _ = self.address.set(listener.address().unwrap_or(address));
        Ok(Some(listener))
    }

    /// Serves until `shutdown`, then lets requests under way end.
    pub(in crate::agent) async fn serve(self: Arc<Self>, listener: Listener, shutdown: CancellationToken) {
        if self.settings.bind.is_some_and(|it| !it.ip().to_canonical().is_loopback()) {
            tracing::warn!(
                "read_through_allow_remote is set: whoever reaches {listener} can pass requests through this node, and tokens \
                 come to it over the network without encryption"
            );
        }
        serve::serve(self, listener, shutdown).await;
    }

    pub(super) fn catalogue(&self) -> Catalogue {
        self.catalogue.borrow().clone()
    }

    /// The originals, for those who need their room.
    pub(in crate::agent) fn shelf(&self) -> Option<Arc<Shelf>> {
        self.shelf.clone()
    }

    /// What it does now.
    pub(in crate::agent) fn status(&self) -> ReadThrough {
        let count = |it: &std::sync::atomic::AtomicU64| it.load(Ordering::Relaxed);
        let (originals, kept) = self.shelf.as_ref().map_or((0, 0), |it| it.contents());
        let downloads = self.flights.flying().into_iter().map(|(id, flight)| {
            let (done, total, readers) = flight.so_far();
            Download { id, done, total, readers }
        });
        ReadThrough {
            address: self.address.get().map_or_else(String::new, |it| format!("http://{it}")),
            hits: count(&self.counts.hits),
            joined: count(&self.counts.joined),
            misses: count(&self.counts.misses),
            passed: count(&self.counts.passed),
            served: count(&self.counts.served),
            fetched: count(&self.counts.fetched),
            originals,
            kept,
            limit: self.settings.cache_size,
            downloads: downloads.collect(),
        }
    }
}

impl std::fmt::Debug for Through {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Through").field("settings", &self.settings).finish_non_exhaustive()
    }
}
