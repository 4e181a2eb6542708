//! What the follower is told of the configuration.

use crate::agent::desired::rules::{Followed, follow};
use crate::wire::fleet::{Labels, Rule, RuleSet};
use std::time::Duration;

/// As the agent's settings have it.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::agent) struct Settings {
    /// The rules of the file, each with its name.
    pub(in crate::agent) rules: Vec<Rule>,
    /// What this node is selected by.
    pub(in crate::agent) labels: Labels,
    /// The node joins a fleet, so that the rules of its centre count.
    pub(in crate::agent) joins: bool,
    /// `force_raw_images`: how much room a fetch takes.
    pub(in crate::agent) force_raw: bool,
    /// `prefetch_jitter`: the first listing begins up to this much after the start.
    pub(in crate::agent) jitter: Duration,
}

// === impl Settings ===

impl Settings {
    /// The rules that hold here.
    pub(in crate::agent) fn follow(&self, centre: &RuleSet) -> Vec<Followed> {
        let centre = if self.joins { centre.rules.as_slice() } else { &[] };
        follow(&self.rules, centre, &self.labels)
    }
}
