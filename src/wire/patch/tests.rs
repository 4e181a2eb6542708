use super::*;
use crate::image::Attribute;
use proptest::prelude::*;

const V20: &str = MEDIA_TYPES[0];
const V21: &str = MEDIA_TYPES[1];

fn formats() -> Formats {
    Formats { disk: vec!["raw".to_owned()], container: vec!["bare".to_owned()], ..Formats::default() }
}

fn ask(kind: &str, body: &str) -> Result<Vec<Change>, WireError> {
    parse(kind, body.as_bytes(), &formats())
}

fn refusal(kind: &str, body: &str) -> String {
    ask(kind, body).expect_err(body).to_string()
}

fn property(name: &str, value: &str, how: How) -> Change {
    Change::SetProperty { name: name.to_owned(), value: Some(value.to_owned()), how }
}

#[test]
fn both_dialects() {
    assert_eq!(ask(V21, "[]"), Ok(vec![]));
    let add = r#"[{"op":"add","path":"/a","value":"1"},{"op":"remove","path":"/b"},{"op":"replace","path":"/name","value":null}]"#;
    let changes = ask(&format!("{V21}; charset=utf-8"), add).unwrap();
    let wanted =
        [property("a", "1", How::Put), Change::Remove("b".into()), Change::Set(Attribute::Name(None), How::Replace)];
    assert_eq!(changes, wanted);
    let old = r#"[{"add":"/a","value":"1"},{"remove":"/b"},{"replace":"/c","value":"2"}]"#;
    let wanted = [property("a", "1", How::AddNew), Change::Remove("b".into()), property("c", "2", How::Replace)];
    assert_eq!(ask(V20, old).unwrap(), wanted);
    assert_eq!(ask("application/json", "[]"), Err(WireError::PatchType));
}

#[test]
fn pointers() {
    for (path, name) in [("/a~1b ", "a/b"), ("//a", "a"), ("/", ""), ("/ a", "a"), ("/a~0~1", "a~/")] {
        let body = serde_json::json!([{"op": "add", "path": path, "value": "5"}]).to_string();
        assert_eq!(ask(V21, &body).unwrap(), [property(name, "5", How::Put)], "{path}");
    }
    for (path, words) in [
        ("a", "does not start"),
        ("/a//b", "adjacent"),
        ("/a/ /b", "adjacent"),
        ("/a/", "end with"),
        ("/a~2", "escape sequence"),
        ("/a~", "escape sequence"),
        ("/a/b", "Invalid JSON pointer"),
        ("/tags/-", "Invalid JSON pointer"),
        ("/locations", "Invalid JSON pointer"),
    ] {
        let body = serde_json::json!([{"op": "add", "path": path, "value": "5"}]).to_string();
        assert!(refusal(V21, &body).contains(words), "{path}: {}", refusal(V21, &body));
    }
}

#[test]
fn refused_operations() {
    for (body, words) in [
        ("", "Body expected"),
        ("x", "Malformed JSON"),
        ("5", "Unexpected body type"),
        ("{}", "must be a JSON array"),
        ("[1]", "must be JSON objects"),
        ("[{}]", "Unable to find `op`"),
        (r#"[{"op":"move","path":"/a"}]"#, "Invalid operation: `move`"),
        (r#"[{"op":5,"path":"/a"}]"#, "Invalid operation: `5`"),
        (r#"[{"op":"add"}]"#, "Unable to find 'path'"),
        (r#"[{"op":"add","path":5,"value":"x"}]"#, "JSON pointer"),
        (r#"[{"op":"add","path":"/a"}]"#, "requires a member named \"value\""),
        (r#"[{"op":"add","path":"/a","value":5}]"#, "5 is not of type 'string'"),
        (r#"[{"op":"add","path":"/a","value":null}]"#, "None is not of type 'string'"),
        (r#"[{"op":"add","path":"/kernel_id","value":"x"}]"#, "does not match"),
        (r#"[{"op":"replace","path":"/id","value":"x"}]"#, "'id' is read-only"),
        (r#"[{"op":"remove","path":"/stores"}]"#, "'stores' is read-only"),
        (r#"[{"op":"add","path":"/deleted","value":"x"}]"#, "'deleted' is reserved"),
        (r#"[{"op":"add","path":"/os_glance_x","value":"x"}]"#, "'os_glance_x' is reserved"),
        (r#"[{"op":"replace","path":"/min_ram","value":-1}]"#, "Cannot be a negative value"),
        (r#"[{"op":"replace","path":"/min_disk","value":2147483648}]"#, "must not exceed 2147483647"),
        (r#"[{"op":"replace","path":"/min_disk","value":true}]"#, "not of type 'integer'"),
        (r#"[{"op":"replace","path":"/disk_format","value":"zz"}]"#, "'zz' is not one of [None, 'raw']"),
        (r#"[{"op":"replace","path":"/visibility","value":"zz"}]"#, "'zz' is not one of ['community'"),
        (r#"[{"op":"replace","path":"/protected","value":"yes"}]"#, "not of type 'boolean'"),
        (r#"[{"op":"replace","path":"/tags","value":["\ud83d\ude00"]}]"#, "Param values can't"),
        (r#"[{"op":"add","path":"/locations/-","value":{"url":"file:///a"}}]"#, "'metadata' is a required property"),
    ] {
        assert!(refusal(V21, body).contains(words), "{body}: {}", refusal(V21, body));
    }
    assert!(refusal(V20, r#"[{"add":"/n","remove":"/n"}]"#).contains("contain only one member"));
    assert!(refusal(V20, "[{}]").contains("exactly one member"));
}

#[test]
fn null_kernels_are_allowed() {
    let body = r#"[{"op":"add","path":"/kernel_id","value":null}]"#;
    let wanted = Change::SetProperty { name: "kernel_id".into(), value: None, how: How::Put };
    assert_eq!(ask(V21, body).unwrap(), [wanted]);
}

#[test]
fn locations_are_changed_one_by_one() {
    let body = r#"[{"op":"add","path":"/locations/0","value":{"url":"http://x","metadata":{"a":1},
        "validation_data":{"os_hash_algo":"sha512","os_hash_value":"00"}}},{"op":"remove","path":"/locations/-"},
        {"op":"replace","path":"/locations","value":[]}]"#;
    let changes = ask(V21, body).unwrap();
    assert!(
        matches!(&changes[0], Change::AddLocation { at: Place::Index(0), location } if location.validation.is_some())
    );
    assert_eq!(changes[1..], [Change::RemoveLocation(Place::Last), Change::ReplaceLocations(vec![])]);
}

proptest! {
    #[test]
    fn no_document_panics(body in "[\\[{\":,}\\]a-z/~0-9 -]{0,80}") {
        let _ = ask(V20, &body);
        let _ = ask(V21, &body);
    }

    #[test]
    fn any_property_name_can_be_written(name in "[^\u{10000}-\u{10ffff}]{1,60}") {
        let escaped = name.replace('~', "~0").replace('/', "~1");
        let body = serde_json::json!([{"op": "add", "path": format!("/{escaped}"), "value": "5"}]).to_string();
        let wanted = name.trim();
        match ask(V21, &body) {
            Ok(changes) => match &changes[..] {
                [Change::SetProperty { name, .. }] => prop_assert_eq!(name, wanted),
                other => prop_assert!(false, "{:?}", other),
            },
            Err(error) => prop_assert!(attribute::is_base(wanted) || attribute::is_reserved(wanted), "{}", error),
        }
    }
}
