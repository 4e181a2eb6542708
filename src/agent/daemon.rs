//! Puts the agent together and runs it.

use super::{
    check,
    control::Control,
    reconcile::{Command, Parts, Reconciler, RulesLine},
    watch::{Watch, debounce},
};
use crate::admin::{
    Member, Pass, Pruned, Scrubbed, Status,
    server::{self, Fault, Handler, Peers, SocketError},
};
use crate::agent::{
    Settings,
    base_dir::{BaseDir, BaseDirError},
    execute::{fetch::Fetcher, progress::Board},
    fleet,
    index::{Index, IndexError},
    lists::Lists,
    plan::fetch::Ledger,
    rules::{self, Bell, Follower},
    sharing,
    signatures::Signers,
    through::{self, Through, ThroughError},
};
use crate::base::{
    chain,
    dir_lock::{DirLock, DirLockError},
};
use crate::http::server::Listener;
use crate::remote::{Catalogue, RemoteError};
use crate::runtime::{metrics, pages, systemd};
use crate::wire::fleet::RuleSet;
use chrono::{DateTime, Utc};
use std::{path::PathBuf, sync::Arc};
use tokio::sync::{mpsc, watch};
use tokio_util::{sync::CancellationToken, task::TaskTracker};

/// The agent, ready to run.
#[derive(Debug)]
pub struct Agent {
    pub(super) reconciler: Reconciler,
    control: Control,
    fleet: fleet::Parts,
    follower: Follower,
    sharing: sharing::Parts,
    dir: Arc<BaseDir>,
    admin: server::Settings,
    socket: Option<(Listener, Peers)>,
    through: Option<Listener>,
    configuration: Option<Configuration>,
    /// One agent per index.
    pub(super) _state: DirLock,
}

/// How the configuration is read again.
struct Configuration {
    files: Vec<PathBuf>,
    hangups: mpsc::Receiver<()>,
    read: Arc<Reader>,
}

type Reader = dyn Fn() -> Result<Settings, String> + Send + Sync;

/// The agent could not be started.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum AgentError {
    /// The base directory is not usable, or another agent has it.
    #[error("the agent cannot take over the base directory")]
    BaseDir(#[source] BaseDirError),
    /// Its own folder is not usable, or another agent has it.
    #[error("the agent cannot take over its state_path")]
    State(#[source] DirLockError),
    /// The index is not usable.
    #[error("the agent has no index")]
    Index(#[source] IndexError),
    /// The catalogue's settings are not usable.
    #[error("the agent has no catalogue")]
    Catalogue(#[source] RemoteError),
    /// The key manager's settings are not usable.
    #[error("the agent has no certificates")]
    KeyManager(#[source] RemoteError),
    /// The admin socket cannot be opened.
    #[error("the agent has no admin socket")]
    Socket(#[source] SocketError),
    /// The read-through endpoint cannot be had.
    #[error("the agent has no read-through endpoint")]
    Through(#[source] ThroughError),
    /// A blocking step died.
    #[error("starting the agent ended by a fault of this program")]
    Died(#[source] tokio::task::JoinError),
}

/// Commands that wait for the loop.
const WAITING: usize = 64;

/// Opens everything that the agent needs but its socket, and says what is missing before anything runs.
///
/// # Errors
/// [`AgentError`] names the step and its object.
pub async fn build(settings: Settings) -> Result<Agent, AgentError> {
    build_at(settings, Utc::now()).await
}

/// The same, started at this time.
pub(super) async fn build_at(settings: Settings, now: DateTime<Utc>) -> Result<Agent, AgentError> {
    let catalogue = Catalogue::new(settings.catalogue.clone()).map_err(AgentError::Catalogue)?;
    let signers = Signers::new(&settings.signatures).map_err(AgentError::KeyManager)?;
    let (base_dir, index_path, admin) = (settings.base_dir.clone(), settings.index_path(), settings.admin.clone());
    let pieces = settings.pieces_path();
    let open = move || {
        let failed = |source| AgentError::Index(IndexError::Folder { path: pieces.clone(), source });
        let lists = Lists::open(pieces.clone()).map_err(failed)?;
        let dir = BaseDir::open_keeping(base_dir, &|base| lists.has_begun(base)).map_err(AgentError::BaseDir)?;
        let (index, notes, state) = open_index(&index_path)?;
        Ok((dir, Arc::new(lists), index, notes, state))
    };
    let opened = tokio::task::spawn_blocking(open).await.map_err(AgentError::Died)?;
    let (dir, lists, index, mut notes, state) = opened?;
    notes.iter().for_each(|it| tracing::warn!("{it}"));
    notes.extend(dir.removed_at_start().iter().map(|it| format!("removed {it}, which a crash had left")));
    let dir = Arc::new(dir);
    let fetcher = Fetcher {
        catalogue: catalogue.clone(),
        signers,
        dir: dir.clone(),
        lists,
        board: Board::default(),
        ledger: Ledger::default(),
        throttle: Arc::default(),
        limits: Arc::new(settings.limits()),
    };
    let (commands, waiting) = mpsc::channel(WAITING);
    let (publish, status) = watch::channel(Arc::new(Status::default()));
    let (exchange, catalogue) = watch::channel(catalogue);
    let through = read_through(&settings, &fetcher, index.clone(), catalogue.clone()).await?;
    let (tell, fleet_settings) = watch::channel(settings.fleet.clone());
    let (view, member) = watch::channel(Member::default());
    let (sharing, sharers) = sharing::line(dir.clone(), fetcher.ledger.clone());
    let (follower, line, share) = follower(&settings, &index, &commands, &catalogue).await;
    let parts = Parts {
        settings,
        dir: dir.clone(),
        index: index.clone(),
        fetcher,
        commands: waiting,
        status: publish,
        catalogue: exchange,
        fleet: tell,
        member,
        originals: through.as_ref().and_then(|it| it.shelf()),
        rules: line,
        sharing: sharers,
        notes,
    };
    let reconciler = Reconciler::new(parts, now).await.map_err(AgentError::Index)?;
    let control = Control { commands, status, catalogue, through };
    let (control_too, bell) = (control.clone(), follower.bell.clone());
    let fleet = fleet::Parts { settings: fleet_settings, index, control: control_too, view, rules: share, bell };
    Ok(Agent {
        reconciler,
        control,
        fleet,
        follower,
        sharing,
        dir,
        admin,
        socket: None,
        through: None,
        configuration: None,
        _state: state,
    })
}

/// What follows prefetch rules, how the loop reaches it, and where the centre's rules are told.
async fn follower(
    settings: &Settings,
    index: &Index,
    commands: &mpsc::Sender<Command>,
    catalogue: &watch::Receiver<Catalogue>,
) -> (Follower, RulesLine, watch::Sender<RuleSet>) {
    let (tell, rule_settings) = watch::channel(settings.for_rules());
    let (share, centre) = watch::channel(rules::known(index).await.0);
    let bell = Arc::new(Bell::default());
    let follower = Follower {
        settings: rule_settings,
        centre,
        catalogue: catalogue.clone(),
        bell: bell.clone(),
        commands: commands.clone(),
        index: index.clone(),
    };
    (follower, RulesLine { settings: tell, bell }, share)
}

// === impl Agent ===

impl Agent {
    /// Opens the admin socket and the read-through endpoint, so that clients can connect from now on; [`Agent::run`] does it otherwise. A socket that
    /// systemd hands over is used in place of `admin_socket`.
    ///
    /// # Errors
    /// [`AgentError::Socket`], [`AgentError::Through`]
    pub fn bind(self) -> Result<Self, AgentError> {
        // First: whoever finds the socket finds the endpoint, too.
        let through = match &self.control.through {
            Some(through) => through.bind().map_err(AgentError::Through)?,
            None => None,
        };
        let socket = server::bind(&self.admin, systemd::unix_listener()).map_err(AgentError::Socket)?;
        Ok(Self { socket: Some(socket), through, ..self })
    }

    /// Reads the configuration again by `read` at each hang-up (SIGHUP) and when one of `files` changes. What cannot
    /// change while the agent runs is logged; a configuration with an error changes nothing.
    #[must_use]
    pub fn configured_by(
        self,
        files: Vec<PathBuf>,
        hangups: mpsc::Receiver<()>,
        read: impl Fn() -> Result<Settings, String> + Send + Sync + 'static,
    ) -> Self {
        Self { configuration: Some(Configuration { files, hangups, read: Arc::new(read) }), ..self }
    }

    /// The statuses as they come.
    pub fn status(&self) -> watch::Receiver<Arc<Status>> {
        self.control.status.clone()
    }

    /// Works until `shutdown`, then lets everything in work clean up.
    ///
    /// # Errors
    /// [`AgentError::Socket`] when the admin socket was not bound before and cannot be.
    pub async fn run(self, shutdown: CancellationToken) -> Result<(), AgentError> {
        let bound = if self.socket.is_some() { self } else { self.bind()? };
        let Self {
            reconciler,
            control,
            fleet,
            follower,
            sharing,
            dir,
            socket: Some((listener, peers)),
            through,
            configuration,
            _state,
            ..
        } = bound
        else {
            return Ok(());
        };
        let shutdown = shutdown.child_token();
        tracing::info!(base.directory = %dir.path().display(), socket = %listener, "the agent is ready");
        let lacking = check::lacking();
        if !lacking.is_empty() {
            tracing::info!("runs without {}; larder agent check says what it cannot do for that", lacking.join(", "));
        }
        let beside = TaskTracker::new();
        let folders = vec![dir.path().to_owned(), dir.instances_path().to_owned()];
        let files = configuration.as_ref().map(|it| it.files.clone()).unwrap_or_default();
        let watch = Watch::new(folders, files);
        let commands = control.commands.clone();
        beside.spawn(debounce(watch.disk(), shutdown.clone(), move || {
            let commands = commands.clone();
            async move { drop(commands.send(Command::Hint).await) }
        }));
        if let Some(configuration) = configuration {
            let changed = watch.configuration();
            beside.spawn(configuration.follow(changed, control.commands.clone(), shutdown.clone()));
        }
        beside.spawn(watch.run(shutdown.clone()));
        beside.spawn(metrics::upkeep(shutdown.clone()));
        beside.spawn(pages::forget_the_start(shutdown.clone()));
        fleet::start(fleet, &beside, &shutdown);
        if let Some((through, listener)) = control.through.clone().zip(through) {
            beside.spawn(through.serve(listener, shutdown.clone()));
        }
        beside.spawn(rules::follow(follower, shutdown.clone()));
        beside.spawn(sharing.run(shutdown.clone()));
        beside.spawn(server::serve(listener, peers, Arc::new(control), shutdown.clone()));
        beside.close();
        reconciler.run(shutdown.clone()).await;
        // The loop ends by itself only when nobody can ask for anything any more.
        shutdown.cancel();
        beside.wait().await;
        tracing::info!("the agent has stopped");
        Ok(())
    }

    /// One prefetch pass over everything that is queued and that prefetch rules want, in this process; [`crate::agent::prefetch_once`] asks the
    /// running agent first. Images that failed are in the result.
    ///
    /// # Errors
    /// [`Fault`] when the pass did not end.
    pub async fn prefetch_once(self, shutdown: CancellationToken) -> Result<Pass, Fault> {
        let (follower, mut status) = (self.follower.clone(), self.status());
        self.once(&shutdown, async move |it| {
            follower.once(&mut status).await;
            it.prefetch().await
        })
        .await
    }

    /// One prune pass, in this process; [`crate::agent::prune_once`] asks the running agent first. `dry_run` removes
    /// nothing and says what would go.
    ///
    /// # Errors
    /// [`Fault`] when the pass did not end.
    pub async fn prune_once(self, dry_run: bool, shutdown: CancellationToken) -> Result<Pruned, Fault> {
        self.once(&shutdown, async move |it| it.prune(dry_run).await).await
    }

    /// One scrub pass over all bases, in this process; [`crate::agent::scrub_once`] asks the running agent first. Damage
    /// is in the result.
    ///
    /// # Errors
    /// [`Fault`] when the pass did not end.
    pub async fn scrub_once(self, shutdown: CancellationToken) -> Result<Scrubbed, Fault> {
        self.once(&shutdown, async |it| it.scrub().await).await
    }

    /// Runs the loop for as long as one question takes; nothing begins by itself.
    async fn once<T>(
        self,
        shutdown: &CancellationToken,
        ask: impl AsyncFnOnce(&dyn Handler) -> Result<T, Fault>,
    ) -> Result<T, Fault> {
        let Self { mut reconciler, control, sharing, _state, .. } = self;
        reconciler.only_when_asked();
        let end = shutdown.child_token();
        let work = tokio::spawn(reconciler.run(end.clone()));
        let beside = tokio::spawn(sharing.run(end.clone()));
        let answer = ask(&control).await;
        end.cancel();
        let _ = work.await;
        let _ = beside.await;
        answer
    }
}

/// The read-through endpoint, if there is to be one.
async fn read_through(
    settings: &Settings,
    fetcher: &Fetcher,
    index: Index,
    catalogue: watch::Receiver<Catalogue>,
) -> Result<Option<Arc<Through>>, AgentError> {
    let parts = through::Parts {
        settings: settings.through.clone(),
        rules: settings.originals(),
        patience: settings.fetch_idle_timeout,
        state_path: settings.state_path.clone(),
        dir: fetcher.dir.clone(),
        index,
        lists: fetcher.lists.clone(),
        ledger: fetcher.ledger.clone(),
        catalogue,
    };
    let opened = tokio::task::spawn_blocking(move || Through::open(parts)).await.map_err(AgentError::Died)?;
    opened.map_err(AgentError::Through)
}

fn open_index(path: &std::path::Path) -> Result<(Index, Vec<String>, DirLock), AgentError> {
    if let Some(folder) = path.parent() {
        let failed = |source| AgentError::Index(IndexError::Folder { path: folder.to_owned(), source });
        std::fs::create_dir_all(folder).map_err(failed)?;
    }
    let state = DirLock::acquire(&path.with_extension("lock")).map_err(AgentError::State)?;
    let (index, notes) = Index::open(path).map_err(AgentError::Index)?;
    Ok((index, notes, state))
}

// === impl Configuration ===

impl Configuration {
    async fn follow(
        self,
        changed: Arc<tokio::sync::Notify>,
        commands: mpsc::Sender<Command>,
        shutdown: CancellationToken,
    ) {
        let Self { files: _, mut hangups, read } = self;
        let bell = Arc::new(tokio::sync::Notify::new());
        let ring = bell.clone();
        let listen = async move {
            loop {
                tokio::select! {
                    Some(()) = hangups.recv() => {}
                    () = changed.notified() => {}
                }
                ring.notify_one();
            }
        };
        let reread = debounce(bell, shutdown.clone(), || {
            let (read, commands) = (read.clone(), commands.clone());
            async move {
                let command = match tokio::task::spawn_blocking(move || read()).await {
                    Ok(Ok(settings)) => Command::Reconfigure(Box::new(settings)),
                    Ok(Err(why)) => Command::Warn(format!("the configuration stays as it was: {why}")),
                    Err(died) => Command::Warn(format!("the configuration stays as it was: {}", chain(&died))),
                };
                let _ = commands.send(command).await;
            }
        });
        tokio::select! {
            () = listen => {}
            () = reread => {}
        }
    }
}

impl std::fmt::Debug for Configuration {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Configuration").field("files", &self.files).finish_non_exhaustive()
    }
}
