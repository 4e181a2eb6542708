//! Which fetches may go on when somebody else takes room that was promised to them.

use super::Bounds;
use crate::base::byte_size::ByteSize;
use crate::image::ImageId;

/// What a look at the disk and the ledger may differ by for each fetch, because they are not read at the same moment.
const SLACK: u64 = 4 << 20;

/// A fetch in work.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct InWork {
    /// The image.
    pub id: ImageId,
    /// What it may still write, bytes.
    pub left: u64,
}

/// Says for each fetch, in the order given (the most wanted first), whether it may go on; if not, why.
///
/// What those that go on may still write fits into what there is: `own` bytes of the cache, `free` ones of the disk.
/// Below `min_free` nobody goes on.
pub fn go_on(fetches: &[InWork], own: u64, free: u64, bounds: Bounds) -> Vec<(ImageId, Option<String>)> {
    let is_below_floor = free < bounds.min_free || free == 0;
    let (mut own, mut free) = (own, free.saturating_sub(bounds.min_free));
    let verdict = |it: &InWork| {
        let over = bounds.max_size.filter(|max| own.saturating_add(it.left) > max.saturating_add(SLACK));
        let why = if let Some(max) = over {
            Some(format!("the cache is full: {} of {} (cache_max_size) are taken", ByteSize(own), ByteSize(max)))
        } else if it.left > free.saturating_add(SLACK) || is_below_floor {
            Some(format!(
                "the disk is full: {} may still be written there, beside what stays free ({}, cache_min_free)",
                ByteSize(free),
                ByteSize(bounds.min_free)
            ))
        } else {
            own = own.saturating_add(it.left);
            free = free.saturating_sub(it.left);
            None
        };
        (it.id.clone(), why)
    };
    fetches.iter().map(verdict).collect()
}
