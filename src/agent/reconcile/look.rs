//! One look at the disk: what is there, who uses it, how much room there is. Blocking.

use crate::agent::{
    base_dir::{BaseDir, BaseFile, ScanError, own_bytes},
    in_use::{InUse, observe},
    index::Known,
};
use crate::base::{chain, space::Space};
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, HashSet},
    sync::Arc,
};

/// What was seen.
#[derive(Clone, Debug)]
pub(super) struct Look {
    /// When it began.
    pub(super) at: DateTime<Utc>,
    pub(super) bases: Vec<BaseFile>,
    pub(super) in_use: InUse,
    pub(super) space: Space,
    /// Blocks that the files take, bytes.
    pub(super) own: u64,
}

/// What became of bases while a look ran, by name: it may have seen them as they were.
#[derive(Debug, Default)]
pub(super) struct Meanwhile {
    pub(super) arrived: HashSet<String>,
    pub(super) removed: HashSet<String>,
}

// === impl Meanwhile ===

impl Meanwhile {
    pub(super) fn came(&mut self, base: &str) {
        self.removed.remove(base);
        self.arrived.insert(base.to_owned());
    }

    pub(super) fn went(&mut self, base: &str) {
        self.arrived.remove(base);
        self.removed.insert(base.to_owned());
    }
}

// === impl Look ===

impl Look {
    fn take(dir: &BaseDir, at: DateTime<Utc>) -> Result<Self, ScanError> {
        let bases = dir.scan()?;
        let in_use = observe(dir, &bases);
        let space = dir.space().unwrap_or(Space { free: 0, total: 0 });
        let own = own_bytes(&bases);
        Ok(Self { at, bases, in_use, space, own })
    }

    /// One that begins now, on a blocking thread; the error in words.
    pub(super) async fn beside(dir: Arc<BaseDir>, now: DateTime<Utc>) -> Result<Self, String> {
        match tokio::task::spawn_blocking(move || Self::take(&dir, now)).await {
            Ok(look) => look.map_err(|error| chain(&error).to_string()),
            Err(died) => Err(format!("looking at the disk ended early: {died}")),
        }
    }

    /// Takes nothing from it that has come or gone since it began; `before` was kept up with that.
    pub(super) fn correct(&mut self, meanwhile: &Meanwhile, before: Option<&Self>) {
        let Meanwhile { arrived, removed } = meanwhile;
        if arrived.is_empty() && removed.is_empty() {
            return;
        }
        self.bases.retain(|it| !arrived.contains(&it.name) && !removed.contains(&it.name));
        let here = before.into_iter().flat_map(|it| &it.bases);
        self.bases.extend(here.filter(|it| arrived.contains(&it.name)).cloned());
        self.bases.sort_by(|a, b| a.name.cmp(&b.name));
        self.own = own_bytes(&self.bases);
    }

    /// Raises the last use to what the index knows: the mtime of a base that libvirt owns cannot always be touched.
    pub(super) fn raise(&mut self, known: &BTreeMap<String, Known>) {
        for file in &mut self.bases {
            if let Some(later) = known.get(&file.name).and_then(|it| it.last_used).filter(|it| *it > file.last_used) {
                file.last_used = later;
            }
        }
    }
}
