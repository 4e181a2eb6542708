//! Tasks, as rows that Glance left.

use super::{As, trusting};
use crate::api::Server;
use serde_json::{Value, json};

/// A task as Glance writes it; times are microseconds after 2026.
fn leave(server: &Server, id: &str, fields: &[(&str, &str)], input: &str) {
    let of = |name: &str, default: &str| {
        let found = fields.iter().find(|it| it.0 == name).map_or(default, |it| it.1);
        if found == "NULL" { found.to_owned() } else { format!("'{found}'") }
    };
    let created = of("created_at", "2026-01-01 00:00:00.000001");
    let sql = format!(
        "INSERT INTO tasks (id, type, status, owner, expires_at, created_at, updated_at, deleted, image_id, request_id, user_id)
         VALUES ('{id}', 'api_image_import', {}, {}, {}, {created}, {created}, 0, {}, 'req-1', 'u');
         INSERT INTO task_info (task_id, input, result, message) VALUES ('{id}', '{input}', NULL, '')",
        of("status", "pending"),
        of("owner", "p"),
        of("expires_at", "NULL"),
        of("image_id", "NULL"),
    );
    let database = rusqlite::Connection::open(server.dir.path().join("catalogue.sqlite")).unwrap();
    database.execute_batch(&sql).unwrap();
}

fn ids(page: &Value) -> Vec<&str> {
    page["tasks"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap()).collect()
}

#[test]
fn admins_look_at_all_tasks() {
    let server = trusting("");
    let admin = As::admin();
    for (id, at, owner, status) in [("a", 1, "p", "pending"), ("b", 2, "q", "success"), ("c", 3, "p", "success")] {
        let created = format!("2026-01-01 00:00:00.00000{at}");
        leave(
            &server,
            id,
            &[("created_at", &created), ("owner", owner), ("status", status)],
            r#"{"import_from": "x"}"#,
        );
    }
    let list = |query: &str| admin.get(&server, &format!("/v2/tasks{query}")).json();
    let page = list("");
    assert_eq!(ids(&page), ["c", "b", "a"]);
    assert_eq!((page["first"].as_str(), page["schema"].as_str()), (Some("/v2/tasks"), Some("/v2/schemas/tasks")));
    assert!(page["next"].is_null() && page["tasks"][0].get("input").is_none());
    assert_eq!(page["tasks"][0]["self"], "/v2/tasks/c");
    assert_eq!(ids(&list("?sort_key=id&sort_dir=asc")), ["a", "b", "c"]);
    assert_eq!(ids(&list("?status=success&owner=p")), ["c"]);
    for sort in ["created_at", "updated_at", "status", "expires_at", "image_id"] {
        for dir in ["asc", "desc"] {
            let (mut all, mut next) = (Vec::new(), format!("/v2/tasks?limit=1&sort_key={sort}&sort_dir={dir}"));
            while all.len() < 9 {
                let page = admin.get(&server, &next).json();
                all.extend(ids(&page).into_iter().map(str::to_owned));
                match page["next"].as_str() {
                    Some(it) => it.clone_into(&mut next),
                    None => break,
                }
            }
            all.sort();
            assert_eq!(all, ["a", "b", "c"], "{sort} {dir}");
        }
    }
    let one = admin.get(&server, "/v2/tasks/a").json();
    assert_eq!((&one["input"], &one["result"]), (&json!({"import_from": "x"}), &Value::Null));
    assert_eq!((one["owner"].as_str(), one["request_id"].as_str()), (Some("p"), Some("req-1")));
    for (path, status) in [
        ("/v2/tasks/d", 404),
        ("/v2/tasks?marker=d", 400),
        ("/v2/tasks?limit=-1", 400),
        ("/v2/tasks?sort_key=input", 400),
        ("/v2/tasks?sort_dir=up", 400),
        ("/v2/tasks?status=late", 400),
    ] {
        assert_eq!(admin.get(&server, path).status, status, "{path}");
    }
    let owner = As::member("p");
    assert_eq!((owner.get(&server, "/v2/tasks").status, owner.get(&server, "/v2/tasks/a").status), (403, 403));
}

#[test]
fn projects_look_at_their_own_where_the_policy_lets_them() {
    let server = trusting("");
    leave(&server, "a", &[], "{}");
    leave(&server, "b", &[("owner", "q")], "{}");
    leave(&server, "c", &[("expires_at", "2026-01-02 00:00:00.000000")], "{}");
    std::fs::write(server.dir.path().join("policy.yaml"), "tasks_api_access: role:member\n").unwrap();
    let owner = As::member("p");
    crate::support::wait_until("the new rules hold", std::time::Duration::from_secs(60), || {
        owner.get(&server, "/v2/tasks").status == 200
    });
    assert_eq!(ids(&owner.get(&server, "/v2/tasks").json()), ["a"], "what has expired is forgotten");
    assert_eq!((owner.get(&server, "/v2/tasks/a").status, owner.get(&server, "/v2/tasks/b").status), (200, 404));
    assert_eq!(owner.get(&server, "/v2/tasks/c").status, 404);
    assert_eq!(owner.get(&server, "/v2/tasks?marker=b").status, 400);
}

#[test]
fn an_images_tasks_are_for_who_sees_it() {
    let server = trusting("");
    let (owner, stranger) = (As::member("p"), As::member("q"));
    let id = owner.create(&server, json!({}));
    let created = ("created_at", "2026-11-20 09:27:05.218573");
    leave(&server, "a", &[("image_id", &id), created], r#"{"image_id": "x"}"#);
    let path = format!("/v2/images/{id}/tasks");
    let tasks = owner.get(&server, &path).json();
    let task = &tasks["tasks"][0];
    assert_eq!((task["id"].as_str(), task["created_at"].as_str()), (Some("a"), Some("2026-11-20T09:27:05.218573")));
    assert_eq!(
        (&task["deleted"], &task["expires_at"], &task["input"]),
        (&json!(false), &Value::Null, &json!({"image_id": "x"}))
    );
    assert_eq!(stranger.get(&server, &path).status, 404);
}
