//! The node's part in the fleet: registers, gives signs of life, takes work over and says what became of it.

use super::{
    Settings,
    feed::{Heard, follow},
    hints::Hints,
    inventory::{Images, News, images, summary},
    journal::{Journal, Key, Step, states},
    link::Link,
    patience::{Patience, Say},
    settings::Membership,
    worker,
};
use crate::admin::{Member as View, MemberState, Status};
use crate::agent::{
    control::Control,
    index::{Fact, Index, IndexError},
    rules::Bell,
};
use crate::base::chain;
use crate::remote::{Catalogue, RemoteError};
use crate::wire::fleet::{Event, HeartbeatAnswer, NodeName, Registered, Registration, RuleSet, Session};
use chrono::{TimeDelta, Utc};
use std::{fs, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
/// Beats are at least this far apart, but for one that goes on with an inventory.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often fetches in work are told of.
const PROGRESS: Duration = Duration::from_secs(5);
/// What a catalogue may ask for.
const INTERVALS: (u64, u64) = (1, 300);
/// How often a catalogue without a fleet is asked again.
const ABSENT: Duration = Duration::from_secs(3600);
/// After the index could not be written.
const UNWRITTEN: Duration = Duration::from_secs(10);
/// Work that is handed to the loop at the same time.
const PLACES: usize = 8;
/// Events that wait.
const EVENTS: usize = 256;

/// What the member is made of.
#[derive(Debug)]
pub(in crate::agent) struct Parts {
    pub(in crate::agent) settings: watch::Receiver<Settings>,
    pub(in crate::agent) index: Index,
    pub(in crate::agent) control: Control,
    pub(in crate::agent) view: watch::Sender<View>,
    /// The rules of the centre, for whoever follows them.
    pub(in crate::agent) rules: watch::Sender<RuleSet>,
    pub(in crate::agent) bell: Arc<Bell>,
}

/// What ran beside the loop.
enum Done {
    Registered(Result<Registered, RemoteError>),
    Beat(Result<HeartbeatAnswer, RemoteError>),
    Rules(Result<RuleSet, RemoteError>),
    Stepped(Key, Step),
}

pub(super) struct Member {
    settings: watch::Receiver<Settings>,
    index: Index,
    control: Control,
    view: watch::Sender<View>,
    shared_rules: watch::Sender<RuleSet>,
    hints: Arc<Hints>,
    /// None: this node joins no fleet.
    node: Option<NodeName>,
    link: Link,
    /// Of the last registration, for the next one.
    session: Option<Session>,
    journal: Journal,
    images: Images,
    rules: RuleSet,
    rules_wanted: bool,
    patience: Patience,
    is_absent: bool,
    tasks: JoinSet<Done>,
    /// A call of the catalogue is under way.
    calling: bool,
    working: usize,
    /// No call before this.
    next_call: Instant,
    /// No work before this.
    next_work: Instant,
    last_beat: Instant,
    interval: Duration,
    /// The catalogue has something for this node.
    urgent: bool,
    stale: bool,
    looked: Instant,
    events: (mpsc::Sender<Heard>, mpsc::Receiver<Heard>),
    feed: Option<AbortHandle>,
}

/// Takes part until `shutdown`.
pub(super) async fn run(parts: Parts, hints: Arc<Hints>, shutdown: CancellationToken) {
    let mut member = match Member::new(parts, hints).await {
        Ok(member) => member,
        Err(error) => {
            tracing::error!(error = %chain(&error), "this node takes no part in the fleet");
            return;
        }
    };
    let mut status = member.control.status.clone();
    let mut catalogue = member.control.catalogue.clone();
    let mut settings = member.settings.clone();
    let back = member.hints.clone();
    loop {
        let wake = member.wake();
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(done) = member.tasks.join_next(), if !member.tasks.is_empty() => match done {
                Ok(done) => member.take_in(done).await,
                Err(error) => {
                    tracing::error!(%error, "a task of the fleet's died");
                    (member.calling, member.working) = (false, 0);
                }
            },
            Some(heard) = member.events.1.recv() => member.hear(heard),
            Ok(()) = settings.changed() => member.begin_anew("the configuration has changed"),
            Ok(()) = catalogue.changed() => member.begin_anew("the catalogue is another one"),
            Ok(()) = status.changed() => member.stale = true,
            () = back.back.notified() => member.catalogue_is_back(),
            () = sleep_until(wake) => {}
        }
        member.turn().await;
    }
    member.stop_feed();
}

// === impl Member ===

impl Member {
    async fn new(parts: Parts, hints: Arc<Hints>) -> Result<Self, IndexError> {
        let Parts { settings, index, control, view, rules: shared_rules, .. } = parts;
        let journal = Journal::new(index.work().await?);
        let session = index.fact(Fact::Session).await?.map(Session);
        let rules = index.fact(Fact::Rules).await?.and_then(|text| serde_json::from_str(&text).ok());
        let now = Instant::now();
        let mut member = Self {
            settings,
            index,
            control,
            view,
            shared_rules,
            hints,
            node: None,
            link: Link::default(),
            session,
            journal,
            images: Images::new(),
            rules: rules.unwrap_or_default(),
            rules_wanted: false,
            patience: Patience::default(),
            is_absent: false,
            tasks: JoinSet::new(),
            calling: false,
            working: 0,
            next_call: now,
            next_work: now,
            last_beat: now,
            interval: Duration::from_secs(INTERVALS.1),
            urgent: false,
            stale: true,
            looked: now,
            events: mpsc::channel(EVENTS),
            feed: None,
        };
        member.begin_anew("the agent has started");
        Ok(member)
    }

    /// Other settings, another catalogue: whatever was agreed is void.
    fn begin_anew(&mut self, why: &'static str) {
        tracing::debug!("the node joins the fleet anew: {why}");
        self.stop_feed();
        self.link.lost();
        self.is_absent = false;
        self.patience = Patience::default();
        self.next_call = Instant::now();
        let settings = self.settings.borrow().clone();
        let name = settings.node_name.unwrap_or_default();
        let (node, state, why) = match (settings.fleet, name.parse::<NodeName>()) {
            (Membership::Off, _) => (None, MemberState::Off, None),
            (_, Ok(node)) => (Some(node), MemberState::Joining, None),
            (_, Err(error)) => {
                let why = format!("{error}: set node_name in [fleet]");
                tracing::warn!("this node joins no fleet: {why}");
                (None, MemberState::Off, Some(why))
            }
        };
        self.node = node;
        let rules_version = self.rules.version;
        self.show(|it| {
            *it = View { node: name, state, why, since: Some(Utc::now()), rules_version, ..View::default() }
        });
    }

    /// Another one may be in its place.
    fn catalogue_is_back(&mut self) {
        if self.is_absent {
            self.next_call = Instant::now();
        }
    }

    /// When something is due.
    fn wake(&self) -> Instant {
        let look = Some(self.looked + SHORTEST).filter(|_| self.stale);
        let call = Some(self.due()).filter(|_| !self.calling && self.node.is_some());
        let now = Instant::now();
        let work = Some(self.next_work).filter(|at| *at > now && !self.journal.is_empty());
        let far = now + ABSENT;
        [look, call, work].into_iter().flatten().min().unwrap_or(far).min(far)
    }

    /// When the next call is to be made.
    fn due(&self) -> Instant {
        if !self.link.is_up() {
            return self.next_call;
        }
        let wait = match self.link.news(&self.images) {
            _ if self.urgent || self.rules_wanted => SHORTEST,
            _ if !self.journal.results().is_empty() => SHORTEST,
            News::Something => SHORTEST,
            News::Progress => PROGRESS.min(self.interval),
            News::Nothing => self.interval,
        };
        (self.last_beat + wait).max(self.next_call)
    }

    async fn turn(&mut self) {
        let now = Instant::now();
        if self.stale && now >= self.looked + SHORTEST {
            self.look(now);
        }
        self.begin_work(now);
        if !self.write().await {
            return;
        }
        if self.node.is_some() && !self.calling && Instant::now() >= self.due() {
            self.call();
        }
        let (open_work, untold_results) = self.journal.counts();
        self.show(|it| (it.open_work, it.untold_results) = (open_work, untold_results));
        metrics::gauge!("larder_fleet_open_work").set(open_work as f64);
    }

    fn look(&mut self, now: Instant) {
        (self.stale, self.looked) = (false, now);
        let status: Arc<Status> = self.control.status.borrow().clone();
        self.images = images(&status);
        if !self.journal.is_empty() {
            self.journal.settle(&states(&status), status.idle_because.as_deref(), Utc::now());
        }
    }

    fn begin_work(&mut self, now: Instant) {
        let places = PLACES.saturating_sub(self.working);
        if self.journal.is_empty() || places == 0 || now < self.next_work {
            return;
        }
        let status = self.control.status.borrow().clone();
        for it in self.journal.begin(&states(&status), Utc::now(), places) {
            self.working += 1;
            let control = self.control.clone();
            tracing::info!(job.id = %it.job, image.id = %it.image, action = %it.action, "the fleet's work begins");
            self.tasks.spawn(async move {
                let step = worker::begin(&control, &it).await;
                Done::Stepped((it.job, it.image), step)
            });
        }
    }

    /// Writes the journal; nothing is said to the catalogue before that is done.
    async fn write(&mut self) -> bool {
        let Some((changed, forgotten)) = self.journal.unwritten() else { return true };
        match self.index.put_work(changed, forgotten).await {
            Ok(()) => {
                self.journal.written();
                true
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "cannot write the fleet's work down: no beat until that works");
                self.next_call = Instant::now() + UNWRITTEN;
                self.next_work = self.next_call;
                false
            }
        }
    }

    fn call(&mut self) {
        let Some(node) = self.node.clone() else { return };
        let catalogue: Catalogue = self.control.catalogue.borrow().clone();
        self.calling = true;
        if !self.link.is_up() {
            let registration = self.registration();
            self.tasks.spawn(async move {
                let call = catalogue.register_node(&node, &registration);
                Done::Registered(in_time("registering the node", &catalogue, call).await)
            });
            return;
        }
        if self.rules_wanted {
            self.rules_wanted = false;
            self.tasks.spawn(async move {
                let call = catalogue.rules(Some(&node));
                Done::Rules(in_time("asking for the prefetch rules", &catalogue, call).await)
            });
            return;
        }
        let status = self.control.status.borrow().clone();
        let summary = summary(&status, &self.images);
        let Some(beat) = self.link.beat(&self.images, summary, self.journal.results(), self.rules.version) else {
            self.calling = false;
            return;
        };
        self.urgent = false;
        self.last_beat = Instant::now();
        self.tasks.spawn(async move {
            let call = catalogue.heartbeat(&node, &beat);
            Done::Beat(in_time("sending a beat", &catalogue, call).await)
        });
    }

    fn registration(&self) -> Registration {
        let settings = self.settings.borrow();
        let boot_id = fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned();
        Registration {
            labels: settings.labels.clone(),
            address: settings.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id,
            session: self.session.clone(),
        }
    }

    async fn take_in(&mut self, done: Done) {
        match done {
            Done::Stepped(key, step) => {
                self.working = self.working.saturating_sub(1);
                if step == Step::Later {
                    self.next_work = Instant::now() + SHORTEST;
                }
                self.journal.stepped(&key, step, Utc::now());
                self.stale = true;
                return;
            }
            Done::Registered(Ok(it)) => self.registered(it).await,
            Done::Registered(Err(error)) => self.not_registered(&error),
            // The node joins anew meanwhile.
            Done::Beat(_) if !self.link.is_up() => {}
            Done::Beat(Ok(answer)) => self.answered(answer),
            Done::Beat(Err(error)) => self.not_answered(&error),
            Done::Rules(Ok(rules)) => self.take_rules(rules).await,
            Done::Rules(Err(error)) => {
                self.rules_wanted = true;
                self.failed(chain(&error).to_string());
            }
        }
        self.calling = false;
    }

    async fn registered(&mut self, it: Registered) {
        tracing::info!(node = %it.node, "registered in the fleet");
        self.set_interval(it.heartbeat_interval);
        self.link.registered(&it);
        self.session = Some(it.session.clone());
        // Without it a restart within three intervals finds its name taken, and waits; no more than that.
        if let Err(error) = self.index.set_fact(Fact::Session, Some(it.session.0)).await {
            tracing::warn!(error = %chain(&error), "cannot write the session down");
        }
        // With other labels there are other rules, of the same version.
        self.rules_wanted = it.rules_version != 0 || self.rules.version != 0;
        self.is_absent = false;
        // The first beat may go at once.
        self.last_beat = Instant::now().checked_sub(SHORTEST).unwrap_or_else(Instant::now);
        (self.stale, self.looked) = (true, self.last_beat);
        self.start_feed();
    }

    fn not_registered(&mut self, error: &RemoteError) {
        let auto = self.settings.borrow().fleet == Membership::Auto;
        if auto && keeps_no_fleet(error) {
            self.stop_feed();
            if !self.is_absent {
                tracing::info!("{} keeps no fleet of nodes: this node works by itself", self.catalogue());
            }
            self.is_absent = true;
            self.patience = Patience::default();
            self.next_call = Instant::now() + ABSENT;
            self.show(|it| {
                let why = "the catalogue keeps no fleet".to_owned();
                *it = View {
                    node: std::mem::take(&mut it.node),
                    state: MemberState::Absent,
                    why: Some(why),
                    ..View::default()
                };
            });
            return;
        }
        let taken = error.status().is_some_and(|it| it.as_u16() == 409);
        let name = self.node.as_ref().map_or("", NodeName::as_str);
        let why = if taken {
            format!(
                "another agent is registered as {name} and gives signs of life: set node_name in [fleet] on one of them ({})",
                chain(error)
            )
        } else {
            chain(error).to_string()
        };
        self.failed(why);
    }

    fn answered(&mut self, answer: HeartbeatAnswer) {
        metrics::counter!("larder_fleet_beats_total", "result" => "done").increment(1);
        let heard = self.link.answered(&answer);
        self.journal.heard(&heard);
        self.set_interval(answer.heartbeat_interval);
        self.urgent |= answer.more;
        self.rules_wanted |= !answer.resync && answer.rules_version != self.rules.version;
        // It is written down before the next beat says that it was taken over.
        self.journal.take(answer.work);
        let now = Utc::now();
        if let Some(outage) = self.patience.worked(now) {
            tracing::info!("in the fleet again after {} s", outage.num_seconds());
        }
        self.next_call = Instant::now();
        metrics::gauge!("larder_fleet_connected").set(1.0);
        let rules_version = self.rules.version;
        self.show(|it| {
            if it.state != MemberState::Connected {
                (it.state, it.since, it.why) = (MemberState::Connected, Some(now), None);
            }
            (it.last_beat, it.rules_version) = (Some(now), rules_version);
        });
    }

    fn not_answered(&mut self, error: &RemoteError) {
        metrics::counter!("larder_fleet_beats_total", "result" => "failed").increment(1);
        match error.status().map(|it| it.as_u16()) {
            Some(404 | 409) => {
                tracing::info!("the catalogue does not know this session: registering again");
                self.link.lost();
                // Soon, but not as fast as it can refuse.
                let (wait, _) = self.patience.clone().failed(Utc::now(), rand::random());
                self.next_call = Instant::now() + wait;
                return;
            }
            Some(400) => {
                tracing::error!(
                    "the catalogue does not understand a beat, which is a fault of this program or of it: {}",
                    chain(error)
                );
                self.link.refused();
            }
            _ => {}
        }
        self.failed(chain(error).to_string());
    }

    /// One line at the loss, one an hour.
    fn failed(&mut self, why: String) {
        let now = Utc::now();
        let (wait, say) = self.patience.failed(now, rand::random());
        self.next_call = Instant::now() + wait;
        metrics::gauge!("larder_fleet_connected").set(0.0);
        let since = self.patience.since().unwrap_or(now);
        match say {
            Say::Loss => tracing::warn!("the node is not in the fleet, and goes on with what it knows: {why}"),
            Say::Reminder => {
                let hours = (now - since).max(TimeDelta::zero()).num_hours();
                tracing::warn!("the node is not in the fleet, for {hours} h now: {why}");
            }
            Say::Nothing => tracing::debug!("the node is not in the fleet: {why}"),
        }
        self.show(|it| {
            if it.state != MemberState::Lost {
                (it.state, it.since) = (MemberState::Lost, Some(since));
            }
            it.why = Some(why);
        });
    }

    async fn take_rules(&mut self, rules: RuleSet) {
        tracing::info!(version = rules.version, rules = rules.rules.len(), "took the prefetch rules over");
        match serde_json::to_string(&rules) {
            Ok(text) => {
                if let Err(error) = self.index.set_fact(Fact::Rules, Some(text)).await {
                    tracing::warn!(error = %chain(&error), "cannot write the rules down");
                }
            }
            Err(error) => tracing::warn!(%error, "cannot write the rules down"),
        }
        self.shared_rules.send_replace(rules.clone());
        self.rules = rules;
        // The catalogue hears of it.
        self.urgent = true;
        let version = self.rules.version;
        self.show(|it| it.rules_version = version);
    }

    fn hear(&mut self, heard: Heard) {
        match heard {
            Heard::Open { anew } => {
                self.show(|it| it.follows = true);
                if anew {
                    self.hints.all();
                }
            }
            Heard::Cut => self.show(|it| it.follows = false),
            Heard::Change(change) => match change.event {
                Event::Work => self.urgent = true,
                Event::Rules => self.rules_wanted = true,
                Event::Reset => {
                    (self.urgent, self.rules_wanted) = (true, true);
                    self.hints.all();
                }
                Event::ImageUpdated
                | Event::ImageDeleted
                | Event::ImageDeactivated
                | Event::ImageReactivated
                | Event::ImageMembers => change.image.into_iter().for_each(|it| self.hints.image(it)),
                Event::ImageCreated => {}
            },
        }
    }

    fn start_feed(&mut self) {
        let (None, Some(node)) = (&self.feed, self.node.clone()) else { return };
        let catalogue = self.control.catalogue.borrow().clone();
        self.feed = Some(tokio::spawn(follow(catalogue, node, self.events.0.clone())).abort_handle());
    }

    fn stop_feed(&mut self) {
        self.feed.take().iter().for_each(AbortHandle::abort);
    }

    fn set_interval(&mut self, seconds: u64) {
        self.interval = Duration::from_secs(seconds.clamp(INTERVALS.0, INTERVALS.1));
    }

    fn catalogue(&self) -> String {
        self.control.catalogue.borrow().describe()
    }

    fn show(&self, change: impl FnOnce(&mut View)) {
        self.view.send_if_modified(|it| {
            let before = it.clone();
            change(it);
            *it != before
        });
    }
}

/// There is no such path. A stock Glance answers 300 to paths that it does not know, proxies 405 or 501.
fn keeps_no_fleet(error: &RemoteError) -> bool {
    error.status().is_some_and(|it| matches!(it.as_u16(), 300 | 404 | 405 | 501))
}

async fn in_time<T>(
    doing: &str,
    catalogue: &Catalogue,
    call: impl Future<Output = Result<T, RemoteError>>,
) -> Result<T, RemoteError> {
    let late = |source| RemoteError::Transport {
        doing: doing.to_owned(),
        url: catalogue.describe(),
        source: Box::new(source),
    };
    timeout(PATIENCE, call).await.map_err(late)?
}
