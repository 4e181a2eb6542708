//! `/v2/schemas`: the same documents, to their order.

use super::{Pair, SHOWING, TRUSTING, address};
use crate::{
    api::{Server, access::As},
    support::rig,
};
use serde_json::{Value, json};

const NAMES: &str = "image images member members task tasks metadefs/namespace metadefs/namespaces metadefs/resource_type \
                     metadefs/resource_types metadefs/property metadefs/properties metadefs/object metadefs/objects \
                     metadefs/tag metadefs/tags";

/// Without the properties that a site describes: the rig's Glance has no schema-image.json here.
fn base(mut schema: Value) -> Value {
    for path in ["/properties", "/properties/images/items/properties"] {
        if let Some(Value::Object(properties)) = schema.pointer_mut(path) {
            properties.retain(|_, it| it.get("is_base").is_none());
        }
    }
    schema
}

#[test]
fn schemas_are_glances() {
    let Some(glance) = rig::trusting_glance_without_schema() else { return };
    let pair = Pair::of(Server::with(&format!("{SHOWING}{TRUSTING}")), address(glance));
    for who in [As::member("p"), As::new("p", "")] {
        for name in NAMES.split(' ') {
            let path = format!("/v2/schemas/{name}");
            let both = pair.ask_each(&who, (&path, &path));
            assert_eq!((both.glance.status, both.larder.status), (200, 200), "{path} {}", both.print());
            // As texts: the order of the keys is part of it.
            let (glance, larder) = (both.glance.json().to_string(), base(both.larder.json()).to_string());
            if glance != larder {
                pair.note(format!("{path}\n  Glance {glance}\n  Larder {larder}"));
            }
        }
    }
    pair.end();
}

#[test]
fn a_sites_own_properties_are_described_and_checked() {
    let Some(glance) = rig::trusting_glance() else { return };
    let dir = tempfile::tempdir().unwrap();
    let file = "schema-image.json";
    std::fs::copy(glance.images.with_file_name(file), dir.path().join(file)).unwrap();
    let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
    let larder = Server::over(dir, &database, &images, &format!("{SHOWING}{TRUSTING}"));
    let pair = Pair::of(larder, address(glance));
    let who = As::member(&pair.project("p"));
    for path in ["/v2/schemas/image", "/v2/schemas/images"] {
        let both = pair.ask_each(&who, (path, path));
        assert_eq!(both.glance.json().to_string(), both.larder.json().to_string(), "{path}");
    }
    for (name, value) in [
        ("site_tier", json!("gold")),
        ("site_tier", json!("lead")),
        ("site_tier", json!(null)),
        ("site_tier", json!(5)),
        ("site_note", json!(null)),
        ("site_note", json!("short")),
        ("site_note", json!("longer")),
        ("kernel_id", json!("0aff")),
        ("kernel_id", json!("xyz")),
        ("kernel_id", json!(null)),
        ("kernel_id", json!(true)),
        ("ramdisk_id", json!(null)),
        ("ramdisk_id", json!("xyz")),
        ("cinder_encryption_key_deletion_policy", json!("whatever")),
    ] {
        let id = uuid::Uuid::new_v4().to_string();
        let mut body = json!({"id": id});
        body[name] = value.clone();
        pair.send(&who, "POST", "/v2/images", &body);
        let id = pair.image(&who, json!({}));
        pair.patch(&who, &id, &json!([{"op": "add", "path": format!("/{name}"), "value": value}]));
    }
    pair.end();
}
