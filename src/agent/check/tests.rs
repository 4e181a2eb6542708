use super::{
    NovaSays, agreed, centre, labels, places,
    rights::{self, Process},
    shared,
};
use crate::admin::{Finding, Level};
use crate::agent::{
    ImagesType, Settings,
    seat::Mount,
    signatures::{self, Verify},
};
use std::{collections::BTreeMap, fs, os::unix::fs::PermissionsExt, path::Path};

fn level(found: &[Finding], topic: &str) -> Level {
    found.iter().filter(|it| it.topic == topic).map(|it| it.level).max().unwrap_or_else(|| panic!("{topic}: {found:?}"))
}

fn pruners(nova_removes: bool, interval: i64, agent_removes: bool) -> Level {
    let mut settings = Settings::default();
    settings.prune.remove_unused_base_images = agent_removes;
    let nova = NovaSays { remove_unused_base_images: nova_removes, manager_interval: interval, ..NovaSays::default() };
    level(&agreed::check(&settings, &nova), "pruning")
}

#[test]
fn exactly_the_agent_should_prune() {
    assert_eq!(pruners(false, 2400, true), Level::Ok);
    assert_eq!(pruners(true, -1, true), Level::Ok);
    for other in [(true, 2400, true), (true, 2400, false), (false, 2400, false), (true, -1, false)] {
        assert_eq!(pruners(other.0, other.1, other.2), Level::Warning, "{other:?}");
    }
}

#[test]
fn what_nova_says_is_judged() {
    let judge = |nova: NovaSays| agreed::check(&Settings::default(), &nova);
    let off = judge(NovaSays { disable_process_locking: true, manager_interval: -1, ..NovaSays::default() });
    assert_eq!([level(&off, "locks"), level(&off, "last use")], [Level::Error, Level::Warning]);
    let external = judge(NovaSays { run_external_periodic_tasks: false, ..NovaSays::default() });
    assert_eq!(level(&external, "last use"), Level::Warning);
    let settings = |images_type, force_raw_images| Settings { images_type, force_raw_images, ..Settings::default() };
    let images_type = |it| level(&agreed::check(&it, &NovaSays::default()), "images_type");
    assert_eq!(images_type(settings(ImagesType::Rbd, true)), Level::Warning);
    assert_eq!(images_type(settings(ImagesType::Rbd, false)), Level::Error);
    assert_eq!(images_type(settings(ImagesType::Lvm, true)), Level::Ok);
}

#[test]
fn agent_and_nova_ask_for_the_same_signatures() {
    let judge = |verify: Verify, validate, nova| {
        let ours = signatures::Settings {
            verify_signatures: verify,
            verify_glance_signatures: nova,
            enable_certificate_validation: validate,
            ..signatures::Settings::default()
        };
        let settings = Settings { signatures: ours, ..Settings::default() };
        level(&agreed::check(&settings, &NovaSays { verifies_signatures: nova, ..NovaSays::default() }), "signatures")
    };
    assert_eq!(judge(Verify::Nova, false, false), Level::Ok);
    assert_eq!(judge(Verify::Nova, false, true), Level::Ok);
    assert_eq!(judge(Verify::Off, false, true), Level::Error);
    assert_eq!(judge(Verify::WhenPresent, false, true), Level::Warning);
    assert_eq!(judge(Verify::WhenPresent, false, false), Level::Ok);
    assert_eq!(judge(Verify::Required, true, true), Level::Error, "nobody is trusted");
}

#[test]
fn places_say_what_stops_starts() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings { cache_min_free: 0, ..Settings::default() };
    settings.base_dir.instances_path = dir.path().join("instances");
    settings.state_path = dir.path().to_owned();
    assert_eq!(level(&places::check(&settings), "instances_path"), Level::Error);
    let base = dir.path().join("instances/_base");
    fs::create_dir_all(&base).unwrap();
    let found = places::check(&settings);
    assert!(found.iter().all(|it| it.level == Level::Ok), "{found:?}");
    let name = "0123456789012345678901234567890123456789";
    std::os::unix::fs::symlink("/etc/hostname", base.join(name)).unwrap();
    assert_eq!(level(&places::check(&settings), "bases"), Level::Error);
    settings.cache_min_free = u64::MAX;
    assert_eq!(level(&places::check(&settings), "free space"), Level::Error);
    fs::write(dir.path().join("instances/locks"), "").unwrap();
    assert_eq!(level(&places::check(&settings), "lock path"), Level::Error);
}

#[test]
fn files_of_another_user_are_found() {
    if !nix::unistd::Uid::effective().is_root() {
        eprintln!("skipped: only root can give files away");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let mut settings = Settings { cache_min_free: 0, ..Settings::default() };
    settings.base_dir.instances_path = dir.path().to_owned();
    let (base, locks) = (dir.path().join("_base"), dir.path().join("locks"));
    fs::create_dir(&base).unwrap();
    fs::create_dir(&locks).unwrap();
    let file = base.join("0123456789012345678901234567890123456789");
    fs::write(&file, "x").unwrap();
    fs::set_permissions(&file, PermissionsExt::from_mode(0o600)).unwrap();
    fs::write(locks.join("nova-x"), "").unwrap();
    let levels = |settings: &Settings| {
        let found = places::check(settings);
        ["bases", "lock path", "base directory"].map(|it| level(&found, it))
    };
    assert_eq!(levels(&settings), [Level::Ok; 3]);
    let give = |path: &Path| std::os::unix::fs::chown(path, Some(4242), None).unwrap();
    give(&file);
    assert_eq!(levels(&settings), [Level::Error, Level::Ok, Level::Ok]);
    give(&locks.join("nova-x"));
    assert_eq!(levels(&settings), [Level::Error, Level::Error, Level::Ok]);
    give(&base);
    assert_eq!(levels(&settings), [Level::Error; 3]);
}

#[test]
fn shared_storage_is_known_by_nova_s_registry() {
    let registry = shared::parse(br#"{"node-1": 1000.5, "node-2": 99000.0}"#).unwrap();
    let judge = |now, nova: &NovaSays| shared::judge(&registry, now, None, nova);
    let off = NovaSays { manager_interval: -1, ..NovaSays::default() };
    assert_eq!(level(&judge(1100.0, &NovaSays::default()), "sharing"), Level::Ok);
    assert_eq!(level(&judge(1100.0, &off), "sharing"), Level::Error);
    // node-1 has not been seen for a day.
    assert_eq!(level(&judge(99_000.0, &off), "sharing"), Level::Ok);
    assert!(shared::parse(b"[1]").is_err());
    let nolock = Mount { kind: "nfs4".to_owned(), options: "rw,nolock".to_owned() };
    let found = shared::judge(&BTreeMap::new(), 0.0, Some(&nolock), &off);
    assert_eq!(level(&found, "sharing"), Level::Error);
}

#[test]
fn rights_are_read_and_judged() {
    let status =
        "Name:\tlarder\nUid:\t42436\t42436\t42436\t42436\nGid:\t1\t1\t1\t7\nGroups:\t5 6\nCapEff:\t0000000010080004\n";
    let process = rights::parse(status).unwrap();
    assert_eq!(process, Process { uid: 42436, groups: vec![5, 6, 7], effective: 0x1008_0004 });
    let found = rights::judge("it", &process, Some(42436));
    let missing: Vec<_> = found.iter().filter(|it| it.level == Level::Warning).map(|it| it.found.as_str()).collect();
    assert!(missing.len() == 1 && missing[0].contains("CAP_FOWNER"), "{missing:?}");
    assert_eq!(level(&rights::judge("it", &process, Some(1)), "rights"), Level::Error);
    assert_eq!(rights::parse("Uid:\tx"), None);
}

#[test]
fn processes_that_proc_hides_are_told() {
    let mounts = |options: &str| {
        let line = |at: &str, options: &str| format!("24 29 0:22 / {at} rw,nosuid shared:12 - proc proc rw{options}\n");
        line("/proc", "") + &line("/other/proc", ",hidepid=invisible") + &line("/proc", options)
    };
    let process = |groups: &[u32], effective| Process { uid: 5, groups: groups.to_vec(), effective };
    let hides = |groups: &[u32], options| rights::hides(&process(groups, 0), &mounts(options));
    assert!(!hides(&[5], "") && !hides(&[5], ",hidepid=off") && !hides(&[5], ",hidepid=0"));
    assert!(hides(&[5], ",hidepid=invisible") && hides(&[5], ",hidepid=1") && hides(&[5], ",gid=6,hidepid=2"));
    assert!(!hides(&[5, 6], ",gid=6,hidepid=2") && hides(&[5, 6], ",gid=6,hidepid=ptraceable"));
    assert!(!rights::hides(&process(&[5], 1 << 19), &mounts(",hidepid=ptraceable")));
    assert!(!rights::hides(&process(&[5], 0), ""));
}

#[test]
fn labels_and_clocks_are_judged() {
    let base = Path::new("/srv/nova/_base");
    let selinux = |label| labels::selinux(base, label).level;
    assert_eq!(selinux(Some("system_u:object_r:nova_var_lib_t:s0")), Level::Ok);
    assert_eq!(selinux(Some("unconfined_u:object_r:default_t:s0")), Level::Warning);
    assert_eq!(selinux(None), Level::Warning);
    assert_eq!(labels::apparmor(Path::new("/var/lib/nova/instances/_base"), "").level, Level::Ok);
    assert_eq!(labels::apparmor(base, "").level, Level::Warning);
    assert_eq!(labels::apparmor(base, "/srv/nova/** r,").level, Level::Ok);
    let clock = |ahead| centre::clock(ahead).level;
    assert_eq!([clock(Some(3)), clock(Some(-90)), clock(None)], [Level::Ok, Level::Warning, Level::Warning]);
}
