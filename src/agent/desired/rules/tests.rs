use super::*;
use crate::image::ImageId;
use crate::wire::{
    fleet::{Labels, Rule, Window},
    image::RemoteImage,
};
use chrono::{DateTime, TimeDelta, Utc};
use proptest::prelude::*;
use serde_json::{Value, json};
use std::collections::{BTreeMap, BTreeSet, HashMap};

fn now() -> DateTime<Utc> {
    "2026-11-21T12:30:00Z".parse().unwrap()
}

fn id(number: usize) -> ImageId {
    ImageId::from_random(number as u128)
}

fn rule(name: &str, rule: Value) -> Rule {
    let mut rule: Rule = serde_json::from_value(rule).unwrap();
    rule.check().unwrap();
    rule.name = Some(name.parse().unwrap());
    rule
}

/// Image `number` of a family, made so many minutes ago, of so many bytes.
fn image(number: usize, family: u8, age: i64, size: u64) -> RemoteImage {
    let made = (now() - TimeDelta::minutes(age)).format("%Y-%m-%dT%H:%M:%SZ").to_string();
    serde_json::from_value(json!({
        "id": id(number), "name": format!("image-{number}"), "status": "active", "visibility": "public", "size": size,
        "disk_format": "raw", "container_format": "bare", "created_at": made, "tags": [format!("t{}", number % 3)],
        "os_distro": format!("d{family}"), "os_version": "1"
    }))
    .unwrap()
}

fn found(rules: &[Followed], images: &[RemoteImage], used: &BTreeSet<String>) -> Found {
    let mut finder = Finder::new(rules, used, true);
    images.iter().for_each(|it| finder.see(it));
    finder.end(now())
}

fn here(rules: &[Rule]) -> Vec<Followed> {
    follow(rules, &[], &Labels::default())
}

fn chosen(rules: &[Followed], found: &Found, used: &dyn Fn(&str) -> f64, now: DateTime<Utc>) -> Desired {
    choose(&Choice { rules, found, used, gone: &|_| false, now, local_time: false })
}

fn unused(_: &str) -> f64 {
    0.0
}

/// The numbers of the images that are wanted.
fn numbers(desired: &Desired) -> Vec<usize> {
    (0..100).filter(|it| desired.images.contains_key(&id(*it))).collect()
}

#[test]
fn the_file_wins_and_labels_select() {
    let centre = [
        rule("both", json!({"match": {"tags": ["a"]}, "priority": 5})),
        rule("far", json!({"match": {"tags": ["a"]}, "nodes": "site=x"})),
        rule("near", json!({"match": {"tags": ["a"]}, "nodes": "site=y", "priority": -1})),
    ];
    let file =
        [rule("both", json!({"match": {"tags": ["b"]}})), rule("own", json!({"match": {"name": "z*"}, "priority": 9}))];
    let labels: Labels = "site=y,rack=1".parse().unwrap();
    let all = follow(&file, &centre, &labels);
    let seen: Vec<_> = all.iter().map(|it| (it.name.as_str(), it.origin.as_str(), it.replaces)).collect();
    assert_eq!(seen, [("own", "file", false), ("both", "file", true), ("near", "centre", false)]);
    assert!(all[1].rule.images.tags.contains("b"));
    // A rule of the file for other nodes leaves the centre's out.
    let elsewhere = [rule("near", json!({"match": {"tags": ["a"]}, "nodes": "site=x"}))];
    assert!(!follow(&elsewhere, &centre, &labels).iter().any(|it| it.name.as_str() == "near"));
}

#[test]
fn the_newest_of_each_family_within_the_budget() {
    let rules = here(&[rule("newest", json!({"match": {"newest": 2}, "budget": 100, "priority": 7, "pin": true}))]);
    let mut images =
        vec![image(0, 1, 50, 10), image(1, 1, 40, 90), image(2, 1, 30, 60), image(3, 2, 20, 50), image(4, 2, 10, 30)];
    images.push(RemoteImage { extra: serde_json::Map::new(), ..image(5, 1, 1, 1) });
    images.push(RemoteImage { status: "queued".into(), ..image(6, 1, 1, 1) });
    images.push(RemoteImage { os_hidden: true, ..image(7, 1, 1, 1) });
    let desired = chosen(&rules, &found(&rules, &images, &BTreeSet::new()), &unused, now());
    // 4 (30), 3 (50); 2 (60) does not fit in what is left; 1 (90) neither; 0 is the third of its family.
    assert_eq!(numbers(&desired), [3, 4]);
    let wanted = &desired.images[&id(4)];
    assert!(wanted.is_pinned() && wanted.priority() == 7 && wanted.by_rules() == "rule newest", "{wanted:?}");
    assert_eq!(desired.left_out.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), [id(2), id(1)]);
    assert!(desired.left_out[0].why.contains("20 B of the rule's budget of 100 B are left"), "{:?}", desired.left_out);
    assert_eq!((desired.reports[0].wanted, desired.reports[0].bytes, desired.reports[0].left_out), (2, 80, 2));
}

#[test]
fn the_most_used_and_what_is_gone() {
    let rules = here(&[rule("used", json!({"match": {"visibility": "public", "most_used": 2}}))]);
    let images: Vec<_> = (0..5).map(|it| image(it, 1, it as i64, 1)).collect();
    let scores: HashMap<String, f64> =
        [(1, 2.0), (2, 9.0), (3, 2.0)].map(|(it, score)| (id(it).base_name(), score)).into();
    let used = |base: &str| scores.get(base).copied().unwrap_or(0.0);
    let all = found(&rules, &images, &scores.keys().cloned().collect());
    assert_eq!(all.images.len(), 3, "what was never used is not kept");
    assert_eq!(numbers(&chosen(&rules, &all, &used, now())), [1, 2], "of equals the newest");
    let choice =
        Choice { rules: &rules, found: &all, used: &used, gone: &|it| *it == id(2), now: now(), local_time: false };
    assert_eq!(numbers(&choose(&choice)), [1, 3]);
}

#[test]
fn several_rules_and_their_windows() {
    let shut = json!({"opens": "0 3 * * *", "lasts": 3600});
    let open = json!({"opens": "0 12 * * *", "lasts": 3600});
    let rules = here(&[
        rule("urgent", json!({"match": {"tags": ["t0"]}, "priority": 50, "window": shut, "pin": true})),
        rule("open", json!({"match": {"name": "image-?"}, "priority": 10, "window": open})),
        rule("night", json!({"match": {"tags": ["t1"]}, "priority": 20, "window": shut})),
    ]);
    let images: Vec<_> = (0..2).map(|it| image(it, 1, 1, 1)).collect();
    let known = found(&rules, &images, &BTreeSet::new());
    let desired = chosen(&rules, &known, &unused, now());
    let both = &desired.images[&id(0)];
    assert_eq!(both.rules(), ["urgent", "open"]);
    assert_eq!((both.priority(), both.is_pinned(), both.waits()), (10, true, None), "for the rule that may fetch now");
    assert_eq!(desired.changes, Some("2026-11-21T13:00:00Z".parse().unwrap()));
    let later = chosen(&rules, &known, &unused, "2026-11-21T13:00:00Z".parse().unwrap());
    let opens = Some("2026-11-22T03:00:00Z".parse().unwrap());
    let (rule, at) = later.images[&id(1)].waits().unwrap();
    assert_eq!((rule.as_str(), at, later.images[&id(0)].priority()), ("night", opens, 50));
    assert_eq!(later.changes, opens);
}

#[test]
fn windows_open_and_shut() {
    let window = |opens: &str, lasts| Window { opens: opens.parse().unwrap(), lasts };
    let at = |text: &str| -> DateTime<Utc> { text.parse().unwrap() };
    let daily = window("30 12 * * *", 600);
    let state = |time: &str| gate(Some(&daily), at(time), false);
    assert_eq!(state("2026-11-21T12:29:59Z"), Gate::Shut(Some(at("2026-11-21T12:30:00Z"))));
    assert_eq!(state("2026-11-21T12:30:00Z"), Gate::Open(Some(at("2026-11-21T12:40:00Z"))));
    assert_eq!(state("2026-11-21T12:39:59Z"), Gate::Open(Some(at("2026-11-21T12:40:00Z"))));
    assert_eq!(state("2026-11-21T12:40:00Z"), Gate::Shut(Some(at("2026-11-22T12:30:00Z"))));
    assert!(matches!(gate(Some(&window("* * * * *", 3600)), now(), false), Gate::Open(Some(_))), "always");
    assert_eq!(gate(None, now(), true), Gate::Open(None));
}

#[test]
fn starts_are_counted_once() {
    let user = |base: &str, instance: &str| (base.to_owned(), instance.to_owned());
    let mut uses = Uses::default();
    let first = BTreeSet::from([user("a", "1"), user("a", "2"), user("b", "3")]);
    let changes = uses.see(&first, now());
    assert_eq!((changes.bases.len(), changes.users.len()), (2, 3));
    assert_eq!(uses.see(&first, now() + TimeDelta::minutes(2)), Changes::default(), "nothing is new");
    assert_eq!((uses.score("a", now()), uses.score("b", now()), uses.score("c", now())), (2.0, 1.0, 0.0));
    let week = now() + TimeDelta::days(7);
    assert!((uses.score("a", week) - 1.0).abs() < 1e-9);
    // Away for an hour, perhaps only unreadable: not anew; after two days, it is.
    uses.see(&BTreeSet::new(), now() + TimeDelta::hours(1));
    assert_eq!(uses.see(&first, now() + TimeDelta::hours(2)).bases, []);
    uses.see(&BTreeSet::new(), now() + TimeDelta::days(2));
    assert!(uses.users.is_empty());
    assert_eq!(uses.see(&first, now() + TimeDelta::days(3)).bases.len(), 2);
    // A clock that is set back makes nothing more or less.
    let before = uses.score("a", now() + TimeDelta::days(3));
    assert!((uses.score("a", now()) - before).abs() < 1e-9);
    assert!(uses.see(&first, now()).bases.is_empty());
}

#[test]
fn what_is_remembered_of_uses_is_bounded() {
    let mut uses = Uses::default();
    for round in 0..3 {
        let seen = (0..6_000).map(|it| (format!("b{round}-{}", it % 1_500), format!("{round}-{it}"))).collect();
        let changes = uses.see(&seen, now() + TimeDelta::minutes(round));
        assert!(changes.users.iter().all(|(it, _)| uses.users.contains_key(it)));
    }
    assert_eq!((uses.users.len(), uses.bases.len()), (10_000, 2_000));
}

#[test]
fn many_images_are_kept_small() {
    let rules = here(&[rule("all", json!({"match": {"visibility": "public"}}))]);
    let unused = BTreeSet::new();
    let mut finder = Finder::new(&rules, &unused, true).with_most(10);
    // The oldest first, so that each is better than those before.
    (0..100).rev().for_each(|it| finder.see(&image(it, 1, it as i64, 1)));
    let ids: BTreeSet<ImageId> = finder.end(now()).images.into_iter().map(|it| it.id).collect();
    assert_eq!(ids, (0..10).map(id).collect());
}

/// Tag and window, newest, most used, budget, priority, pin.
type Conditions = (u8, Option<u32>, Option<u32>, Option<u64>, i32, bool);

fn rules_of(conditions: &[Conditions]) -> Vec<Rule> {
    let make = |(at, it): (usize, &Conditions)| {
        let images = json!({"tags": [format!("t{}", it.0 % 3)], "newest": it.1, "most_used": it.2});
        let window = json!({"opens": format!("0 {} * * *", it.0 % 24), "lasts": 7200});
        rule(
            &format!("r{at}"),
            json!({"match": images, "budget": it.3, "priority": it.4, "pin": it.5, "window": window}),
        )
    };
    conditions.iter().enumerate().map(make).collect()
}

prop_compose! {
    fn some_rules()(conditions in prop::collection::vec(
        (0_u8..30, prop::option::of(1_u32..4), prop::option::of(1_u32..4), prop::option::of(1_u64..200), -3_i32..4, any::<bool>()), 1..6,
    )) -> Vec<Followed> {
        here(&rules_of(&conditions))
    }
}

prop_compose! {
    fn some_images()(parts in prop::collection::vec((0_u8..4, 0_i64..20, 0_u64..80, 0_u8..6), 0..40)) -> (Vec<RemoteImage>, BTreeMap<String, f64>) {
        let images = parts.iter().enumerate().map(|(at, it)| image(at, it.0, it.1, it.2)).collect();
        let used = parts.iter().enumerate().filter(|(_, it)| it.3 > 0).map(|(at, it)| (id(at).base_name(), f64::from(it.3)));
        (images, used.collect())
    }
}

proptest! {
    /// Nothing but rules, images and uses decides; so a node never fetches and removes in turns.
    #[test]
    fn the_same_is_chosen_at_any_time(rules in some_rules(), (images, used) in some_images(), minutes in 0_i64..200_000, turn in 0_usize..40) {
        let score = |at: DateTime<Utc>| {
            let uses: BTreeMap<&String, Use> = used.iter().map(|(base, score)| (base, Use { score: *score, at: now() })).collect();
            move |base: &str| uses.get(&base.to_owned()).map_or(0.0, |it| it.score(at))
        };
        let bases: BTreeSet<String> = used.keys().cloned().collect();
        let later = now() + TimeDelta::minutes(minutes);
        let mut turned = images.clone();
        turned.rotate_left(turn % images.len().max(1));
        let first = chosen(&rules, &found(&rules, &images, &bases), &score(now()), now());
        let second = chosen(&rules, &found(&rules, &turned, &bases), &score(later), later);
        let plain = |it: &Desired| -> Vec<_> {
            it.images.iter().map(|(id, it)| (id.clone(), it.rules(), it.is_pinned())).collect()
        };
        prop_assert_eq!(plain(&first), plain(&second));
        prop_assert_eq!(&first.left_out, &second.left_out);
        prop_assert!(second.changes.is_none_or(|at| at > later));
    }

    #[test]
    fn every_condition_holds(rules in some_rules(), (images, used) in some_images()) {
        let score = |base: &str| used.get(base).copied().unwrap_or(0.0);
        let bases: BTreeSet<String> = used.keys().cloned().collect();
        let all = found(&rules, &images, &bases);
        let desired = chosen(&rules, &all, &score, now());
        let size = |id: &ImageId| images.iter().find(|it| it.id == id.as_str()).and_then(|it| it.size).unwrap();
        for it in &rules {
            let mine: Vec<&ImageId> = desired.images.iter().filter(|(_, wanted)| wanted.claims.iter().any(|claim| claim.rule == it.name)).map(|(id, _)| id).collect();
            let conditions = &it.rule.images;
            for id in &mine {
                let image = images.iter().find(|it| it.id == id.as_str()).unwrap();
                prop_assert!(conditions.meets(image));
                prop_assert!(conditions.most_used.is_none() || score(&id.base_name()) > 0.0);
                // None that is newer, in its family, was passed over for it.
                if let Some(most) = conditions.newest {
                    let newer = images.iter().filter(|other| conditions.meets(other) && other.extra["os_distro"] == image.extra["os_distro"]
                        && other.created_at > image.created_at);
                    prop_assert!(newer.count() < most as usize);
                }
            }
            prop_assert!(conditions.most_used.is_none_or(|most| mine.len() <= most as usize));
            let bytes: u64 = mine.iter().map(|it| size(it)).sum();
            prop_assert!(it.rule.budget.is_none_or(|most| bytes <= most));
            let report = desired.reports.iter().find(|report| report.rule == it.name).unwrap();
            prop_assert_eq!((report.wanted, report.bytes), (mine.len() as u64, bytes));
            prop_assert!(it.rule.budget.is_some() || report.left_out == 0);
        }
    }

    /// What is found survives being written down, and being cut.
    #[test]
    fn what_is_found_is_enough((images, _) in some_images(), rules in some_rules(), most in 1_usize..20) {
        let used = (0..40).map(|it| id(it).base_name()).collect();
        let whole = found(&rules, &images, &used);
        let text = serde_json::to_string(&whole).unwrap();
        prop_assert_eq!(&serde_json::from_str::<Found>(&text).unwrap(), &whole);
        let mut finder = Finder::new(&rules, &used, true).with_most(most);
        images.iter().for_each(|it| finder.see(it));
        let cut = finder.end(now());
        prop_assert!(cut.images.len() <= most.max(1));
        // The most urgent rule has lost nothing that fits.
        let first = |all: &Found| -> Vec<ImageId> {
            let mut mine: Vec<&Finding> = all.images.iter().filter(|it| it.rules.contains(&0)).collect();
            super::choose::newest_first(&mut mine, rules[0].rule.images.newest);
            mine.into_iter().take(most).map(|it| it.id.clone()).collect()
        };
        prop_assert_eq!(first(&cut), first(&whole));
    }
}
