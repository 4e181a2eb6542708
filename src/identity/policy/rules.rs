//! All rules together: names found, circles refused.

use crate::identity::policy::{
    Attributes, Check, Credentials,
    check::Asking,
    remote::{Answers, Remote},
};
use std::collections::HashMap;

/// Longest chain of `rule:` checks.
const MAX_CHAIN: usize = 64;

/// Rules that refer to each other only forwards.
#[derive(Debug, Default)]
pub struct Rules {
    index: HashMap<String, usize>,
    checks: Vec<Check>,
    default: Option<usize>,
}

// === impl Rules ===

impl Rules {
    /// Puts rules together. `default` names the rule that stands for those that are missing; without such a rule, what
    /// is missing denies. The second answer are the rules that deny because they, or rules that they refer to, were not
    /// understood, refer in a circle, or through too many others.
    pub fn new(rules: impl IntoIterator<Item = (String, Check)>, default: &str) -> (Self, Vec<String>) {
        let (names, mut checks): (Vec<String>, Vec<Check>) = rules.into_iter().unzip();
        // Of two with one name the later one counts.
        let index: HashMap<String, usize> = names.iter().cloned().zip(0..).collect();
        let default = index.get(default).copied();
        let mut needs: Vec<Vec<usize>> = vec![Vec::new(); checks.len()];
        for (here, (check, needs)) in checks.iter_mut().zip(&mut needs).enumerate() {
            check.references(&mut |name, at| {
                *at = index.get(name).copied().or(default);
                needs.extend(*at);
            });
            // To need itself is never to be settled.
            needs.extend(check.is_refused().then_some(here));
        }
        let mut refused = Vec::new();
        for (at, known) in settled(&needs).into_iter().enumerate() {
            if !known {
                checks[at] = Check::False;
                refused.push(names[at].clone());
            }
        }
        (Self { index, checks, default }, refused)
    }

    /// Whether the rule allows; a missing rule is the default one. Remote checks deny.
    pub fn allow<T, C>(&self, rule: &str, target: &T, credentials: &C) -> bool
    where
        T: Attributes + ?Sized,
        C: Credentials + ?Sized,
    {
        self.holds(rule, target, credentials, None)
    }

    /// As [`Self::allow`], with a way to ask other servers.
    pub(super) fn holds<T, C>(
        &self,
        rule: &str,
        target: &T,
        credentials: &C,
        remote: Option<(&Remote, &Answers)>,
    ) -> bool
    where
        T: Attributes + ?Sized,
        C: Credentials + ?Sized,
    {
        let at = self.index.get(rule).copied().or(self.default);
        let asking = Asking { rules: &self.checks, rule, target, credentials, remote };
        at.and_then(|it| self.checks.get(it)).is_some_and(|it| it.holds(&asking))
    }

    /// Whether there is a rule of this name.
    pub fn contains(&self, rule: &str) -> bool {
        self.index.contains_key(rule)
    }
}

/// Which rules come to an end: those whose needs all do, over at most [`MAX_CHAIN`] steps.
fn settled(needs: &[Vec<usize>]) -> Vec<bool> {
    let mut done = vec![false; needs.len()];
    for _ in 0..MAX_CHAIN {
        let next: Vec<usize> =
            (0..needs.len()).filter(|&it| !done[it] && needs[it].iter().all(|&other| done[other])).collect();
        if next.is_empty() {
            break;
        }
        next.into_iter().for_each(|it| done[it] = true);
    }
    done
}
