//! Prefetch rules.

use super::{no_node, no_rule};
use crate::catalogue::{
    service::{Fault, Service},
    tables::fleet::{
        counters::{self, Counter},
        feed, nodes, rules,
    },
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::wire::fleet::{NodeName, Rule, RuleName, RuleSet};

/// The most rules: agents read all of theirs at once.
const MAX_RULES: u64 = 1000;

impl Service {
    /// All rules, or those for one node.
    ///
    /// # Errors
    /// `Forbidden`; `NotFound`: the node.
    pub async fn rules(&self, caller: &Caller, node: Option<NodeName>) -> Result<RuleSet, Fault> {
        self.may_look_or_is_agent(caller)?;
        let patience = self.settings().fleet.patience();
        self.db()
            .read(move |tx| {
                let mut set = RuleSet { version: counters::get(tx, Counter::Rules)?, rules: rules::all(tx)? };
                if let Some(name) = &node {
                    let node = nodes::find(tx, name, patience)?.ok_or_else(|| no_node(name))?;
                    set.rules.retain(|it| it.nodes.matches(&node.labels));
                }
                Ok(set)
            })
            .await
    }

    /// Makes a rule, or replaces it.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`; `TooLarge`: there are too many.
    pub async fn put_rule(&self, caller: &Caller, name: &RuleName, rule: Rule) -> Result<Rule, Fault> {
        self.may_steer(caller)?;
        rule.check()?;
        if let Some(other) = rule.name.as_ref().filter(|it| *it != name) {
            return Err(Fault::Invalid(format!("The rule calls itself {other}, and the path {name}.")));
        }
        let rule = Rule { name: Some(name.clone()), ..rule };
        let (name, written) = (name.clone(), rule.clone());
        self.db()
            .write(move |tx| {
                let version = counters::hold(tx, Counter::Rules)?;
                rules::put(tx, &name, &written)?;
                if rules::count(tx)? > MAX_RULES {
                    return Err(Fault::TooLarge(format!("There are {MAX_RULES} rules, which is the most.")));
                }
                Ok(changed(tx, version)?)
            })
            .await?;
        Ok(rule)
    }

    /// Deletes a rule.
    ///
    /// # Errors
    /// `Forbidden`, `NotFound`.
    pub async fn delete_rule(&self, caller: &Caller, name: &RuleName) -> Result<(), Fault> {
        self.may_steer(caller)?;
        let name = name.clone();
        self.db()
            .write(move |tx| {
                let version = counters::hold(tx, Counter::Rules)?;
                if !rules::remove(tx, &name)? {
                    return Err(no_rule(&name));
                }
                Ok(changed(tx, version)?)
            })
            .await
    }
}

/// Every node is told with its next beat.
fn changed(tx: &Tx<'_>, version: u64) -> Result<(), DbError> {
    counters::set(tx, Counter::Rules, version + 1)?;
    nodes::give_notice(tx, None)?;
    feed::rules(tx)
}
