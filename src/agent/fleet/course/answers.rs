//! What the catalogue's answers mean, and what the feed says.

use super::{
    super::{
        feed::Heard,
        patience::{Patience, Say},
        settings::Membership,
    },
    ABSENT, Course, Hint, INTERVALS, Kind, Now, Ticket, Word,
};
use crate::admin::{Member as View, MemberState};
use crate::wire::fleet::{Event, HeartbeatAnswer, NodeName, Registered};
use chrono::TimeDelta;
use std::time::Duration;

/// How a call failed.
#[derive(Clone, Debug)]
pub(crate) struct Failed {
    /// The answer's status; none when there was no answer.
    pub(crate) status: Option<u16>,
    /// What happened, in words.
    pub(crate) why: String,
    /// From 0 to 1: where in its range the next wait is.
    pub(crate) random: f64,
}

// === impl Course ===

impl Course {
    /// The kind of the call that an answer is to, if that is under way; then none is any more.
    fn takes(&mut self, ticket: Ticket) -> Option<Kind> {
        self.calling.take_if(|it| it.0 == ticket).map(|it| it.1)
    }

    /// A call failed.
    pub(crate) fn failed(&mut self, ticket: Ticket, failed: Failed, now: Now) {
        match self.takes(ticket) {
            Some(Kind::Register) => self.not_registered(failed, now),
            Some(Kind::Beat) => self.not_answered(failed, now),
            Some(Kind::Rules) => self.no_rules(failed, now),
            // Nobody waits for it any more.
            None => {}
        }
    }

    /// The answer to a registration; false when nobody waits for it any more. The session is to be kept.
    pub(crate) fn registered(&mut self, ticket: Ticket, it: &Registered, now: Now) -> bool {
        if self.takes(ticket).is_none() {
            return false;
        }
        self.words.push(Word::Registered(it.node.clone()));
        self.set_interval(it.heartbeat_interval);
        self.link.registered(it);
        self.session = Some(it.session.clone());
        // With other labels there are other rules, of the same version.
        self.rules_wanted = it.rules_version != 0 || self.rules_version != 0;
        (self.rules_after, self.is_absent) = (Duration::ZERO, false);
        self.last_beat = None;
        self.blind_until = now.steady + self.interval;
        (self.stale, self.looked) = (true, None);
        self.follows = true;
        true
    }

    fn not_registered(&mut self, failed: Failed, now: Now) {
        if self.settings.fleet == Membership::Auto && failed.status.is_some_and(keeps_no_fleet) {
            self.follows = false;
            if !self.is_absent {
                self.words.push(Word::NoFleet);
            }
            self.is_absent = true;
            self.patience = Patience::default();
            self.next_call = now.steady + ABSENT;
            let why = Some("the catalogue keeps no fleet".to_owned());
            let node = std::mem::take(&mut self.view.node);
            self.view = View { node, state: MemberState::Absent, why, ..View::default() };
            return;
        }
        let why = if failed.status == Some(409) {
            let name = self.node.as_ref().map_or("", NodeName::as_str);
            format!(
                "another agent is registered as {name} and gives signs of life: set node_name in [fleet] on one of them ({})",
                failed.why
            )
        } else {
            failed.why
        };
        self.out(why, failed.random, now);
    }

    /// The answer to a beat.
    pub(crate) fn answered(&mut self, ticket: Ticket, answer: HeartbeatAnswer, now: Now) {
        if self.takes(ticket).is_none() {
            return;
        }
        let heard = self.link.answered(&answer);
        self.journal.heard(&heard);
        self.set_interval(answer.heartbeat_interval);
        self.urgent |= answer.more;
        self.rules_wanted |= !answer.resync && answer.rules_version != self.rules_version;
        // It is written down before the next beat says that it was taken over.
        self.journal.take(answer.work);
        if let Some(outage) = self.patience.worked(now.clock) {
            self.words.push(Word::Back(outage));
        }
        self.next_call = now.steady;
        let it = &mut self.view;
        if it.state != MemberState::Connected {
            (it.state, it.since, it.why) = (MemberState::Connected, Some(now.clock), None);
        }
        (it.last_beat, it.rules_version) = (Some(now.clock), self.rules_version);
    }

    fn not_answered(&mut self, failed: Failed, now: Now) {
        match failed.status {
            Some(404 | 409) => {
                self.words.push(Word::SessionOver);
                self.link.lost();
                // Soon, but not as fast as it can refuse.
                let (wait, _) = self.patience.clone().failed(now.clock, failed.random);
                self.next_call = now.steady + wait;
                return;
            }
            Some(400) => {
                self.words.push(Word::NotUnderstood(failed.why.clone()));
                self.link.refused();
            }
            _ => {}
        }
        self.out(failed.why, failed.random, now);
    }

    /// The rules of this version are here, and kept; false when nobody waits for them any more.
    pub(crate) fn took_rules(&mut self, ticket: Ticket, version: u64) -> bool {
        if self.takes(ticket).is_none() {
            return false;
        }
        self.rules_version = version;
        self.view.rules_version = version;
        // The catalogue hears of it.
        self.urgent = true;
        true
    }

    fn no_rules(&mut self, failed: Failed, now: Now) {
        // Beats go on: they say whether the node is known still.
        (self.rules_wanted, self.rules_after) = (true, now.steady + self.interval);
        if failed.status.is_none_or(|it| it >= 500) {
            self.out(failed.why, failed.random, now);
        } else {
            self.words.push(Word::NoRules(failed.why));
        }
    }

    /// One line at the loss, one an hour.
    fn out(&mut self, why: String, random: f64, now: Now) {
        let (wait, say) = self.patience.failed(now.clock, random);
        self.next_call = now.steady + wait;
        let since = self.patience.since().unwrap_or(now.clock);
        let outage = (now.clock - since).max(TimeDelta::zero());
        self.words.push(match say {
            Say::Loss => Word::Out { why: why.clone(), since: None },
            Say::Reminder => Word::Out { why: why.clone(), since: Some(outage) },
            Say::Nothing => Word::StillOut(why.clone()),
        });
        let it = &mut self.view;
        if it.state != MemberState::Lost {
            (it.state, it.since) = (MemberState::Lost, Some(since));
        }
        it.why = Some(why);
    }

    /// What the feed says, and what of it others are to look at.
    pub(crate) fn hear(&mut self, heard: Heard) -> Option<Hint> {
        match heard {
            Heard::Open { anew } => {
                self.view.follows = true;
                anew.then_some(Hint::All)
            }
            Heard::Cut => {
                self.view.follows = false;
                None
            }
            Heard::Change(change) => match change.event {
                Event::Work => {
                    self.urgent = true;
                    None
                }
                Event::Rules => {
                    self.rules_wanted = true;
                    None
                }
                Event::Reset => {
                    (self.urgent, self.rules_wanted) = (true, true);
                    Some(Hint::All)
                }
                Event::ImageUpdated
                | Event::ImageDeleted
                | Event::ImageDeactivated
                | Event::ImageReactivated
                | Event::ImageMembers => change.image.map(Hint::Image),
                Event::ImageCreated => None,
            },
        }
    }

    fn set_interval(&mut self, seconds: u64) {
        self.interval = Duration::from_secs(seconds.clamp(INTERVALS.0, INTERVALS.1));
    }

    /// Whether the catalogue knows all that the node would tell it.
    #[cfg(test)]
    pub(crate) fn has_told_all(&self) -> bool {
        use super::super::inventory::News;
        self.link.is_up() && self.link.news(&self.images) == News::Nothing && self.journal.is_empty() && !self.stale
    }
}

/// There is no such path. A stock Glance answers 300 to paths that it does not know, proxies 405 or 501.
fn keeps_no_fleet(status: u16) -> bool {
    matches!(status, 300 | 404 | 405 | 501)
}
