//! One look at the disk: what is there, who uses it, how much room there is. Blocking.

use crate::agent::{
    base_dir::{BaseDir, BaseFile, ScanError, own_bytes},
    in_use::{InUse, observe},
    index::Known,
};
use crate::base::{chain, space::Space};
use chrono::{DateTime, Utc};
use std::{collections::BTreeMap, sync::Arc};

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

    /// Raises the last use to what the index knows: the mtime of a base that libvirt owns cannot always be touched.
    pub(super) fn raise(&mut self, known: &BTreeMap<String, Known>) {
        for file in &mut self.bases {
            if let Some(later) = known.get(&file.name).and_then(|it| it.last_used).filter(|it| *it > file.last_used) {
                file.last_used = later;
            }
        }
    }
}
