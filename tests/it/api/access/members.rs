//! Members, from the first sharing to the last.

use super::{As, trusting};
use serde_json::json;

#[test]
pub(crate) fn an_image_is_offered_taken_and_taken_back() {
    let server = trusting("");
    let (owner, friend, stranger) = (As::member("p"), As::member("friend"), As::member("stranger"));
    let id = owner.create(&server, json!({"name": "x"}));
    let members = format!("/v2/images/{id}/members");
    let own = format!("{members}/friend");

    let made = owner.send(&server, "POST", &members, &json!({"member": "friend"}));
    assert_eq!(made.status, 200);
    let made = made.json();
    assert_eq!(
        (made["member_id"].as_str(), made["image_id"].as_str(), made["status"].as_str(), made["schema"].as_str()),
        (Some("friend"), Some(id.as_str()), Some("pending"), Some("/v2/schemas/member"))
    );
    assert!(made["created_at"].as_str().unwrap().ends_with('Z') && made["updated_at"].is_string());
    owner.send(&server, "POST", &members, &json!({"member": "friend"})).refuses(409, "Member friend is duplicated");
    owner.send(&server, "POST", &members, &json!({"member": "other"}));

    let list = owner.get(&server, &members).json();
    assert_eq!((list["members"].as_array().unwrap().len(), list["schema"].as_str()), (2, Some("/v2/schemas/members")));
    let list = friend.get(&server, &members).json();
    assert_eq!(list["members"], json!([made]), "a member sees itself only");
    assert_eq!(stranger.get(&server, &members).status, 404);
    assert_eq!(friend.get(&server, &own).json(), made);
    assert_eq!(friend.get(&server, &format!("{members}/other")).status, 404);

    assert!(!friend.list(&server, "").contains(&id));
    assert!(friend.list(&server, "member_status=pending").contains(&id));
    assert_eq!(owner.send(&server, "PUT", &own, &json!({"status": "accepted"})).status, 403);
    assert_eq!(friend.send(&server, "PUT", &own, &json!({"status": "accepted"})).json()["status"], "accepted");
    assert!(friend.list(&server, "").contains(&id));
    assert!(friend.list(&server, "visibility=shared&member_status=all").contains(&id));
    assert!(!friend.list(&server, "member_status=rejected").contains(&id));

    // Out of sight while the image is not shared, and back again.
    assert_eq!(owner.set(&server, &id, "/visibility", &json!("private")).status, 200);
    assert_eq!(friend.get(&server, &format!("/v2/images/{id}")).status, 404);
    owner.get(&server, &members).refuses(403, "Only shared images have members");
    assert_eq!(owner.get(&server, &own).status, 404);
    assert_eq!(owner.set(&server, &id, "/visibility", &json!("shared")).status, 200);
    assert!(friend.list(&server, "").contains(&id));

    assert_eq!(friend.delete(&server, &own).status, 403);
    assert_eq!(owner.delete(&server, &own).status, 204);
    assert_eq!(owner.delete(&server, &own).status, 404);
    assert_eq!(friend.get(&server, &format!("/v2/images/{id}")).status, 404);
    // A second time begins anew.
    let again = owner.send(&server, "POST", &members, &json!({"member": "friend"}));
    assert_eq!((again.status, again.json()["status"].as_str()), (200, Some("pending")));
}

#[test]
pub(crate) fn what_is_no_member_is_refused() {
    let server = trusting("");
    let owner = As::member("p");
    let id = owner.create(&server, json!({}));
    let members = format!("/v2/images/{id}/members");
    for (body, words) in [
        ("", "Body expected in request."),
        ("{", "Malformed JSON"),
        ("[]", "Expected a member in the form"),
        ("{}", "Member to be added not specified"),
        (r#"{"member": ""}"#, "Member can't be empty"),
        (r#"{"member": 5}"#, "Expected a member in the form"),
        (r#"{"member": "😀"}"#, "4 byte"),
    ] {
        owner.ask(&server, ("POST", &members), "application/json", body.as_bytes()).refuses(400, words);
    }
    assert_eq!(owner.send(&server, "POST", &members, &json!({"member": "x".repeat(256)})).status, 400);
    owner.send(&server, "POST", &members, &json!({"member": "friend"}));
    let own = format!("{members}/friend");
    let friend = As::member("friend");
    for (body, words) in [
        ("{}", "Status not specified"),
        ("[]", "Expected a status in the form"),
        (r#"{"status": "maybe"}"#, "Incorrect request: Status must be"),
        (r#"{"status": null}"#, "Incorrect request"),
    ] {
        friend.ask(&server, ("PUT", &own), "application/json", body.as_bytes()).refuses(400, words);
    }
    let nowhere = "/v2/images/9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69/members";
    assert_eq!(owner.get(&server, nowhere).status, 404);
    assert_eq!(owner.ask(&server, ("PATCH", &own), "", b"").status, 405);
}

#[test]
pub(crate) fn members_are_counted() {
    let server = trusting("[DEFAULT]\nimage_member_quota = 2\n");
    let owner = As::member("p");
    let id = owner.create(&server, json!({}));
    let members = format!("/v2/images/{id}/members");
    let share = |project: &str| owner.send(&server, "POST", &members, &json!({"member": project}));
    assert_eq!((share("a").status, share("b").status), (200, 200));
    share("c").refuses(413, "Attempted: 3, Maximum: 2");
    assert_eq!(owner.delete(&server, &format!("{members}/a")).status, 204);
    assert_eq!(share("c").status, 200);
}
