//! The change feed, as a process follows it for those who listen to it.
//!
//! ```text
//! a listener ── reads what is behind it in the database ── then what the follower sends on
//! the follower: one task, only while somebody listens; gives places, reads on, each second or at a hint
//! ```

use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::fleet::{
        counters::{self, Counter},
        feed, items, now,
    },
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::wire::fleet::{Change, ChangePage, Event, JobId, NodeName};
use chrono::{DateTime, Utc};
use futures_util::{Stream, StreamExt};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    pin::Pin,
    sync::Arc,
    time::Duration,
};
use tokio::sync::{Mutex, Notify, broadcast, broadcast::error::RecvError};
use tokio_util::sync::CancellationToken;

/// How often the follower looks without a hint.
const LOOK: Duration = Duration::from_secs(1);

/// Changes kept for listeners that are slow; who is slower reads them from the database.
const KEPT: usize = 4096;

/// Changes read at once.
const PAGE: u64 = 1000;

/// What listeners get, until the client leaves or the feed ends. The item is an error when the database fails.
pub type ChangeStream = Pin<Box<dyn Stream<Item = Result<Change, Fault>> + Send>>;

/// The follower, and what it shares with listeners.
pub(in crate::catalogue::service) struct Feed {
    changes: broadcast::Sender<Arc<Entry>>,
    /// Whether the follower runs.
    follows: Mutex<bool>,
    hint: Notify,
    ended: CancellationToken,
}

/// A change, and for whom it is.
struct Entry {
    change: Change,
    /// The nodes of a job that has several.
    nodes: Option<Arc<HashSet<NodeName>>>,
}

// === impl Feed ===

impl Default for Feed {
    fn default() -> Self {
        let (changes, _) = broadcast::channel(KEPT);
        Self { changes, follows: Mutex::default(), hint: Notify::new(), ended: CancellationToken::new() }
    }
}

// === impl Entry ===

impl Entry {
    fn is_for(&self, node: Option<&NodeName>) -> bool {
        let (Some(node), Event::Work) = (node, self.change.event) else { return true };
        match (&self.change.node, &self.nodes) {
            (Some(only), _) => only == node,
            (None, Some(nodes)) => nodes.contains(node),
            (None, None) => false,
        }
    }
}

impl Service {
    /// Something was changed by this process: whoever listens gets it now.
    pub fn hint_changes(&self) {
        self.feed().hint.notify_one();
    }

    /// Ends the feeds of all listeners, so that the program can end.
    pub(crate) fn end_feeds(&self) {
        self.feed().ended.cancel();
    }

    /// A page of the feed after `since`; none for its present end. With a node, work of other nodes is left out.
    ///
    /// # Errors
    /// `Forbidden`.
    pub async fn changes(
        &self,
        caller: &Caller,
        since: Option<u64>,
        node: Option<NodeName>,
        limit: usize,
    ) -> Result<ChangePage, Fault> {
        self.may_look_or_is_agent(caller)?;
        self.place_all().await?;
        let (entries, next) = self.read_on(since, limit as u64).await?;
        let changes = entries.into_iter().filter(|it| it.is_for(node.as_ref())).map(|it| it.change).collect();
        Ok(ChangePage { changes, next })
    }

    /// The feed after `since`, and on; none for from now on.
    ///
    /// # Errors
    /// `Forbidden`; `Unavailable`: too many listen already.
    pub async fn listen(
        &self,
        caller: &Caller,
        since: Option<u64>,
        node: Option<NodeName>,
    ) -> Result<ChangeStream, Fault> {
        self.may_look_or_is_agent(caller)?;
        // The rest of the connections is for requests that end.
        let most = (self.settings().server.max_connections / 4 * 3).max(1);
        if self.feed().changes.receiver_count() >= most {
            return Err(Fault::Unavailable(format!(
                "{most} listen to the change feed here already, which is three quarters of max_connections."
            )));
        }
        // From here on nothing is missed: what the follower has sent before is in the database.
        let live = self.feed().changes.subscribe();
        let end = self.follow().await?;
        let listener = Listener { service: self.clone(), live, at: since.unwrap_or(end), behind: true };
        let changes = listener.entries().filter(move |it| {
            let wanted = it.as_ref().map_or(true, |it| it.is_for(node.as_ref()));
            std::future::ready(wanted)
        });
        Ok(Box::pin(changes.map(|it| it.map(|it| it.change.clone()))))
    }

    /// Has the follower run; the end of the feed.
    async fn follow(&self) -> Result<u64, Fault> {
        let mut follows = self.feed().follows.lock().await;
        self.place_all().await?;
        let end = self.db().read::<_, DbError, _>(|tx| counters::get(tx, Counter::Feed)).await?;
        if !*follows && !self.feed().ended.is_cancelled() {
            *follows = true;
            let service = self.clone();
            self.in_background(async move { service.run_follower(end).await });
        }
        Ok(end)
    }

    async fn run_follower(&self, mut at: u64) {
        let feed = Arc::clone(self.feed());
        loop {
            tokio::select! {
                () = feed.ended.cancelled() => return,
                () = feed.hint.notified() => {}
                () = tokio::time::sleep(LOOK) => {}
            }
            {
                let mut follows = feed.follows.lock().await;
                if feed.changes.receiver_count() == 0 {
                    *follows = false;
                    return;
                }
            }
            match self.send_on(at).await {
                Ok(next) => at = next,
                Err(error) => {
                    tracing::error!(error = %chain(&error), "the change feed cannot be read; it is tried again")
                }
            }
        }
    }

    /// Sends on what there is after `at`; where that ends.
    async fn send_on(&self, mut at: u64) -> Result<u64, Fault> {
        self.place_all().await?;
        loop {
            let (entries, next) = self.read_on(Some(at), PAGE).await?;
            if entries.is_empty() {
                return Ok(next);
            }
            for entry in entries {
                // Nobody listens any more.
                let _ = self.feed().changes.send(Arc::new(entry));
            }
            at = next;
        }
    }

    /// Gives all changes that can be seen their places.
    pub(super) async fn place_all(&self) -> Result<(), Fault> {
        while self.db().read::<_, DbError, _>(feed::has_unplaced).await? {
            self.db().write::<_, DbError, _>(feed::place).await?;
        }
        Ok(())
    }

    /// What comes after `since`, and where that ends. Whoever is behind what was pruned, or ahead of all there is (of
    /// another database), is told to begin anew.
    async fn read_on(&self, since: Option<u64>, most: u64) -> Result<(Vec<Entry>, u64), Fault> {
        let read = self.db().read::<_, DbError, _>(move |tx| {
            let end = counters::get(tx, Counter::Feed)?;
            let since = since.unwrap_or(end);
            if since > end || since < counters::get(tx, Counter::Pruned)? {
                let at = DateTime::<Utc>::from_timestamp(now(tx)?, 0).unwrap_or_default();
                let change = Change { sequence: end, event: Event::Reset, at, image: None, job: None, node: None };
                return Ok((vec![Entry { change, nodes: None }], end));
            }
            let changes = feed::after(tx, since, most)?;
            let next = changes.last().map_or(since, |it| it.sequence);
            Ok((resolved(tx, changes)?, next))
        });
        Ok(read.await?)
    }
}

/// With the nodes of jobs that have several: one statement for all of them.
fn resolved(tx: &Tx<'_>, changes: Vec<Change>) -> Result<Vec<Entry>, DbError> {
    let several = |it: &&Change| it.event == Event::Work && it.node.is_none();
    let jobs: Vec<JobId> = changes.iter().filter(several).filter_map(|it| it.job.clone()).collect();
    let mut nodes: HashMap<JobId, HashSet<NodeName>> = HashMap::new();
    if !jobs.is_empty() {
        for (job, node) in items::names(tx, &jobs)? {
            nodes.entry(job).or_default().insert(node);
        }
    }
    let nodes: HashMap<JobId, Arc<HashSet<NodeName>>> =
        nodes.into_iter().map(|(job, it)| (job, Arc::new(it))).collect();
    let entry = |change: Change| {
        let nodes = change.job.as_ref().and_then(|it| nodes.get(it)).cloned();
        Entry { change, nodes }
    };
    Ok(changes.into_iter().map(entry).collect())
}

/// One who listens.
struct Listener {
    service: Service,
    live: broadcast::Receiver<Arc<Entry>>,
    /// The last place that it has got.
    at: u64,
    /// The database knows of more.
    behind: bool,
}

// === impl Listener ===

impl Listener {
    fn entries(self) -> impl Stream<Item = Result<Arc<Entry>, Fault>> + Send {
        let start = (self, VecDeque::new(), false);
        futures_util::stream::unfold(start, |(mut this, mut ready, failed)| async move {
            if failed {
                return None;
            }
            loop {
                if let Some(entry) = ready.pop_front() {
                    return Some((Ok(entry), (this, ready, false)));
                }
                match this.next().await {
                    Ok(Some(entries)) => ready.extend(entries),
                    Ok(None) => return None,
                    Err(error) => return Some((Err(error), (this, ready, true))),
                }
            }
        })
    }

    /// What comes next; none at the end of the feed.
    async fn next(&mut self) -> Result<Option<Vec<Arc<Entry>>>, Fault> {
        if self.behind {
            let (entries, next) = self.service.read_on(Some(self.at), PAGE).await?;
            self.behind = !entries.is_empty();
            self.at = next;
            return Ok(Some(entries.into_iter().map(Arc::new).collect()));
        }
        let feed = Arc::clone(self.service.feed());
        let received = tokio::select! {
            () = feed.ended.cancelled() => return Ok(None),
            received = self.live.recv() => received,
        };
        match received {
            Ok(entry) if entry.change.sequence <= self.at && entry.change.event != Event::Reset => Ok(Some(Vec::new())),
            Ok(entry) => {
                self.at = entry.change.sequence;
                Ok(Some(vec![entry]))
            }
            Err(RecvError::Lagged(_)) => {
                self.behind = true;
                Ok(Some(Vec::new()))
            }
            Err(RecvError::Closed) => Ok(None),
        }
    }
}
