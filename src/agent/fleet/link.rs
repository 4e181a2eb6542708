//! The session with the catalogue: which beat is under way, and what an answer to it means. Pure.

use super::inventory::{Images, News, Told};
use crate::wire::fleet::{Heartbeat, HeartbeatAnswer, Registered, Session, Summary, WorkResult};

/// What is known of the session.
#[derive(Debug, Default)]
pub(super) struct Link {
    session: Option<Session>,
    /// The last beat that was done.
    last: u64,
    /// The next beat begins the whole inventory.
    full: bool,
    /// Sent again as it is until there is an answer: the catalogue may have done it.
    under_way: Option<Heartbeat>,
    told: Told,
}

// === impl Link ===

impl Link {
    /// Whether there is a session.
    pub(super) fn is_up(&self) -> bool {
        self.session.is_some()
    }

    /// A session has begun.
    pub(super) fn registered(&mut self, it: &Registered) {
        *self = Self { session: Some(it.session.clone()), full: true, ..Self::default() };
    }

    /// The session has ended, or is to end.
    pub(super) fn lost(&mut self) {
        *self = Self::default();
    }

    /// How much the catalogue has not heard of.
    pub(super) fn news(&self, images: &Images) -> News {
        if self.full || self.under_way.is_some() { News::Something } else { self.told.news(images) }
    }

    /// The beat to be sent now; none without a session.
    pub(super) fn beat(
        &mut self,
        images: &Images,
        summary: Option<Summary>,
        results: Vec<WorkResult>,
        rules_version: u64,
    ) -> Option<Heartbeat> {
        let session = self.session.clone()?;
        if self.under_way.is_none() {
            if self.full {
                self.told.forget();
            }
            let changes = self.told.changes(images);
            let sequence = self.last + 1;
            self.under_way =
                Some(Heartbeat { session, sequence, full: self.full, changes, summary, results, rules_version });
        }
        self.under_way.clone()
    }

    /// The beat was answered; which results were heard.
    pub(super) fn answered(&mut self, answer: &HeartbeatAnswer) -> Vec<WorkResult> {
        let Some(beat) = self.under_way.take() else { return Vec::new() };
        self.last = answer.sequence;
        // An answer to another beat says as much: what the catalogue knows is not what was told.
        if answer.resync || answer.sequence != beat.sequence {
            self.full = true;
            return Vec::new();
        }
        self.full = false;
        self.told.heard(&beat);
        beat.results
    }

    /// The catalogue says that the beat makes no sense.
    pub(super) fn refused(&mut self) {
        self.under_way = None;
        self.full = true;
    }
}
