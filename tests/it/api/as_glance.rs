//! What the differential runs (`tests/it/differential`) found, each as a plain request.

use super::Server;
use crate::api::access::{As, trusting};
use serde_json::{Value, json};

const NOBODYS: &str = "/v2/images/nonsense";

#[test]
fn what_is_wrong_with_a_body_is_told_before_what_the_id_is() {
    let server = Server::start();
    server.patch("nonsense", &json!([{"op": "add", "path": "/a", "value": 1}])).refuses(400, "does not match schema");
    server.patch("nonsense", &json!([{"op": "add", "path": "/a", "value": "1"}])).refuses(404, "No image found");
    server.ask("PATCH", NOBODYS, &[("Content-Type", "text/plain")], b"[]").refuses(415, "expects Content-Type");
    server.put_file("nonsense", &[("x-openstack-image-size", "x")], b"a").refuses(400, "Invalid or missing image size");
    server.post(&format!("{NOBODYS}/members"), &json!({})).refuses(400, "Member to be added not specified");
    // Values before names.
    server.post("/v2/images", &json!({"deleted": 1})).refuses(400, "1 is not of type 'string'");
    server.post("/v2/images", &json!({"deleted": "x"})).refuses(403, "'deleted' is reserved");
}

#[test]
fn a_missing_image_has_the_words_of_the_route() {
    let server = Server::start();
    for id in ["nonsense", "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69"] {
        let at = format!("/v2/images/{id}");
        server.ask("DELETE", &at, &[], b"").refuses(404, &format!("Failed to find image {id} to delete"));
        server.get(&format!("{at}/members")).refuses(404, &format!("Image {id} not found."));
        server.ask("PUT", &format!("{at}/tags/a"), &[], b"").refuses(404, &format!("Image {id} not found."));
        server.get(&format!("{at}/tasks")).refuses(404, "The resource could not be found.");
        server.get(&format!("{at}/file")).refuses(404, &format!("No image found with ID {id}"));
    }
}

#[test]
fn what_the_policy_hides_is_not_found() {
    let server = trusting("");
    let (owner, idle) = (As::member("p"), As::new("p", "idle"));
    let id = owner.create(&server, json!({}));
    idle.get(&server, &format!("/v2/images/{id}")).refuses(404, "The resource could not be found.");
    idle.get(&server, "/v2/metadefs/namespaces").refuses(404, "The resource could not be found.");
    idle.send(&server, "POST", "/v2/images", &json!({})).refuses(403, "You are not authorized to complete add_image");
    let strange = json!({"owner": "q"});
    owner.send(&server, "POST", "/v2/images", &strange).refuses(403, "not permitted to create images owned by 'q'");
}

/// Nova and Cinder clone from these places with the token of whoever boots the image.
#[test]
fn whoever_sees_an_image_sees_where_its_data_is_when_that_is_shown() {
    let server = trusting("[DEFAULT]\nshow_multiple_locations = true\nshow_image_direct_url = true\n");
    let (owner, other) = (As::member("p"), As::member("q"));
    let id =
        owner.create(&server, json!({"disk_format": "raw", "container_format": "bare", "visibility": "community"}));
    assert_eq!(owner.upload(&server, &id, b"data").status, 204);
    let at = format!("/v2/images/{id}");
    let seen = other.get(&server, &at).json();
    assert_eq!(seen["locations"][0]["url"], seen["direct_url"]);
    assert!(seen["direct_url"].as_str().unwrap().ends_with(&id), "{seen}");
    // Not while it is deactivated.
    let off = format!("{at}/actions/deactivate");
    assert_eq!(owner.ask(&server, ("POST", &off), "", b"").status, 204);
    let seen = other.get(&server, &at).json();
    assert_eq!((&seen["locations"], seen.get("direct_url")), (&json!([]), None));
    assert!(As::admin().get(&server, &at).json()["direct_url"].is_string());
}

#[test]
fn nothing_comes_without_a_type() {
    let server = Server::start();
    let id = server.create(json!({}));
    let file = format!("/v2/images/{id}/file");
    let answer = server.get(&file);
    assert_eq!((answer.status, answer.header("content-type")), (204, None));
    server.ask("GET", &file, &[("Range", "bytes=a-b")], b"").refuses(416, "Invalid Range header");
    server.get(&format!("{file}?prefer=x")).refuses(400, "Store selection for download is not available");
}

#[test]
fn one_direction_holds_for_the_keys_that_are_added() {
    let server = Server::start();
    let ids: Vec<String> = (0..3).map(|_| server.create(json!({"name": "same"}))).collect();
    let listed = |query: &str| -> Vec<String> {
        let page: Value = server.get(&format!("/v2/images?{query}")).json();
        page["images"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    };
    assert_eq!(listed("sort=name:asc"), ids);
    assert_eq!(listed("sort_key=name&sort_dir=asc"), ids);
    let reversed: Vec<String> = ids.iter().rev().cloned().collect();
    assert_eq!(listed("sort=name:asc,size:asc"), reversed, "with several the default holds");
}

#[test]
fn paths_and_links_are_as_pythons() {
    let server = Server::start();
    assert_eq!(server.get("/v2//images").status, 200, "an endpoint may end in a slash");
    let page = server.get("/v2/images?name=a~b*c").json();
    assert_eq!(page["first"], "/v2/images?name=a~b%2Ac");
    server.ask("GET", NOBODYS, &[("Accept", "nonsense")], b"").refuses(404, "<h1>404 Not Found</h1>");
    for (body, words) in [
        (json!({}), "Import request requires a 'method' field."),
        (json!({"method": {}}), "Import request requires a 'name' field."),
        (json!({"method": {"name": 5}}), "Unknown import method name '5'."),
    ] {
        let id = server.create(json!({}));
        server.post(&format!("/v2/images/{id}/import"), &body).refuses(400, words);
    }
}

#[test]
fn letters_that_the_database_cannot_hold_are_named() {
    let server = Server::start();
    let create = |fields: Value| server.post("/v2/images", &fields);
    create(json!({"name": "😀"})).refuses(400, "Name can't contain 4 byte unicode characters.");
    create(json!({"hw:cpu": "😀"})).refuses(400, "Hw:Cpu can't contain 4 byte unicode characters.");
    create(json!({"😀": "x"})).refuses(400, "Property names can't contain 4 byte unicode.");
    let property = json!({"namespace": "n", "properties": {"p": {"title": "😀", "type": "string"}}});
    server.post("/v2/metadefs/namespaces", &property).refuses(400, "Title can't contain 4 byte unicode characters.");
}

#[test]
fn a_marker_of_tasks_that_is_no_uuid_has_words_of_its_own() {
    let server = trusting("");
    let admin = As::admin();
    admin.get(&server, "/v2/tasks?marker=nonsense").refuses(400, "Invalid marker format");
    let unknown = "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69";
    let words = format!("Task with the given id {unknown} was not found");
    admin.get(&server, &format!("/v2/tasks?marker={unknown}")).refuses(400, &words);
}

#[test]
fn only_who_is_known_is_sent_on_to_the_folder() {
    let server = trusting("");
    assert_eq!(server.get("/v2").status, 401);
    let answer = As::member("p").get(&server, "/v2");
    assert_eq!(answer.status, 302);
    assert!(answer.header("location").is_some_and(|it| it.ends_with("/v2/")), "{answer:?}");
}
