//! The outcome of one prefetch or prune pass.

use super::{
    states::{in_words, trouble},
    status::{is_own, verdicts},
};
use crate::admin::{ImageState, Pass, Pruned};
use crate::base::ByteSize;
use crate::commands::output::{print, print_json};
use chrono::Utc;

/// Says what became of each image; false when one failed, or is held.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_pass(pass: &Pass, json: bool) -> anyhow::Result<bool> {
    let now = Utc::now();
    if json {
        print_json(pass)?;
    } else if pass.images.is_empty() {
        print("Nothing was queued.")?;
    }
    for image in pass.images.iter().filter(|_| !json) {
        print(&format!("{}  {}", image.id, in_words(&image.state, now)))?;
        if let Some(why) = trouble(&image.state) {
            print(&format!("  {why}"))?;
        }
    }
    let undone = |state: &ImageState| matches!(state, ImageState::Failed { .. } | ImageState::Held { .. });
    Ok(!pass.images.iter().any(|image| undone(&image.state)))
}

/// Says what went, and why the rest stays.
///
/// # Errors
/// When standard output cannot be written.
pub fn print_pruned(pruned: &Pruned, json: bool) -> anyhow::Result<()> {
    if json {
        return print_json(pruned);
    }
    let now = Utc::now();
    let (count, freed) = (pruned.removed.len(), ByteSize(pruned.freed));
    let bases = if count == 1 { "base" } else { "bases" };
    match (pruned.dry_run, count) {
        (_, 0) => print("Nothing is to be removed.")?,
        (true, _) => print(&format!("Would remove {count} {bases}, {freed} on disk:"))?,
        (false, _) => print(&format!("Removed {count} {bases}, {freed} on disk:"))?,
    }
    if count > 0 {
        print(&verdicts(&pruned.removed, |_| None, now))?;
    }
    if !pruned.kept.iter().all(is_own) {
        print(&format!("Kept:\n{}", verdicts(&pruned.kept, |_| None, now)))?;
    }
    Ok(())
}
