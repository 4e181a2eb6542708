//! Bases that are their image's data, byte for byte.
//!
//! A base is that only when its bytes were compared with the image's hash and nothing was converted: a raw image, or
//! with `force_raw_images = False` a qcow2 one. The file must be the one that was compared, as its piece list says.

use super::wanted::Wanted;
use crate::agent::{
    base_dir::BaseDir,
    index::Index,
    lists::{FileId, Lists, Trust},
};
use crate::base::{chain, pieces::Pieces};
use crate::image::ImageId;
use std::{
    collections::HashMap,
    fs::{File, OpenOptions},
    os::unix::fs::{FileExt, OpenOptionsExt},
    sync::{Arc, Mutex, PoisonError},
};

/// Where bases and their lists are.
#[derive(Debug)]
pub(super) struct Bases {
    pub(super) dir: Arc<BaseDir>,
    pub(super) index: Index,
    pub(super) lists: Arc<Lists>,
    /// Those that were found damaged while they were read.
    damaged: Mutex<HashMap<String, FileId>>,
}

/// A base, open to be read.
pub(super) struct Found {
    pub(super) base: String,
    pub(super) file: File,
    pub(super) id: FileId,
    pub(super) pieces: Pieces,
}

/// A converted base never begins with it: nova would take it for qcow2, so it is refused.
const QCOW2: &[u8; 4] = b"QFI\xfb";

// === impl Bases ===

impl Bases {
    pub(super) fn new(dir: Arc<BaseDir>, index: Index, lists: Arc<Lists>) -> Self {
        Self { dir, index, lists, damaged: Mutex::default() }
    }

    /// The image's base, if it is this data.
    pub(super) async fn find(self: &Arc<Self>, id: &ImageId, wanted: &Wanted) -> Option<Found> {
        let is_qcow2 = match wanted.disk_format.as_deref() {
            Some("raw") => false,
            Some("qcow2") => true,
            _ => return None,
        };
        let base = id.base_name();
        let known = self.index.base(base.clone()).await;
        let known =
            known.inspect_err(|error| tracing::warn!(error = %chain(error), "a base is not looked at")).ok()??;
        let hash = (known.hash_algorithm.as_deref()?, known.hash_value.as_deref()?);
        let is_damaged = known.verified.as_ref().is_none_or(|it| it.damage.is_some());
        if hash != (wanted.hash.0.as_str(), wanted.hash.1.as_str()) || is_damaged {
            return None;
        }
        let (this, size) = (self.clone(), wanted.size);
        let look = tokio::task::spawn_blocking(move || this.open(base, size, is_qcow2));
        look.await.ok().flatten()
    }

    fn open(&self, base: String, size: u64, is_qcow2: bool) -> Option<Found> {
        let path = self.dir.path().join(&base);
        let file = OpenOptions::new().read(true).custom_flags(nix::libc::O_NOFOLLOW).open(path).ok()?;
        let meta = file.metadata().ok().filter(|it| it.is_file() && it.len() == size)?;
        let id = FileId::from(&meta);
        if self.damaged().get(&base) == Some(&id) {
            return None;
        }
        let (pieces, label) = self.lists.load(&base, id).ok()??;
        let compared = matches!(label.trust, Trust::Fetched | Trust::Catalogue);
        let mut head = [0; 4];
        let begins_as_it_should = !is_qcow2 || file.read_exact_at(&mut head, 0).is_ok() && head == *QCOW2;
        let is_it = compared && begins_as_it_should && pieces.size() == size;
        is_it.then_some(Found { base, file, id, pieces })
    }

    /// The bytes are not what they were: it is not read from here again. What becomes of it is for a scrub to say.
    pub(super) fn condemn(&self, base: &str, file: FileId) {
        tracing::error!(
            base.file = base,
            "a base is not what it was; it is not served any more: run larder agent scrub"
        );
        self.damaged().insert(base.to_owned(), file);
    }

    fn damaged(&self) -> std::sync::MutexGuard<'_, HashMap<String, FileId>> {
        self.damaged.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
