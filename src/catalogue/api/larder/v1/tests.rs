//! The OpenAPI document has every route, and every field of every document; no others.

use super::openapi;
use crate::image::{ImageId, Visibility};
use crate::wire::fleet::{
    Action, Change, ChangePage, Counts, Event, Heartbeat, HeartbeatAnswer, HeldImage, HeldState, Holder, ImageChange,
    ImageMatch, ImageNodes, ItemState, Job, JobDetail, JobId, JobItem, JobPage, JobState, Labels, NewJob, Node,
    NodeImages, NodePage, NodeState, Outcome, Registered, Registration, Rule, RuleSet, Session, Summary, Targets,
    Window, Work, WorkResult,
};
use crate::wire::verify::{Outcome as Verdict, VerifiedCopy};
use chrono::DateTime;
use serde_json::{Value, json, to_value};
use std::collections::BTreeSet;

fn document() -> Value {
    serde_json::from_str(openapi::TEXT).unwrap()
}

#[test]
fn every_route_is_described() {
    let mut routes = BTreeSet::new();
    for line in include_str!("mod.rs").lines().filter_map(|it| it.trim().strip_prefix(".route(\"")) {
        let (path, rest) = line.split_once("\", ").unwrap();
        let methods = ["get", "put", "post", "delete"].into_iter().filter(|it| rest.contains(&format!("{it}(")));
        routes.extend(methods.map(|method| format!("{method} {path}")));
    }
    assert!(routes.len() > 15, "{routes:?}");
    let mut described = BTreeSet::new();
    for (path, item) in document()["paths"].as_object().unwrap() {
        let methods = item.as_object().unwrap().keys().filter(|it| *it != "parameters");
        described.extend(methods.map(|method| format!("{method} {path}")));
    }
    assert_eq!(routes, described);
}

/// One of each kind, with all that it can have.
#[expect(clippy::too_many_lines, reason = "a list")]
fn samples() -> Vec<(&'static str, Value)> {
    let (image, at): (ImageId, _) = (ImageId::from_random(1), DateTime::UNIX_EPOCH);
    let (node, job_id) = ("n1".parse().unwrap(), JobId::from_random(1));
    let text = || Some("x".to_owned());
    let held = HeldImage {
        image: image.clone(),
        state: HeldState::Cached,
        size: 1,
        done: Some(1),
        pinned: true,
        digest: text(),
        why: text(),
        changed_at: at,
    };
    let labels: Labels = "site=x".parse().unwrap();
    let whole = Node {
        name: "n1".parse().unwrap(),
        state: NodeState::Up,
        labels: labels.clone(),
        address: text(),
        version: "1".to_owned(),
        boot_id: "b".to_owned(),
        registered_at: at,
        seen_at: at,
        rules_version: 1,
        summary: Summary::default(),
    };
    let holder = Holder { node: "n1".parse().unwrap(), node_state: NodeState::Up, address: text(), held: held.clone() };
    let job = Job {
        id: job_id.clone(),
        state: JobState::Done,
        action: Action::Pin,
        images: vec![image.clone()],
        nodes: Targets::All(true),
        priority: 1,
        user: text(),
        created_at: at,
        expires_at: at,
        counts: Counts::default(),
    };
    let item = JobItem {
        node: "n1".parse().unwrap(),
        image: image.clone(),
        state: ItemState::Done,
        why: text(),
        changed_at: at,
    };
    let conditions = ImageMatch {
        tags: ["x".to_owned()].into(),
        properties: [("a".to_owned(), "b".to_owned())].into(),
        name: text(),
        visibility: Some(Visibility::Public),
        owner: text(),
        newest: Some(1),
        most_used: Some(1),
    };
    let window = Window { opens: "@daily".parse().unwrap(), lasts: 60 };
    let rule = Rule {
        name: Some("r".parse().unwrap()),
        images: conditions.clone(),
        nodes: "site=x".parse().unwrap(),
        window: Some(window.clone()),
        budget: Some(1),
        priority: 0,
        pin: true,
    };
    let change = ImageChange {
        image: image.clone(),
        state: Some(HeldState::Cached),
        size: 1,
        done: Some(1),
        pinned: true,
        digest: text(),
        why: text(),
    };
    let result = WorkResult { job: job_id.clone(), image: image.clone(), state: Outcome::Done, why: text() };
    let work = Work { job: job_id.clone(), action: Action::Pin, image: image.clone(), priority: 1 };
    let session = Session("s".to_owned());
    let registration = Registration {
        labels,
        address: text(),
        version: "1".to_owned(),
        boot_id: "b".to_owned(),
        session: Some(session.clone()),
        instance: Some(session.clone()),
    };
    let registered =
        Registered { node: "n1".parse().unwrap(), session: session.clone(), heartbeat_interval: 1, rules_version: 1 };
    let beat = Heartbeat {
        session,
        sequence: 1,
        full: true,
        changes: vec![change.clone()],
        summary: Some(Summary::default()),
        results: vec![result.clone()],
        rules_version: 1,
    };
    let event =
        Change { sequence: 1, event: Event::Work, at, image: Some(image.clone()), job: Some(job_id), node: Some(node) };
    let new = NewJob { action: Action::Pin, images: vec![image], nodes: Targets::All(true), priority: 1 };
    let detail = JobDetail { job: job.clone(), results: vec![item.clone()], next: text() };
    let outcome = Some(Verdict::Sound);
    let copy = VerifiedCopy { location: 0, store: text(), read: 1, size: Some(1), outcome, why: text() };
    vec![
        ("Node", to_value(&whole).unwrap()),
        ("NodePage", to_value(NodePage { nodes: vec![whole], next: text() }).unwrap()),
        ("HeldImage", to_value(&held).unwrap()),
        ("NodeImages", to_value(NodeImages { images: vec![held], next: text() }).unwrap()),
        ("Holder", to_value(&holder).unwrap()),
        ("ImageNodes", to_value(ImageNodes { nodes: vec![holder], next: text() }).unwrap()),
        ("Job", to_value(&job).unwrap()),
        ("JobPage", to_value(JobPage { jobs: vec![job], next: text() }).unwrap()),
        ("JobItem", to_value(&item).unwrap()),
        ("JobDetail", to_value(&detail).unwrap()),
        ("Counts", to_value(Counts::default()).unwrap()),
        ("Summary", to_value(Summary::default()).unwrap()),
        ("ImageMatch", to_value(&conditions).unwrap()),
        ("Window", to_value(&window).unwrap()),
        ("Rule", to_value(&rule).unwrap()),
        ("RuleSet", to_value(RuleSet { version: 1, rules: vec![rule] }).unwrap()),
        ("ImageChange", to_value(&change).unwrap()),
        ("WorkResult", to_value(&result).unwrap()),
        ("Work", to_value(&work).unwrap()),
        ("Registration", to_value(&registration).unwrap()),
        ("Registered", to_value(&registered).unwrap()),
        ("Heartbeat", to_value(&beat).unwrap()),
        ("HeartbeatAnswer", to_value(HeartbeatAnswer { work: vec![work], ..HeartbeatAnswer::default() }).unwrap()),
        ("Change", to_value(&event).unwrap()),
        ("ChangePage", to_value(ChangePage { changes: vec![event], next: 1 }).unwrap()),
        ("NewJob", to_value(&new).unwrap()),
        ("VerifiedCopy", to_value(&copy).unwrap()),
    ]
}

#[test]
fn every_field_is_described() {
    let schemas = &document()["components"]["schemas"];
    let samples = samples();
    let keys = |it: &Value| it.as_object().unwrap().keys().cloned().collect::<BTreeSet<String>>();
    for (name, sample) in &samples {
        assert_eq!(keys(sample), keys(&schemas[name]["properties"]), "{name}");
        let required = schemas[name]["required"].as_array().unwrap();
        assert!(required.iter().all(|it| sample.get(it.as_str().unwrap()).is_some()), "{name}");
    }
    // Whatever is an object is among them, but the error, which is Glance's.
    let objects: BTreeSet<&str> = schemas
        .as_object()
        .unwrap()
        .iter()
        .filter(|it| it.1.get("required").is_some())
        .map(|it| it.0.as_str())
        .collect();
    let mut known: BTreeSet<&str> = samples.iter().map(|it| it.0).collect();
    known.insert("Error");
    assert_eq!(objects, known);
}

#[test]
fn every_word_is_described() {
    let schemas = &document()["components"]["schemas"];
    let actions: Vec<Value> = Action::ALL.iter().map(|it| json!(it)).collect();
    assert_eq!(schemas["Action"]["enum"], json!(actions));
    let events: Vec<Value> = Event::ALL.iter().map(|it| json!(it)).collect();
    assert_eq!(schemas["Change"]["properties"]["event"]["enum"], json!(events));
    let states = [
        ItemState::Waiting,
        ItemState::NodeDown,
        ItemState::Handed,
        ItemState::Done,
        ItemState::Existing,
        ItemState::Failed,
        ItemState::Cancelled,
        ItemState::Expired,
    ];
    assert_eq!(schemas["ItemState"]["enum"], json!(states));
}
