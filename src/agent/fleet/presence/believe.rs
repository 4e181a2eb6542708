//! When it is believed that images are gone. Pure.

use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use serde::{Deserialize, Serialize};
use std::collections::BTreeSet;

/// Fewer than this are not many, unless they are all.
const MANY: usize = 3;

/// Images that were missed at once; kept across restarts.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Suspects {
    /// Since when.
    pub(super) since: DateTime<Utc>,
    /// Missed in every pass since then.
    pub(super) images: BTreeSet<ImageId>,
}

/// What follows from a pass.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    /// These are gone.
    Gone(BTreeSet<ImageId>),
    /// Too many at once: nothing goes.
    Held(Suspects),
}

/// `held`: how many images the node has that were asked for; `missed` are among them.
pub(super) fn believe(
    held: usize,
    missed: BTreeSet<ImageId>,
    before: Option<Suspects>,
    now: DateTime<Utc>,
    wait: TimeDelta,
) -> Verdict {
    let all = !missed.is_empty() && missed.len() >= held;
    let most = missed.len() >= MANY && missed.len() * 2 > held;
    // When some of them come back, or go for another reason, the rest is no surer than before.
    let doubted = before.as_ref().is_some_and(|it| it.since <= now && !it.images.is_disjoint(&missed));
    if !all && !most && !doubted {
        return Verdict::Gone(missed);
    }
    let Some(before) = before.filter(|it| it.since <= now) else {
        return Verdict::Held(Suspects { since: now, images: missed });
    };
    let images: BTreeSet<ImageId> = before.images.intersection(&missed).cloned().collect();
    if images.is_empty() {
        return Verdict::Held(Suspects { since: now, images: missed });
    }
    if now - before.since >= wait { Verdict::Gone(images) } else { Verdict::Held(Suspects { images, ..before }) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn ids(numbers: impl IntoIterator<Item = u8>) -> BTreeSet<ImageId> {
        numbers.into_iter().map(|it| ImageId::from_random(u128::from(it))).collect()
    }

    fn at(hours: i64) -> DateTime<Utc> {
        DateTime::from_timestamp(1_800_000_000 + 3600 * hours, 0).unwrap()
    }

    const DAY: TimeDelta = TimeDelta::hours(24);

    #[test]
    fn a_few_are_believed_and_most_are_not() {
        for (held, gone) in [(10, 5), (10, 2), (3, 2), (2, 1), (5, 2)] {
            assert_eq!(believe(held, ids(0..gone), None, at(0), DAY), Verdict::Gone(ids(0..gone)), "{gone} of {held}");
        }
        for (held, gone) in [(10, 6), (4, 3), (1, 1), (2, 2), (3, 3), (5, 3)] {
            let held_back = Verdict::Held(Suspects { since: at(0), images: ids(0..gone) });
            assert_eq!(believe(held, ids(0..gone), None, at(0), DAY), held_back, "{gone} of {held}");
        }
        assert_eq!(believe(10, ids([]), None, at(0), DAY), Verdict::Gone(ids([])));
    }

    #[test]
    fn what_is_left_of_many_waits_as_they_all_did() {
        let first = Suspects { since: at(0), images: ids(0..6) };
        let left = Verdict::Held(Suspects { since: at(0), images: ids(0..2) });
        assert_eq!(believe(10, ids(0..2), Some(first.clone()), at(1), DAY), left);
        assert_eq!(believe(10, ids(0..2), Some(first.clone()), at(24), DAY), Verdict::Gone(ids(0..2)));
        assert_eq!(believe(10, ids(7..9), Some(first), at(1), DAY), Verdict::Gone(ids(7..9)));
    }

    #[test]
    fn what_stays_gone_for_long_is_believed_and_what_came_later_waits() {
        let first = Suspects { since: at(0), images: ids(0..6) };
        let later = believe(8, ids(1..8), Some(first), at(1), DAY);
        let Verdict::Held(suspects) = later else { panic!("{later:?}") };
        assert_eq!(suspects, Suspects { since: at(0), images: ids(1..6) });
        assert_eq!(believe(8, ids(1..8), Some(suspects.clone()), at(24), DAY), Verdict::Gone(ids(1..6)));
        // A clock that was set back starts anew.
        let back = believe(8, ids(1..8), Some(suspects), at(-1), DAY);
        assert_eq!(back, Verdict::Held(Suspects { since: at(-1), images: ids(1..8) }));
    }

    proptest! {
        #[test]
        fn never_most_of_them_without_the_wait(held in 0usize..40, gone in prop::collection::btree_set(0u8..40, 0..40)) {
            let gone: BTreeSet<ImageId> = ids(gone).into_iter().take(held).collect();
            let count = gone.len();
            if let Verdict::Gone(believed) = believe(held, gone, None, at(0), DAY) {
                prop_assert!(believed.len() == count && (count < MANY || count * 2 <= held));
            }
        }
    }
}
