//! The queue of events, and what each does.

use super::{
    centre::{Answer, Centre},
    chance::Chance,
    node::Node,
};
use crate::agent::{
    fleet::{
        Heard, Key, Settings, Step,
        course::{Call, Failed, Hint, Ticket, Word},
    },
    index::Taken,
};
use crate::image::ImageId;
use crate::wire::fleet::{Change, Event as Told, JobId, NodeName, Outcome};
use std::{
    cmp::Ordering,
    collections::{BTreeMap, BTreeSet, BinaryHeap},
};

/// How long an agent waits for an answer, ms.
const PATIENCE: u64 = 10_000;

/// How often the centre's feed is read for those who listen, ms.
const FEED: u64 = 500;

/// Something that happens to a node, or to one of its processes.
pub(super) enum Event {
    /// Its agent asked to be waked.
    Wake,
    /// A call comes to the centre.
    Call(Box<OnItsWay>),
    /// The answer, or what comes in its place.
    Answer(Ticket, Box<Answer>),
    /// The worker has handed a piece of work to the loop.
    Stepped(Box<Taken>),
    /// A fetch goes on.
    Fetch(ImageId),
    /// The feed.
    Told(Change),
    /// Its feed connects.
    Listen,
    /// It has looked at its disk for the first time.
    Look,
    /// The process starts (again).
    Start,
}

/// A call on its way to the centre.
pub(super) struct OnItsWay {
    ticket: Ticket,
    call: Call,
    /// How long its answer takes, ms; none: it is lost.
    answer: Option<u64>,
}

struct Entry {
    at: u64,
    /// In which order they were put in.
    number: u64,
    node: usize,
    /// The process that it is for.
    process: u64,
    event: Event,
}

pub(super) struct World {
    pub(super) nodes: Vec<Node>,
    pub(super) names: Vec<NodeName>,
    pub(super) centre: Centre,
    pub(super) chance: Chance,
    /// Virtual time, ms.
    pub(super) at: u64,
    queue: BinaryHeap<Entry>,
    entries: u64,
    pub(super) events: u64,
    /// Calls of so many of a thousand get lost, or worse.
    pub(super) faults: u32,
    /// While the centre is away: whether calls are refused at once, or vanish.
    pub(super) refuses: bool,
    /// The last place of the feed that was sent on.
    sent: u64,
    /// Something has happened at the centre.
    pub(super) has_news: bool,
    feed_at: u64,
    pub(super) deleted: BTreeSet<ImageId>,
    pub(super) images: Vec<ImageId>,
    /// The nodes of each job, and its images.
    pub(super) jobs: BTreeMap<JobId, (BTreeSet<usize>, Vec<ImageId>)>,
    /// What nodes have said last of each piece of work, and whether that process knew of it from the beginning.
    pub(super) said: BTreeMap<(usize, Key), Outcome>,
    /// Calls that were sent, also to nobody.
    pub(super) sent_calls: u64,
    pub(super) log: Vec<String>,
}

// === impl World ===

impl World {
    pub(super) async fn new(nodes: usize, seed: u64) -> Self {
        let mut chance = Chance::new(seed);
        let settings = |it: usize| Settings {
            node_name: Some(format!("node-{it:04}")),
            labels: format!("site=s{},rack=r{}", it % 4, it % 40).parse().unwrap(),
            ..Settings::default()
        };
        let names = (0..nodes).map(|it| format!("node-{it:04}").parse().unwrap()).collect();
        let nodes: Vec<Node> = (0..nodes).map(|it| Node::new(settings(it), 0, &mut chance)).collect();
        let mut world = Self {
            nodes,
            names,
            centre: Centre::new().await,
            chance,
            at: 0,
            queue: BinaryHeap::new(),
            entries: 0,
            events: 0,
            faults: 0,
            refuses: true,
            sent: 0,
            has_news: false,
            feed_at: 0,
            deleted: BTreeSet::new(),
            images: Vec::new(),
            jobs: BTreeMap::new(),
            said: BTreeMap::new(),
            sent_calls: 0,
            log: Vec::new(),
        };
        for node in 0..world.nodes.len() {
            world.nodes[node].is_up = false;
            let wait = world.chance.between(0, 20_000);
            world.put(wait, node, Event::Start);
        }
        world
    }

    /// Puts an event into the queue, so many ms from now.
    pub(super) fn put(&mut self, wait: u64, node: usize, event: Event) {
        self.entries += 1;
        let process = self.nodes[node].process;
        self.queue.push(Entry { at: self.at + wait, number: self.entries, node, process, event });
    }

    /// Time goes on for so many seconds.
    pub(super) async fn run(&mut self, seconds: u64) {
        let end = self.at + seconds * 1000;
        while let Some(next) = self.queue.peek().map(|it| it.at).filter(|it| *it <= end) {
            if self.feed_at <= next {
                self.at = self.feed_at.max(self.at);
                self.feed().await;
                self.feed_at = self.at + FEED;
                continue;
            }
            let Some(entry) = self.queue.pop() else { break };
            self.at = entry.at.max(self.at);
            self.happen(entry).await;
        }
        self.at = end;
    }

    async fn happen(&mut self, Entry { node, process, event, at, .. }: Entry) {
        self.events += 1;
        if let Event::Call(it) = event {
            // What is on its way comes, whatever became of who sent it.
            return self.arrive(node, process, *it).await;
        }
        if process != self.nodes[node].process {
            return;
        }
        if let Event::Start = event {
            let Self { nodes, chance, .. } = self;
            nodes[node].start(self.at, chance);
            let wait = self.chance.between(50, 3000);
            self.put(wait, node, Event::Look);
            return self.turn(node);
        }
        if !self.nodes[node].is_up {
            return;
        }
        match event {
            Event::Wake if self.nodes[node].wake != Some(at) => return,
            Event::Wake => self.nodes[node].wake = None,
            Event::Look => self.look(node),
            Event::Answer(ticket, answer) => self.answered(node, ticket, *answer),
            Event::Stepped(taken) => self.stepped(node, &taken),
            Event::Fetch(image) => {
                let Self { nodes, chance, deleted, .. } = self;
                if let Some(wait) = nodes[node].fetch(&image, deleted, chance) {
                    self.put(wait, node, Event::Fetch(image));
                }
                self.nodes[node].look();
            }
            Event::Told(change) => self.told(node, Heard::Change(change)),
            Event::Listen => return self.listen(node).await,
            Event::Call(_) | Event::Start => {}
        }
        self.turn(node);
    }

    /// The first look at the disk: fetches that were under way go on.
    fn look(&mut self, node: usize) {
        let deleted = self.deleted.clone();
        self.nodes[node].drop_deleted(&deleted);
        self.nodes[node].look();
        for image in self.nodes[node].coming() {
            let wait = self.chance.between(500, 5_000);
            self.put(wait, node, Event::Fetch(image));
        }
    }

    /// As the agent's loop does it after each event.
    fn turn(&mut self, node: usize) {
        let at = self.at;
        let it = &mut self.nodes[node];
        let now = it.now(at);
        let begun = it.course.work(&it.status, now);
        let mut writes = true;
        if let Some((changed, forgotten)) = it.course.unwritten() {
            writes = !(self.faults > 0 && self.chance.of_thousand(2));
            if writes {
                it.disk.work.extend(changed.into_iter().map(|it| ((it.job.clone(), it.image.clone()), it)));
                forgotten.iter().for_each(|key| drop(it.disk.work.remove(key)));
                it.course.written();
            } else {
                it.course.not_written(now);
            }
        }
        let call = if writes { it.course.call(&it.status, now) } else { None };
        let said = it.course.words();
        it.warnings += said.iter().filter(|it| matches!(it, Word::Out { .. } | Word::NotUnderstood(_))).count() as u64;
        let misunderstood = said.iter().find(|it| matches!(it, Word::NotUnderstood(_) | Word::NoName(_)));
        self.log.extend(misunderstood.map(|word| format!("node {node}: {word:?}")));
        let wake = it.at(it.course.wake(now)).max(at + 1);
        let listens = it.course.follows().is_some() && !it.listens;
        if it.wake != Some(wake) {
            it.wake = Some(wake);
            self.put(wake - at, node, Event::Wake);
        }
        if listens {
            self.nodes[node].listens = true;
            let wait = self.chance.between(50, 1000);
            self.put(wait, node, Event::Listen);
        }
        for taken in begun {
            let wait = self.chance.between(20, 800);
            self.put(wait, node, Event::Stepped(Box::new(taken)));
        }
        if let Some((ticket, call)) = call {
            self.send(node, ticket, call);
        }
    }

    fn send(&mut self, node: usize, ticket: Ticket, call: Call) {
        self.sent_calls += 1;
        if let Call::Beat(beat) = &call {
            let said = beat.results.iter().map(|it| ((node, (it.job.clone(), it.image.clone())), it.state));
            self.said.extend(said);
        }
        let mut fate = self.chance.fate(self.faults);
        if !self.centre.is_up {
            let wait = if self.refuses { self.chance.between(1, 20) } else { PATIENCE };
            let failed = Answer::Failed(None, "connection refused".to_owned());
            return self.put(wait, node, Event::Answer(ticket, Box::new(failed)));
        }
        if let Some(status) = fate.refused {
            fate.arrives = None;
            let failed = Answer::Failed(Some(status), "the proxy has no server".to_owned());
            self.put(100, node, Event::Answer(ticket, Box::new(failed)));
        } else {
            // The agent stops waiting; an answer that was in time has taken the ticket by then.
            let late = Answer::Failed(None, "nothing came in time".to_owned());
            self.put(PATIENCE, node, Event::Answer(ticket, Box::new(late)));
        }
        if let Some(wait) = fate.again {
            let it = OnItsWay { ticket, call: call.clone(), answer: None };
            self.put(wait, node, Event::Call(Box::new(it)));
        }
        if let Some(wait) = fate.arrives {
            let it = OnItsWay { ticket, call, answer: fate.answer };
            self.put(wait, node, Event::Call(Box::new(it)));
        }
    }

    async fn arrive(&mut self, node: usize, process: u64, it: OnItsWay) {
        let OnItsWay { ticket, call, answer } = it;
        if !self.centre.is_up {
            return;
        }
        self.centre.set_time(self.at);
        let given = self.centre.answer(&self.names[node], call, self.at).await;
        if let (Some(wait), true) = (answer, process == self.nodes[node].process) {
            self.put(wait, node, Event::Answer(ticket, Box::new(given)));
        }
    }

    fn answered(&mut self, node: usize, ticket: Ticket, answer: Answer) {
        let it = &mut self.nodes[node];
        let now = it.now(self.at);
        match answer {
            Answer::Registered(registered) => {
                if it.course.registered(ticket, &registered, now) {
                    it.disk.session = Some(registered.session);
                }
            }
            Answer::Beat(answer) => {
                it.course.answered(ticket, answer, now);
                if it.course.view().last_beat == Some(now.clock) {
                    it.answered = self.at;
                }
            }
            Answer::Rules(rules) => {
                if it.course.took_rules(ticket, rules.version) {
                    it.disk.rules_version = rules.version;
                }
            }
            Answer::Failed(status, why) => {
                let failed = Failed { status, why, random: self.chance.share() };
                it.course.failed(ticket, failed, now);
            }
        }
    }

    fn stepped(&mut self, node: usize, taken: &Taken) {
        let Self { nodes, chance, .. } = self;
        let it = &mut nodes[node];
        let (step, is_new) = it.step(taken, chance);
        let changed = step != Step::Later;
        it.course.stepped(&(taken.job.clone(), taken.image.clone()), step, it.now(self.at));
        if changed {
            it.look();
        }
        if is_new {
            let wait = self.chance.between(200, 3_000);
            self.put(wait, node, Event::Fetch(taken.image.clone()));
        }
    }

    fn told(&mut self, node: usize, heard: Heard) {
        if let Heard::Change(change) = &heard {
            self.nodes[node].heard = Some(change.sequence);
        }
        let hint = self.nodes[node].course.hear(heard);
        let looks = match &hint {
            Some(Hint::All) => true,
            Some(Hint::Image(id)) => self.deleted.contains(id),
            None => false,
        };
        if looks && self.nodes[node].drop_deleted(&self.deleted) {
            self.nodes[node].look();
        }
    }

    /// Its feed connects, and brings what the node has missed.
    async fn listen(&mut self, node: usize) {
        if !self.centre.is_up || self.chance.of_thousand(self.faults) {
            let wait = self.chance.between(5_000, 10_000);
            return self.put(wait, node, Event::Listen);
        }
        self.centre.set_time(self.at);
        let since = self.nodes[node].heard;
        self.told(node, Heard::Open { anew: since.is_none() });
        let (missed, next) = self.centre.changes(since, Some(&self.names[node])).await;
        missed.into_iter().for_each(|it| self.told(node, Heard::Change(it)));
        self.nodes[node].heard = Some(next);
        self.turn(node);
    }

    /// All feeds are cut; nodes come back to them.
    pub(super) fn cut_feeds(&mut self) {
        for node in 0..self.nodes.len() {
            if self.nodes[node].is_up && self.nodes[node].listens {
                self.told(node, Heard::Cut);
                let wait = self.chance.between(500, 10_000);
                self.put(wait, node, Event::Listen);
            }
        }
    }

    /// Sends on what has happened.
    async fn feed(&mut self) {
        if !self.centre.is_up || !self.has_news {
            return;
        }
        self.has_news = false;
        self.centre.set_time(self.at);
        let (changes, next) = self.centre.changes(Some(self.sent), None).await;
        self.sent = next;
        for change in changes {
            let its = change.job.as_ref().filter(|_| change.event == Told::Work);
            let its = its.and_then(|it| self.jobs.get(it)).map(|it| it.0.clone());
            for node in 0..self.nodes.len() {
                let it = &self.nodes[node];
                // Who is not connected yet gets it when he is.
                let hears = it.heard.is_some_and(|it| it < change.sequence) && it.course.view().follows;
                if its.as_ref().is_none_or(|it| it.contains(&node)) && hears {
                    let wait = self.chance.between(1, 300);
                    self.put(wait, node, Event::Told(change.clone()));
                }
            }
        }
    }

    pub(super) fn report(&self) -> String {
        format!(
            "{} nodes, {:.1} h, {} events, {} calls of which {} came to the centre, {} jobs",
            self.nodes.len(),
            self.at as f64 / 3_600_000.0,
            self.events,
            self.sent_calls,
            self.centre.calls,
            self.jobs.len()
        )
    }
}

// === impl Entry ===

impl Ord for Entry {
    /// The next one is the greatest.
    fn cmp(&self, other: &Self) -> Ordering {
        (other.at, other.number).cmp(&(self.at, self.number))
    }
}

impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.number == other.number
    }
}

impl Eq for Entry {}
