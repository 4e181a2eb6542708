use super::{Bounds, InWork, Ledger, NoRoom, Order, Refused, Reservation, Seen, Terms, go_on, order};
use crate::base::digest::Algorithm;
use crate::image::{
    ImageId,
    signature::{SignatureError, Signatures},
};
use crate::wire::image::RemoteImage;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

const TERMS: Terms = Terms { allow_unverified: false, force_raw: true, signatures: Signatures::Off };

fn image(changes: Value) -> RemoteImage {
    let mut record = json!({
        "id": "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69", "name": "debian", "status": "active", "disk_format": "qcow2",
        "container_format": "bare", "size": 100, "virtual_size": 1000,
        "checksum": "A".repeat(32), "os_hash_algo": "sha512", "os_hash_value": "B".repeat(128),
    });
    for (key, value) in changes.as_object().unwrap() {
        record[key] = value.clone();
    }
    serde_json::from_value(record).unwrap()
}

fn ordered(changes: Value, terms: Terms) -> Result<Order, Refused> {
    order(&ImageId::from_random(1), &image(changes), terms)
}

#[test]
fn the_strongest_hash_counts() {
    assert_eq!(ordered(json!({}), TERMS).unwrap().digest, Some((Algorithm::Sha512, "b".repeat(128))));
    let md5 = Some((Algorithm::Md5, "a".repeat(32)));
    assert_eq!(ordered(json!({"os_hash_algo": "blake2b"}), TERMS).unwrap().digest, md5);
    assert_eq!(ordered(json!({"os_hash_value": null}), TERMS).unwrap().digest, md5);
    assert_eq!(ordered(json!({"os_hash_value": "short"}), TERMS).unwrap().digest, md5);
    let none = json!({"os_hash_value": null, "checksum": null});
    assert_eq!(ordered(none.clone(), TERMS), Err(Refused::NoHash));
    assert_eq!(ordered(none, Terms { allow_unverified: true, ..TERMS }).unwrap().digest, None);
}

#[test]
fn signatures_are_asked_for_as_the_site_says() {
    let signed = json!({
        "img_signature": "QUJD", "img_signature_hash_method": "SHA-256", "img_signature_key_type": "RSA-PSS",
        "img_signature_certificate_uuid": "3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f11",
    });
    let partly = json!({"img_signature": "QUJD"});
    let found = |changes: &Value, signatures| ordered(changes.clone(), Terms { signatures, ..TERMS });
    assert_eq!(found(&signed, Signatures::Off).unwrap().signature, None);
    assert_eq!(found(&partly, Signatures::Off).unwrap().signature, None);
    for signatures in [Signatures::WhenPresent, Signatures::Required] {
        let signature = found(&signed, signatures).unwrap().signature.unwrap();
        assert_eq!(signature.hash(), Algorithm::Sha256);
        let refused = found(&partly, signatures).unwrap_err();
        assert!(matches!(refused, Refused::Signature(_)) && !refused.may_pass(), "{refused}");
    }
    assert_eq!(found(&json!({}), Signatures::WhenPresent).unwrap().signature, None);
    assert_eq!(found(&json!({}), Signatures::Required), Err(Refused::Signature(SignatureError::Unsigned)));
}

#[test]
fn what_cannot_boot_is_refused() {
    let refused = |changes: Value| ordered(changes, TERMS).unwrap_err();
    assert_eq!(refused(json!({"status": "deactivated"})), Refused::NotActive("deactivated".into()));
    assert!(!refused(json!({"status": "deactivated"})).may_pass());
    assert!(refused(json!({"status": "saving"})).may_pass());
    assert_eq!(refused(json!({"disk_format": null})), Refused::NoFormat);
    assert_eq!(refused(json!({"container_format": "docker"})), Refused::Container("docker".into()));
    assert_eq!(refused(json!({"size": 0})), Refused::Empty);
}

#[test]
fn room_is_for_the_download_and_what_is_made_of_it() {
    let room = |changes: Value, force_raw| {
        let order = ordered(changes, Terms { force_raw, ..TERMS }).unwrap();
        (order.room_to_fetch, order.room_to_convert)
    };
    assert_eq!(room(json!({}), true), (100, 1000));
    assert_eq!(room(json!({}), false), (100, 0));
    assert_eq!(room(json!({"disk_format": "raw"}), true), (100, 0));
    assert_eq!(room(json!({"virtual_size": null}), true), (100, 100));
}

fn seen(ledger: &Ledger, own: u64, free: u64) -> Seen {
    Seen { path: PathBuf::from("/b"), own, free, elsewhere: 0, mark: ledger.mark() }
}

#[test]
fn too_little_room_says_all_figures() {
    let (ledger, id) = (Ledger::default(), ImageId::from_random(1));
    let bounds = Bounds { max_size: None, min_free: 1 << 30 };
    let error = ledger.reserve(&id, 3 << 30, seen(&ledger, 0, 2 << 30), bounds).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no room in /b: it takes 3.0 GiB, and 2.0 GiB are free"), "{text}");
    assert!(text.contains("1.0 GiB stay free (cache_min_free)"), "{text}");
    assert_eq!((error.missing(), error.is_for_good()), (2 << 30, false));

    let bounds = Bounds { max_size: Some(4 << 30), min_free: 0 };
    let error = ledger.reserve(&id, 3 << 30, seen(&ledger, 2 << 30, u64::MAX), bounds).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("the cache may have 4.0 GiB (cache_max_size), its files take 2.0 GiB"), "{text}");
    assert_eq!((error.missing(), error.is_for_good()), (1 << 30, false));
    let error = ledger.reserve(&id, 5 << 30, seen(&ledger, 0, u64::MAX), bounds).unwrap_err();
    assert!(error.is_for_good(), "an empty cache would not do");
}

#[test]
fn more_is_known_later() {
    let (ledger, id) = (Ledger::default(), ImageId::from_random(1));
    let bounds = Bounds { max_size: Some(100), min_free: 0 };
    let room = ledger.reserve(&id, 60, seen(&ledger, 0, 1000), bounds).unwrap();
    room.landed(20);
    assert_eq!(room.left(), 40);
    assert!(matches!(room.resize(81, seen(&ledger, 20, 980), bounds), Err(NoRoom::Limit { promised: 0, .. })));
    assert_eq!(room.left(), 40, "as it was");
    room.resize(80, seen(&ledger, 20, 980), bounds).unwrap();
    room.resize(5, seen(&ledger, 99, 0), bounds).unwrap();
    assert_eq!(ledger.shares(), [(id, 5)]);
    drop(room);
    assert_eq!(ledger.promised(), 0);
}

#[test]
fn the_most_wanted_goes_on_when_others_take_the_room() {
    let work = |number, mib: u64| InWork { id: ImageId::from_random(number), left: mib << 20 };
    let fetches = [work(1, 50), work(2, 100), work(3, 20)];
    let held = |own: u64, free: u64, bounds| -> Vec<bool> {
        go_on(&fetches, own << 20, free << 20, bounds).into_iter().map(|(_, why)| why.is_some()).collect()
    };
    let floor = Bounds { max_size: None, min_free: 10 << 20 };
    assert_eq!(held(0, 180, floor), [false; 3]);
    assert_eq!(held(0, 90, floor), [false, true, false], "the third fits beside the first");
    assert_eq!(held(0, 9, floor), [true; 3]);
    let limit = Bounds { max_size: Some(100 << 20), min_free: 0 };
    assert_eq!(held(20, 1000, limit), [false, true, false]);
    let why = go_on(&fetches, 100 << 20, 1 << 40, limit)[0].1.clone().unwrap();
    assert_eq!(why, "the cache is full: 100.0 MiB of 100.0 MiB (cache_max_size) are taken");
}

/// A disk, as the fetches and others change it.
#[derive(Clone, Debug)]
enum Step {
    /// A look at the disk that is used some steps later.
    Look,
    Reserve(u64),
    /// The fetch at this place writes so many bytes.
    Write(usize, u64),
    /// It ends, and what it wrote goes or stays.
    End(usize, bool),
    Resize(usize, u64),
}

fn any_step() -> impl Strategy<Value = Step> {
    prop_oneof![
        Just(Step::Look),
        (0_u64..120).prop_map(Step::Reserve),
        (0_usize..8, 0_u64..40).prop_map(|(at, bytes)| Step::Write(at, bytes)),
        (0_usize..8, any::<bool>()).prop_map(|(at, stays)| Step::End(at, stays)),
        (0_usize..8, 0_u64..120).prop_map(|(at, left)| Step::Resize(at, left)),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]
    /// However old the look at the disk, whoever writes meanwhile: what is there and what is promised stays within both
    /// bounds, as long as nobody else writes and nothing is removed between a look and its use.
    #[test]
    fn the_bounds_hold_at_every_step(
        steps in proptest::collection::vec(any_step(), 1..80), max in 50_u64..300, total in 50_u64..400, min_free in 0_u64..50
    ) {
        let ledger = Ledger::default();
        let bounds = Bounds { max_size: Some(max), min_free };
        let (mut own, mut free) = (0_u64, total.max(min_free));
        let mut fetches: Vec<(Reservation, u64)> = Vec::new();
        let mut look = seen(&ledger, own, free);
        for step in steps {
            match step {
                Step::Look => look = seen(&ledger, own, free),
                Step::Reserve(need) => {
                    let promised = ledger.promised();
                    match ledger.reserve(&ImageId::from_random(1), need, look.clone(), bounds) {
                        Ok(it) => fetches.push((it, 0)),
                        Err(error) => {
                            // With a new look, it is refused only for want of room.
                            if look == seen(&ledger, own, free) {
                                prop_assert!(own + promised + need > max || promised + need + min_free > free);
                                prop_assert!(error.missing() > 0);
                            }
                        }
                    }
                }
                Step::Write(at, bytes) if at < fetches.len() => {
                    // A fetch writes no more than it was promised.
                    let bytes = bytes.min(fetches[at].0.left());
                    (own, free) = (own + bytes, free - bytes);
                    fetches[at].0.landed(bytes);
                    fetches[at].1 += bytes;
                }
                Step::End(at, stays) if at < fetches.len() => {
                    let (it, wrote) = fetches.swap_remove(at);
                    if !stays {
                        (own, free) = (own - wrote, free + wrote);
                        look = seen(&ledger, own, free);
                    }
                    drop(it);
                }
                Step::Resize(at, left) if at < fetches.len() => {
                    let before = fetches[at].0.left();
                    match fetches[at].0.resize(left, look.clone(), bounds) {
                        Ok(()) => prop_assert_eq!(fetches[at].0.left(), left),
                        Err(_) => prop_assert!(left > before && fetches[at].0.left() == before),
                    }
                }
                _ => {}
            }
            prop_assert_eq!(ledger.promised(), fetches.iter().map(|it| it.0.left()).sum::<u64>());
            prop_assert!(own + ledger.promised() <= max, "own {} of {}", own, max);
            prop_assert!(free >= ledger.promised() + min_free, "free {}", free);
        }
        fetches.clear();
        prop_assert_eq!(ledger.promised(), 0, "all is given back");
    }

    #[test]
    fn those_that_go_on_fit(
        left in proptest::collection::vec(0_u64..1 << 30, 0..8), own in 0_u64..1 << 32, free in 0_u64..1 << 32,
        max in proptest::option::of(0_u64..1 << 32), min_free in 0_u64..1 << 30
    ) {
        const SLACK: u64 = 8 * (4 << 20);
        let fetches: Vec<InWork> =
            left.iter().zip(0..).map(|(left, number)| InWork { id: ImageId::from_random(number), left: *left }).collect();
        let verdicts = go_on(&fetches, own, free, Bounds { max_size: max, min_free });
        prop_assert_eq!(verdicts.len(), fetches.len());
        let going: Vec<_> = fetches.iter().zip(&verdicts).filter(|(_, it)| it.1.is_none()).collect();
        let sum: u64 = going.iter().map(|(it, _)| it.left).sum();
        if !going.is_empty() {
            prop_assert!(free >= min_free && sum <= free - min_free + SLACK);
            prop_assert!(max.is_none_or(|max| going.iter().all(|(it, _)| it.left == 0) || own + sum <= max + SLACK));
        }
        // Nobody is held for whom there is room beside all the others.
        let all: u64 = fetches.iter().map(|it| it.left).sum();
        if free > min_free && all <= free - min_free && max.is_none_or(|max| own + all <= max) {
            prop_assert_eq!(going.len(), fetches.len());
        }
    }
}
