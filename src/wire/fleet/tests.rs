use super::{
    Change, Event, Heartbeat, ImageChange, ImageMatch, JobId, Labels, NewJob, NodeName, Rule, RuleName, Selector,
    Session, Summary, Targets,
};
use crate::image::ImageId;
use crate::wire::image::RemoteImage;
use proptest::prelude::*;
use serde_json::{Value, from_value, json, to_value};

fn image(number: u128) -> ImageId {
    ImageId::from_random(number)
}

fn beat() -> Heartbeat {
    Heartbeat {
        session: Session("secret".into()),
        sequence: 1,
        full: false,
        changes: Vec::new(),
        summary: Some(Summary::default()),
        results: Vec::new(),
        rules_version: 0,
    }
}

#[test]
fn names_are_bounded_and_of_one_case() {
    assert_eq!("Node-1.Example.ORG".parse::<NodeName>().unwrap().as_str(), "node-1.example.org");
    for wrong in ["", "-n", "a b", "a/b", "ä", &"n".repeat(254)] {
        assert!(wrong.parse::<NodeName>().is_err(), "{wrong}");
    }
    assert!("nightly".parse::<RuleName>().is_ok() && "r".repeat(65).parse::<RuleName>().is_err());
    let id = JobId::from_random(7);
    assert_eq!(id.as_str().to_uppercase().parse::<JobId>(), Ok(id));
    assert!("7".parse::<JobId>().is_err());
}

#[test]
fn selectors_select_by_all_labels() {
    let labels: Labels = "site=x,rack=r1".parse().unwrap();
    let selects = |text: &str| text.parse::<Selector>().unwrap().matches(&labels);
    assert!(selects("site=x") && selects(" rack=r1 , site=x ") && selects(""));
    assert!(!selects("site=y") && !selects("site=x,zone=1") && !selects("site=X"));
    for wrong in ["site", "site=", "=x", "site=x,", "site=x,site=y", "a b=c", &format!("a={}", "b".repeat(64))] {
        assert!(wrong.parse::<Selector>().is_err(), "{wrong}");
    }
    let many: Vec<String> = (0..33).map(|it| format!("l{it}=v")).collect();
    assert!(many.join(",").parse::<Labels>().is_err());
}

#[test]
fn beats_are_checked_and_written_as_documented() {
    let change =
        ImageChange { image: image(1), state: None, size: 0, done: None, pinned: false, digest: None, why: None };
    assert_eq!(to_value(&change).unwrap()["state"], "gone");
    let least = json!({"session": "s", "sequence": 3});
    let read: Heartbeat = from_value(least).unwrap();
    assert!(read.check().is_ok() && !read.full && read.changes.is_empty());
    let many = vec![change.clone(); 1001];
    for wrong in [
        Heartbeat { sequence: 0, ..beat() },
        Heartbeat { sequence: u64::MAX, ..beat() },
        Heartbeat { changes: many, ..beat() },
        Heartbeat { changes: vec![change.clone(), change.clone()], ..beat() },
        Heartbeat { changes: vec![ImageChange { why: Some("x".repeat(1001)), ..change.clone() }], ..beat() },
        Heartbeat { changes: vec![ImageChange { size: u64::MAX, ..change }], ..beat() },
        Heartbeat { summary: Some(Summary { free: u64::MAX, ..Summary::default() }), ..beat() },
    ] {
        assert!(wrong.check().is_err(), "{wrong:?}");
    }
    assert!(!format!("{:?}", beat()).contains("secret"));
}

#[test]
fn jobs_say_on_which_nodes() {
    let of = |nodes: Value| from_value::<NewJob>(json!({"action": "pin", "images": [image(1)], "nodes": nodes}));
    assert!(matches!(of(json!({"all": true})).unwrap().nodes, Targets::All(true)));
    assert!(matches!(of(json!({"names": ["N1"]})).unwrap().nodes, Targets::Names(names) if names[0].as_str() == "n1"));
    for good in [json!({"all": true}), json!({"names": ["n1"]}), json!({"selector": "site=x"})] {
        assert!(of(good.clone()).unwrap().check().is_ok(), "{good}");
    }
    for wrong in [json!({"all": false}), json!({"names": []}), json!({"selector": ""})] {
        assert!(of(wrong.clone()).unwrap().check().is_err(), "{wrong}");
    }
    for wrong in [json!({}), json!({"selector": "site"}), json!({"all": true, "names": ["n1"]})] {
        assert!(of(wrong.clone()).is_err(), "{wrong}");
    }
    let twice = json!({"action": "queue", "images": [image(1), image(1)], "nodes": {"all": true}});
    assert!(from_value::<NewJob>(twice).unwrap().check().is_err());
    assert!(from_value::<NewJob>(json!({"action": "queue", "images": [], "nodes": {"all": true}, "x": 1})).is_err());
}

#[test]
fn rules_are_checked() {
    let rule = |text: Value| from_value::<Rule>(text);
    let good = json!({
        "match": {"tags": ["golden"], "name": "ubuntu-*", "visibility": "public", "newest": 2},
        "nodes": "site=x", "window": {"opens": "0 1 * * *", "lasts": 3600}, "budget": 5_000_000, "pin": true,
    });
    let read = rule(good.clone()).unwrap();
    assert!(read.check().is_ok());
    let back = to_value(&read).unwrap();
    assert_eq!((&back["window"], &back["match"]), (&good["window"], &good["match"]));
    for wrong in [
        json!({"match": {}}),
        json!({"match": {"newest": 0}}),
        json!({"match": {"tags": [""]}}),
        json!({"match": {"newest": 1}, "priority": 101}),
        json!({"match": {"newest": 1}, "budget": 0}),
        json!({"match": {"newest": 1}, "window": {"opens": "@hourly", "lasts": 1}}),
    ] {
        assert!(rule(wrong.clone()).unwrap().check().is_err(), "{wrong}");
    }
    for wrong in [
        json!({"match": {"tag": "golden"}}),
        json!({"match": {"visibility": "open"}}),
        json!({"match": {"newest": 1}, "window": {"opens": "61 * * * *", "lasts": 60}}),
        json!({"match": {"newest": -1}}),
    ] {
        assert!(rule(wrong.clone()).is_err(), "{wrong}");
    }
}

#[test]
fn images_meet_all_conditions() {
    let image: RemoteImage = from_value(json!({
        "id": "i", "name": "ubuntu-24.04", "status": "active", "visibility": "public", "owner": "p", "tags": ["a", "b"],
        "os_distro": "ubuntu",
    }))
    .unwrap();
    let meets = |conditions: Value| from_value::<ImageMatch>(conditions).unwrap().meets(&image);
    assert!(meets(json!({"tags": ["a"], "properties": {"os_distro": "ubuntu"}, "name": "ubuntu-2?.*", "owner": "p"})));
    for other in [
        json!({"tags": ["a", "c"]}),
        json!({"properties": {"os_distro": "debian"}}),
        json!({"properties": {"os_version": "1"}}),
        json!({"name": "Ubuntu*"}),
        json!({"visibility": "private"}),
        json!({"owner": "q"}),
    ] {
        assert!(!meets(other.clone()), "{other}");
    }
}

#[test]
fn events_have_one_word_each() {
    for event in Event::ALL {
        assert_eq!(to_value(event).unwrap(), event.as_str());
        assert_eq!(Event::find(event.as_str()), Some(event));
    }
    let change = json!({"sequence": 4, "event": "rules", "at": "2026-11-21T10:00:00Z"});
    assert_eq!(to_value(from_value::<Change>(change.clone()).unwrap()).unwrap(), change);
}

proptest! {
    #[test]
    fn selectors_are_read_back_as_written(text in "[a-z=,. ]{0,40}") {
        if let Ok(selector) = text.parse::<Selector>() {
            prop_assert_eq!(selector.to_string().parse::<Selector>(), Ok(selector));
        }
    }

    #[test]
    fn no_text_breaks_a_name(text in ".{0,300}") {
        let _ = (text.parse::<NodeName>(), text.parse::<RuleName>(), text.parse::<JobId>(), text.parse::<Labels>());
    }
}
