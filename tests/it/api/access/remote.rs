//! Policy rules that another server judges, on the real catalogue.

use super::{As, trusting};
use crate::support::{authority::Authority, judge::Judge, wait_until};
use serde_json::json;
use std::{fs, thread, time::Duration};

#[test]
fn another_server_judges() {
    let (server, judge) = (trusting(""), Judge::start());
    let (owner, other) = (As::member("p"), As::new("p", "member"));
    let id = owner.create(&server, json!({"name": "x", "a": "b"}));
    let image = format!("/v2/images/{id}");
    let rule = |path: &str| format!("http://{}{path}", judge.place());
    let rules = json!({
        "get_image": rule("/reader/%(visibility)s"), "modify_image": rule("/say/%(name)s"),
        "get_images": "@", "delete_image": rule("/say/no"), "add_image": rule("/say/True/%(visibility)s"),
    });
    fs::write(server.dir.path().join("policy.yaml"), rules.to_string()).unwrap();
    wait_until("the new rules hold", Duration::from_secs(60), || {
        owner.get(&server, &image);
        !judge.asked().is_empty()
    });
    assert_eq!(other.get(&server, &image).status, 404);
    assert_eq!(owner.get(&server, &image).status, 200);
    judge.asked();

    owner.set(&server, &id, "/name", &json!("True")).refuses(403, "modify_image");
    let asked = judge.asked();
    let of = |rule: &str| asked.iter().filter(|it| it["fields"]["rule"] == rule).collect::<Vec<_>>();
    let [question] = of("modify_image")[..] else { panic!("{asked:?}") };
    assert_eq!(question["path"], "/say/x");
    let target = &question["fields"]["target"];
    assert_eq!((&target["image_id"], &target["owner"], &target["a"]), (&json!(id), &json!("p"), &json!("b")));
    let credentials = &question["fields"]["credentials"];
    assert_eq!((&credentials["user_id"], &credentials["project_id"]), (&json!("somebody"), &json!("p")));
    assert_eq!(of("get_image")[0]["path"], "/reader/shared");

    owner.delete(&server, &image).refuses(403, "delete_image");
    let made = owner.create(&server, json!({"name": "True"}));
    assert!(judge.asked().iter().any(|it| it["path"] == "/say/True/private"));
    assert_eq!(owner.set(&server, &made, "/name", &json!("y")).status, 200);
    assert_eq!(owner.set(&server, &made, "/name", &json!("z")).status, 403);
    let listed = |who: &As| who.get(&server, "/v2/images").json()["images"].as_array().unwrap().len();
    assert_eq!((listed(&owner), listed(&other)), (2, 0));
    drop(judge);
    assert_eq!(owner.get(&server, &image).status, 404);
}

/// Requests that wait for another server hold nothing that others need.
#[test]
fn no_transaction_waits_for_another_server() {
    let (server, judge) = (trusting("[oslo_policy]\nremote_timeout = 600\n"), Judge::start());
    let (admin, owner) = (As::admin(), As::member("p"));
    let id = owner.create(&server, json!({}));
    let namespace = json!({"namespace": "N", "visibility": "public"});
    assert_eq!(admin.send(&server, "POST", "/v2/metadefs/namespaces", &namespace).status, 201);
    let hang = format!("http://{}/hang", judge.place());
    let rules = ["get_image", "modify_metadef_namespace", "add_metadef_tag", "get_metadef_objects"];
    let rules: serde_json::Map<_, _> = rules.map(|it| (it.to_owned(), json!(hang))).into_iter().collect();
    fs::write(server.dir.path().join("policy.yaml"), json!(rules).to_string()).unwrap();
    let (image, tags) = (format!("/v2/images/{id}"), "/v2/metadefs/namespaces/N/tags/t");
    thread::scope(|scope| {
        let waiting = || -> Vec<_> {
            [
                ("GET", "/v2/images".to_owned(), json!(null)),
                ("GET", format!("{image}/members"), json!(null)),
                ("POST", format!("{image}/members"), json!({"member": "q"})),
                ("GET", format!("{image}/tasks"), json!(null)),
                ("PUT", "/v2/metadefs/namespaces/N".to_owned(), namespace.clone()),
                ("POST", tags.to_owned(), json!(null)),
                ("GET", "/v2/metadefs/namespaces/N/objects".to_owned(), json!(null)),
            ]
            .map(|(method, path, body)| {
                let (who, server) = (if path.contains("metadefs") { &admin } else { &owner }, &server);
                let body = if body.is_null() { String::new() } else { body.to_string() };
                let kind = if body.is_empty() { "" } else { "application/json" };
                scope.spawn(move || (path.clone(), who.ask(server, (method, &path), kind, body.as_bytes()).status))
            })
            .into()
        };
        // Those that come before the new rules are answered at once.
        let mut all = Vec::new();
        wait_until("the new rules hold", Duration::from_secs(60), || {
            all.push(scope.spawn(|| ("/v2/images".to_owned(), owner.get(&server, "/v2/images").status)));
            !judge.asked().is_empty()
        });
        // More than there are connections to the database.
        all = (0..4).flat_map(|_| waiting()).collect();
        let mut asked = 0;
        wait_until("all of them wait", Duration::from_secs(120), || {
            asked += judge.asked().len();
            asked >= all.len()
        });
        for _ in 0..5 {
            owner.create(&server, json!({}));
            assert_eq!(admin.get(&server, "/v2/metadefs/namespaces").status, 200);
            assert_eq!(admin.get(&server, "/v2/tasks").status, 200);
        }
        assert!(all.iter().all(|it| !it.is_finished()), "they still wait");
        drop(judge);
        for one in all {
            let (path, status) = one.join().unwrap();
            let wanted: &[u16] = if path == "/v2/images" { &[200] } else { &[403, 404] };
            assert!(wanted.contains(&status), "{path}: {status}");
        }
    });
}

#[test]
fn the_log_says_which_certificate_is_not_believed() {
    let dir = tempfile::tempdir().unwrap();
    let (Some(good), Some(other)) = (Authority::make(dir.path(), "good"), Authority::make(dir.path(), "other")) else {
        return;
    };
    let judge = Judge::with_tls(good.server("judge", None));
    let believing = |authority: &Authority| {
        let file = authority.file();
        let options = "remote_ssl_verify_server_crt = true\nremote_ssl_ca_crt_file";
        trusting(&format!("[oslo_policy]\n{options} = {}\n", file.display()))
    };
    for (authority, status) in [(&good, 200), (&other, 403)] {
        let (server, owner) = (believing(authority), As::member("p"));
        let rule = json!({"get_images": format!("https://{}/say/True", judge.place())});
        fs::write(server.dir.path().join("policy.yaml"), rule.to_string()).unwrap();
        let denied = "denied, as the server that the policy names does not answer";
        judge.asked();
        wait_until("the new rules hold", Duration::from_secs(60), || {
            owner.get(&server, "/v2/images");
            !judge.asked().is_empty() || server.daemon.log().contains(denied)
        });
        assert_eq!(owner.get(&server, "/v2/images").status, status);
        let log = server.daemon.log();
        let line = log.lines().find(|it| it.contains(denied));
        assert_eq!(line.is_some(), status != 200, "{log}");
        if let Some(line) = line {
            assert!(
                line.contains("get_images") && line.contains(&judge.place()) && line.contains("certificate"),
                "{line}"
            );
        }
    }
}
