//! The connection to a cluster: made when it is needed, shared by all, with a time limit on each wait.
//!
//! librbd blocks: each piece of work gets a thread of its own, of which there are some at most, and whoever asked waits no
//! longer than the time limit. Data goes without threads (`ceph::aio`).

use super::{
    ceph::{CephError, Cluster, Login, library},
    settings::RbdSettings,
};
use crate::store::{OpenError, StoreError};
use futures_util::{
    FutureExt,
    future::{BoxFuture, Shared},
};
use nix::errno::Errno;
use std::{
    future::Future,
    sync::{
        Arc, Mutex, MutexGuard, OnceLock, PoisonError,
        atomic::{AtomicU64, Ordering},
        mpsc,
    },
    thread,
    time::Duration,
};
use tokio::{
    sync::{Semaphore, oneshot},
    time::timeout,
};

/// Pieces of work at the same time.
const THREADS: usize = 32;

/// librados keeps its own time limits; this much later nobody waits for it any more.
const GRACE: Duration = Duration::from_secs(5);

/// The call in errors of waits that were given up here.
const WAIT: &str = "the wait for Ceph";

/// The way to a cluster.
pub(super) struct Link {
    pub(super) store: String,
    pub(super) settings: RbdSettings,
    login: Login,
    threads: Arc<Semaphore>,
    state: Mutex<State>,
    fsid: OnceLock<String>,
}

#[derive(Default)]
struct State {
    cluster: Option<Arc<Cluster>>,
    attempt: Option<Attempt>,
}

type Attempt = Shared<BoxFuture<'static, Result<Arc<Cluster>, CephError>>>;

// === impl Link ===

impl Link {
    /// Connects. A cluster that does not answer is waited for later, if its id is known from the configuration. Blocking.
    pub(super) fn open(store: &str, settings: &RbdSettings) -> Result<Self, OpenError> {
        let refused = |what: String, source: Option<CephError>| OpenError::Options {
            kind: "rbd",
            what,
            source: source.map(Into::into),
        };
        library().map_err(|missing| refused(missing.to_owned(), None))?;
        if settings.rbd_store_chunk_size == 0 {
            return Err(refused("rbd_store_chunk_size takes MiB, from 1 on".to_owned(), None));
        }
        if settings.rbd_store_ceph_conf.as_ref().is_some_and(|it| it.to_str().is_none()) {
            return Err(refused("rbd_store_ceph_conf is not UTF-8".to_owned(), None));
        }
        let login = Login {
            user: settings.rbd_store_user.clone(),
            conf: settings.rbd_store_ceph_conf.clone(),
            connect: settings.connect_timeout(),
            answer: settings.answer_timeout(),
            asked_for: settings.asked_timeout().is_some(),
        };
        let link = Self {
            store: store.to_owned(),
            settings: settings.clone(),
            login,
            threads: Arc::new(Semaphore::new(THREADS)),
            state: Mutex::default(),
            fsid: OnceLock::new(),
        };
        match link.first() {
            Ok((cluster, fsid)) => {
                link.state().cluster = Some(cluster);
                let _ = link.fsid.set(fsid);
            }
            Err(error) if error.is(Errno::ETIMEDOUT) && link.configured_fsid().is_some() => {
                tracing::error!(
                    store,
                    error = link.explain("", &error),
                    "the cluster does not answer; it is tried again"
                );
                let _ = link.fsid.set(link.configured_fsid().unwrap_or_default());
            }
            Err(error) => return Err(refused(link.explain(&settings.rbd_store_pool, &error), Some(error))),
        }
        Ok(link)
    }

    /// The first connection: the pool must be there.
    fn first(&self) -> Result<(Arc<Cluster>, String), CephError> {
        let (sender, receiver) = mpsc::channel();
        let (login, pool) = (self.login.clone(), self.settings.rbd_store_pool.clone());
        let work = move || {
            let connected = connect(&login).and_then(|it| {
                super::ceph::Pool::open(&it, &pool)?;
                let fsid = it.fsid()?;
                Ok((it, fsid))
            });
            let _ = sender.send(connected);
        };
        spawn("rbd-connect", work)?;
        let gone = CephError::new("rados_connect", Errno::ETIMEDOUT);
        receiver.recv_timeout(self.login.connect + self.login.answer + GRACE).map_err(|_| gone)?
    }

    /// What the configuration file says.
    fn configured_fsid(&self) -> Option<String> {
        let fsid = Cluster::configure(library().ok()?, &self.login).ok()?.get("fsid")?;
        // Zeros stand for none.
        fsid.contains(|it: char| it.is_ascii_alphanumeric() && it != '0').then_some(fsid)
    }

    /// The id of the cluster.
    pub(super) fn fsid(&self) -> &str {
        self.fsid.get().map_or("", String::as_str)
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The connection; all that need a new one wait for the same attempt.
    async fn cluster(&self) -> Result<Arc<Cluster>, CephError> {
        let attempt = {
            let mut state = self.state();
            if let Some(cluster) = &state.cluster {
                return Ok(Arc::clone(cluster));
            }
            match state.attempt.take_if(|it| it.peek().is_some()) {
                None if let Some(attempt) = &state.attempt => attempt.clone(),
                _ => state.attempt.insert(self.attempt()).clone(),
            }
        };
        let cluster = attempt.await?;
        let mut state = self.state();
        state.attempt = None;
        Ok(Arc::clone(state.cluster.get_or_insert(cluster)))
    }

    fn attempt(&self) -> Attempt {
        let (sender, receiver) = oneshot::channel();
        let login = self.login.clone();
        let limit = self.login.connect + GRACE;
        let begun = spawn("rbd-connect", move || drop(sender.send(connect(&login))));
        let lost = CephError::new("rados_connect", Errno::ETIMEDOUT);
        let connected = async move {
            begun?;
            timeout(limit, receiver).await.map_err(|_| lost)?.map_err(|_| lost)?
        };
        connected.boxed().shared()
    }

    /// Does blocking work on a thread; it grows the counter while it goes on.
    pub(super) async fn work<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Arc<Cluster>, &AtomicU64) -> Result<T, CephError> + Send + 'static,
    ) -> Result<T, CephError> {
        let late = CephError::new(WAIT, Errno::ETIMEDOUT);
        let cluster = self.cluster().await?;
        let limit = self.login.answer + GRACE;
        let permit = timeout(limit, Arc::clone(&self.threads).acquire_owned()).await;
        let permit = permit.map_err(|_| late)?.map_err(|_| late)?;
        let (sender, mut receiver) = oneshot::channel();
        let beat = Arc::new(AtomicU64::new(0));
        let (seen, used) = (Arc::clone(&beat), Arc::clone(&cluster));
        spawn("rbd-work", move || {
            let outcome = work(&used, &beat);
            // Nobody may wait any more; what is dropped with it is cared for here.
            let _ = sender.send(outcome);
            drop(permit);
        })?;
        let mut last = 0;
        let outcome = loop {
            match timeout(limit, &mut receiver).await {
                Ok(Ok(outcome)) => break outcome,
                Ok(Err(_)) => break Err(CephError::new(WAIT, Errno::EIO)),
                Err(_) => {
                    let now = seen.load(Ordering::Relaxed);
                    if now == last {
                        break Err(late);
                    }
                    last = now;
                }
            }
        };
        outcome.inspect_err(|error| self.heard(&cluster, error))
    }

    /// Waits for data that is on its way.
    pub(super) async fn answer<T>(
        &self,
        under_way: impl Future<Output = Result<T, CephError>>,
    ) -> Result<T, CephError> {
        let limit = self.login.answer + GRACE;
        timeout(limit, under_way).await.unwrap_or(Err(CephError::new(WAIT, Errno::ETIMEDOUT)))
    }

    /// A client that was shut out stays so: the next one connects anew.
    fn heard(&self, cluster: &Arc<Cluster>, error: &CephError) {
        if error.is(Errno::ESHUTDOWN) {
            let mut state = self.state();
            let shut_out = state.cluster.take_if(|it| Arc::ptr_eq(it, cluster));
            drop(state);
            if shut_out.is_some() {
                tracing::warn!(store = self.store, "the cluster has shut this client out; connecting anew");
            }
        }
    }

    /// The error that a failed call stands for.
    pub(super) fn failed(&self, step: &'static str, pool: &str, url: &str, error: CephError) -> StoreError {
        if error.is(Errno::ENOSPC) || error.is(Errno::EDQUOT) {
            let what = format!("the pool {pool} of Ceph is full, or has reached its quota ({error})");
            return StoreError::NoRoom { store: self.store.clone(), what };
        }
        let what = self.explain(pool, &error);
        StoreError::Remote { step, url: url.chars().take(300).collect(), what, source: Some(error.into()) }
    }

    /// What is wrong, and where to look.
    fn explain(&self, pool: &str, error: &CephError) -> String {
        let user = self.login.user.as_deref().unwrap_or("admin");
        let conf = self.login.conf.as_deref().map_or("ceph.conf".to_owned(), |it| it.display().to_string());
        match (error.call, error.errno) {
            ("rados_conf_read_file", Errno::ENOENT) => {
                format!("there is no {conf}: rbd_store_ceph_conf names the configuration of the cluster")
            }
            ("rados_conf_read_file", Errno::EINVAL) => {
                format!(
                    "{conf} (rbd_store_ceph_conf) is not what Ceph takes: it wants a line end after each line, the last one too"
                )
            }
            ("rados_conf_read_file", _) => format!("{conf} (rbd_store_ceph_conf) cannot be read"),
            // Which of these it is differs between versions of Ceph.
            ("rados_connect", Errno::ENOENT | Errno::EACCES | Errno::EPERM) => format!(
                "the cluster does not let client.{user} (rbd_store_user) in: look whether a keyring that {conf} names has its key, the cluster knows that key, and it can be read"
            ),
            ("rados_connect", Errno::ETIMEDOUT) => format!(
                "no monitor answered within {} s: look at mon_host in {conf} (rbd_store_ceph_conf), at the keyring of client.{user}, and at the cluster",
                self.login.connect.as_secs()
            ),
            ("rados_ioctx_create", Errno::ENOENT) => format!("the cluster has no pool {pool} (rbd_store_pool)"),
            (_, Errno::EACCES | Errno::EPERM) => format!(
                "client.{user} (rbd_store_user) may not do that in the pool {pool}: it needs mon 'profile rbd' and osd 'profile rbd pool={pool}'"
            ),
            (_, Errno::ETIMEDOUT) => format!(
                "Ceph gave no answer for {} s (rados_connect_timeout): look at its OSDs (ceph -s)",
                self.login.answer.as_secs()
            ),
            (_, Errno::ESHUTDOWN) => "the cluster has shut this client out (a blocklist)".to_owned(),
            _ => error.to_string(),
        }
    }
}

fn connect(login: &Login) -> Result<Arc<Cluster>, CephError> {
    let missing = |_| CephError::new("rados_create", Errno::ENOENT);
    let cluster = Cluster::configure(library().map_err(missing)?, login)?;
    cluster.connect()?;
    Ok(Arc::new(cluster))
}

fn spawn(name: &str, work: impl FnOnce() + Send + 'static) -> Result<(), CephError> {
    let spawned = thread::Builder::new().name(name.to_owned()).spawn(work);
    spawned.map(drop).map_err(|_| CephError::new("starting a thread", Errno::EAGAIN))
}
