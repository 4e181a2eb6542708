use super::*;
use crate::agent::{
    base_dir::{BaseFile, Kind},
    in_use::{Evidence, InUse},
    plan::prune::{PINNED, Settings, decide},
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use std::collections::HashMap;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn x(number: u64) -> String {
    format!("{number:040x}")
}

fn file(number: u64, minutes: i64, allocated: u64) -> BaseFile {
    let name = x(number);
    let mtime = now() - TimeDelta::minutes(minutes);
    BaseFile {
        kind: Kind::of(&name),
        name,
        size: allocated,
        allocated,
        mtime,
        last_used: mtime,
        changed: (0, 0),
        inode: (1, number),
        links: 1,
        uid: 0,
    }
}

fn decisions(files: &[BaseFile], in_use: &InUse, wanted: &HashMap<String, String>) -> Vec<Decision> {
    let settings = Settings { remove_unused_original_minimum_age_seconds: 600, ..Settings::default() };
    decide(files, in_use, wanted, now(), &settings)
}

fn names(chosen: &[Decision]) -> Vec<String> {
    chosen.iter().map(|it| it.file.name.clone()).collect()
}

#[test]
fn the_least_recently_used_goes_first_and_larger_ones_of_a_minute() {
    let mut files = vec![file(1, 60, 10), file(2, 120, 10), file(3, 60, 30), file(4, 5, 1000), file(5, 180, 10)];
    files[4].links = 2;
    let all = decisions(&files, &InUse::default(), &HashMap::new());
    let nobody = HashSet::new();
    assert_eq!(names(&choose(&all, &nobody, u64::MAX)), [x(2), x(3), x(1)], "neither the young nor what frees nothing");
    assert_eq!(names(&choose(&all, &nobody, 10)), [x(2)]);
    assert_eq!(names(&choose(&all, &nobody, 11)), [x(2), x(3)]);
    assert!(choose(&all, &nobody, 0).is_empty());
    let pinned = HashSet::from([x(2)]);
    assert_eq!(names(&choose(&all, &pinned, u64::MAX)), [x(3), x(1), x(2)], "pinned ones last, if they may go at all");
}

#[test]
fn what_is_in_use_pinned_or_off_never_goes() {
    let files = [file(1, 9999, 10), file(2, 9999, 10), file(3, 9999, 10)];
    let mut in_use = InUse::default();
    in_use.by_base.insert(x(1), vec![Evidence::Locked]);
    let wanted = HashMap::from([(x(2), PINNED.to_owned())]);
    let all = decisions(&files, &in_use, &wanted);
    assert_eq!(names(&choose(&all, &HashSet::new(), u64::MAX)), [x(3)]);
    assert!(all[1].why.contains("larder cache unpin"), "{}", all[1].why);
    let off = Settings { remove_unused_base_images: false, ..Settings::default() };
    let all = decide(&files, &InUse::default(), &HashMap::new(), now(), &off);
    assert!(choose(&all, &HashSet::new(), u64::MAX).is_empty());
}

#[test]
fn watermarks_say_how_much() {
    let marks = Marks { high: 90, low: 70, until_free: 50, ..Marks::default() };
    let bounds = Bounds { max_size: Some(1000), min_free: 20 };
    for (own, free, excess) in [(900, 20, 0), (901, 20, 201), (1500, 99, 800), (0, 19, 31), (901, 0, 201), (750, 5, 45)]
    {
        assert_eq!(marks.excess(own, free, bounds), excess, "{own} taken, {free} free");
    }
    let no_limit = Bounds { max_size: None, ..bounds };
    assert_eq!(marks.excess(u64::MAX, 20, no_limit), 0);
    let odd = Marks { low: 100, until_free: 0, ..marks };
    assert_eq!((odd.excess(950, 99, bounds), odd.excess(0, 5, bounds)), (50, 15));
}

fn held(number: u64, bytes: u64) -> Held {
    Held { id: ImageId::from_random(number.into()), bytes }
}

/// Kraken deletes used - lower% of the *disk*: here it is never more than what is above the low mark.
#[test]
fn nobody_loses_a_base_for_an_image_that_would_not_fit_even_so() {
    let enough = |excess: u64, lacks: &[u64]| {
        let lacks: Vec<Held> = lacks.iter().zip(0..).map(|(bytes, number)| held(number, *bytes)).collect();
        give(100, &[], excess, &lacks).0
    };
    assert_eq!(enough(0, &[101, 60, 30]), 60, "the first that can be helped");
    assert_eq!(enough(0, &[101]), 0);
    assert_eq!(enough(40, &[101]), 40);
    assert_eq!(enough(400, &[50]), 400, "when others fill the disk, all that may go does");
    assert_eq!(enough(0, &[]), 0);
}

#[test]
fn interrupted_fetches_give_first_but_not_for_themselves() {
    let partials = [held(1, 30), held(2, 20), held(3, 10)];
    let gives = |able, excess, lacks: &[Held]| {
        let (bytes, goes) = give(able, &partials, excess, lacks);
        (bytes, goes.into_iter().map(|it| it.bytes).collect::<Vec<_>>())
    };
    assert_eq!(gives(0, 0, &[]), (0, vec![]));
    assert_eq!(gives(0, 31, &[]), (31, vec![30, 20]), "no more than is needed");
    assert_eq!(gives(50, 200, &[]), (200, vec![30, 20, 10]));
    assert_eq!(gives(5, 0, &[held(9, 45)]), (45, vec![30, 20]));
    assert_eq!(gives(5, 0, &[held(1, 40), held(2, 41)]), (41, vec![30, 10]), "its own is of use to it");
    assert_eq!(gives(5, 0, &[held(9, 66)]), (0, vec![]), "in vain");
    assert_eq!(gives(6, 0, &[held(9, 66)]), (66, vec![30, 20, 10]));
}

proptest! {
    #[test]
    fn just_enough_goes_in_order(
        files in proptest::collection::vec((0_i64..300, 0_u64..50, any::<bool>(), any::<bool>()), 0..40), bytes in 0_u64..1000
    ) {
        let mut pinned = HashSet::new();
        let mut in_use = InUse::default();
        let files: Vec<BaseFile> = files.into_iter().zip(0..).map(|((age, size, pin, used), number)| {
            if pin {
                pinned.insert(x(number));
            }
            if used {
                in_use.by_base.insert(x(number), vec![Evidence::Locked]);
            }
            file(number, age, size)
        }).collect();
        let all = decisions(&files, &in_use, &HashMap::new());
        let chosen = choose(&all, &pinned, bytes);
        let able: u64 = all.iter().filter(|it| it.removes()).map(frees).sum();
        let freed: u64 = chosen.iter().map(frees).sum();
        prop_assert!(chosen.iter().all(|it| it.removes() && frees(it) > 0));
        prop_assert_eq!(freed >= bytes.min(able), true);
        if let Some(last) = chosen.last() {
            prop_assert!(freed - frees(last) < bytes, "not one more than needed");
        }
        for pair in chosen.windows(2) {
            let key = |it: &Decision| (pinned.contains(it.name()), it.file.last_used, Reverse(it.file.allocated));
            prop_assert!(key(&pair[0]) <= key(&pair[1]));
        }
    }
}
