//! A node: the course of its agent, a model of the loop that fetches, and what survives a crash.

use super::chance::Chance;
use crate::admin::{ImageState, ImageStatus, Priority, Room, Status, Verdict, Verified};
use crate::agent::{
    fleet::{
        Key, Settings, Step,
        course::{Course, Kept, Now},
    },
    index::Taken,
};
use crate::image::ImageId;
use crate::wire::fleet::{Action, Outcome, Session};
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// 2027-01-15, where all clocks begin.
pub(super) const START: i64 = 1_800_000_000;

/// Bytes of every image.
const SIZE: u64 = 1000;

/// What is written down.
#[derive(Default)]
pub(super) struct Disk {
    pub(super) session: Option<Session>,
    instance: Option<Session>,
    pub(super) rules_version: u64,
    pub(super) work: BTreeMap<Key, Taken>,
}

/// An image that the loop has.
#[derive(Clone)]
struct Image {
    state: ImageState,
    pinned: bool,
    /// How often fetching it has failed.
    attempts: u32,
}

pub(super) struct Node {
    pub(super) settings: Settings,
    pub(super) course: Course,
    pub(super) disk: Disk,
    images: BTreeMap<ImageId, Image>,
    pub(super) status: Status,
    /// When the process started, ms of virtual time.
    pub(super) started: u64,
    /// How wrong its clock is, ms.
    pub(super) skew: i64,
    /// Counts its processes: what belongs to an old one is of no effect.
    pub(super) process: u64,
    pub(super) is_up: bool,
    /// When its next wake is in the queue.
    pub(super) wake: Option<u64>,
    /// The last place of the feed that it has heard of.
    pub(super) heard: Option<u64>,
    pub(super) listens: bool,
    /// When the centre answered a beat last, ms of virtual time.
    pub(super) answered: u64,
    /// Lines at warning or above that its log has.
    pub(super) warnings: u64,
}

// === impl Node ===

impl Node {
    pub(super) fn new(settings: Settings, at: u64, chance: &mut Chance) -> Self {
        let now = Now { steady: Duration::ZERO, clock: DateTime::<Utc>::default() };
        let kept = Kept {
            session: None,
            instance: Session(String::new()),
            rules_version: 0,
            work: Vec::new(),
            boot_id: String::new(),
        };
        let mut node = Self {
            settings,
            course: Course::new(kept, now),
            disk: Disk::default(),
            images: BTreeMap::new(),
            status: Status::default(),
            started: at,
            skew: 0,
            process: 0,
            is_up: false,
            wake: None,
            heard: None,
            listens: false,
            answered: 0,
            warnings: 0,
        };
        node.start(at, chance);
        node
    }

    /// Its process starts (again), with what is on its disk.
    pub(super) fn start(&mut self, at: u64, chance: &mut Chance) {
        (self.started, self.is_up, self.listens, self.heard, self.wake) = (at, true, false, None, None);
        self.process += 1;
        let new = Session(format!("{:032x}", chance.number()));
        let instance = self.disk.instance.get_or_insert(new).clone();
        let kept = Kept {
            session: self.disk.session.clone(),
            instance,
            rules_version: self.disk.rules_version,
            work: self.disk.work.values().cloned().collect(),
            boot_id: "boot".to_owned(),
        };
        let now = self.now(at);
        self.course = Course::new(kept, now);
        self.course.begin_anew(&self.settings, now);
        // Nothing is known until it has looked at its disk.
        self.status = Status::default();
    }

    /// Its index is lost: the bases stay, the queue does not.
    pub(super) fn forget(&mut self) {
        self.disk = Disk::default();
        self.images.retain(|_, it| matches!(it.state, ImageState::Cached));
        self.images.values_mut().for_each(|it| it.pinned = false);
    }

    pub(super) fn now(&self, at: u64) -> Now {
        let ms = i64::try_from(at).unwrap() + self.skew;
        let clock = DateTime::from_timestamp(START, 0).unwrap() + TimeDelta::milliseconds(ms);
        Now { steady: Duration::from_millis(at - self.started), clock }
    }

    /// A moment of its steady clock, in virtual time.
    pub(super) fn at(&self, steady: Duration) -> u64 {
        self.started
            + u64::try_from(steady.as_millis()).unwrap()
            + u64::from(!steady.subsec_nanos().is_multiple_of(1_000_000))
    }

    /// The loop has looked: its status is of now.
    pub(super) fn look(&mut self) {
        let images = self.images.iter().map(|(id, it)| ImageStatus {
            id: Some(id.clone()),
            base: id.base_name(),
            name: None,
            priority: Priority::default(),
            rules: Vec::new(),
            pinned_by_rule: false,
            pinned: it.pinned,
            waited_for: false,
            state: it.state.clone(),
        });
        self.status.images = images.collect();
        let cached = self.images.iter().filter(|(_, it)| matches!(it.state, ImageState::Cached));
        self.status.bases = cached.map(|(id, _)| verdict(id)).collect();
        let used = SIZE * self.status.bases.len() as u64;
        self.status.room = Room { used, free: (1 << 30) - used, total: 1 << 30, ..Room::default() };
        self.course.status_changed();
    }

    /// The images that are on their way in.
    pub(super) fn coming(&self) -> Vec<ImageId> {
        self.images.iter().filter(|(_, it)| !matches!(it.state, ImageState::Cached)).map(|(id, _)| id.clone()).collect()
    }

    /// The worker does a piece of work; whether the image is to be fetched now.
    pub(super) fn step(&mut self, it: &Taken, chance: &mut Chance) -> (Step, bool) {
        if chance.of_thousand(10) {
            return (Step::Later, false);
        }
        let existing = if it.existed { Outcome::Done } else { Outcome::Existing };
        let there = self.images.get_mut(&it.image);
        match (it.action, there) {
            (Action::Queue | Action::Pin, there) => {
                let is_new = there.is_none();
                let state = ImageState::Queued { since: DateTime::default() };
                let queued = Image { state, pinned: false, attempts: 0 };
                let image = self.images.entry(it.image.clone()).or_insert(queued);
                image.pinned |= it.action == Action::Pin;
                (Step::UnderWay, is_new)
            }
            (Action::Unpin, Some(image)) if image.pinned => {
                image.pinned = false;
                (Step::Ended(Outcome::Done, None), false)
            }
            (Action::Remove, Some(_)) if chance.of_thousand(50) => {
                (Step::Ended(Outcome::Failed, Some("in use".to_owned())), false)
            }
            (Action::Remove, Some(_)) => {
                self.images.remove(&it.image);
                (Step::Ended(Outcome::Done, None), false)
            }
            (Action::Remove, None) | (Action::Unpin, _) => (Step::Ended(existing, None), false),
        }
    }

    /// A fetch goes on; when it is to be looked at again.
    pub(super) fn fetch(&mut self, id: &ImageId, deleted: &BTreeSet<ImageId>, chance: &mut Chance) -> Option<u64> {
        let image = self.images.get_mut(id)?;
        let (state, wait) = match &image.state {
            ImageState::Cached => return None,
            // The catalogue knows it no more.
            _ if deleted.contains(id) => {
                self.images.remove(id);
                return None;
            }
            ImageState::Fetching { done, total, .. } if *done > 0 => {
                if chance.of_thousand(30) {
                    let why = "the connection was reset".to_owned();
                    image.attempts += 1;
                    let failed = ImageState::Failed { why, attempts: image.attempts, retry_at: None };
                    (failed, chance.between(20_000, 90_000))
                } else if *done >= total.unwrap_or(SIZE) / 2 {
                    (ImageState::Cached, 0)
                } else {
                    (fetching(SIZE / 2), chance.between(2_000, 12_000))
                }
            }
            ImageState::Fetching { .. } => (fetching(SIZE / 4), chance.between(2_000, 6_000)),
            _ => (fetching(0), chance.between(500, 4_000)),
        };
        image.state = state;
        (!matches!(image.state, ImageState::Cached)).then_some(wait)
    }

    /// The catalogue has these no more: they go, pinned or not.
    pub(super) fn drop_deleted(&mut self, deleted: &BTreeSet<ImageId>) -> bool {
        let before = self.images.len();
        self.images.retain(|id, _| !deleted.contains(id));
        before != self.images.len()
    }
}

fn fetching(done: u64) -> ImageState {
    ImageState::Fetching { done, total: Some(SIZE), rate: 0 }
}

fn verdict(id: &ImageId) -> Verdict {
    let blake3 = Some(format!("{:064x}", u128::from_str_radix(&id.as_str().replace('-', ""), 16).unwrap()));
    let verified = Verified { at: DateTime::default(), how: "fetched".to_owned(), damage: None, blake3 };
    Verdict {
        base: id.base_name(),
        id: Some(id.clone()),
        size: SIZE,
        allocated: SIZE,
        last_used: DateTime::default(),
        in_use: false,
        gone: false,
        pinned: false,
        rules: Vec::new(),
        why: String::new(),
        may_go_at: None,
        verified: Some(verified),
    }
}
