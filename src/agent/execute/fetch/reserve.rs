//! Room for a fetch, taken before its first byte.
//!
//! Most images are disks with much air. What a raw copy of one may take at most is known from the start; what it will take
//! is known once the download is there:
//!
//! ```text
//! there is room for all of the disk ─→ that is promised
//! there is not                      ─→ the download and as much again; the rest when it is known
//! downloaded ─→ what the image holds is counted ─→ less is promised, or more, or it waits with its download kept
//! ```

use super::{FetchError, Fetcher, elsewhere::Elsewhere};
use crate::agent::{
    base_dir::{Staging, own_bytes},
    execute::fetch::fetcher::Work,
    plan::fetch::{Order, Reservation, Seen, with_overhead},
};
use crate::diskformat::{Inspection, raw_bytes};
use std::{
    fs::{File, OpenOptions},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::Path,
};

/// What an earlier try has left.
#[derive(Clone, Copy, Debug, Default)]
struct Left {
    /// Blocks on disk, bytes.
    bytes: u64,
    /// What the raw copy takes, if the download is whole.
    raw: Option<u64>,
}

// === impl Fetcher ===

impl Fetcher {
    pub(super) async fn reserve(&self, order: &Order) -> Result<Reservation, FetchError> {
        let (staging, size) = (self.dir.staging(&order.id, Staging::Fetch), order.size);
        let converts = order.room_to_convert > 0;
        let look = tokio::task::spawn_blocking(move || left(&staging, size.filter(|_| converts)));
        let left = look.await.unwrap_or_default();
        let others = Elsewhere::look(self.dir.seat()).await?;
        let seen = others.over(self.seen().await?);
        // What is there is seen on the disk already.
        let need = |room: u64| room.saturating_sub(left.bytes.min(order.room_to_fetch));
        let take = |room, seen| self.ledger.reserve(&order.id, need(room), seen, self.limits.bounds);
        let room = match left.raw {
            Some(raw) => take(order.room_with(raw), seen)?,
            None => take(order.room(), seen.clone()).or_else(|_| take(order.room_at_first(), seen))?,
        };
        others.tell(&self.ledger).await?;
        Ok(room)
    }

    /// What the files take, and what is free.
    pub(super) async fn seen(&self) -> Result<Seen, FetchError> {
        let (dir, mark) = (self.dir.clone(), self.ledger.mark());
        let look = tokio::task::spawn_blocking(move || {
            let path = dir.path().to_owned();
            let own = own_bytes(&dir.scan().map_err(FetchError::Look)?);
            let space = dir.space().map_err(|source| FetchError::Space { path: path.clone(), source })?;
            Ok(Seen { path, own, free: space.free, elsewhere: 0, mark })
        });
        look.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()))
    }

    /// What the raw copy of a download takes with holes, where that can be told, and what without; with what file systems
    /// take to keep track of it.
    pub(super) async fn raw_room(&self, order: &Order, path: &Path, inspection: &Inspection) -> (u64, u64) {
        let all = inspection.virtual_size.unwrap_or(order.room_to_convert);
        let path = path.to_owned();
        let count = tokio::task::spawn_blocking(move || File::open(path).and_then(|mut it| raw_bytes(&mut it)));
        let holds = count.await.ok().and_then(Result::ok).flatten();
        (with_overhead(holds.map_or(all, |it| it.min(all))), with_overhead(all))
    }

    /// From now on the raw copy may take `need` bytes.
    pub(super) async fn promise(&self, need: u64, work: &Work<'_>) -> Result<(), FetchError> {
        let others = Elsewhere::look(self.dir.seat()).await?;
        work.room.resize(need, others.over(self.seen().await?), self.limits.bounds)?;
        others.tell(&self.ledger).await
    }
}

/// `size` is that of the whole download, when that is converted.
fn left(staging: &Path, size: Option<u64>) -> Left {
    let flags = nix::libc::O_NOFOLLOW | nix::libc::O_NONBLOCK;
    let Ok(mut file) = OpenOptions::new().read(true).custom_flags(flags).open(staging) else { return Left::default() };
    let Ok(meta) = file.metadata() else { return Left::default() };
    let raw = if size == Some(meta.len()) { raw_bytes(&mut file).ok().flatten() } else { None };
    Left { bytes: meta.blocks().saturating_mul(512), raw }
}
