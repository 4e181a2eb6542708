//! The fleet: nodes, jobs, rules and the change feed. Who may is up to the policy rules `larder_…`.

mod beat;
mod feed;
mod jobs;
mod nodes;
mod rules;
mod tend;
#[cfg(test)]
mod tests;

pub use feed::ChangeStream;
pub(super) use feed::Feed;

use crate::catalogue::service::{Fault, Service};
use crate::identity::Caller;
use crate::wire::fleet::{InvalidDocument, InvalidRule, JobId, NodeName, RuleName};

/// The rule of nodes' agents.
const AGENT: &str = "larder_agent";

/// The rule of looking at the fleet.
const READ: &str = "larder_fleet_read";

/// The rule of changing it.
const WRITE: &str = "larder_fleet_write";

/// The part of a list that is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bounds {
    /// What the page before ended with, as that said.
    pub marker: Option<String>,
    /// Entries of a page.
    pub limit: usize,
}

impl Service {
    fn may_as_agent(&self, caller: &Caller) -> Result<(), Fault> {
        self.access(caller).may_at_all(AGENT)
    }

    fn may_look(&self, caller: &Caller) -> Result<(), Fault> {
        self.access(caller).may_at_all(READ)
    }

    /// What agents need to know, too.
    fn may_look_or_is_agent(&self, caller: &Caller) -> Result<(), Fault> {
        self.may_look(caller).or_else(|refused| self.may_as_agent(caller).map_err(|_| refused))
    }

    fn may_steer(&self, caller: &Caller) -> Result<(), Fault> {
        self.access(caller).may_at_all(WRITE)
    }
}

// === impl Bounds ===

impl Bounds {
    /// One more than the page holds, to see whether there is another page.
    fn most(&self) -> u64 {
        self.limit as u64 + 1
    }

    fn marker<T: std::str::FromStr>(&self) -> Result<Option<T>, Fault> {
        self.marker.as_deref().map(|it| it.parse().map_err(|_| unknown_marker(it))).transpose()
    }

    /// The page, and the marker of the next one.
    fn page<T>(&self, mut found: Vec<T>, marker: impl Fn(&T) -> String) -> (Vec<T>, Option<String>) {
        let more = found.len() > self.limit;
        found.truncate(self.limit);
        let next = found.last().filter(|_| more).map(marker);
        (found, next)
    }
}

fn unknown_marker(text: &str) -> Fault {
    Fault::Invalid(format!("'{}' is no marker of this list.", text.chars().take(80).collect::<String>()))
}

fn no_node(name: &NodeName) -> Fault {
    Fault::NotFound(format!("There is no node {name}."))
}

fn no_job(id: &JobId) -> Fault {
    Fault::NotFound(format!("There is no job {id}."))
}

fn no_rule(name: &RuleName) -> Fault {
    Fault::NotFound(format!("There is no rule {name}."))
}

impl From<InvalidDocument> for Fault {
    fn from(error: InvalidDocument) -> Self {
        Self::Invalid(error.to_string())
    }
}

impl From<InvalidRule> for Fault {
    fn from(error: InvalidRule) -> Self {
        Self::Invalid(error.to_string())
    }
}
