//! What is due: work, calls, and when to be asked again.

use super::{
    super::{
        inventory::{News, images, summary},
        journal::{Key, Step, states},
    },
    ABSENT, Call, Course, Kind, Now, PLACES, PROGRESS, REVIEW, SHORTEST, Ticket,
};
use crate::admin::Status;
use crate::agent::index::Taken;
use crate::wire::fleet::Registration;
use std::time::Duration;

// === impl Course ===

impl Course {
    /// When something is due, by the steady clock.
    pub(crate) fn wake(&self, now: Now) -> Duration {
        let look = self.next_look();
        let call = Some(self.due()).filter(|_| self.calling.is_none() && self.node.is_some());
        let work = Some(self.next_work).filter(|at| *at > now.steady && !self.journal.is_empty());
        let far = now.steady + ABSENT;
        [look, call, work].into_iter().flatten().min().unwrap_or(far).min(far)
    }

    /// Looks at the status if that is due, and takes work out of the journal, which is to be handed to the loop.
    pub(crate) fn work(&mut self, status: &Status, now: Now) -> Vec<Taken> {
        if self.next_look().is_some_and(|at| now.steady >= at) {
            (self.stale, self.looked) = (false, Some(now.steady));
            self.images = images(status);
            self.has_inventory = status.room.total > 0 || status.idle_because.is_some();
            if !self.journal.is_empty() {
                self.journal.settle(&states(status), status.idle_because.as_deref(), now.clock);
            }
        }
        let places = PLACES.saturating_sub(self.working);
        if self.journal.is_empty() || places == 0 || now.steady < self.next_work {
            return Vec::new();
        }
        let begun = self.journal.begin(&states(status), now.clock, places);
        self.working += begun.len();
        begun
    }

    /// What the loop said to a piece of work.
    pub(crate) fn stepped(&mut self, key: &Key, step: Step, now: Now) {
        self.working = self.working.saturating_sub(1);
        if step == Step::Later {
            self.next_work = now.steady + SHORTEST;
        }
        self.journal.stepped(key, step, now.clock);
        self.stale = true;
    }

    /// A task of the driver's died, nobody knows which.
    pub(crate) fn died(&mut self) {
        (self.calling, self.working) = (None, 0);
    }

    /// The call that is due, if one is. What [`Course::unwritten`] says is written down before.
    pub(crate) fn call(&mut self, status: &Status, now: Now) -> Option<(Ticket, Call)> {
        if self.node.is_none() || self.calling.is_some() || now.steady < self.due() {
            return None;
        }
        let (kind, call) = if !self.link.is_up() {
            (Kind::Register, Call::Register(self.registration()))
        } else if self.rules_wanted && now.steady >= self.rules_after {
            self.rules_wanted = false;
            (Kind::Rules, Call::Rules)
        } else {
            let summary = self.has_inventory.then(|| summary(status, &self.images));
            let beat = self.link.beat(&self.images, summary, self.journal.results(), self.rules_version)?;
            self.urgent = false;
            self.last_beat = Some(now.steady);
            (Kind::Beat, Call::Beat(beat))
        };
        self.tickets += 1;
        self.calling = Some((Ticket(self.tickets), kind));
        Some((Ticket(self.tickets), call))
    }

    /// Counts the work for the view.
    pub(crate) fn count(&mut self) -> u64 {
        (self.view.open_work, self.view.untold_results) = self.journal.counts();
        self.view.open_work
    }

    fn registration(&self) -> Registration {
        Registration {
            labels: self.settings.labels.clone(),
            address: self.settings.address.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            boot_id: self.boot_id.clone(),
            session: self.session.clone(),
            instance: Some(self.instance.clone()),
        }
    }

    fn next_look(&self) -> Option<Duration> {
        let after = |wait| self.looked.map_or(Duration::ZERO, |it| it + wait);
        // What came and went between two looks is missed, which takes a while to be sure of.
        let again = self.journal.misses_any().then(|| after(REVIEW));
        self.stale.then(|| after(SHORTEST)).or(again)
    }

    /// When the next call is to be made.
    fn due(&self) -> Duration {
        if !self.link.is_up() {
            return self.next_call;
        }
        let after = |wait| self.last_beat.map_or(Duration::ZERO, |it| it + wait).max(self.next_call);
        let wait = match self.link.news(&self.images) {
            _ if self.urgent => SHORTEST,
            _ if !self.journal.results().is_empty() => SHORTEST,
            News::Something => SHORTEST,
            News::Progress => PROGRESS.min(self.interval),
            News::Nothing => self.interval,
        };
        // The inventory of a node that has not looked at its disk yet would be an empty one.
        let blind = self.last_beat.is_none() && !self.has_inventory;
        let beat = if blind { after(wait).max(self.blind_until) } else { after(wait) };
        let rules = Some(after(SHORTEST).max(self.rules_after)).filter(|_| self.rules_wanted);
        rules.map_or(beat, |it| it.min(beat))
    }
}
