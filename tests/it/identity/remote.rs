//! Rules that another server judges, beside Python's oslo.policy: the same questions, the same decisions.

use crate::support::{free_port, judge::Judge, rig, skip};
use larder::identity::{
    Caller,
    policy::{Attributes, ContentType, Enforcer, RemoteSettings, Settings},
};
use serde_json::{Map, Value, json};
use std::{
    fs,
    io::{BufRead, BufReader, Write},
    path::Path,
    process::{Command, Stdio},
    time::Duration,
};

/// Ends of URLs, with what both decide; none where oslo.policy fails, and we deny.
const ENDS: [(&str, Option<bool>); 17] = [
    ("/say/True", Some(true)),
    ("/say/%%22True%%22", Some(true)),
    ("/say/False", Some(false)),
    ("/say/true", Some(false)),
    ("/say/True%%0A", Some(false)),
    ("/say/", Some(false)),
    ("/refuse/True", Some(true)),
    ("/refuse/no", Some(false)),
    ("/long", Some(false)),
    ("/reader", Some(true)),
    ("/say/%(verdict)s/%(name)s", Some(true)),
    ("/say/%(target.name)s", Some(true)),
    ("/say/False/%(name)s?a=b", Some(false)),
    ("/say/True/%(flag)s/%(number)s/%(nothing)s", Some(true)),
    ("/say/True/%(missing)s", Some(false)),
    ("/close", None),
    ("/say/%(tags)s", Some(false)),
];

pub(super) fn target() -> Map<String, Value> {
    let target = json!({
        "verdict": "True", "name": "an image+ä&é", "target.name": "True", "flag": true, "number": 7, "nothing": null,
        "tags": ["a", "it's"], "deep": {"x": [1, null, "y"]},
    });
    target.as_object().unwrap().clone()
}

pub(super) fn caller() -> Caller {
    let roles = vec!["member".to_owned(), "reader".to_owned()];
    Caller { user: Some("u".to_owned()), project: Some("p".to_owned()), roles, ..Caller::default() }
}

pub(super) fn enforcer(dir: &Path, rules: &Value, remote: RemoteSettings) -> Enforcer {
    fs::write(dir.join("policy.yaml"), rules.to_string()).unwrap();
    Enforcer::open(Settings { directories: vec![dir.to_owned()], remote, ..Settings::default() }).unwrap()
}

#[test]
fn asks_as_oslo_policy_does() {
    let Some(venv) = rig::venv() else {
        skip("tests/setup has not been run: no oslo.policy to compare with");
        return;
    };
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/identity/ask_policy.py");
    let mut python = Command::new(venv.join("bin/python"));
    let mut python = python.arg(script).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let (mut input, mut output) = (python.stdin.take().unwrap(), BufReader::new(python.stdout.take().unwrap()).lines());
    let (judge, dir) = (Judge::start(), tempfile::tempdir().unwrap());
    for content_type in [ContentType::Form, ContentType::Json] {
        for (end, wanted) in ENDS {
            let rules = json!({"get_image": "role:nobody or (rule:other and role:reader)",
                               "other": format!("http://{}{end}", judge.place())});
            let case = json!({
                "rules": rules, "ask": "get_image", "target": target(), "creds": caller().all(),
                "options": {"remote_content_type": content_type.as_str()},
            });
            writeln!(input, "{case}").unwrap();
            let theirs = output.next().unwrap().unwrap();
            let asked_by_them = judge.asked();
            let remote = RemoteSettings { content_type, ..RemoteSettings::default() };
            let ours = enforcer(dir.path(), &rules, remote).allows("get_image", &target(), &caller());
            let asked_by_us = judge.asked();
            assert_eq!(ours, wanted == Some(true), "{end}");
            match wanted {
                Some(wanted) => assert_eq!(theirs, if wanted { "True" } else { "False" }, "{end}"),
                None => assert!(theirs.ends_with("Error"), "{end}: {theirs}"),
            }
            assert_eq!(asked_by_us, asked_by_them, "{end}");
            assert_eq!(asked_by_us.len(), usize::from(!end.contains("missing")), "{end}");
        }
    }
    drop(input);
    assert!(python.wait().unwrap().success());
}

#[test]
fn what_fails_denies_and_is_not_asked_again() {
    let (judge, dir) = (Judge::start(), tempfile::tempdir().unwrap());
    let closed = format!("127.0.0.1:{}", free_port());
    let place = judge.place();
    let rules = json!({
        "yes": format!("http://{place}/say/True"), "redirect": format!("http://{place}/redirect"),
        "not": format!("not http://{place}/redirect"), "hang": format!("http://{place}/hang"),
        "long": format!("http://{place}/long"), "closed": format!("http://{closed}/"), "no url": "http:///x y",
        "tls": format!("https://{place}/say/True"),
    });
    let remote = RemoteSettings { timeout: Duration::from_millis(300), ..RemoteSettings::default() };
    let short = enforcer(dir.path(), &rules, remote);
    let patient = enforcer(dir.path(), &rules, RemoteSettings::default());
    for rule in ["redirect", "long", "closed", "no url"] {
        assert!(!patient.allows(rule, &target(), &caller()), "{rule}");
    }
    assert!(patient.allows("not", &target(), &caller()));
    assert!(!short.allows("tls", &target(), &caller()));
    judge.asked();
    // One request asks the same thing once.
    let request = caller();
    assert!(patient.allows("yes", &target(), &request) && patient.allows("yes", &target(), &request));
    assert_eq!(judge.asked().len(), 1);
    assert!(patient.allows("yes", &target(), &caller()));
    assert_eq!(judge.asked().len(), 1);
    // A server that did not answer is left alone by the request.
    let request = caller();
    assert!(!short.allows("hang", &target(), &request) && !short.allows("yes", &target(), &request));
    assert!(judge.asked().iter().all(|it| it["path"] == "/hang"));
}

/// Other tasks of a single worker go on meanwhile.
#[test]
fn no_worker_waits() {
    let (judge, dir) = (Judge::start(), tempfile::tempdir().unwrap());
    let rules = json!({"hang": format!("http://{}/hang", judge.place())});
    let remote = RemoteSettings { timeout: Duration::from_secs(600), ..RemoteSettings::default() };
    let enforcer = enforcer(dir.path(), &rules, remote);
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    runtime.block_on(async {
        let waiting = tokio::spawn(async move { enforcer.allows("hang", &target(), &caller()) });
        // It ends when the server does, and the server when this task has been run.
        tokio::spawn(async move {
            while judge.asked().is_empty() {
                tokio::task::yield_now().await;
            }
            drop(judge);
        })
        .await
        .unwrap();
        assert!(!waiting.await.unwrap());
    });
}
