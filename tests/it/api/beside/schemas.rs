//! `/v2/schemas`: the same documents, to their order.

use super::Pair;
use crate::api::access::As;
use serde_json::Value;

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
    let Some((pair, _)) = Pair::own("schemas") else { return };
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
