//! The loop.

use super::{
    disk::Disk,
    guard::Guard,
    job::Job,
    look::{Look, Meanwhile},
    partials::Partials,
    passes::Passes,
    presence::Presence,
    removals::Asked,
    rules::{Ruled, RulesLine},
    scrubs::Scrubs,
    space::{Evicted, Evictions},
    state::State,
};
use crate::admin::{CachedImage, Member, Pass, Plan, Priority, Pruned, Scrubbed, Status, Why, server::Fault};
use crate::agent::{
    Settings,
    base_dir::{BaseDir, BaseFile, Kind},
    execute::{
        fetch::{FetchError, Fetcher, Outcome},
        scrub::Read,
    },
    fleet,
    index::{Index, IndexError, Known},
    rules::News,
    sharing,
    through::Shelf,
};
use crate::base::{chain, space::Space};
use crate::image::ImageId;
use crate::remote::Catalogue;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::Duration,
};
use tokio::{
    sync::{mpsc, oneshot, watch},
    task::{JoinError, JoinSet},
    time::{Instant, sleep, timeout_at},
};
use tokio_util::sync::CancellationToken;

pub(in crate::agent) type Reply<T> = oneshot::Sender<Result<T, Fault>>;

/// What the loop is asked for.
#[derive(Debug)]
pub(in crate::agent) enum Command {
    Prefetch(Reply<Pass>),
    Prune {
        dry_run: bool,
        reply: Reply<Pruned>,
    },
    Scrub(Reply<Scrubbed>),
    Plan(Reply<Plan>),
    Why(ImageId, Reply<Why>),
    Queue(ImageId, Option<Priority>, Reply<()>),
    Pin(ImageId, Reply<()>),
    Unpin(ImageId, Reply<()>),
    ConfirmGone(ImageId, Reply<()>),
    Cached(Reply<Vec<CachedImage>>),
    Queued(Reply<Vec<ImageId>>),
    DeleteCached(ImageId, Reply<()>),
    DeleteAllCached(Reply<u64>),
    DeleteQueued(ImageId, Reply<()>),
    DeleteAllQueued(Reply<u64>),
    Reconfigure(Box<Settings>),
    /// What the catalogue has, and has no more.
    Presence(Presence),
    /// The rules that hold, and what there is for them.
    Rules(Box<News>),
    /// Something changed on disk.
    Hint,
    /// Worth a place in the status.
    Warn(String),
}

/// What the loop is made of.
#[derive(Debug)]
pub(in crate::agent) struct Parts {
    pub(in crate::agent) settings: Settings,
    pub(in crate::agent) dir: Arc<BaseDir>,
    pub(in crate::agent) index: Index,
    pub(in crate::agent) fetcher: Fetcher,
    pub(in crate::agent) commands: mpsc::Receiver<Command>,
    pub(in crate::agent) status: watch::Sender<Arc<Status>>,
    /// For those who ask the catalogue themselves.
    pub(in crate::agent) catalogue: watch::Sender<Catalogue>,
    /// For those who take part in the fleet.
    pub(in crate::agent) fleet: watch::Sender<fleet::Settings>,
    /// The node's place in it.
    pub(in crate::agent) member: watch::Receiver<Member>,
    /// Original images beside the bases, which go first when room is needed.
    pub(in crate::agent) originals: Option<Arc<Shelf>>,
    /// For those who follow prefetch rules.
    pub(in crate::agent) rules: RulesLine,
    /// Those who share the base directory.
    pub(in crate::agent) sharing: sharing::Line,
    /// For the status; logged already.
    pub(in crate::agent) notes: Vec<String>,
}

/// What ran beside the loop and has ended.
pub(super) enum Done {
    Fetched { id: ImageId, result: Box<Result<Outcome, FetchError>>, file: Option<BaseFile>, left: u64 },
    Looked(Box<Result<Look, String>>),
    Pruned { result: Result<Pruned, String>, reply: Option<Reply<Pruned>> },
    Deleted { result: Result<Pruned, String>, asked: Asked },
    Evicted(Result<Evicted, String>),
    Space(std::io::Result<Space>),
    Untouched(u64, Vec<String>),
    Waiting(HashSet<ImageId>),
    Read { base: String, known: Option<Box<Known>>, read: Read },
    Replaced { base: String, size: u64, damage: String, result: Result<Pruned, String> },
    Gone(Result<Pruned, String>),
    Planned { result: Result<Pruned, String>, gone: Result<Pruned, String>, reply: Reply<Plan> },
}

/// What the loop woke up for.
enum Event {
    Asked(Command),
    Ended(Result<Done, JoinError>),
}

#[derive(Debug)]
pub(in crate::agent) struct Reconciler {
    pub(super) settings: Settings,
    pub(super) dir: Arc<BaseDir>,
    pub(super) index: Index,
    pub(super) fetcher: Fetcher,
    pub(super) state: State,
    pub(super) passes: Passes,
    pub(super) scrubs: Scrubs,
    pub(super) work: JoinSet<Done>,
    pub(super) jobs: HashMap<ImageId, Job>,
    /// Fetches that ever began.
    pub(super) begun: u64,
    pub(super) disk: Disk,
    pub(super) guard: Guard,
    pub(super) partials: Partials,
    pub(super) evictions: Evictions,
    pub(super) originals: Option<Arc<Shelf>>,
    pub(super) looking: bool,
    pub(super) pruning: bool,
    pub(super) next_look: DateTime<Utc>,
    /// Bases that came, and that went, while the disk was looked at.
    pub(super) meanwhile: Meanwhile,
    /// Who wants to know about one image, since when: answered from a look at the disk that began later.
    pub(super) asking: Vec<(ImageId, DateTime<Utc>, Reply<Why>)>,
    pub(super) shutdown: CancellationToken,
    /// Nothing is tried again by itself.
    pub(super) asked_only: bool,
    commands: mpsc::Receiver<Command>,
    pub(super) status: watch::Sender<Arc<Status>>,
    pub(super) catalogue: watch::Sender<Catalogue>,
    pub(super) fleet: watch::Sender<fleet::Settings>,
    pub(super) rules: RulesLine,
    /// What systemd was told last.
    pub(super) said: String,
}

/// The disk is looked at no more often than this because of hints.
const BETWEEN_LOOKS: TimeDelta = TimeDelta::seconds(5);
/// What is in work at the end gets this long to leave nothing behind.
const DRAIN: Duration = Duration::from_secs(30);

// === impl Reconciler ===

impl Reconciler {
    /// # Errors
    /// [`IndexError`] when the index cannot be read.
    pub(in crate::agent) async fn new(it: Parts, now: DateTime<Utc>) -> Result<Self, IndexError> {
        let Parts { settings, dir, index, fetcher, commands, status, catalogue, fleet, member, .. } = it;
        let (originals, rules, notes) = (it.originals, it.rules, it.notes);
        let mut state = State {
            now,
            started_at: now,
            base_directory: dir.path().display().to_string(),
            catalogue: fetcher.catalogue.describe(),
            idle_because: settings.idle_because(),
            queue: index.queue().await?,
            known: index.bases().await?.into_iter().map(|it| (it.base.clone(), it)).collect(),
            pins: index.pins().await?.into_iter().collect(),
            look: None,
            decisions: Vec::new(),
            active: None,
            put_off: HashMap::new(),
            board: fetcher.board.clone(),
            waited_for: HashSet::new(),
            evictable: None,
            pace: None,
            ledger: fetcher.ledger.clone(),
            bounds: settings.bounds(),
            counted_by_nova: settings.counted_by_nova,
            gone: super::presence::Gone::default(),
            ruled: Ruled::open(&index, &settings, now).await?,
            member,
            sharing: it.sharing,
            next_prefetch: None,
            next_prune: None,
            next_scrub: None,
            scrub: super::scrub_status::ScrubStatus::default(),
            last_prefetch: None,
            last_prune: None,
            warnings: super::warnings::Warnings::default(),
        };
        notes.into_iter().for_each(|it| _ = state.warnings.add(it));
        let mut reconciler = Self {
            settings,
            dir,
            index,
            fetcher,
            state,
            passes: Passes::default(),
            scrubs: Scrubs::default(),
            work: JoinSet::new(),
            jobs: HashMap::new(),
            begun: 0,
            disk: Disk::default(),
            guard: Guard::default(),
            partials: Partials::default(),
            evictions: Evictions::default(),
            originals,
            looking: false,
            pruning: false,
            next_look: now,
            meanwhile: Meanwhile::default(),
            asking: Vec::new(),
            shutdown: CancellationToken::new(),
            asked_only: false,
            commands,
            status,
            catalogue,
            fleet,
            rules,
            said: String::new(),
        };
        reconciler.begin().await;
        Ok(reconciler)
    }

    async fn begin(&mut self) {
        self.set_clocks();
        // The clock may have been set while nothing ran.
        self.nothing_is_ahead().await;
        self.reload().await;
        self.tidy_up().await;
        self.publish();
    }

    /// Works until `shutdown`, then lets everything in work clean up.
    pub(in crate::agent) async fn run(mut self, shutdown: CancellationToken) {
        self.shutdown = shutdown;
        loop {
            self.turn(Utc::now()).await;
            let sleep_for = self.sleep_for();
            if self.shutdown.is_cancelled() {
                break;
            }
            // In any order: a thousand fetches that end one after the other keep nobody's question waiting.
            let event = tokio::select! {
                () = self.shutdown.cancelled() => break,
                Some(done) = self.work.join_next(), if !self.work.is_empty() => Event::Ended(done),
                command = self.commands.recv() => match command {
                    Some(command) => Event::Asked(command),
                    None => break,
                },
                Ok(()) = self.state.member.changed() => continue,
                Ok(()) = self.state.sharing.others.changed() => continue,
                () = sleep(sleep_for) => continue,
            };
            self.it_is(Utc::now()).await;
            match event {
                Event::Asked(command) => self.obey(command).await,
                Event::Ended(Ok(done)) => self.take_in(done).await,
                // Panics are caught inside; nobody aborts.
                Event::Ended(Err(error)) => self.warn(format!("a task of the agent died: {error}")),
            }
        }
        self.drain().await;
    }

    /// One turn at this time: what is due begins, and the status says how things are.
    pub(super) async fn turn(&mut self, now: DateTime<Utc>) {
        self.it_is(now).await;
        self.follow_windows().await;
        self.start_what_is_due();
        self.end_passes();
        self.publish();
    }

    /// Nothing begins by itself from now on.
    pub(in crate::agent) fn only_when_asked(&mut self) {
        let settings = &mut self.settings;
        (settings.cache_prefetcher_interval, settings.prune_interval) = (0, 0);
        (settings.prefetch_schedule, settings.prune_schedule, settings.scrub_schedule) = (None, None, None);
        settings.prefetch_on_queue = false;
        self.asked_only = true;
        self.set_clocks();
    }

    async fn drain(mut self) {
        let end = Instant::now() + DRAIN;
        self.jobs.values().for_each(|it| it.cancel.cancel());
        while !self.work.is_empty() {
            match timeout_at(end, self.work.join_next()).await {
                Ok(Some(Ok(done))) => self.take_in(done).await,
                Ok(_) => {}
                Err(_) => {
                    tracing::warn!(left = self.work.len(), "not all work has ended in time; the next start cleans up");
                    self.work.abort_all();
                    return;
                }
            }
        }
    }

    pub(super) async fn obey(&mut self, command: Command) {
        match command {
            Command::Prefetch(reply) => self.begin_pass(reply),
            Command::Prune { dry_run, reply } => self.prune_for(dry_run, reply),
            Command::Scrub(reply) => self.scrub_for(reply),
            Command::Why(id, reply) => {
                self.asking.push((id, self.state.now, reply));
                self.next_look = self.state.now;
            }
            Command::Queue(id, priority, reply) => drop(reply.send(self.queue(&id, priority).await)),
            Command::Pin(id, reply) => drop(reply.send(self.pin(&id).await)),
            Command::Unpin(id, reply) => drop(reply.send(self.unpin(&id).await)),
            Command::ConfirmGone(id, reply) => drop(reply.send(self.confirm_gone(&id).await)),
            Command::Cached(reply) => drop(reply.send(Ok(self.state.cached()))),
            Command::Queued(reply) => {
                drop(reply.send(Ok(self.state.queue.iter().map(|it| it.id.clone()).collect())));
            }
            Command::DeleteCached(id, reply) => self.delete_cached(id, reply),
            Command::DeleteAllCached(reply) => self.delete_all_cached(reply),
            Command::DeleteQueued(id, reply) => drop(reply.send(self.delete_queued(&id).await)),
            Command::DeleteAllQueued(reply) => drop(reply.send(self.delete_all_queued().await)),
            Command::Reconfigure(settings) => self.reconfigure(*settings),
            Command::Presence(it) => self.presence(it).await,
            Command::Rules(news) => self.take_rules(*news).await,
            Command::Plan(reply) => self.plan(reply),
            Command::Hint => self.look_soon(),
            Command::Warn(text) => self.warn(text),
        }
    }

    pub(super) async fn take_in(&mut self, done: Done) {
        match done {
            Done::Fetched { id, result, file, left } => {
                self.partials.left(&id, left);
                self.fetched(&id, *result, file).await;
            }
            Done::Looked(result) => {
                self.looking = false;
                let seen = match *result {
                    Ok(look) => {
                        let at = look.at;
                        self.looked(look).await;
                        at
                    }
                    Err(why) => {
                        self.warn(why);
                        // Nothing begins before the first one.
                        self.next_look = self.next_look.min(self.state.now + BETWEEN_LOOKS);
                        // What is known is all there is to say.
                        self.state.now
                    }
                };
                self.answer_why(seen);
            }
            Done::Pruned { result, reply } => self.pruned(result, reply).await,
            Done::Deleted { result, asked } => self.deleted(result, asked).await,
            Done::Evicted(result) => self.evicted(result).await,
            Done::Space(answer) => self.disk_told(answer),
            Done::Untouched(limit, bases) => self.untouched(limit, bases),
            Done::Waiting(ids) => self.waiting(&ids),
            Done::Read { base, known, read } => self.read_done(base, known, read).await,
            Done::Replaced { base, size, damage, result } => self.replaced(base, size, damage, result).await,
            Done::Gone(result) => self.removed_gone(result).await,
            Done::Planned { result, gone, reply } => self.planned(result, gone, reply),
        }
    }

    /// Explains images to those who asked before the disk was looked at; a look that began too early is repeated.
    fn answer_why(&mut self, seen: DateTime<Utc>) {
        for (id, since, reply) in std::mem::take(&mut self.asking) {
            if since <= seen {
                drop(reply.send(Ok(self.state.why(&id))));
            } else {
                self.asking.push((id, since, reply));
                self.next_look = self.state.now;
            }
        }
    }

    fn start_what_is_due(&mut self) {
        let now = self.state.now;
        self.ask_disk();
        if self.state.next_prefetch.is_some_and(|at| at <= now) {
            self.begin_periodic_pass(now);
        }
        if self.state.next_prune.is_some_and(|at| at <= now) && !self.pruning {
            self.set_prune_clock(now);
            self.prune(false, None);
        }
        if self.state.next_scrub.is_some_and(|at| at <= now) {
            self.set_scrub_clock(now);
            self.begin_periodic_scrub();
        }
        if self.next_look <= now && !self.looking {
            self.look();
        }
        self.remove_gone_if_due(now);
        self.evict_if_needed();
        self.scrub_on(now);
        self.start_fetches(now);
        self.guard();
    }

    fn look(&mut self) {
        self.looking = true;
        let interval = TimeDelta::from_std(self.settings.scan_interval).unwrap_or(TimeDelta::minutes(2));
        let (dir, now) = (self.dir.clone(), self.state.now);
        self.next_look = now + interval.max(BETWEEN_LOOKS);
        self.meanwhile = Meanwhile::default();
        self.work.spawn(async move { Done::Looked(Box::new(Look::beside(dir, now).await)) });
    }

    /// The disk is looked at again soon, but not all the time.
    pub(super) fn look_soon(&mut self) {
        let last = self.state.look.as_ref().map_or(DateTime::UNIX_EPOCH, |it| it.at);
        let soon = (last + BETWEEN_LOOKS).max(self.state.now + TimeDelta::milliseconds(200));
        self.next_look = self.next_look.min(soon);
    }

    /// The directory is the truth: the index follows it.
    async fn looked(&mut self, mut look: Look) {
        look.correct(&self.meanwhile, self.state.look.as_ref());
        let originals: HashSet<&str> =
            look.bases.iter().filter(|it| it.kind == Kind::Original).map(|it| it.name.as_str()).collect();
        let (now, names) = (self.state.now, self.state.names());
        let adopted: Vec<Known> = look
            .bases
            .iter()
            .filter(|it| it.kind == Kind::Original && !self.state.known.contains_key(&it.name))
            .filter(|it| !self.jobs.keys().any(|id| id.base_name() == it.name) && look.in_use.is_settled(it, now))
            .map(|it| Known { id: names.of(&it.name), ..Known::adopted(it.name.clone(), now) })
            .collect();
        let gone: Vec<String> = self
            .state
            .known
            .values()
            .filter(|it| !originals.contains(it.base.as_str()) && !self.meanwhile.arrived.contains(&it.base))
            .map(|it| it.base.clone())
            .collect();
        self.adopt_and_forget(adopted, gone).await;
        let active: HashSet<String> = self.state.known.keys().filter(|it| look.in_use.is_active(it)).cloned().collect();
        let anew = match &self.state.active {
            Some(before) => active.difference(before).cloned().collect(),
            // After a start nobody knows what is new.
            None => Vec::new(),
        };
        if !active.is_empty() {
            let noted = self.index.used(active.iter().cloned().collect(), anew, now).await;
            self.note_trouble(noted);
        }
        self.state.active = Some(active);
        self.state.look = Some(look);
        self.queue_pinned(now).await;
        self.rules_after_look(now).await;
        if self.state.put_off.values().any(|it| it.held.is_some()) {
            self.room_is_needed();
        }
        self.reload().await;
        self.keep_from_nova();
    }

    async fn adopt_and_forget(&mut self, adopted: Vec<Known>, gone: Vec<String>) {
        for it in &adopted {
            tracing::info!(base.file = %it.base, "adopted a base that this agent did not fetch");
            self.state.warnings.add(format!("adopted the base {}, which this agent did not fetch", it.base));
        }
        for base in &gone {
            tracing::info!(base.file = %base, "dropped the record of a base that is gone");
            self.state.warnings.add(format!("dropped the record of the base {base}, whose file is gone"));
        }
        if !adopted.is_empty() {
            let noted = self.index.note(adopted).await;
            self.note_trouble(noted);
        }
        if !gone.is_empty() {
            let noted = self.index.forget(gone.clone()).await;
            self.note_trouble(noted);
            self.drop_lists(gone).await;
        }
    }

    /// Takes the index into memory again, after it was written.
    pub(super) async fn reload(&mut self) {
        match (self.index.queue().await, self.index.bases().await) {
            (Ok(queue), Ok(bases)) => {
                self.state.queue = queue;
                self.state.known = bases.into_iter().map(|it| (it.base.clone(), it)).collect();
            }
            (Err(error), _) | (_, Err(error)) => self.warn(chain(&error).to_string()),
        }
        let queued: HashSet<&ImageId> = self.state.queue.iter().map(|it| &it.id).collect();
        self.state.put_off.retain(|id, _| queued.contains(id));
        self.state.judge(&self.settings.prune);
    }

    pub(super) fn note_trouble(&mut self, result: Result<(), IndexError>) {
        if let Err(error) = result {
            self.warn(chain(&error).to_string());
        }
    }

    pub(super) fn warn(&mut self, text: String) {
        tracing::warn!("{text}");
        self.state.warnings.add(text);
    }
}
