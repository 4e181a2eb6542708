use super::*;
use crate::image::{ImageId, Location, NewImage, Visibility};
use crate::wire::{Formats, WireError};
use chrono::TimeZone;
use serde_json::{Value, json};

const ID: &str = "11111111-2222-3333-4444-555555555555";

fn formats() -> Formats {
    Formats { disk: vec!["raw".to_owned()], container: vec!["bare".to_owned()], ..Formats::default() }
}

fn ask(body: &Value) -> Result<NewImage, WireError> {
    parse_create(body.to_string().as_bytes(), &formats())
}

fn sample() -> crate::image::Image {
    let now = chrono::Utc.with_ymd_and_hms(2026, 11, 20, 9, 25, 30).unwrap();
    let new = ask(&json!({"name": "n", "tags": ["b", "a", "b"], "os_distro": "debian", "kernel_id": null})).unwrap();
    new.into_image(ID.parse().unwrap(), Some("p".to_owned()), now)
}

#[test]
fn fields_are_printed_in_glances_order() {
    let text = to_json(&sample(), &Shown::default()).to_string();
    let wanted = format!(
        r#"{{"kernel_id":null,"os_distro":"debian","name":"n","disk_format":null,"container_format":null,"visibility":"shared","size":null,"virtual_size":null,"status":"queued","checksum":null,"protected":false,"min_ram":0,"min_disk":0,"owner":"p","os_hidden":false,"os_hash_algo":null,"os_hash_value":null,"id":"{ID}","created_at":"2026-11-20T09:25:30Z","updated_at":"2026-11-20T09:25:30Z","tags":["a","b"],"self":"/v2/images/{ID}","file":"/v2/images/{ID}/file","schema":"/v2/schemas/image"}}"#
    );
    assert_eq!(text, wanted);
}

#[test]
fn a_null_of_an_unknown_property_is_printed_empty() {
    let mut image = sample();
    image.properties.insert("mine".to_owned(), None);
    image.properties.insert("os_glance_stage_host".to_owned(), Some("x".to_owned()));
    let view = to_json(&image, &Shown::default());
    assert_eq!(view["mine"], "");
    assert_eq!(view["kernel_id"], Value::Null);
    assert!(view.get("os_glance_stage_host").is_none());
}

#[test]
fn places_are_shown_when_asked_for() {
    let mut image = sample();
    let all = Shown { locations: true, places: true, direct_url: true, stores: true, ..Shown::default() };
    let view = to_json(&image, &all);
    assert_eq!(view["locations"], json!([]));
    assert!(view.get("direct_url").is_none() && view.get("stores").is_none());
    let metadata = json!({"store": "fast"});
    image.locations = vec![Location { url: "file:///x".to_owned(), metadata: metadata.as_object().unwrap().clone() }];
    let view = to_json(&image, &all);
    assert_eq!(view["locations"], json!([{"url": "file:///x", "metadata": {"store": "fast"}}]));
    assert_eq!((&view["direct_url"], &view["stores"]), (&json!("file:///x"), &json!("fast")));
    assert!(to_json(&image, &Shown::default()).get("locations").is_none());
}

#[test]
fn links_keep_repeated_parameters() {
    let params: Vec<(String, String)> =
        [("tag", "a b"), ("tag", "c&d"), ("marker", "x"), ("limit", "1")].map(|(a, b)| (a.into(), b.into())).into();
    let page = list_to_json(&[sample()], true, &params, |_| Shown::default());
    assert_eq!(page["first"], "/v2/images?tag=a+b&tag=c%26d&limit=1");
    assert_eq!(page["next"], format!("/v2/images?tag=a+b&tag=c%26d&limit=1&marker={ID}"));
    let page = list_to_json(&[sample()], true, &[], |_| Shown::default());
    assert_eq!((&page["first"], &page["next"]), (&json!("/v2/images"), &json!(format!("/v2/images?marker={ID}"))));
    assert!(list_to_json(&[], false, &[], |_| Shown::default()).get("next").is_none());
}

#[test]
fn what_is_made() {
    let body = json!({"id": ID, "name": "n", "visibility": "public", "owner": null, "protected": true,
        "os_hidden": true, "min_disk": 1.0, "min_ram": 5, "disk_format": "raw", "container_format": null,
        "tags": ["x"], "a": "b"});
    let new = ask(&body).unwrap();
    assert_eq!(new.id, Some(ID.parse::<ImageId>().unwrap()));
    assert_eq!((new.visibility, new.owner), (Some(Visibility::Public), Some(None)));
    assert_eq!((new.min_disk, new.min_ram, new.disk_format.as_deref()), (1, 5, Some("raw")));
    assert_eq!(new.properties.get("a"), Some(&Some("b".to_owned())));
    assert_eq!(ask(&json!({})).unwrap(), NewImage::default());
}

#[test]
fn what_is_not_made() {
    for (body, error) in [
        (json!([]), "Unexpected body type"),
        (json!({"os_glance_x": "x", "a": 5}), "5 is not of type 'string'"),
        (json!({"self": "x", "name": 5}), "'self' is read-only"),
        (json!({"status": "active"}), "'status' is read-only"),
        (json!({"size": 5, "checksum": null, "created_at": "x"}), "'created_at' is read-only"),
        (json!({"status": "x"}), "'x' is not one of ['queued'"),
        (json!({"size": "5"}), "'5' is not of type 'null', 'integer' (in 'size')"),
        (json!({"checksum": "x".repeat(33)}), "is too long (in 'checksum'"),
        (json!({"updated_at": null}), "None is not of type 'string' (in 'updated_at')"),
        (json!({"locations": "x"}), "'x' is not of type 'array' (in 'locations')"),
        (json!({"location": "x"}), "'location' is reserved"),
        (json!({"locations": []}), "'locations' is reserved"),
        (json!({"os_glance_x": "x"}), "'os_glance_x' is reserved"),
        (json!({"id": "x"}), "'x' does not match '^("),
        (json!({"name": 5}), "5 is not of type 'null', 'string'"),
        (json!({"name": "x".repeat(256)}), "is too long"),
        (json!({"x".repeat(256): "x"}), "greater than 255"),
        (json!({"a": 5}), "5 is not of type 'string'"),
        (json!({"tags": "a"}), "'a' is not of type 'array'"),
        (json!({"tags": [1]}), "1 is not of type 'string'"),
    ] {
        let words = ask(&body).expect_err("refused").to_string();
        assert!(words.contains(error), "{words}");
        assert!(words.len() < 400);
    }
    assert_eq!(parse_create(b"", &formats()), Err(WireError::NoBody));
    assert_eq!(parse_create(b"{", &formats()), Err(WireError::Malformed));
}

#[test]
fn remote_images_are_read_leniently() {
    let image: RemoteImage = serde_json::from_value(json!({"id": ID, "status": "active", "x": "y"})).unwrap();
    assert_eq!((image.size, image.extra["x"].as_str()), (None, Some("y")));
    let image: RemoteImage = serde_json::from_value(to_json(&sample(), &Shown::default())).unwrap();
    assert_eq!((image.tags.len(), image.extra["os_distro"].as_str()), (2, Some("debian")));
}
