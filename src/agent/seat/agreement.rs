//! What may go once the others were asked. Pure.
//!
//! ```text
//! asked: every host that is live ─→ answer: what it keeps ─┐
//!   │ left meanwhile: its pins stay                        ├─→ goes: what nobody keeps
//!   └ silent until the end: everything stays ──────────────┘
//! ```

use super::{Claims, HostName};
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What is asked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Question {
    /// Tells questions apart.
    pub id: String,
    /// Who asks.
    pub host: String,
    /// For what.
    pub purpose: Purpose,
    /// Names of the files that are to go.
    pub bases: BTreeSet<String>,
}

/// Why something is to go: it decides what others' wishes count.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Purpose {
    /// Nothing uses or wants it: all that is wanted elsewhere stays.
    #[default]
    Unused,
    /// Room is needed: what is queued or pinned elsewhere stays.
    Room,
    /// It is damaged: what is in use elsewhere stays.
    Damaged,
}

/// What a host says.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Answer {
    /// The question's.
    pub id: String,
    /// What it keeps, with the reasons.
    pub keeps: BTreeMap<String, String>,
    /// Why it keeps everything, if so.
    #[serde(default)]
    pub everything: Option<String>,
}

/// A question under way.
#[derive(Clone, Debug)]
pub struct Agreement {
    id: String,
    claims: Claims,
    heard: BTreeSet<HostName>,
}

// === impl Agreement ===

impl Agreement {
    /// The question `id`, to all whom the claims name.
    pub fn new(id: &str, claims: Claims) -> Self {
        Self { id: id.to_owned(), claims, heard: BTreeSet::new() }
    }

    /// Who has still to answer.
    pub fn waits_for(&self) -> impl Iterator<Item = &HostName> {
        self.claims.ask.iter().filter(|it| self.claims.everything.is_none() && !self.heard.contains(it))
    }

    /// A host has answered; an answer to another question is none.
    pub fn hear(&mut self, host: &HostName, answer: Answer) {
        if answer.id != self.id || !self.claims.ask.contains(host) || !self.heard.insert(host.clone()) {
            return;
        }
        if let Some(why) = answer.everything {
            self.claims.everything.get_or_insert(format!("host {host} keeps everything: {why}"));
        }
        let keeps = answer.keeps.into_iter().map(|(base, why)| (base, format!("host {host} keeps it: {why}")));
        self.claims.bases.extend(keeps);
    }

    /// Who is there was looked at again: those who came are asked too, those who left are not.
    pub fn look_again(&mut self, now: Claims) {
        self.claims.everything = self.claims.everything.take().or(now.everything);
        let heard = &self.heard;
        self.claims.ask.retain(|it| heard.contains(it) || now.ask.contains(it));
        self.claims.ask.extend(now.ask);
        for (base, why) in now.bases {
            self.claims.bases.entry(base).or_insert(why);
        }
    }

    /// The time is over: who has not answered keeps everything.
    pub fn end(mut self, waited: Duration) -> Claims {
        let missing: Vec<&str> = self.waits_for().map(HostName::as_str).collect();
        if !missing.is_empty() {
            let why = format!(
                "host {} shares the directory, and its agent has not answered within {} s",
                missing.join(", "),
                waited.as_secs()
            );
            self.claims.everything = Some(why);
        }
        self.claims
    }
}
