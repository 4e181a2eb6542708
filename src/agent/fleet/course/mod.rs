//! What the node does next in the fleet: when it registers, beats and asks, what an answer means, how long it waits after
//! failures. Pure: time, chance and the answers come in, calls and texts go out. [`super::member`] drives it; a simulator
//! of a thousand nodes does too.
//!
//! ```text
//! answers ─────┐                ┌─→ a call of the catalogue, one at a time
//! the feed ────┤                ├─→ work for the loop
//! the status ──┼─→ the course ──┼─→ what is to be written down first
//! time ────────┘                └─→ the view, words for the log, when to be asked again
//! ```

mod answers;
mod steps;
mod word;

pub(crate) use answers::Failed;
pub(crate) use word::{Hint, Word};

use super::{
    inventory::Images,
    journal::{Journal, Key},
    link::Link,
    patience::Patience,
    settings::{Membership, Settings},
};
use crate::admin::{Member as View, MemberState};
use crate::agent::index::Taken;
use crate::wire::fleet::{Heartbeat, NodeName, Registration, Session};
use chrono::{DateTime, Utc};
use std::time::Duration;

/// Beats are at least this far apart, but for one that goes on with an inventory.
const SHORTEST: Duration = Duration::from_secs(1);
/// How often fetches in work are told of.
const PROGRESS: Duration = Duration::from_secs(5);
/// Seconds from beat to beat that a catalogue may ask for.
const INTERVALS: (u64, u64) = (1, 300);
/// How often a catalogue without a fleet is asked again.
const ABSENT: Duration = Duration::from_secs(3600);
/// After what was to be written down could not be.
const UNWRITTEN: Duration = Duration::from_secs(10);
/// How often the status is looked at as it is, while something is missed in it.
const REVIEW: Duration = Duration::from_secs(5);
/// Work that is handed to the loop at the same time.
const PLACES: usize = 8;

/// A moment, by the node's two clocks.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Now {
    /// Since some start; it never jumps. Waits go by this one.
    pub(crate) steady: Duration,
    /// The time of day, which may be set. What is written down and shown goes by this one.
    pub(crate) clock: DateTime<Utc>,
}

/// What the node has kept from before.
#[derive(Debug)]
pub(crate) struct Kept {
    /// Of the last registration.
    pub(crate) session: Option<Session>,
    /// The secret by which a registration whose answer was lost is known again.
    pub(crate) instance: Session,
    /// Of the rules of the centre that it has.
    pub(crate) rules_version: u64,
    /// What was taken over.
    pub(crate) work: Vec<Taken>,
    /// `/proc/sys/kernel/random/boot_id`
    pub(crate) boot_id: String,
}

/// A call of the catalogue.
#[derive(Clone, Debug, PartialEq)]
pub(crate) enum Call {
    /// `PUT /larder/v1/nodes/{name}`
    Register(Registration),
    /// `GET /larder/v1/rules?node={name}`
    Rules,
    /// `POST /larder/v1/nodes/{name}/heartbeat`
    Beat(Heartbeat),
}

/// The kinds of calls.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Register,
    Rules,
    Beat,
}

/// Which call an answer is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Ticket(u64);

/// The state of it all.
#[derive(Debug)]
pub(crate) struct Course {
    /// None: this node joins no fleet.
    node: Option<NodeName>,
    settings: Settings,
    instance: Session,
    boot_id: String,
    link: Link,
    /// Of the last registration, for the next one.
    session: Option<Session>,
    journal: Journal,
    images: Images,
    rules_version: u64,
    rules_wanted: bool,
    /// They are not asked for before this.
    rules_after: Duration,
    patience: Patience,
    is_absent: bool,
    /// The call that is under way.
    calling: Option<(Ticket, Kind)>,
    tickets: u64,
    working: usize,
    /// No call before this.
    next_call: Duration,
    /// No work before this.
    next_work: Duration,
    /// None: the next one may go at once.
    last_beat: Option<Duration>,
    interval: Duration,
    /// The catalogue has something for this node.
    urgent: bool,
    stale: bool,
    looked: Option<Duration>,
    /// The loop has looked at its disk, so that there is an inventory to tell.
    has_inventory: bool,
    /// Without one, a session's first beat waits until then: it would say that the node holds nothing.
    blind_until: Duration,
    /// Whether the change feed is to be followed.
    follows: bool,
    view: View,
    words: Vec<Word>,
}

// === impl Course ===

impl Course {
    /// As the node was left; [`Course::begin_anew`] is to be called next.
    pub(crate) fn new(kept: Kept, now: Now) -> Self {
        Self {
            node: None,
            settings: Settings { fleet: Membership::Off, ..Settings::default() },
            instance: kept.instance,
            boot_id: kept.boot_id,
            link: Link::default(),
            session: kept.session,
            journal: Journal::new(kept.work),
            images: Images::new(),
            rules_version: kept.rules_version,
            rules_wanted: false,
            rules_after: Duration::ZERO,
            patience: Patience::default(),
            is_absent: false,
            calling: None,
            tickets: 0,
            working: 0,
            next_call: now.steady,
            next_work: now.steady,
            last_beat: None,
            interval: Duration::from_secs(INTERVALS.1),
            urgent: false,
            stale: true,
            looked: None,
            has_inventory: false,
            blind_until: now.steady,
            follows: false,
            view: View::default(),
            words: Vec::new(),
        }
    }

    /// Other settings, another catalogue: whatever was agreed is void, and answers that are under way count no more.
    pub(crate) fn begin_anew(&mut self, settings: &Settings, now: Now) {
        self.settings = settings.clone();
        self.link.lost();
        (self.calling, self.follows, self.is_absent) = (None, false, false);
        self.patience = Patience::default();
        self.next_call = now.steady;
        let name = settings.node_name.clone().unwrap_or_default();
        let (node, state, why) = match (settings.fleet, name.parse::<NodeName>()) {
            (Membership::Off, _) => (None, MemberState::Off, None),
            (_, Ok(node)) => (Some(node), MemberState::Joining, None),
            (_, Err(error)) => {
                let why = format!("{error}: set node_name in [fleet]");
                self.words.push(Word::NoName(why.clone()));
                (None, MemberState::Off, Some(why))
            }
        };
        self.node = node;
        let rules_version = self.rules_version;
        self.view = View { node: name, state, why, since: Some(now.clock), rules_version, ..View::default() };
    }

    /// The node's name, if it joins.
    pub(crate) fn node(&self) -> Option<&NodeName> {
        self.node.as_ref()
    }

    /// The node whose change feed is to be followed now.
    pub(crate) fn follows(&self) -> Option<&NodeName> {
        self.node.as_ref().filter(|_| self.follows)
    }

    /// Where the node stands.
    pub(crate) fn view(&self) -> &View {
        &self.view
    }

    /// What is to be said since the last time.
    pub(crate) fn words(&mut self) -> Vec<Word> {
        std::mem::take(&mut self.words)
    }

    /// The status is another one.
    pub(crate) fn status_changed(&mut self) {
        self.stale = true;
    }

    /// Something else had news of the catalogue: another one may be in its place.
    pub(crate) fn catalogue_is_back(&mut self, now: Now) {
        if self.is_absent {
            self.next_call = now.steady;
        }
    }

    /// What is to be written down before the catalogue hears of anything; [`Course::written`] or
    /// [`Course::not_written`] is to be called next.
    pub(crate) fn unwritten(&self) -> Option<(Vec<Taken>, Vec<Key>)> {
        self.journal.unwritten()
    }

    /// All of that is written.
    pub(crate) fn written(&mut self) {
        self.journal.written();
    }

    /// It is not.
    pub(crate) fn not_written(&mut self, now: Now) {
        self.next_call = now.steady + UNWRITTEN;
        self.next_work = self.next_call;
    }
}
