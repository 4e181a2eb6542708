//! Prefetch rules in the words of the admin socket.

use super::state::State;
use crate::admin::{self, RuleStatus};
use crate::agent::desired::rules::{Claim, Followed, Gate, Origin, Report};
use crate::image::ImageId;
use crate::wire::fleet::RuleName;
use std::collections::{HashMap, HashSet};

// === impl State ===

impl State {
    pub(super) fn rules(&self) -> admin::Rules {
        let ruled = &self.ruled;
        let waiting: HashSet<&ImageId> = self.queue.iter().map(|it| &it.id).collect();
        let mut here: HashMap<&RuleName, u64> = HashMap::new();
        for (id, it) in &ruled.desired.images {
            if self.known.contains_key(&it.base) && !waiting.contains(id) {
                it.claims.iter().for_each(|it| *here.entry(&it.rule).or_default() += 1);
            }
        }
        let rules = ruled.desired.reports.iter().map(|it| status(it, here.get(&it.rule).copied().unwrap_or(0)));
        admin::Rules { rules: rules.collect(), listed_at: ruled.found.at, why: ruled.why.clone() }
    }

    /// What rules know and want of an image: its name, the rules, and whether one pins it.
    pub(super) fn of_rules(&self, id: &ImageId, name: Option<String>) -> (Option<String>, Vec<String>, bool) {
        match self.ruled.wanted(id) {
            Some(it) => (name.or_else(|| it.name.clone()), it.rules(), it.is_pinned()),
            None => (name, Vec::new(), false),
        }
    }

    /// What rules want of an image, and why some do not, as sentences.
    pub(super) fn told_by_rules(&self, id: &ImageId) -> Vec<String> {
        let followed = |name: &RuleName| self.ruled.followed.iter().find(|it| it.name == *name);
        let claims = self.ruled.wanted(id).into_iter().flat_map(|it| &it.claims);
        let wanted = claims.map(|it| wants(it, followed(&it.rule)));
        let left_out = self.ruled.desired.left_out.iter().filter(|it| it.id == *id);
        wanted.chain(left_out.map(|it| format!("Rule {} finds it and leaves it out: {}.", it.rule, it.why))).collect()
    }
}

fn wants(it: &Claim, followed: Option<&Followed>) -> String {
    let origin = match followed.map(|it| it.origin) {
        Some(Origin::File) => " of this node's configuration",
        Some(Origin::Centre) => " of the centre",
        None => "",
    };
    let priority = if it.priority == 0 { String::new() } else { format!(", with priority {}", it.priority) };
    let pin = if it.pin { ", and pins it: never pruned while the rule finds it" } else { "" };
    let window = match it.gate {
        Gate::Open(_) => String::new(),
        Gate::Shut(None) => "; its window never opens".to_owned(),
        Gate::Shut(Some(at)) => format!("; its window opens at {}", at.format("%Y-%m-%d %H:%M UTC")),
    };
    format!("Rule {}{origin} wants it{priority}{pin}{window}.", it.rule)
}

fn status(it: &Report, here: u64) -> RuleStatus {
    RuleStatus {
        name: it.rule.to_string(),
        origin: it.origin.as_str().to_owned(),
        replaces: it.replaces,
        priority: it.priority,
        pin: it.pin,
        wanted: it.wanted,
        here,
        bytes: it.bytes,
        budget: it.budget,
        left_out: it.left_out,
        open: matches!(it.gate, Gate::Open(_)),
        changes_at: it.gate.changes(),
    }
}
