//! What goes when room is needed, and how much of it. Pure.
//!
//! ```text
//! own bytes above cache_high_watermark of cache_max_size ─→ down to cache_low_watermark
//! free bytes below cache_min_free ────────────────────────→ up to cache_evict_until_free
//! an image that does not fit ─────────────────────────────→ as much as it lacks, or nothing if that is not to be had
//! ```
//!
//! What interrupted fetches have left goes first: it can be fetched again, and nothing starts from it.

use super::{fetch::Bounds, prune::Decision};
use crate::image::ImageId;
use std::{cmp::Reverse, collections::HashSet};

/// Bytes that an image lacks, or that its interrupted fetch has left.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Held {
    /// The image.
    pub id: ImageId,
    /// The bytes.
    pub bytes: u64,
}

/// When bases go for their space, and how far.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marks {
    /// `cache_high_watermark`: per cent of `cache_max_size` above which bases go.
    pub high: u32,
    /// `cache_low_watermark`: per cent of it down to which they go.
    pub low: u32,
    /// `cache_evict_until_free`: once less than `cache_min_free` is free, bases go until so many bytes are.
    pub until_free: u64,
    /// `cache_evict_min_age`: seconds for which a base stays after its last use, however full the disk.
    pub min_age: u64,
    /// `prune_pinned_when_full`: pinned bases may go too, after all others.
    pub pinned_too: bool,
}

// === impl Marks ===

impl Default for Marks {
    fn default() -> Self {
        Self { high: 95, low: 85, until_free: 2 << 30, min_age: 600, pinned_too: false }
    }
}

impl Marks {
    /// Bytes that are to go, by the watermarks; 0 when all is well.
    pub fn excess(&self, own: u64, free: u64, bounds: Bounds) -> u64 {
        let part = |max: u64, per_cent: u32| {
            u64::try_from(u128::from(max) * u128::from(per_cent.min(100)) / 100).unwrap_or(max)
        };
        let over = match bounds.max_size {
            Some(max) if own > part(max, self.high) => own - part(max, self.low.min(self.high)).min(own),
            _ => 0,
        };
        let lacking = if free < bounds.min_free { self.until_free.max(bounds.min_free) - free } else { 0 };
        over.max(lacking)
    }
}

/// How much is to go, and what interrupted fetches give of it: they go before any base, the first of `partials` first.
///
/// It is `excess`, or what the first one lacks that can be helped by the `able` bytes of bases and by the others' partial
/// downloads; `lacks` is in the order of those that wait. Nobody loses anything for an image that would not fit even so.
pub fn give<'a>(able: u64, partials: &'a [Held], excess: u64, lacks: &[Held]) -> (u64, Vec<&'a Held>) {
    let others =
        |id: &ImageId| partials.iter().filter(|it| it.id != *id).fold(able, |sum, it| sum.saturating_add(it.bytes));
    let helped = lacks.iter().find(|it| it.bytes <= others(&it.id));
    let bytes = excess.max(helped.map_or(0, |it| it.bytes));
    let mut given = 0_u64;
    let goes = partials.iter().filter(|it| helped.is_none_or(|helped| helped.id != it.id)).take_while(|it| {
        let more = given < bytes;
        given = given.saturating_add(it.bytes);
        more
    });
    (bytes, goes.collect())
}

/// Of what may go, what goes to free `bytes`: the least recently used first, of those used in the same minute the larger,
/// pinned ones last. All of it, when that is less than `bytes`.
pub fn choose(decisions: &[Decision], pinned: &HashSet<String>, bytes: u64) -> Vec<Decision> {
    let mut freed = 0_u64;
    let mut order: Vec<&Decision> = decisions.iter().filter(|it| it.removes() && frees(it) > 0).collect();
    order.sort_by_key(|it| {
        let minute = it.file.last_used.timestamp().div_euclid(60);
        (pinned.contains(it.name()), minute, Reverse(it.file.allocated), it.name())
    });
    let needed = order.into_iter().take_while(|it| {
        let more = freed < bytes;
        freed = freed.saturating_add(frees(it));
        more
    });
    needed.cloned().collect()
}

/// What removing the file frees: nothing, while it has another name.
pub fn frees(it: &Decision) -> u64 {
    if it.file.links > 1 { 0 } else { it.file.allocated }
}

#[cfg(test)]
mod tests;
