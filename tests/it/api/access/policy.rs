//! Policy files, protected properties and the callers that no login names.

use super::{As, trusting};
use crate::{api::Server, support::wait_until};
use serde_json::json;
use std::{fs, time::Duration};

#[test]
fn who_is_not_known_is_refused() {
    let server = trusting("");
    let id = As::member("p").create(&server, json!({}));
    for path in ["/v2/images", &format!("/v2/images/{id}"), "/v2/schemas/image", "/v2/nowhere", "/v2/"] {
        let answer = server.get(path);
        answer.refuses(401, "could not verify that you are authorized");
        assert_eq!(answer.header("x-openstack-request-id"), None, "{path}");
    }
    assert_eq!(server.get("/versions").status, 200);
    assert_eq!(server.get("/").status, 300);
    assert_eq!(server.get("/healthcheck").status, 200);
    // Headers that nobody vouches for say nothing.
    let far = Server::with("[paste_deploy]\nflavor = trusted-auth\ntrusted_peers = 192.0.2.0/24\n");
    assert_eq!(As::admin().get(&far, "/v2/images").status, 401);
}

#[test]
fn anonymous_callers_look_at_most() {
    let server = trusting("[DEFAULT]\nallow_anonymous_access = true\n");
    assert_eq!(server.get("/v2/images").status, 403, "nobody's roles may list");
    server.post("/v2/images", &json!({})).refuses(403, "Read-only access");
    assert_eq!(server.get("/v2/schemas/image").status, 200);
}

#[test]
fn rules_are_taken_up_while_it_runs() {
    let server = trusting("");
    let (owner, reader) = (As::member("p"), As::reader("p"));
    let id = owner.create(&server, json!({"name": "x"}));
    let image = format!("/v2/images/{id}");
    assert_eq!(reader.set(&server, &id, "/name", &json!("y")).status, 403);
    assert_eq!(owner.set(&server, &id, "/name", &json!("y")).status, 200);
    let policy = server.dir.path().join("policy.yaml");
    fs::write(&policy, "modify_image: role:reader and project_id:%(project_id)s\nget_image: role:member\n").unwrap();
    wait_until("the new rules hold", Duration::from_secs(60), || {
        reader.set(&server, &id, "/name", &json!("z")).status == 200
    });
    assert_eq!(reader.get(&server, &image).status, 404, "what is not to be looked at is not there");
    assert_eq!(reader.delete(&server, &image).status, 404);
    assert_eq!(owner.get(&server, &image).json()["name"], "z");
    // What the policy hides is not listed, and pages are full nevertheless.
    fs::write(&policy, "get_image: \"'x':%(name)s\"\n").unwrap();
    for name in ["x", "y", "y", "y", "x", "y", "x"] {
        owner.create(&server, json!({"name": name}));
    }
    wait_until("the new rules hold", Duration::from_secs(60), || owner.get(&server, &image).status == 404);
    let page = owner.get(&server, "/v2/images?limit=2&sort=created_at:asc").json();
    assert_eq!(page["images"].as_array().unwrap().len(), 2, "{page}");
    let page = owner.get(&server, page["next"].as_str().unwrap()).json();
    assert_eq!(page["images"].as_array().unwrap().len(), 1, "{page}");
    assert!(page["next"].is_null(), "{page}");
}

#[test]
fn protected_properties_are_what_their_file_says() {
    let dir = tempfile::tempdir().unwrap();
    let file = dir.path().join("protections.conf");
    let rules = "[^billing_.*]\ncreate = admin\nread = admin,member\nupdate = admin\ndelete = admin\n\
                 [^secret$]\ncreate = admin\nread = admin\nupdate = admin\ndelete = admin\n\
                 [.*]\ncreate = @\nread = @\nupdate = @\ndelete = @\n";
    fs::write(&file, rules).unwrap();
    let server = trusting(&format!("[DEFAULT]\nproperty_protection_file = {}\n", file.display()));
    let (admin, owner) = (As::admin(), As::member("p"));
    owner.send(&server, "POST", "/v2/images", &json!({"billing_code": "1"})).refuses(403, "'billing_code' is reserved");
    let id = owner.create(&server, json!({"free": "1"}));
    let add = |who: &As, name: &str| {
        who.patch(&server, &id, &json!([{"op": "add", "path": format!("/{name}"), "value": "2"}])).status
    };
    assert_eq!((add(&owner, "billing_code"), add(&owner, "secret"), add(&owner, "free")), (403, 403, 200));
    assert_eq!((add(&admin, "billing_code"), add(&admin, "secret")), (200, 200));
    assert_eq!(add(&owner, "secret"), 403, "not even by writing over it");
    let remove = |name: &str| owner.patch(&server, &id, &json!([{"op": "remove", "path": format!("/{name}")}])).status;
    assert_eq!((remove("billing_code"), remove("free")), (403, 200));
    // Whether there is one is not told either.
    let answers = ["secret", "secret_too"].map(|name| {
        let path = format!("/{name}");
        let replaced = owner.patch(&server, &id, &json!([{"op": "replace", "path": path, "value": "3"}]));
        let removed = owner.patch(&server, &id, &json!([{"op": "remove", "path": path}]));
        [(replaced.status, replaced.text().replace(name, "")), (removed.status, removed.text().replace(name, ""))]
    });
    assert_eq!(answers[0], answers[1]);
    assert_eq!((answers[0][0].0, answers[0][1].0), (409, 409));

    let image = owner.get(&server, &format!("/v2/images/{id}")).json();
    assert_eq!((image["billing_code"].as_str(), image.get("secret")), (Some("2"), None));
    assert_eq!(owner.set(&server, &id, "/name", &json!("n")).json().get("secret"), None);
    assert!(!owner.get(&server, "/v2/images").text().contains("secret"));
    assert!(As::reader("p").get(&server, &format!("/v2/images/{id}")).json().get("billing_code").is_none());
    // Nor is the value told by what a filter finds.
    assert_eq!(owner.list(&server, "secret=2"), Vec::<String>::new());
    assert_eq!(admin.list(&server, "secret=2"), std::slice::from_ref(&id));
    assert_eq!(admin.get(&server, &format!("/v2/images/{id}")).json()["secret"], "2");
}

#[test]
fn visibility_and_owner_have_rules_of_their_own() {
    let server = trusting("");
    let (admin, owner, reader) = (As::admin(), As::member("p"), As::reader("p"));
    let make = |who: &As, fields| who.send(&server, "POST", "/v2/images", &fields);
    make(&owner, json!({"visibility": "public"})).refuses(403, "publicize_image");
    assert_eq!(make(&owner, json!({"visibility": "community"})).status, 201);
    make(&reader, json!({})).refuses(403, "add_image");
    assert_eq!(make(&owner, json!({"owner": "q"})).status, 403);
    assert_eq!(make(&admin, json!({"owner": "q", "visibility": "public"})).json()["owner"], "q");
    let id = owner.create(&server, json!({}));
    owner.set(&server, &id, "/owner", &json!("q")).refuses(403, "Owner can't be updated by non admin.");
    assert_eq!(admin.set(&server, &id, "/owner", &json!("q")).status, 200);
    assert_eq!(owner.get(&server, &format!("/v2/images/{id}")).status, 404);
    assert_eq!(owner.patch(&server, &owner.create(&server, json!({})), &json!([])).status, 200);
    owner.get(&server, "/v2/tasks").refuses(403, "tasks_api_access");
    assert_eq!(admin.get(&server, "/v2/tasks").status, 200);
}

#[test]
fn an_image_of_no_stated_visibility_is_judged_as_a_private_one() {
    let server = trusting("");
    let owner = As::member("p");
    let policy = server.dir.path().join("policy.yaml");
    let makes = |fields: serde_json::Value| owner.send(&server, "POST", "/v2/images", &fields);
    for (rule, unsaid, private, shared) in [("private", 201, 201, 403), ("shared", 403, 403, 201)] {
        fs::write(&policy, format!("add_image: \"'{rule}':%(visibility)s\"\n")).unwrap();
        wait_until("the new rule holds", Duration::from_secs(60), || {
            makes(json!({"visibility": "shared"})).status == shared
                && makes(json!({"visibility": "private"})).status == private
        });
        let answer = makes(json!({}));
        assert_eq!(answer.status, unsaid, "{rule}: {answer:?}");
        if unsaid == 201 {
            assert_eq!(answer.json()["visibility"], "shared");
        }
    }
}
