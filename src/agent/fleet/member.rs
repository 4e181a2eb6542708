//! The node's part in the fleet: makes the calls that the [`Course`] says, and does what comes of them.

use super::{
    Settings,
    course::{Call, Course, Failed, Hint, Kept, Now, Ticket},
    feed::{Heard, follow},
    hints::Hints,
    journal::{Key, Step},
    worker,
};
use crate::admin::{Member as View, MemberState};
use crate::agent::{
    control::Control,
    index::{Fact, Index, IndexError, Taken},
    rules::Bell,
};
use crate::base::chain;
use crate::remote::{Catalogue, RemoteError};
use crate::wire::fleet::{HeartbeatAnswer, NodeName, Registered, RuleSet, Session};
use chrono::Utc;
use std::{fs, sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, watch},
    task::{AbortHandle, JoinSet},
    time::{Instant, sleep_until, timeout},
};
use tokio_util::sync::CancellationToken;

/// The longest wait for one answer.
const PATIENCE: Duration = Duration::from_secs(10);
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
    Registered(Ticket, Result<Registered, RemoteError>),
    Beat(Ticket, Result<HeartbeatAnswer, RemoteError>),
    Rules(Ticket, Result<RuleSet, RemoteError>),
    Stepped(Key, Step),
}

struct Member {
    settings: watch::Receiver<Settings>,
    index: Index,
    control: Control,
    view: watch::Sender<View>,
    rules: watch::Sender<RuleSet>,
    hints: Arc<Hints>,
    course: Course,
    /// The beginning of the course's steady clock.
    start: Instant,
    tasks: JoinSet<Done>,
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
        let wake = member.start + member.course.wake(member.now());
        tokio::select! {
            biased;
            () = shutdown.cancelled() => break,
            Some(done) = member.tasks.join_next(), if !member.tasks.is_empty() => match done {
                Ok(done) => member.take_in(done).await,
                Err(error) => {
                    tracing::error!(%error, "a task of the fleet's died");
                    member.course.died();
                }
            },
            Some(heard) = member.events.1.recv() => member.hear(heard),
            Ok(()) = settings.changed() => member.begin_anew("the configuration has changed"),
            Ok(()) = catalogue.changed() => member.begin_anew("the catalogue is another one"),
            Ok(()) = status.changed() => member.course.status_changed(),
            () = back.back.notified() => {
                let now = member.now();
                member.course.catalogue_is_back(now);
            }
            () = sleep_until(wake) => {}
        }
        member.turn().await;
    }
    member.stop_feed();
}

// === impl Member ===

impl Member {
    async fn new(parts: Parts, hints: Arc<Hints>) -> Result<Self, IndexError> {
        let Parts { settings, index, control, view, rules, .. } = parts;
        let kept = index.fact(Fact::Rules).await?.and_then(|text| serde_json::from_str::<RuleSet>(&text).ok());
        let kept = Kept {
            session: index.fact(Fact::Session).await?.map(Session),
            instance: instance(&index).await?,
            rules_version: kept.map_or(0, |it| it.version),
            work: index.work().await?,
            boot_id: fs::read_to_string("/proc/sys/kernel/random/boot_id").unwrap_or_default().trim().to_owned(),
        };
        let start = Instant::now();
        let course = Course::new(kept, Now { steady: Duration::ZERO, clock: Utc::now() });
        let (tasks, events) = (JoinSet::new(), mpsc::channel(EVENTS));
        let mut member =
            Self { settings, index, control, view, rules, hints, course, start, tasks, events, feed: None };
        member.begin_anew("the agent has started");
        member.tell();
        Ok(member)
    }

    fn now(&self) -> Now {
        Now { steady: self.start.elapsed(), clock: Utc::now() }
    }

    fn begin_anew(&mut self, why: &'static str) {
        tracing::debug!("the node joins the fleet anew: {why}");
        self.stop_feed();
        let (now, settings) = (self.now(), self.settings.borrow().clone());
        self.course.begin_anew(&settings, now);
    }

    async fn turn(&mut self) {
        let (now, status) = (self.now(), self.control.status.borrow().clone());
        for it in self.course.work(&status, now) {
            self.begin(it);
        }
        if self.write().await
            && let Some((ticket, call)) = self.course.call(&status, self.now())
        {
            self.call(ticket, call);
        }
        self.tell();
    }

    fn begin(&mut self, it: Taken) {
        let control = self.control.clone();
        tracing::info!(job.id = %it.job, image.id = %it.image, action = %it.action, "the fleet's work begins");
        self.tasks.spawn(async move {
            let step = worker::begin(&control, &it).await;
            Done::Stepped((it.job, it.image), step)
        });
    }

    /// Writes the journal; nothing is said to the catalogue before that is done.
    async fn write(&mut self) -> bool {
        let Some((changed, forgotten)) = self.course.unwritten() else { return true };
        match self.index.put_work(changed, forgotten).await {
            Ok(()) => {
                self.course.written();
                true
            }
            Err(error) => {
                tracing::error!(error = %chain(&error), "cannot write the fleet's work down: no beat until that works");
                self.course.not_written(self.now());
                false
            }
        }
    }

    fn call(&mut self, ticket: Ticket, call: Call) {
        let Some(node) = self.course.node().cloned() else { return };
        let catalogue: Catalogue = self.control.catalogue.borrow().clone();
        self.tasks.spawn(async move {
            match call {
                Call::Register(it) => {
                    let call = catalogue.register_node(&node, &it);
                    Done::Registered(ticket, in_time("registering the node", &catalogue, call).await)
                }
                Call::Rules => {
                    let call = catalogue.rules(Some(&node));
                    Done::Rules(ticket, in_time("asking for the prefetch rules", &catalogue, call).await)
                }
                Call::Beat(beat) => {
                    let call = catalogue.heartbeat(&node, &beat);
                    Done::Beat(ticket, in_time("sending a beat", &catalogue, call).await)
                }
            }
        });
    }

    async fn take_in(&mut self, done: Done) {
        let now = self.now();
        match done {
            Done::Stepped(key, step) => self.course.stepped(&key, step, now),
            Done::Registered(ticket, Ok(it)) => {
                if self.course.registered(ticket, &it, now) {
                    self.keep_session(it.session).await;
                }
            }
            Done::Beat(ticket, Ok(answer)) => {
                metrics::counter!("larder_fleet_beats_total", "result" => "done").increment(1);
                self.course.answered(ticket, answer, now);
            }
            Done::Beat(ticket, Err(error)) => {
                metrics::counter!("larder_fleet_beats_total", "result" => "failed").increment(1);
                self.course.failed(ticket, failed(&error), now);
            }
            Done::Rules(ticket, Ok(rules)) => {
                if self.course.took_rules(ticket, rules.version) {
                    self.take_rules(rules).await;
                }
            }
            Done::Registered(ticket, Err(error)) | Done::Rules(ticket, Err(error)) => {
                self.course.failed(ticket, failed(&error), now);
            }
        }
    }

    async fn keep_session(&self, session: Session) {
        // Without it a restart within three intervals finds its name taken, and waits; no more than that.
        if let Err(error) = self.index.set_fact(Fact::Session, Some(session.0)).await {
            tracing::warn!(error = %chain(&error), "cannot write the session down");
        }
    }

    async fn take_rules(&self, rules: RuleSet) {
        tracing::info!(version = rules.version, rules = rules.rules.len(), "took the prefetch rules over");
        match serde_json::to_string(&rules) {
            Ok(text) => {
                if let Err(error) = self.index.set_fact(Fact::Rules, Some(text)).await {
                    tracing::warn!(error = %chain(&error), "cannot write the rules down");
                }
            }
            Err(error) => tracing::warn!(%error, "cannot write the rules down"),
        }
        self.rules.send_replace(rules);
    }

    fn hear(&mut self, heard: Heard) {
        match self.course.hear(heard) {
            Some(Hint::All) => self.hints.all(),
            Some(Hint::Image(id)) => self.hints.image(id),
            None => {}
        }
    }

    /// Says and shows what has come of it, and follows the feed or not.
    fn tell(&mut self) {
        let words = self.course.words();
        if !words.is_empty() {
            let catalogue = self.control.catalogue.borrow().describe();
            words.iter().for_each(|it| it.say(&catalogue));
        }
        metrics::gauge!("larder_fleet_open_work").set(self.course.count() as f64);
        let view = self.course.view();
        match view.state {
            MemberState::Connected => metrics::gauge!("larder_fleet_connected").set(1.0),
            MemberState::Lost => metrics::gauge!("larder_fleet_connected").set(0.0),
            MemberState::Off | MemberState::Joining | MemberState::Absent => {}
        }
        self.view.send_if_modified(|it| {
            let is_other = it != view;
            if is_other {
                it.clone_from(view);
            }
            is_other
        });
        match (self.course.follows().cloned(), &self.feed) {
            (Some(node), None) => self.start_feed(node),
            (None, Some(_)) => self.stop_feed(),
            _ => {}
        }
    }

    fn start_feed(&mut self, node: NodeName) {
        let catalogue = self.control.catalogue.borrow().clone();
        self.feed = Some(tokio::spawn(follow(catalogue, node, self.events.0.clone())).abort_handle());
    }

    fn stop_feed(&mut self) {
        self.feed.take().iter().for_each(AbortHandle::abort);
    }
}

/// The secret of this agent's index; made, and written down, by the first one who asks.
async fn instance(index: &Index) -> Result<Session, IndexError> {
    if let Some(kept) = index.fact(Fact::Instance).await? {
        return Ok(Session(kept));
    }
    let new = format!("{:032x}", rand::random::<u128>());
    if let Err(error) = index.set_fact(Fact::Instance, Some(new.clone())).await {
        // It holds as long as this process.
        tracing::warn!(error = %chain(&error), "cannot write down what the fleet knows this agent by");
    }
    Ok(Session(new))
}

fn failed(error: &RemoteError) -> Failed {
    Failed { status: error.status().map(|it| it.as_u16()), why: chain(error).to_string(), random: rand::random() }
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
