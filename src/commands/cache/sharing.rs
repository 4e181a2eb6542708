//! Who shares the base directory, in words.

use crate::admin::{Sharer, SharerState, Sharing};
use crate::commands::output::ago;
use chrono::{DateTime, Utc};
use std::fmt::Write;

/// Nothing, where nobody does.
pub(super) fn write(text: &mut String, it: &Sharing, now: DateTime<Utc>) {
    if !it.others.is_empty() {
        let others: Vec<String> = it.others.iter().map(|it| sharer(it, now)).collect();
        let _ = writeln!(text, "Shared          by {} (this host) and {}", it.host, others.join(", "));
    }
    for (what, why) in
        [("no other agent can share the directory", &it.alone), ("others do not see this agent", &it.trouble)]
    {
        if let Some(why) = why {
            let _ = writeln!(text, "Warning: {what}: {why}");
        }
    }
}

/// `node-2 (away, last seen 3 h ago, 2 pins)`
fn sharer(it: &Sharer, now: DateTime<Utc>) -> String {
    let mut notes = Vec::new();
    match it.state {
        SharerState::Live => {}
        SharerState::Away => notes.push("away".to_owned()),
        SharerState::Unclear => notes.push("not clear, nothing is removed".to_owned()),
    }
    notes.extend(it.last_seen.map(|at| format!("last seen {}", ago(at, now))));
    notes.extend((it.pins > 0).then(|| format!("{} pins", it.pins)));
    notes.extend(it.why.clone());
    if notes.is_empty() { it.host.clone() } else { format!("{} ({})", it.host, notes.join(", ")) }
}
