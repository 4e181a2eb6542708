//! Policy rules that another server judges, on the real catalogue.

use super::{As, trusting};
use crate::support::{judge::Judge, wait_until};
use serde_json::json;
use std::{fs, time::Duration};

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
