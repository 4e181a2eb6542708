use super::*;
use crate::base::{dir_lock::DirLock, ofd_lock::Owner};
use proptest::prelude::*;
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::Path,
    time::{Duration, SystemTime},
};

const FRESH: Duration = Duration::from_secs(60);

fn take(dir: &Path, host: &str) -> Result<Seat, SeatError> {
    let meta = dir.metadata().unwrap();
    let owner = Owner { uid: meta.uid(), gid: meta.gid() };
    Seat::take(&dir.join(".larder.lock"), owner, &host.parse().unwrap(), FRESH)
}

fn pins(names: &[&str]) -> BTreeSet<String> {
    names.iter().map(|it| (*it).to_owned()).collect()
}

fn age(path: &Path, by: Duration) {
    File::options().append(true).open(path).unwrap().set_modified(SystemTime::now() - by).unwrap();
}

#[test]
fn the_longest_mount_point_holds_a_path() {
    let mounts = "22 1 8:1 / / rw,relatime shared:1 - ext4 /dev/sda1 rw\n\
        40 22 0:40 / /var/lib/nova\\040x rw shared:9 - nfs4 nas:/nova rw,vers=4.2,local_lock=none\n\
        41 22 0:41 / /var/lib/novas rw - tmpfs tmpfs rw\n";
    let kind = |path: &str| Mount::of(mounts, Path::new(path)).unwrap().kind;
    assert_eq!(kind("/var/lib/nova x/instances"), "nfs4");
    assert_eq!(kind("/var/lib/nova/instances"), "ext4");
    assert_eq!(kind("/var/lib/novas"), "tmpfs");
    assert_eq!(Mount::of("rubbish - \n", Path::new("/")), None);
}

#[test]
fn mounts_without_locks_are_told_by_their_options() {
    let mount = |kind: &str, options: &str| Mount { kind: kind.to_owned(), options: options.to_owned() };
    assert!(mount("nfs4", "rw,nolock").has_no_locks() && mount("nfs", "rw,local_lock=all").has_no_locks());
    assert!(!mount("nfs4", "rw,local_lock=none").has_no_locks() && !mount("ext4", "rw,nolock").has_no_locks());
}

#[test]
fn hosts_share_and_one_name_is_one_host() {
    let dir = tempfile::tempdir().unwrap();
    let one = take(dir.path(), "node-1").unwrap();
    let two = take(dir.path(), "node-2").unwrap();
    let error = take(dir.path(), "node-1").unwrap_err();
    assert!(error.to_string().contains(&format!("is held by process {}", std::process::id())), "{error}");
    assert!(DirLock::acquire(&dir.path().join(".larder.lock")).is_err(), "an earlier version is kept out");
    assert!(one.claims().everything.unwrap().contains("node-2"), "it has said nothing yet");
    two.beat(|_| ()).unwrap();
    let claims = one.claims();
    assert_eq!((claims.everything, claims.ask.len()), (None, 1));
    two.beat(|it| it.pins = pins(&["x"])).unwrap();
    drop(two);
    let claims = one.claims();
    assert!(claims.ask.is_empty() && claims.keeps("x").unwrap().contains("node-2") && claims.keeps("y").is_none());
    take(dir.path(), "node-2").unwrap();
}

#[test]
fn a_host_that_died_is_waited_for_before_it_is_away() {
    let dir = tempfile::tempdir().unwrap();
    let one = take(dir.path(), "node-1").unwrap();
    let two: HostName = "node-2".parse().unwrap();
    let entry = Entry { pins: pins(&["x"]), ..Entry::new(&two) };
    one.folder().write(&one.folder().entry(&two), &entry.to_bytes()).unwrap();
    assert_eq!(one.claims().ask.len(), 1);
    age(&one.folder().entry(&two), FRESH * 2);
    let claims = one.claims();
    assert!(claims.ask.is_empty() && claims.everything.is_none() && claims.keeps("x").is_some());
}

#[test]
fn what_cannot_be_understood_keeps_everything() {
    let dir = tempfile::tempdir().unwrap();
    let one = take(dir.path(), "node-1").unwrap();
    let two = one.folder().entry(&"node-2".parse().unwrap());
    let three = Entry::new(&"node-3".parse().unwrap());
    let newer = Entry { format: 9, ..Entry::new(&"node-2".parse().unwrap()) };
    for text in [b"{".to_vec(), three.to_bytes(), newer.to_bytes()] {
        fs::write(&two, text).unwrap();
        age(&two, FRESH * 9000);
        assert!(one.claims().keeps("anything").unwrap().contains("host-node-2.json"));
    }
    fs::remove_file(&two).unwrap();
    fs::create_dir(&two).unwrap();
    assert!(one.claims().keeps("anything").is_some(), "nor can a folder");
    fs::remove_dir(&two).unwrap();
    fs::write(one.folder().path().join("notes.json"), "{").unwrap();
    assert_eq!(one.claims(), Claims::default(), "other files are nobody's");
}

#[test]
fn who_cannot_register_is_alone_or_not_there() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FOLDER), "in the way").unwrap();
    let one = take(dir.path(), "node-1").unwrap();
    assert!(one.alone().unwrap().contains(FOLDER));
    assert_eq!(one.claims(), Claims::default(), "it may remove: nobody else is there");
    assert!(matches!(take(dir.path(), "node-2"), Err(SeatError::Taken(_))));
    drop(one);
    fs::remove_file(dir.path().join(FOLDER)).unwrap();
    let _two = take(dir.path(), "node-2").unwrap();
    fs::rename(dir.path().join(FOLDER), dir.path().join("away")).unwrap();
    fs::write(dir.path().join(FOLDER), "in the way").unwrap();
    assert!(matches!(take(dir.path(), "node-1"), Err(SeatError::Unregistered { .. })));
}

#[test]
fn an_agent_of_an_earlier_version_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let _old = DirLock::acquire(&dir.path().join(".larder.lock")).unwrap();
    let error = take(dir.path(), "node-1").unwrap_err();
    assert!(matches!(error, SeatError::Taken(_)) && error.to_string().contains("earlier version"), "{error}");
}

#[test]
fn a_lock_that_was_removed_is_noticed() {
    let dir = tempfile::tempdir().unwrap();
    let one = take(dir.path(), "node-1").unwrap();
    assert!(one.is_ours());
    fs::remove_file(one.folder().lock(one.host())).unwrap();
    assert!(!one.is_ours());
}

#[test]
fn names_are_parts_of_files() {
    for name in ["node-1", "node-1.example.org", "node 1", "Ä"] {
        assert_eq!(name.parse::<HostName>().unwrap().as_str(), name);
    }
    for name in ["", "a/b", "a\nb", &"x".repeat(151)] {
        assert!(name.parse::<HostName>().is_err(), "{name}");
    }
}

fn a_seen() -> impl Strategy<Value = Seen> {
    let entry = prop_oneof![
        1 => Just(Err("unreadable".to_owned())),
        1 => Just(Ok(None)),
        4 => (any::<bool>(), prop::collection::btree_set("[a-d]", 0..3)).prop_map(|(left, pins)| {
            Ok(Some(Entry { left, pins, ..Entry::new(&HostName::default()) }))
        }),
    ];
    let locked = prop_oneof![Just(None), Just(Some(true)), Just(Some(false))];
    let silent = prop::option::of((0_u64..200_000).prop_map(Duration::from_secs));
    (0..5_u8, locked, entry, silent).prop_map(|(host, locked, entry, silent)| Seen {
        host: format!("node-{host}").parse().unwrap(),
        locked,
        entry,
        silent,
    })
}

/// What may happen while a question is open.
#[derive(Clone, Debug)]
enum Event {
    Hear(u8, Answer),
    Look(Vec<Seen>),
}

fn an_event() -> impl Strategy<Value = Event> {
    let keeps = prop::collection::btree_map("[a-d]", Just("it is used".to_owned()), 0..3);
    let everything = prop::option::weighted(0.1, Just("it cannot look".to_owned()));
    let answer = ("[qr]", keeps, everything).prop_map(|(id, keeps, everything)| Answer { id, keeps, everything });
    prop_oneof![
        3 => (0..5_u8, answer).prop_map(|(host, answer)| Event::Hear(host, answer)),
        1 => prop::collection::vec(a_seen(), 0..4).prop_map(Event::Look),
    ]
}

proptest! {
    /// A base goes only if all who were there at the last look have answered, and nobody keeps it.
    #[test]
    fn only_what_nobody_keeps_goes(first in prop::collection::vec(a_seen(), 0..4), events in prop::collection::vec(an_event(), 0..12)) {
        let start = claims(&first, FRESH, true);
        let mut agreement = Agreement::new("q", start.clone());
        let (mut there, mut answered, mut kept) = (start.ask.clone(), BTreeSet::new(), BTreeSet::new());
        let mut all = start.everything.is_some();
        kept.extend(start.bases.into_keys());
        for event in events {
            match event {
                Event::Hear(host, answer) => {
                    let host: HostName = format!("node-{host}").parse().unwrap();
                    if answer.id == "q" && there.contains(&host) && answered.insert(host.clone()) {
                        all |= answer.everything.is_some();
                        kept.extend(answer.keeps.keys().cloned());
                    }
                    agreement.hear(&host, answer);
                }
                Event::Look(seen) => {
                    let now = claims(&seen, FRESH, true);
                    there.retain(|it| answered.contains(it) || now.ask.contains(it));
                    there.extend(now.ask.iter().cloned());
                    all |= now.everything.is_some();
                    kept.extend(now.bases.keys().cloned());
                    agreement.look_again(now);
                }
            }
        }
        let missing = there.iter().any(|it| !answered.contains(it));
        let end = agreement.end(FRESH);
        for base in ["a", "b", "c", "d", "e"] {
            prop_assert_eq!(end.keeps(base).is_some(), all || missing || kept.contains(base), "{}", base);
        }
    }

    #[test]
    fn nobody_who_may_be_there_is_passed_over(seen in a_seen(), reach: bool) {
        let claims = claims(std::slice::from_ref(&seen), FRESH, reach);
        let is_there = seen.locked != Some(false);
        prop_assert!(!is_there || claims.everything.is_some() || claims.ask.contains(&seen.host));
        prop_assert!(seen.entry.is_ok() || claims.everything.is_some());
        if let Ok(Some(entry)) = &seen.entry {
            let asked = claims.ask.contains(&seen.host);
            prop_assert!(asked || entry.pins.iter().all(|it| claims.keeps(it).is_some()));
        }
    }

    #[test]
    fn one_more_host_never_frees_a_base(some in prop::collection::vec(a_seen(), 0..4), more in a_seen(), reach: bool) {
        let before = claims(&some, FRESH, reach);
        let mut all = some;
        all.push(more);
        let after = claims(&all, FRESH, reach);
        prop_assert!(["a", "b", "c", "d", "e"].iter().all(|it| before.keeps(it).is_none() || after.keeps(it).is_some()));
        prop_assert!(after.ask.is_superset(&before.ask));
    }

    #[test]
    fn no_entry_panics(text in prop::collection::vec(any::<u8>(), 0..200)) {
        let _ = Entry::parse(&text, &HostName::default());
    }
}
