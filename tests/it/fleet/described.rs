//! Real answers are what the OpenAPI document says, as Python's `jsonschema` judges it.

use super::{Node, client, image};
use crate::{
    api::Server,
    support::{output, rig, text},
};
use larder::wire::fleet::{Action, NewJob, Targets};
use serde_json::{Value, json};
use std::process::Command;

#[tokio::test(flavor = "multi_thread")]
async fn answers_are_as_described() {
    let Some(python) = rig::program("python") else { return };
    let server = tokio::task::spawn_blocking(Server::start).await.unwrap();
    let catalogue = client(&server);
    let mut node = Node::new(&catalogue, "n1", "site=x");
    node.missing.push(image(2));
    node.beat().await.unwrap();
    for (action, number) in [(Action::Pin, 1), (Action::Queue, 2)] {
        let new = NewJob { action, images: vec![image(number)], nodes: Targets::All(true), priority: 0 };
        catalogue.make_job(&new).await.unwrap();
    }
    node.beat().await.unwrap();
    node.beat().await.unwrap();
    let rule = json!({"match": {"newest": 1}, "window": {"opens": "@daily", "lasts": 60}});
    catalogue.put_rule(&"r".parse().unwrap(), &serde_json::from_value(rule).unwrap()).await.unwrap();
    let asked = tokio::task::spawn_blocking(move || {
        let document = server.get("/larder/v1/openapi.json").json();
        let job = server.get("/larder/v1/jobs").json()["jobs"][0]["id"].as_str().unwrap().to_owned();
        let answers: Vec<Value> = [
            ("/larder/v1/nodes", "NodePage"),
            ("/larder/v1/nodes?limit=1", "NodePage"),
            ("/larder/v1/nodes/n1", "Node"),
            ("/larder/v1/nodes/n1/images", "NodeImages"),
            (&format!("/larder/v1/images/{}/nodes", image(1)), "ImageNodes"),
            ("/larder/v1/jobs", "JobPage"),
            (&format!("/larder/v1/jobs/{job}"), "JobDetail"),
            ("/larder/v1/rules", "RuleSet"),
            ("/larder/v1/changes?since=0", "ChangePage"),
        ]
        .into_iter()
        .map(|(path, schema)| json!({"path": path, "schema": schema, "answer": server.get(path).json()}))
        .collect();
        let refused = server.ask("GET", "/larder/v1/nodes/n2", &[("Accept", "application/json")], b"");
        assert_eq!(refused.status, 404);
        let mut answers = answers;
        answers.push(json!({"path": "404", "schema": "Error", "answer": refused.json()}));
        let file = server.dir.path().join("answers.json");
        std::fs::write(&file, json!({"document": document, "answers": answers}).to_string()).unwrap();
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/fleet/judge_answers.py");
        output(Command::new(python).arg(script).arg(&file))
    });
    let judged = asked.await.unwrap();
    assert!(
        judged.status.success() && text(&judged.stdout).contains("10 answers"),
        "{}{}",
        text(&judged.stdout),
        text(&judged.stderr)
    );
}
