//! Tasks: made, listed, looked at.

use super::{Both, JSON, Pair};
use crate::api::access::As;
use serde_json::{Value, json};

fn post(pair: &Pair, who: &As, body: &str) -> Both {
    pair.ask(who, ("POST", "/v2/tasks"), JSON, body.as_bytes())
}

#[test]
fn what_is_no_task_is_refused() {
    let Some(pair) = Pair::start() else { return };
    let admin = As::admin();
    for who in super::rights::callers() {
        for body in ["{}", "", "x"] {
            post(&pair, &who, body);
        }
        for (method, path) in [
            ("DELETE", "/v2/tasks/zzz"),
            ("DELETE", "/v2/tasks"),
            ("PATCH", "/v2/tasks"),
            ("PUT", "/v2/tasks/zzz"),
            ("GET", "/v2/tasks/zzz"),
            ("GET", "/v2/tasks?limit=x"),
            ("GET", "/v2/tasks?limit=-1"),
            ("GET", "/v2/tasks?status=bad"),
            ("GET", "/v2/tasks?type=fly"),
            ("GET", "/v2/tasks?sort_dir=up"),
            ("GET", "/v2/tasks?sort_key=zz"),
            ("GET", "/v2/tasks?marker=zz"),
            ("GET", "/v2/tasks?marker=11111111-2222-3333-4444-555555555555"),
        ] {
            pair.ask(&who, (method, path), "", b"");
        }
    }
    for body in ["[]", "5", "null", r#""type input""#] {
        post(&pair, &admin, body);
    }
    for body in [
        json!({"type": "import"}),
        json!({"input": {}}),
        json!({"type": "import", "input": 5}),
        json!({"type": "fly", "input": {}}),
        json!({"type": 5, "input": {}}),
        json!({"type": "import", "input": {}, "more": 1}),
        json!({"type": "import", "input": {"import_from": "http://127.0.0.1/x"}, "id": "zz"}),
        json!({"type": "import", "input": {"import_from": "http://127.0.0.1/x"}, "status": "late"}),
        json!({"type": "import", "input": {"import_from": "http://127.0.0.1/x"}, "owner": 5}),
        json!({"type": "import", "input": null}),
        json!({"type": "import", "input": {}}),
        json!({"type": "import", "input": {"import_from": null}}),
    ] {
        post(&pair, &admin, &body.to_string());
    }
    for from in [
        "file:///etc/passwd",
        "filesystem:///x",
        "swift://a/b",
        "ftp://x/y",
        "",
        "http://",
        "http:///x",
        "HTTP://127.0.0.1/x",
        "http://10.0.0.1/x",
        "http://127.0.0.1:99999/x",
        "http://localhost/x",
        "http://2130706433/x",
        "http://[::1]/",
        "http://127.0.0.1:abc/",
    ] {
        post(&pair, &admin, &json!({"type": "import", "input": {"import_from": from}}).to_string());
    }
    pair.end();
}

/// A task without what differs from one to the next, and from server to server.
fn plain(task: &Value) -> Value {
    let mut task = task.clone();
    for name in ["id", "self", "request_id", "message"] {
        task.as_object_mut().unwrap().remove(name);
    }
    super::plain(task)
}

#[test]
fn a_task_fails_as_glances_does() {
    let Some(pair) = Pair::start() else { return };
    let admin = As::new(&pair.project("admins"), "admin,member,reader");
    let ids =
        |both: &Both| [&both.glance, &both.larder].map(|it| it.json()["id"].as_str().unwrap_or_default().to_owned());
    for body in [
        json!({"type": "import", "input": {"import_from": "http://127.0.0.1:1/x"}}),
        json!({"type": "import", "input": {"import_from": "http://127.0.0.1:1/x", "import_from_format": "raw",
            "image_properties": {"name": "z", "disk_format": "raw", "container_format": "bare"}}}),
        json!({"type": "api_image_import", "input": {}}),
        json!({"type": "location_import", "input": {}}),
        json!({"type": "location_import", "input": {"image_id": "x", "loc_url": "http://127.0.0.1:1/"}}),
    ] {
        // MySQL keeps whole seconds: tasks of the same one would have no order.
        std::thread::sleep(std::time::Duration::from_millis(1100));
        let made = pair.ask_freely(&admin, ("POST", "/v2/tasks"), JSON, body.to_string().as_bytes());
        if made.glance.status >= 500 {
            return;
        }
        assert_eq!((made.glance.status, made.larder.status), (201, 201), "{}", made.print());
        assert_eq!(plain(&made.larder.json()), plain(&made.glance.json()));
        let [glance, larder] = ids(&made);
        assert!(made.larder.header("location").is_some_and(|it| it.ends_with(&format!("/v2/tasks/{larder}"))));
        let end = |id: &str| pair.ask_freely(&admin, ("GET", &format!("/v2/tasks/{id}")), "", b"");
        if !pair.glance_is_done(|| end(&glance).glance.json()["status"] == "failure") {
            return;
        }
        assert_eq!(plain(&end(&larder).larder.json()), plain(&end(&glance).glance.json()));
        let words = end(&larder).larder.json()["message"].as_str().unwrap().to_owned();
        let glances = end(&glance).glance.json()["message"].as_str().unwrap().to_owned();
        assert!(words == glances || glances.contains("Internal Error"), "{words} / {glances}");
    }
    // The same tasks of this project, in the same order.
    let owner = pair.project("admins");
    for query in ["", "&sort_key=type&sort_dir=asc", "&status=failure", "&status=success", "&type=import", "&limit=2"] {
        let path = format!("/v2/tasks?owner={owner}{query}");
        let both = pair.ask_freely(&admin, ("GET", &path), "", b"");
        if both.glance.status >= 500 {
            return;
        }
        let list =
            |it: &crate::api::Answer| it.json()["tasks"].as_array().unwrap().iter().map(plain).collect::<Vec<_>>();
        assert_eq!(list(&both.larder), list(&both.glance), "{path}");
        assert_eq!(both.larder.json()["first"], both.glance.json()["first"]);
        assert_eq!(both.larder.json().get("next").is_some(), both.glance.json().get("next").is_some(), "{path}");
    }
}
