use super::{
    namespaces_query, parse_namespace as namespace, parse_new_tags as new_tags, parse_object as object,
    parse_property as property, property_to_json,
};
use crate::wire::WireError;
use serde_json::{Value, json};

fn bytes(value: &Value) -> Vec<u8> {
    value.to_string().into_bytes()
}

#[test]
fn a_property_is_kept_as_glance_keeps_it() {
    let sent = json!({"title": "T", "type": "integer", "default": 3, "maximum": 5.9, "minimum": 1, "name": "n", "readonly": true});
    let (name, schema) = property(&bytes(&sent)).unwrap();
    let shown = property_to_json(&name, &schema).to_string();
    assert_eq!(
        shown,
        r#"{"name":"n","type":"integer","title":"T","default":"3","readonly":true,"minimum":1,"maximum":5}"#
    );
}

#[test]
fn what_the_schema_forbids_is_refused_with_its_place() {
    for (sent, words) in [
        (json!({}), "'namespace' is a required property"),
        (json!({"namespace": 5}), "5 is not of type 'string' (in 'namespace')"),
        (json!({"namespace": "x".repeat(81)}), "is too long"),
        (json!({"namespace": "x", "visibility": "shared"}), "'shared' is not one of ['public', 'private']"),
        (json!({"namespace": "x", "foo": 1}), "Additional properties are not allowed ('foo' was unexpected)"),
        (json!({"namespace": "x", "properties": {"a": {}}}), "'title' is a required property (in 'properties.a')"),
        (json!({"namespace": "x", "properties": {"a": {"title": "", "type": "string", "minLength": -1}}}), "less than"),
        (json!({"namespace": "x", "objects": [{"name": "o", "required": ["a", "a"]}]}), "non-unique"),
    ] {
        let error = namespace(&bytes(&sent), true).unwrap_err();
        assert!(matches!(error, WireError::Schema { schema: "namespace", .. }), "{error}");
        assert!(error.to_string().contains(words), "{error}");
    }
}

#[test]
fn what_glance_fails_on_is_refused() {
    let with = |property: Value| json!({"namespace": "x", "properties": {"a": property}});
    for (sent, words) in [
        (with(json!({"title": "", "type": "string", "foo": 1})), "Unknown attribute 'foo'"),
        (with(json!({"title": "", "type": "integer", "enum": [1]})), "attribute 'enum'"),
        (with(json!({"title": "", "type": "array", "items": {"enum": []}})), "attribute 'items'"),
        (with(json!({"title": "", "type": "string", "default": "ü"})), "ASCII"),
        (json!({"namespace": "x", "objects": [{}]}), "'name' of an object is missing"),
        (json!({"namespace": "x", "tags": [{"name": "n".repeat(81)}]}), "too long"),
        (json!({"namespace": "😀"}), "Namespace can't contain 4 byte unicode characters."),
        (json!({"namespace": "x", "display_name": "😀"}), "Display_Name can't contain"),
    ] {
        let error = namespace(&bytes(&sent), true).unwrap_err().to_string();
        assert!(error.contains(words), "{error}");
    }
    assert!(matches!(namespace(b"[]", true), Err(WireError::NotDocument)));
    assert!(matches!(namespace(br#"{"namespace": "x", "self": ""}"#, true), Err(WireError::ReadOnly(_))));
    assert!(new_tags(b"{}").is_err());
}

#[test]
fn a_new_object_is_checked_more_strictly() {
    let sent = bytes(&json!({"name": "o", "properties": {"a": {"title": "", "type": "string", "confidential": true}}}));
    assert!(matches!(object(&sent, true), Err(WireError::Schema { schema: "property", .. })));
    assert!(object(&sent, false).is_ok());
}

#[test]
fn deep_documents_are_refused() {
    let mut value = json!({"title": "", "type": "string"});
    for _ in 0..100 {
        value = json!({"a": value});
    }
    assert!(namespace(&bytes(&json!({"namespace": "x", "properties": value})), true).is_err());
}

#[test]
fn listings_are_bounded() {
    let query = |text: &str| {
        let params: Vec<_> = url::form_urlencoded::parse(text.as_bytes()).into_owned().collect();
        namespaces_query(&params, 25, 1000)
    };
    assert_eq!(query("").unwrap().limit, Some(25));
    assert_eq!(query("limit=5000").unwrap().limit, Some(1000));
    assert_eq!(query("visibility=public&sort_dir=asc").unwrap().is_public, Some(true));
    for wrong in ["limit=-1", "limit=x", "sort_dir=up", "sort_key=nonsense", "visibility=shared"] {
        assert!(query(wrong).is_err(), "{wrong}");
    }
}
