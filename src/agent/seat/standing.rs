//! Who is there, who is away, and what that keeps. Pure.
//!
//! ```text
//! lock held, entry understood ─→ live: has to agree     lock held, no entry ─→ unclear: everything stays
//! lock free, entry unreadable ─→ unclear                lock free, a beat just now ─→ live (its lock may be lost)
//! lock free, left or silent ──→ away: its pins stay     a lock without an entry ──→ nobody
//! ```

use super::{Entry, HostName};
use std::{
    collections::{BTreeMap, BTreeSet},
    time::Duration,
};

/// What was seen of another host.
#[derive(Clone, Debug)]
pub struct Seen {
    /// Its name.
    pub host: HostName,
    /// Whether its lock is held; none when that could not be told.
    pub locked: Option<bool>,
    /// Its entry; none when there is no file.
    pub entry: Result<Option<Entry>, String>,
    /// Since its last sign of life, by the file system's clock.
    pub silent: Option<Duration>,
}

/// How a host stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing<'a> {
    /// Its agent is there: nothing goes without its consent.
    Live,
    /// It cannot be told what it needs: everything stays.
    Unclear(&'a str),
    /// Its agent is not there: what it pinned stays.
    Away(&'a Entry),
    /// No host.
    Nobody,
}

/// What the others keep.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Claims {
    /// Why everything stays, if it does.
    pub everything: Option<String>,
    /// Bases that hosts keep which are away, with the reason.
    pub bases: BTreeMap<String, String>,
    /// Hosts that have to agree.
    pub ask: BTreeSet<HostName>,
}

/// Without locks a host counts as seen for as long as nova counts it.
const DAY: Duration = Duration::from_secs(86_400);

/// How a host stands whose signs of life are `fresh` for so long.
pub fn standing(seen: &Seen, fresh: Duration) -> Standing<'_> {
    match (&seen.entry, seen.locked) {
        (Err(why), _) => Standing::Unclear(why),
        (Ok(None), Some(false)) => Standing::Nobody,
        (Ok(None), _) => Standing::Unclear("its agent runs, and has no entry"),
        (Ok(Some(_)), Some(true) | None) => Standing::Live,
        (Ok(Some(entry)), Some(false)) if entry.left => Standing::Away(entry),
        (Ok(Some(entry)), Some(false)) => match seen.silent {
            Some(silent) if silent >= fresh => Standing::Away(entry),
            _ => Standing::Live,
        },
    }
}

/// What all the others keep; `reach`: locks reach other hosts.
pub fn claims(others: &[Seen], fresh: Duration, reach: bool) -> Claims {
    let mut claims = Claims::default();
    for it in others {
        let standing = standing(it, fresh);
        if !reach && is_about(it, standing) {
            let why = format!("host {} shares the directory, and its mount has no locks that reach it", it.host);
            claims.everything.get_or_insert(why);
        }
        match standing {
            Standing::Nobody => {}
            Standing::Unclear(why) => {
                let why = format!("host {} shares the directory, and it is not clear what it needs: {why}", it.host);
                claims.everything.get_or_insert(why);
            }
            Standing::Live => drop(claims.ask.insert(it.host.clone())),
            Standing::Away(entry) => {
                let why = format!("pinned by host {}, which is away", it.host);
                claims.bases.extend(entry.pins.iter().map(|base| (base.clone(), why.clone())));
            }
        }
    }
    claims
}

/// Whether a host may be there although its lock looks free.
fn is_about(it: &Seen, standing: Standing<'_>) -> bool {
    match standing {
        Standing::Nobody => false,
        Standing::Away(entry) => !entry.left && it.silent.is_none_or(|silent| silent < DAY),
        _ => true,
    }
}

// === impl Claims ===

impl Claims {
    /// Why this base stays, if it does, as far as that is known without asking.
    pub fn keeps(&self, base: &str) -> Option<&str> {
        self.everything.as_deref().or_else(|| self.bases.get(base).map(String::as_str))
    }
}
