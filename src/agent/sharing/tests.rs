use super::registry::splice;
use chrono::{DateTime, Utc};
use proptest::prelude::*;
use std::collections::BTreeMap;

fn now() -> DateTime<Utc> {
    DateTime::from_timestamp_micros(1_795_305_600_250_000).unwrap()
}

#[test]
fn our_host_is_spliced_in_and_the_rest_is_as_it_was() {
    assert_eq!(splice("{}", "n", now()).unwrap(), r#"{"n": 1795305600.250000}"#);
    let novas = r#"{"node-1": 1795300000.1234567, "node-2": 17e8 }"#;
    let more = splice(novas, "n \"3\"", now()).unwrap();
    assert_eq!(more, r#"{"node-1": 1795300000.1234567, "node-2": 17e8 , "n \"3\"": 1795305600.250000}"#);
    let again = splice(&more, "node-2", now()).unwrap();
    assert_eq!(again, r#"{"node-1": 1795300000.1234567, "node-2": 1795305600.250000 , "n \"3\"": 1795305600.250000}"#);
    let quoted = splice(&again, "n \"3\"", now()).unwrap();
    assert_eq!(quoted, again);
    for text in ["", "[]", r#"{"a": "b"}"#, r#"{"a": 1"#, r#"{"a": {"b": 1}}"#] {
        assert!(splice(text, "n", now()).is_err(), "{text}");
    }
}

proptest! {
    #[test]
    fn others_keep_their_times(
        others in prop::collection::btree_map("[a-z\"\\\\:,}{ é]{0,6}", 0.0..4e9_f64, 0..6),
        host in "[a-z\"\\\\:,}{ é]{0,6}",
    ) {
        let text = serde_json::to_string(&others).unwrap();
        let spliced = splice(&text, &host, now()).unwrap();
        let read: BTreeMap<String, f64> = serde_json::from_str(&spliced).unwrap();
        let mut wanted: BTreeMap<String, f64> = serde_json::from_str(&text).unwrap();
        wanted.insert(host, 1_795_305_600.25);
        prop_assert_eq!(read, wanted);
    }

    #[test]
    fn no_text_panics(text in "[a\"\\\\:,}{ 0-9.é]{0,30}") {
        let _ = splice(&text, "a", now());
    }
}
