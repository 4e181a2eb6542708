use super::{Order, Refused, Reservations, Terms, order};
use crate::base::digest::Algorithm;
use crate::image::ImageId;
use crate::wire::image::RemoteImage;
use proptest::prelude::*;
use serde_json::{Value, json};
use std::path::PathBuf;

const TERMS: Terms = Terms { allow_unverified: false, force_raw: true };

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

#[test]
fn too_little_room_says_all_figures() {
    let error = Reservations::default().reserve(PathBuf::from("/b"), 3 << 30, 2 << 30, 1 << 30).unwrap_err();
    let text = error.to_string();
    assert!(text.contains("no room in /b: it takes 3.0 GiB, and 2.0 GiB are free"), "{text}");
    assert!(text.contains("1.0 GiB stay free (cache_min_free)"), "{text}");
}

proptest! {
    #[test]
    fn promises_never_exceed_what_is_free(
        steps in proptest::collection::vec((0_u64..100, 0_u64..100, any::<bool>()), 1..40)
    ) {
        let all = Reservations::default();
        let mut held = Vec::new();
        let mut promised = 0;
        for (need, written, give_back) in steps {
            match all.reserve(PathBuf::new(), need, 200, 20) {
                Ok(mut it) => {
                    promised += need;
                    it.written(written);
                    promised -= written.min(need);
                    held.push((it, need - written.min(need)));
                }
                Err(_) => prop_assert!(promised + need + 20 > 200),
            }
            prop_assert!(promised <= 180);
            if give_back && let Some((it, left)) = held.pop() {
                drop(it);
                promised -= left;
            }
        }
        drop(held);
        prop_assert!(all.reserve(PathBuf::new(), 180, 200, 20).is_ok(), "all is given back");
    }
}
