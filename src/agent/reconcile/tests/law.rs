//! What may be removed and what may stay, by rules that share nothing with the agent's.

use super::host::{Host, Listing};
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{BTreeMap, BTreeSet},
    os::unix::fs::MetadataExt,
};

/// What was asked for in one step.
#[derive(Debug)]
pub(super) struct Allowed {
    /// When it was.
    pub(super) now: DateTime<Utc>,
    /// Seconds without use, by the name of the base; what is not named goes by its kind.
    pub(super) ages: BTreeMap<String, i64>,
    /// The same for all bases.
    pub(super) age: Option<i64>,
    /// Bases that stay whatever happens.
    pub(super) pinned: BTreeSet<String>,
}

const ORIGINAL: i64 = 86_400;
const RESIZED: i64 = 3600;

// === impl Allowed ===

impl Allowed {
    fn age(&self, name: &str) -> i64 {
        let own = if is_resized(name) { RESIZED } else { ORIGINAL };
        own.min(self.age.unwrap_or(own)).min(self.ages.get(name).copied().unwrap_or(own))
    }

    /// Nothing has gone that something uses, nor anything before its time.
    pub(super) fn judge(&self, host: &Host, before: &Listing, after: &Listing) -> Result<(), String> {
        for (disk, bases) in &host.disks {
            for (name, inode) in bases {
                match after.get(name) {
                    Some(it) if it.inode == *inode => {}
                    Some(_) => return Err(format!("{name} was exchanged under {}", disk.display())),
                    None => return Err(format!("{name} is gone, and {} stands on it", disk.display())),
                }
            }
        }
        for (name, seen) in
            before.iter().filter(|(name, seen)| after.get(*name).is_none_or(|it| it.inode != seen.inode))
        {
            if after.values().any(|it| it.inode == seen.inode) {
                // Nova has gone on with what it had left.
                continue;
            }
            let stays = |why: &str| Err(format!("{name} was removed, although {why}"));
            let lock = name.split('.').next().unwrap();
            if host.foreign.contains(name) {
                return stays("nova did not make it");
            }
            // Another file of that name may have been opened before it.
            if host.open.iter().any(|(file, it)| it == name && file.metadata().unwrap().ino() == seen.inode) {
                return stays("it was open");
            }
            if host.locked.iter().any(|(_, it)| it == lock) {
                return stays("its lock was held");
            }
            if let Some(disk) = host.unreadable.first() {
                return stays(&format!("it could not be told what {} stands on", disk.display()));
            }
            if self.pinned.contains(name) {
                return stays("it was pinned");
            }
            if let Some((other, _)) = host.resized.iter().find(|(it, of)| *of == name && after.contains_key(*it)) {
                return stays(&format!("{other} stands on it"));
            }
            let unused = self.now - seen.mtime;
            if unused < TimeDelta::seconds(self.age(name)) {
                return stays(&format!("it was used {unused} ago"));
            }
        }
        Ok(())
    }
}

/// After days of quiet nothing is left but what is used, wanted, or not nova's.
pub(super) fn nothing_stays(host: &Host, wanted: &BTreeSet<ImageId>) -> Result<(), String> {
    let wanted: BTreeSet<String> = wanted.iter().map(ImageId::base_name).collect();
    let used: BTreeSet<&String> = host.disks.values().flatten().map(|(name, _)| name).collect();
    for name in host.listing().keys() {
        if !used.contains(name) && !wanted.contains(name) && !host.foreign.contains(name) {
            return Err(format!("{name} stays, although nothing uses it and nobody wants it"));
        }
    }
    for entry in std::fs::read_dir(host.base("")).unwrap() {
        let name = entry.unwrap().file_name().into_string().unwrap();
        let base = name.strip_prefix(".larder-").and_then(|it| it.split('.').next());
        if base.is_some_and(|it| !wanted.contains(it)) {
            return Err(format!("{name} was left behind"));
        }
    }
    Ok(())
}

fn is_resized(name: &str) -> bool {
    name.len() > 40 && name.as_bytes()[40] == b'_'
}
