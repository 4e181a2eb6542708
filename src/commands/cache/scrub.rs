//! The outcome of one scrub pass, and how far it is.

use crate::admin::{Client, ScrubOutcome, Scrubbed, ScrubbedBase, Scrubbing};
use crate::base::ByteSize;
use crate::commands::output::{per_cent, print, print_json};
use std::{
    io::{IsTerminal, Write, stderr},
    time::Duration,
};

/// Says how far the running agent's pass is, on a terminal; never ends.
pub async fn watch_scrub(client: &Client) {
    loop {
        tokio::time::sleep(Duration::from_secs(1)).await;
        if !stderr().is_terminal() {
            continue;
        }
        let status = client.status().await.ok();
        let line = status.and_then(|it| it.scrubbing).filter(|it| it.pass).map_or_else(String::new, |it| in_words(&it));
        let mut terminal = stderr();
        let _ = write!(terminal, "\r\x1b[K{line}").and_then(|()| terminal.flush());
    }
}

/// `base 3 of 12: 5f0a…, 43 % of 2.0 GiB`.
pub(super) fn in_words(it: &Scrubbing) -> String {
    let base: String = it.base.chars().take(12).collect();
    let far = format!("{base}…, {} % of {}", per_cent(it.done, it.total), ByteSize(it.total));
    if it.pass { format!("base {} of {}: {far}", (it.bases_done + 1).min(it.bases), it.bases) } else { far }
}

/// Says what reading the bases has shown; false when one is damaged.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_scrubbed(scrubbed: &Scrubbed, json: bool) -> anyhow::Result<bool> {
    let damaged = scrubbed.bases.iter().filter(|it| matches!(it.outcome, ScrubOutcome::Damaged { .. })).count();
    if stderr().is_terminal() {
        let _ = write!(stderr(), "\r\x1b[K");
    }
    if json {
        print_json(scrubbed)?;
        return Ok(damaged == 0);
    }
    let (bytes, all) = (scrubbed.bases.iter().map(|it| it.size).sum(), scrubbed.bases.len());
    let bases = if all == 1 { "base" } else { "bases" };
    print(&format!("Read {all} {bases}, {}: {} good, {damaged} damaged", ByteSize(bytes), scrubbed.good))?;
    for it in &scrubbed.bases {
        match &it.outcome {
            ScrubOutcome::Good { .. } => {}
            ScrubOutcome::Unclear { why } => print(&format!("{}  not told: {why}", named(it)))?,
            ScrubOutcome::Damaged { damage, then, .. } => {
                print(&format!("{}  DAMAGED: {damage}\n  {then}", named(it)))?;
            }
        }
    }
    Ok(damaged == 0)
}

fn named(it: &ScrubbedBase) -> String {
    match (&it.name, &it.id) {
        (Some(name), Some(id)) => format!("{} ({name}, {id})", it.base),
        (None, Some(id)) => format!("{} ({id})", it.base),
        _ => it.base.clone(),
    }
}
