//! `larder node …`, `larder image where` and `prefetch`.

use super::{Node, at, image, name};
use crate::support::{daemon::Catalogue, output, run, text};
use larder::remote::Settings;
use serde_json::{Value, json};
use std::process::Command;

fn json_of(command: &mut Command) -> Value {
    serde_json::from_str(&run(command)).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_fleet_is_steered_from_the_command_line() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().to_owned();
    let centre = tokio::task::spawn_blocking(move || Catalogue::start(&folder, "")).await.unwrap();
    let api = at(&centre.url(), Settings::default());
    let mut lives = Vec::new();
    for (node, labels) in [("n1", "site=x,rack=r1"), ("n2", "site=x,rack=r2"), ("n3", "site=y")] {
        let mut node = Node::new(&api, node, labels);
        node.missing.push(image(9));
        node.beat().await.unwrap();
        lives.push(tokio::spawn(node.live()));
    }
    // One that has gone away a moment ago, and still counts as up.
    Node::new(&api, "gone", "site=z").beat().await.unwrap();
    let steered = tokio::task::spawn_blocking(move || steer(&centre)).await;
    lives.iter().for_each(tokio::task::JoinHandle::abort);
    steered.unwrap();
}

fn steer(centre: &Catalogue) {
    let (one, two, bad) = (image(1).to_string(), image(2).to_string(), image(9).to_string());
    let listed = json_of(&mut centre.larder(&["node", "list", "--nodes", "site=x", "--json"]));
    assert_eq!(
        (listed[0]["name"].as_str(), listed[1]["name"].as_str(), listed.as_array().unwrap().len()),
        (Some("n1"), Some("n2"), 2)
    );
    let table = run(&mut centre.larder(&["node", "list"]));
    assert!(table.contains("| n3 ") && table.contains("rack=r1,site=x") && table.contains("1.0 GiB"), "{table}");

    // Waiting shows how far it is, on standard error; what became of it goes to standard output.
    let waited = output(&mut centre.larder(&["image", "prefetch", &one, &two, "--nodes", "site=x", "--wait"]));
    let (out, told) = (text(&waited.stdout), text(&waited.stderr));
    assert!(waited.status.success() && out.trim_end().ends_with("4 of 4 done"), "{out}{told}");
    assert!(told.contains("of 4 done"), "{told}");
    let holders = json_of(&mut centre.larder(&["image", "where", &one, "--json"]));
    assert_eq!(
        holders.as_array().unwrap().iter().map(|it| it["node"].as_str().unwrap()).collect::<Vec<_>>(),
        ["n1", "n2"]
    );
    assert!(run(&mut centre.larder(&["image", "where", &one])).contains("| n1   | up      | cached"));
    let again = json_of(&mut centre.larder(&["node", "queue", &one, "--nodes", "rack=r1", "--wait", "--json"]));
    assert_eq!(
        (&again["state"], &again["counts"]["existing"], &again["results"][0]["state"]),
        (&json!("done"), &json!(1), &json!("existing"))
    );

    let failed = output(&mut centre.larder(&["node", "queue", &bad, "--node", "n1", "--node", "n3", "--wait"]));
    let out = text(&failed.stdout);
    assert!(
        failed.status.code() == Some(1) && out.contains("the image is not found") && out.contains("2 failed"),
        "{out}"
    );

    run(&mut centre.larder(&["node", "pin", &two, "--node", "n3", "--wait"]));
    let shown = json_of(&mut centre.larder(&["node", "show", "N3", "--json"]));
    assert_eq!(
        (&shown["images"][0]["image"], &shown["images"][0]["pinned"], &shown["labels"]["site"]),
        (&json!(two), &json!(true), &json!("y"))
    );
    assert!(run(&mut centre.larder(&["node", "show", "n3"])).contains("| yes "));
    run(&mut centre.larder(&["node", "remove", &two, "--node", "n3", "--wait"]));
    assert_eq!(json_of(&mut centre.larder(&["node", "show", "n3", "--json"]))["images"], json!([]));

    // Without waiting: the job's id alone.
    let job = run(&mut centre.larder(&["node", "unpin", &one, "--node", "gone"])).trim().to_owned();
    assert_eq!(job.len(), 36, "{job}");
    let cancelled = run(&mut centre.larder(&["node", "job", &job, "--cancel"]));
    assert!(cancelled.contains("0 of 1 done, 1 cancelled"), "{cancelled}");
    assert!(run(&mut centre.larder(&["node", "job"])).contains("cancelled"));
    run(&mut centre.larder(&["node", "forget", name("gone").as_str()]));
    rules(centre);
    refusals(centre, &one);
}

fn rules(centre: &Catalogue) {
    let file = centre.images().parent().unwrap().join("golden.json");
    let rule = json!({"match": {"tags": ["golden"], "newest": 2}, "nodes": "site=x", "pin": true, "budget": 1 << 30});
    std::fs::write(&file, rule.to_string()).unwrap();
    run(&mut centre.larder(&["node", "rules", "put", "golden", "golden.json"]));
    let set = json_of(&mut centre.larder(&["node", "rules", "list", "--json"]));
    assert_eq!(
        (&set["version"], &set["rules"][0]["name"], &set["rules"][0]["pin"]),
        (&json!(1), &json!("golden"), &json!(true))
    );
    assert_eq!(json_of(&mut centre.larder(&["node", "rules", "list", "--node", "n3", "--json"]))["rules"], json!([]));
    assert!(run(&mut centre.larder(&["node", "rules", "list"])).contains("1.0 GiB"));
    std::fs::write(&file, r#"{"match": {"tag": "golden"}}"#).unwrap();
    let refused = output(&mut centre.larder(&["node", "rules", "put", "golden", "golden.json"]));
    assert!(
        refused.status.code() == Some(1) && text(&refused.stderr).contains("unknown field `tag`"),
        "{}",
        text(&refused.stderr)
    );
    run(&mut centre.larder(&["node", "rules", "delete", "golden"]));
}

fn refusals(centre: &Catalogue, one: &str) {
    for (args, code, words) in [
        (&["node", "queue", one][..], 2, "--node <NAME>|--nodes <LABELS>|--all"),
        (&["node", "queue", one, "--all", "--node", "n1"][..], 2, "cannot be used with"),
        (&["node", "queue", one, "--nodes", "site"][..], 1, "NAME=VALUE"),
        (&["node", "queue", one, "--nodes", "site=q"][..], 1, "No node has the labels site=q"),
        (&["node", "queue", "x", "--all"][..], 1, "not an image id"),
        (&["node", "show", "nobody"][..], 1, "does not exist"),
        (&["node", "job", "7"][..], 1, "not a job's id"),
    ] {
        let refused = output(&mut centre.larder(args));
        let told = text(&refused.stderr);
        assert!(refused.status.code() == Some(code) && told.contains(words), "{args:?}: {:?} {told}", refused.status);
    }
}
