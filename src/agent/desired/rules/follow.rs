//! Which rules hold on this node.

use super::MOST_RULES;
use crate::wire::fleet::{Labels, Rule, RuleName};
use std::{cmp::Reverse, collections::BTreeMap};

/// A rule that holds here.
#[derive(Clone, Debug, PartialEq)]
pub struct Followed {
    /// Its name.
    pub name: RuleName,
    /// What it says.
    pub rule: Rule,
    /// Who made it.
    pub origin: Origin,
    /// A rule of the centre has the same name, and does not count on this node.
    pub replaces: bool,
}

/// Who made a rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This node's configuration.
    File,
    /// The centre.
    Centre,
}

/// The rules that hold on a node with these labels, the most urgent first, by name among equals.
///
/// A rule of the file takes the place of the centre's of the same name, as the node's own file wins everywhere; even one
/// that does not select this node, which is how a node leaves a rule of the centre out.
pub fn follow(file: &[Rule], centre: &[Rule], labels: &Labels) -> Vec<Followed> {
    let mut all: BTreeMap<&RuleName, Followed> = BTreeMap::new();
    let centre = centre.iter().map(|it| (Origin::Centre, it));
    for (origin, rule) in centre.chain(file.iter().map(|it| (Origin::File, it))) {
        let Some(name) = &rule.name else { continue };
        let replaces = all.get(name).is_some_and(|it| it.origin != origin);
        all.insert(name, Followed { name: name.clone(), rule: rule.clone(), origin, replaces });
    }
    let mut all: Vec<Followed> = all.into_values().filter(|it| it.rule.nodes.matches(labels)).collect();
    all.sort_by_key(|it| Reverse(it.rule.priority));
    all.truncate(MOST_RULES);
    all
}

// === impl Origin ===

impl Origin {
    /// One word, for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::File => "file",
            Self::Centre => "centre",
        }
    }
}
