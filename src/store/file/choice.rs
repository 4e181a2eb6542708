//! Which folder new data goes to.

use crate::base::chain;
use crate::store::{
    StoreError,
    file::{Folder, Ranked},
};
use std::sync::Arc;

/// The folder for data of `expected` bytes. One that cannot be measured is passed over, and the log says so. Blocking.
///
/// # Errors
/// [`StoreError::Full`]: it fits into none. What the system said of the first folder, when none can be measured.
pub(super) fn choose(folders: &[Ranked], expected: Option<u64>) -> Result<Arc<Folder>, StoreError> {
    if let [only] = folders {
        return Ok(Arc::clone(&only.folder));
    }
    let (mut measured, mut failed) = (Vec::with_capacity(folders.len()), None);
    for Ranked { priority, folder } in folders {
        match folder.room() {
            Ok(room) => measured.push((*priority, room.free, folder)),
            Err(error) => {
                let error = folder.failed("measuring", &folder.path, "", error);
                tracing::warn!(path = %folder.path.display(), error = %chain(&error), "this folder of the store is passed over");
                failed = failed.or(Some(error));
            }
        }
    }
    let ranks: Vec<(i64, u64)> = measured.iter().map(|it| (it.0, it.1)).collect();
    let fits = best(&ranks, expected.unwrap_or(0));
    // Data with holes may fit where its length does not.
    let holes = || measured.iter().any(|it| it.2.sparse).then(|| best(&ranks, 0)).flatten();
    match (fits.or_else(holes).and_then(|it| measured.get(it)), failed) {
        (Some((.., folder)), _) => Ok(Arc::clone(folder)),
        (None, Some(error)) if measured.is_empty() => Err(error),
        (None, _) => {
            let roomiest = measured.iter().max_by_key(|it| it.1).map(|it| it.2);
            let full = roomiest.or(folders.first().map(|it| &it.folder)).map(|it| it.full(expected));
            Err(full.unwrap_or(StoreError::Full { path: "the file store".into(), free: 0, wanted: expected }))
        }
    }
}

/// Of folders by priority and free bytes, the one for `wanted` bytes: of the highest priority at which one has room, that
/// with the most; a full one is for nothing (Glance's `_find_best_datadir`).
pub(super) fn best(ranks: &[(i64, u64)], wanted: u64) -> Option<usize> {
    let fits = ranks.iter().enumerate().filter(|(_, it)| it.1 > 0 && it.1 >= wanted);
    // Of equals the first.
    fits.rev().max_by_key(|(_, it)| **it).map(|it| it.0)
}

#[cfg(test)]
mod tests {
    use super::best;
    use proptest::prelude::*;

    #[test]
    fn the_order_is_glances() {
        let folders = [(100, 5), (200, 0), (200, 9), (200, 9), (-1, 50)];
        for (wanted, at) in [(0, Some(2)), (9, Some(2)), (10, Some(4)), (50, Some(4)), (51, None)] {
            assert_eq!(best(&folders, wanted), at, "{wanted}");
        }
        assert_eq!(best(&[(1, 0)], 0), None);
    }

    proptest! {
        #[test]
        fn nothing_better_is_passed_over(folders in prop::collection::vec((-3_i64..3, 0_u64..20), 0..8), wanted in 0_u64..22) {
            let fits = |it: &(i64, u64)| it.1 > 0 && it.1 >= wanted;
            match best(&folders, wanted) {
                Some(at) => {
                    prop_assert!(fits(&folders[at]));
                    prop_assert!(folders.iter().filter(|it| fits(it)).all(|it| *it <= folders[at]));
                }
                None => prop_assert!(!folders.iter().any(fits)),
            }
        }
    }
}
