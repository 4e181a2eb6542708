//! The node's side against a small model of the catalogue's rules, over a network that loses questions and answers.

use super::{
    inventory::{Images, News, Told},
    journal::{Journal, Key, Step, states},
    link::Link,
    patience::{Patience, Say},
};
use crate::admin::{ImageState, ImageStatus, Priority, Status};
use crate::agent::index::Taken;
use crate::image::ImageId;
use crate::wire::fleet::{
    Action, Heartbeat, HeartbeatAnswer, HeldState, ImageChange, JobId, Outcome, Registered, Session, Work, WorkResult,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

fn image(number: u8) -> ImageId {
    ImageId::from_random(u128::from(number))
}

fn held(number: u8, state: HeldState, done: Option<u64>) -> ImageChange {
    ImageChange { image: image(number), state: Some(state), size: 9, done, pinned: false, digest: None, why: None }
}

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_800_000_000, 0).unwrap()
}

/// What the catalogue's side promises in [`crate::wire::fleet`].
#[derive(Default)]
struct Centre {
    sessions: u64,
    /// The session of now, the last beat that was done, and its answer.
    node: Option<(String, u64, HeartbeatAnswer)>,
    images: Images,
    waiting: Vec<Work>,
    /// In the last answer, not known to be taken over.
    handed: Vec<Work>,
    taken: Vec<Work>,
    results: BTreeMap<Key, Outcome>,
    /// A resync was asked for.
    anew: bool,
}

impl Centre {
    fn register(&mut self) -> Registered {
        self.sessions += 1;
        let session = format!("s{}", self.sessions);
        self.node = Some((session.clone(), 0, HeartbeatAnswer::default()));
        let back = self.handed.drain(..).chain(self.taken.drain(..));
        let back: Vec<Work> =
            back.filter(|it| !self.results.contains_key(&(it.job.clone(), it.image.clone()))).collect();
        self.waiting.splice(0..0, back);
        self.anew = true;
        let node = "n".parse().unwrap();
        Registered { node, session: Session(session), heartbeat_interval: 30, rules_version: 0 }
    }

    /// None: register again.
    fn beat(&mut self, beat: &Heartbeat) -> Option<HeartbeatAnswer> {
        assert!(beat.check().is_ok(), "{beat:?}");
        let (session, last, answer) = self.node.clone()?;
        if beat.session.0 != session {
            return None;
        }
        if beat.sequence == last && last > 0 {
            return Some(answer);
        }
        let resync = HeartbeatAnswer { resync: true, sequence: last, ..HeartbeatAnswer::default() };
        if beat.sequence != last + 1 || (self.anew && !beat.full) {
            self.anew = true;
            return Some(resync);
        }
        if beat.full {
            self.images.clear();
            self.anew = false;
        }
        for it in &beat.changes {
            match it.state {
                Some(_) => self.images.insert(it.image.clone(), it.clone()),
                None => self.images.remove(&it.image),
            };
        }
        self.taken.append(&mut self.handed);
        for it in &beat.results {
            self.results.insert((it.job.clone(), it.image.clone()), it.state);
        }
        let results = &self.results;
        self.taken.retain(|it| !results.contains_key(&(it.job.clone(), it.image.clone())));
        let work: Vec<Work> = self.waiting.drain(..self.waiting.len().min(2)).collect();
        self.handed.clone_from(&work);
        let more = !self.waiting.is_empty();
        let answer = HeartbeatAnswer {
            work,
            more,
            resync: false,
            sequence: beat.sequence,
            rules_version: 0,
            heartbeat_interval: 30,
        };
        self.node = Some((session, beat.sequence, answer.clone()));
        Some(answer)
    }
}

/// A node: what is in memory, and what is on disk.
#[derive(Default)]
struct Node {
    link: Link,
    journal: Journal,
    disk: BTreeMap<Key, Taken>,
    /// What the loop has, by image.
    images: Images,
    began: BTreeSet<Key>,
    /// Turns of the loop, 20 s each.
    turns: i32,
}

impl Node {
    fn write(&mut self) {
        if let Some((changed, forgotten)) = self.journal.unwritten() {
            self.disk.extend(changed.into_iter().map(|it| ((it.job.clone(), it.image.clone()), it)));
            forgotten.iter().for_each(|key| drop(self.disk.remove(key)));
            self.journal.written();
        }
    }

    fn crash(&mut self) {
        self.link = Link::default();
        self.journal = Journal::new(self.disk.values().cloned().collect());
    }

    fn status(&self) -> Status {
        let images = self.images.values().map(|it| ImageStatus {
            id: Some(it.image.clone()),
            base: it.image.base_name(),
            name: None,
            priority: Priority::default(),
            rules: Vec::new(),
            pinned_by_rule: false,
            pinned: false,
            waited_for: false,
            state: match it.state {
                Some(HeldState::Cached) => ImageState::Cached,
                Some(HeldState::Failed) => ImageState::Failed { why: "no".into(), attempts: 9, retry_at: None },
                _ => ImageState::Queued { since: now() },
            },
        });
        Status { images: images.collect(), ..Status::default() }
    }

    /// The loop takes what was begun into its queue, and removes at once.
    fn work(&mut self) {
        self.turns += 1;
        let now = now() + TimeDelta::seconds(20) * self.turns;
        let status = self.status();
        for it in self.journal.begin(&states(&status), now, 3) {
            let key = (it.job.clone(), it.image.clone());
            self.began.insert(key.clone());
            let step = match it.action {
                Action::Queue | Action::Pin => {
                    let change = held(0, HeldState::Queued, None);
                    self.images.entry(it.image.clone()).or_insert(ImageChange { image: it.image.clone(), ..change });
                    Step::UnderWay
                }
                Action::Remove | Action::Unpin => {
                    self.images.remove(&it.image);
                    Step::Ended(if it.existed { Outcome::Done } else { Outcome::Existing }, None)
                }
            };
            self.journal.stepped(&key, step, now);
        }
        let status = self.status();
        self.journal.settle(&states(&status), None, now);
    }

    /// One exchange, of which the question or the answer may get lost.
    fn beat(&mut self, centre: &mut Centre, question_lost: bool, answer_lost: bool) {
        self.write();
        if !self.link.is_up() {
            if !question_lost {
                let answer = centre.register();
                if !answer_lost {
                    self.link.registered(&answer);
                }
            }
            return;
        }
        let Some(beat) = self.link.beat(&self.images, None, self.journal.results(), 0) else { return };
        if question_lost {
            return;
        }
        match (centre.beat(&beat), answer_lost) {
            (_, true) => {}
            (None, _) => self.link.lost(),
            (Some(answer), _) => {
                let heard = self.link.answered(&answer);
                self.journal.heard(&heard);
                self.journal.take(answer.work);
                self.write();
            }
        }
    }
}

#[derive(Clone, Debug)]
enum Event {
    Image(u8, Option<HeldState>),
    Beat { question_lost: bool, answer_lost: bool },
    Work,
    Job(u8, Action),
    Crash,
    CentreForgets,
    OtherSession,
}

fn event() -> impl Strategy<Value = Event> {
    let state = prop_oneof![Just(HeldState::Cached), Just(HeldState::Queued), Just(HeldState::Failed)];
    let action = prop_oneof![Just(Action::Queue), Just(Action::Remove)];
    prop_oneof![
        4 => (0u8..6, prop::option::of(state)).prop_map(|(image, state)| Event::Image(image, state)),
        8 => any::<(bool, bool)>().prop_map(|(a, b)| Event::Beat { question_lost: a && b, answer_lost: b }),
        8 => Just(Event::Beat { question_lost: false, answer_lost: false }),
        4 => Just(Event::Work),
        3 => (0u8..6, action).prop_map(|(image, action)| Event::Job(image, action)),
        1 => Just(Event::Crash),
        1 => Just(Event::CentreForgets),
        1 => Just(Event::OtherSession),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]
    #[test]
    fn whatever_gets_lost_both_sides_agree_in_the_end(events in prop::collection::vec(event(), 0..80)) {
        let (mut node, mut centre) = (Node::default(), Centre::default());
        let mut jobs = Vec::new();
        for event in events {
            match event {
                Event::Image(number, Some(state)) => drop(node.images.insert(image(number), held(number, state, None))),
                Event::Image(number, None) => drop(node.images.remove(&image(number))),
                Event::Beat { question_lost, answer_lost } => node.beat(&mut centre, question_lost, answer_lost),
                Event::Work => node.work(),
                Event::Job(number, action) => {
                    let job = JobId::from_random(jobs.len() as u128);
                    jobs.push((job.clone(), image(number)));
                    centre.waiting.push(Work { job, action, image: image(number), priority: i32::from(number) });
                }
                Event::Crash => node.crash(),
                Event::CentreForgets => centre.node = None,
                Event::OtherSession => drop(centre.register()),
            }
        }
        // It gets quiet: the queue empties, and every beat arrives.
        for _ in 0..(12 + 2 * jobs.len()) {
            node.work();
            for it in node.images.values_mut() {
                it.state = Some(HeldState::Cached);
            }
            node.beat(&mut centre, false, false);
        }
        prop_assert_eq!(&centre.images, &node.images);
        prop_assert_eq!(node.link.news(&node.images), News::Nothing);
        for key in &jobs {
            prop_assert!(centre.results.contains_key(key), "no result of {:?}", key);
            prop_assert!(node.began.contains(key));
        }
        prop_assert!(node.disk.is_empty() && node.journal.counts() == (0, 0), "nothing stays behind: {:?}", node.disk);
    }

    #[test]
    fn waits_are_bounded_and_outages_said_once_an_hour(randoms in prop::collection::vec(0.0..=1.0, 1..400)) {
        let mut patience = Patience::default();
        let (mut at, mut said) = (now(), 0);
        for random in &randoms {
            let (wait, say) = patience.failed(at, *random);
            prop_assert!(wait <= Duration::from_secs(10) && wait >= Duration::from_millis(500));
            said += u64::from(say != Say::Nothing);
            at += TimeDelta::from_std(wait).unwrap();
        }
        let hours = (at - now()).num_hours();
        prop_assert!(said <= 1 + u64::try_from(hours).unwrap(), "{} lines in {} h", said, hours);
        prop_assert_eq!(patience.worked(at).unwrap(), at - now());
        prop_assert_eq!(patience.worked(at), None);
    }
}

#[test]
fn progress_is_no_hurry_and_everything_else_is() {
    let mut told = Told::default();
    let mut images: Images = [(image(1), held(1, HeldState::Fetching, Some(1)))].into();
    assert_eq!(told.news(&images), News::Something);
    let beat = |changes| Heartbeat {
        session: Session("s".into()),
        sequence: 1,
        full: false,
        changes,
        summary: None,
        results: Vec::new(),
        rules_version: 0,
    };
    told.heard(&beat(told.changes(&images)));
    assert_eq!(told.news(&images), News::Nothing);
    images.insert(image(1), held(1, HeldState::Fetching, Some(2)));
    assert_eq!(told.news(&images), News::Progress);
    images.insert(image(2), held(2, HeldState::Queued, None));
    assert_eq!(told.news(&images), News::Something);
    told.heard(&beat(told.changes(&images)));
    images.remove(&image(1));
    assert_eq!(told.news(&images), News::Something);
    assert_eq!(told.changes(&images).first().unwrap().state, None);
}

#[test]
fn many_images_take_several_beats() {
    let images: Images = (0..2500u128)
        .map(|it| {
            (
                ImageId::from_random(it),
                ImageChange { image: ImageId::from_random(it), ..held(0, HeldState::Cached, None) },
            )
        })
        .collect();
    let (mut link, mut centre) = (Link::default(), Centre::default());
    link.registered(&centre.register());
    let mut beats = 0;
    while link.news(&images) != News::Nothing {
        let beat = link.beat(&images, None, Vec::new(), 0).unwrap();
        assert_eq!(beat.full, beats == 0);
        link.answered(&centre.beat(&beat).unwrap());
        beats += 1;
    }
    assert_eq!((beats, centre.images.len()), (3, 2500));
}

#[test]
fn a_failure_is_told_and_then_what_came_of_it() {
    let mut node = Node::default();
    let work = Work { job: JobId::from_random(1), action: Action::Queue, image: image(1), priority: 0 };
    let key = (work.job.clone(), work.image.clone());
    node.journal.take(vec![work]);
    node.work();
    assert_eq!(node.journal.results(), []);
    node.images.insert(image(1), held(1, HeldState::Failed, None));
    node.work();
    let failed = node.journal.results();
    assert_eq!((failed[0].state, failed[0].why.as_deref()), (Outcome::Failed, Some("no")));
    // What came while that was on its way is told too.
    node.images.insert(image(1), held(1, HeldState::Cached, None));
    node.work();
    node.journal.heard(&failed);
    let done = node.journal.results();
    assert_eq!(done, [WorkResult { job: key.0, image: key.1, state: Outcome::Done, why: None }]);
    node.journal.heard(&done);
    assert!(node.journal.is_empty());
}

#[test]
fn what_is_taken_out_of_the_queue_has_failed() {
    let mut node = Node::default();
    let job = JobId::from_random(1);
    node.journal.take(vec![Work { job, action: Action::Queue, image: image(1), priority: 0 }]);
    node.work();
    node.images.clear();
    node.work();
    let result = node.journal.results().pop().unwrap();
    assert_eq!((result.state, result.why.as_deref()), (Outcome::Failed, Some("taken out of the node's queue")));
}
