use super::*;
use crate::agent::in_use::{About, Doubt, Evidence};
use proptest::prelude::*;

const X: &str = "9e88aa4a3b1e8ce1cf9ee4b4b8a3c2d1e0f98765";

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp(1_790_000_000, 0).unwrap()
}

fn file(name: &str, age_secs: i64) -> BaseFile {
    let mtime = now() - TimeDelta::seconds(age_secs);
    BaseFile {
        name: name.into(),
        kind: Kind::of(name),
        size: 100,
        allocated: 512,
        mtime,
        last_used: mtime,
        changed: (0, 0),
        inode: (1, 1),
        links: 1,
        uid: 0,
    }
}

fn one(file: BaseFile, in_use: &InUse, settings: &Settings) -> Decision {
    decide(&[file], in_use, &HashMap::new(), now(), settings).remove(0)
}

fn used(name: &str) -> InUse {
    let mut in_use = InUse::default();
    in_use.by_base.insert(name.into(), vec![Evidence::Backing { disk: "/i/7c1d/disk".into(), depth: 1 }]);
    in_use
}

#[test]
fn ages_are_novas() {
    let (none, settings) = (InUse::default(), Settings::default());
    let resized = format!("{X}_20");
    let part = format!("{X}.part");
    for (name, limit) in
        [(X, 86400), ("swap_512", 86400), ("ephemeral_1_0706d66", 86400), (&part, 86400), (&resized, 3600)]
    {
        let young = one(file(name, limit - 1), &none, &settings);
        assert_eq!(young.verdict, Verdict::Keep(Reason::Young), "{name}");
        assert_eq!(young.may_go_at, Some(now() + TimeDelta::seconds(1)));
        assert!(one(file(name, limit), &none, &settings).removes(), "{name}");
    }
    let at_once = Settings { remove_unused_original_minimum_age_seconds: 0, ..settings };
    assert!(one(file(X, 0), &none, &at_once).removes());
    let never = Settings { remove_unused_original_minimum_age_seconds: u64::MAX, ..at_once };
    assert_eq!(one(file(X, 1 << 40), &none, &never).verdict, Verdict::Keep(Reason::Young));
}

/// An image that cannot be fetched stays in the queue for ever.
#[test]
fn what_novas_crash_left_of_a_wanted_image_goes() {
    let files = [file(X, 1 << 20), file(&format!("{X}.part"), 1 << 20)];
    let wanted = HashMap::from([(X.to_owned(), "queued".to_owned())]);
    let decisions = decide(&files, &InUse::default(), &wanted, now(), &Settings::default());
    assert_eq!((decisions[0].verdict, decisions[0].why.as_str()), (Verdict::Keep(Reason::Wanted), "kept: queued"));
    assert!(decisions[1].removes());
}

#[test]
fn a_clock_that_jumped_back_makes_files_young() {
    let ahead = one(file(X, -7200), &InUse::default(), &Settings::default());
    assert_eq!(ahead.verdict, Verdict::Keep(Reason::Young));
    assert_eq!(ahead.why, "its mtime is 2 h ahead of the clock, which counts as just used, may go after 24 h");
}

#[test]
fn sentences_say_what_keeps_it() {
    let settings = Settings::default();
    let kept = one(file(X, 1 << 30), &used(X), &settings);
    assert_eq!(kept.why, "in use: /i/7c1d/disk names it as backing file");
    assert!(kept.in_use && kept.may_go_at.is_none());
    let young = one(file(X, 7200), &InUse::default(), &settings);
    assert_eq!(young.why, "used 2 h ago, may go after 24 h");
    let old = one(file(X, 3 * 86400), &InUse::default(), &settings);
    assert_eq!(old.why, "unused for 3 d, longer than 24 h");
    let off = Settings { remove_unused_base_images: false, ..settings };
    let stays = one(file(X, 3 * 86400), &InUse::default(), &off);
    assert_eq!((stays.verdict, stays.may_go_at), (Verdict::Keep(Reason::Off), None));
}

#[test]
fn what_stays_is_touched_at_half_of_novas_age() {
    let due = |age, in_use: &InUse, wanted: &[&str]| {
        let wanted = wanted.iter().map(|it| ((*it).to_owned(), PINNED.to_owned())).collect();
        let settings = Settings::default();
        let [ref it] = decide(&[file(X, age)], in_use, &wanted, now(), &settings)[..] else { unreachable!() };
        due_for_nova(it, in_use, now(), 86_400)
    };
    let unused = InUse::default();
    assert!(due(43_200, &unused, &[X]) && due(43_200, &used(X), &[]));
    assert!(!due(43_199, &unused, &[X]) && !due(1 << 30, &unused, &[]));
    let mut locked = InUse::default();
    locked.by_base.insert(X.into(), vec![Evidence::Locked]);
    assert!(!due(1 << 30, &locked, &[]), "that is no use by an instance");
}

#[test]
fn a_doubt_about_one_keeps_one() {
    let mut in_use = InUse::default();
    in_use.doubts.push(Doubt { about: About::One(X.into()), why: "cannot look at its lock: EIO".into() });
    let files = [file(X, 1 << 30), file("swap_1", 1 << 30)];
    let verdicts: Vec<_> = decide(&files, &in_use, &HashMap::new(), now(), &Settings::default())
        .into_iter()
        .map(|decision| decision.verdict)
        .collect();
    assert_eq!(verdicts, [Verdict::Keep(Reason::Doubt), Verdict::Remove]);
}

fn any_name() -> impl Strategy<Value = String> {
    prop_oneof![
        "[0-9a-f]{40}",
        "[0-9a-f]{40}(_[0-9]{1,3}|_sm|\\.part|\\.converted)",
        "swap_[0-9]{1,5}",
        "ephemeral_[0-9]{1,3}_[0-9a-z]{7}",
        "\\.larder-[0-9a-f]{40}\\.(fetch|raw)",
        "[a-zA-Z._-]{0,50}",
    ]
}

#[derive(Clone, Debug)]
struct Case {
    files: Vec<BaseFile>,
    in_use: InUse,
    wanted: HashMap<String, String>,
    settings: Settings,
}

prop_compose! {
    fn any_case()(
        files in prop::collection::vec((any_name(), -200_000_i64..200_000, 0_u8..4), 0..30),
        doubts in prop::collection::vec(prop::option::of(0_usize..30), 0..2),
        settings in (any::<bool>(), 0_u64..100_000, 0_u64..100_000),
    ) -> Case {
        let mut case = Case {
            files: files.iter().map(|(name, age, _)| file(name, *age)).collect(),
            in_use: InUse::default(),
            wanted: HashMap::new(),
            settings: Settings {
                remove_unused_base_images: settings.0,
                remove_unused_original_minimum_age_seconds: settings.1,
                remove_unused_resized_minimum_age_seconds: settings.2,
            },
        };
        for (name, _, use_) in files {
            match use_ {
                0 => drop(case.in_use.by_base.insert(name, vec![Evidence::Locked])),
                1 => drop(case.wanted.insert(name, "queued".into())),
                _ => {}
            }
        }
        for doubt in doubts {
            let about = match doubt {
                None => About::Every,
                Some(at) => case.files.get(at).map_or(About::Every, |file| About::One(file.name.clone())),
            };
            case.in_use.doubts.push(Doubt { about, why: "unreadable".into() });
        }
        case
    }
}

proptest! {
    #[test]
    fn exactly_what_is_old_unused_unwanted_and_undoubted_goes(case in any_case()) {
        let Case { files, in_use, wanted, settings } = case;
        let decisions = decide(&files, &in_use, &wanted, now(), &settings);
        prop_assert_eq!(decisions.len(), files.len());
        for (file, decision) in files.iter().zip(&decisions) {
            prop_assert_eq!(&decision.file, file);
            prop_assert!(!decision.why.is_empty());
            let limit = if matches!(file.kind, Kind::Resized { .. }) {
                settings.remove_unused_resized_minimum_age_seconds
            } else {
                settings.remove_unused_original_minimum_age_seconds
            };
            let novas = file.kind.is_base() || matches!(file.kind, Kind::Part { .. });
            let old = (now() - file.last_used).num_seconds() >= i64::try_from(limit).unwrap();
            let may_go = novas
                && old
                && settings.remove_unused_base_images
                && in_use.evidence(&file.name).is_empty()
                && (!wanted.contains_key(&file.name) || !file.kind.is_base())
                && in_use.doubt(&file.name).is_none();
            prop_assert_eq!(decision.removes(), may_go, "{:?}", decision);
            prop_assert!(!decision.in_use || decision.may_go_at.is_none());
        }
    }
}
