//! `schema-image.json`: properties that a site describes. (Beside a Glance: `beside/schemas.rs`.)

use super::{Server, reload::hang_up};
use crate::support::{larder, output, text};
use serde_json::json;
use std::{fs, path::Path};
use tempfile::TempDir;

const FILE: &str = "schema-image.json";

/// A catalogue whose folder has this file.
fn with(content: &str) -> Server {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join(FILE), content).unwrap();
    let (database, images) = (dir.path().join("catalogue.sqlite"), dir.path().join("images"));
    Server::over(dir, &database, &images, "")
}

/// What a start says that must fail.
fn refusal(dir: &Path) -> String {
    let out = output(larder(&["catalogue", "--config-file"]).arg(dir.join("c.conf")));
    let said = text(&out.stderr);
    assert!(out.status.code() == Some(1) && !said.contains("panicked"), "{:?} {said}", out.status);
    said
}

fn configured() -> TempDir {
    let dir = tempfile::tempdir().unwrap();
    let at = dir.path().display();
    let conf = format!(
        "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = 1\n[database]\nconnection = sqlite:///{at}/c.sqlite\n\
         [glance_store]\nfilesystem_store_datadir = {at}/images\n"
    );
    fs::write(dir.path().join("c.conf"), conf).unwrap();
    dir
}

#[test]
fn a_file_with_an_error_stops_the_start_and_says_where() {
    let dir = configured();
    let file = dir.path().join(FILE);
    for (content, words) in [
        ("", "it is no JSON: EOF while parsing a value at line 1 column 0"),
        ("{\n  \"a\": {\"type\": \"string\"},\n}", "it is no JSON: trailing comma at line 3 column 1"),
        ("[]", "it is no JSON object"),
        (r#"{"properties": []}"#, "its \"properties\" are no object"),
        (r#"{"properties": {}, "required": "a"}"#, "its \"required\" is no list of names"),
        (r#"{"a": 5}"#, "property a is no object"),
        (r#"{"min_ram": {"type": "string"}}"#, "property min_ram is one that every image has"),
        (r#"{"a": {"type": "text"}}"#, "property a: \"text\" is no type"),
        (r#"{"a": {"pattern": "(" }}"#, "the pattern of property a makes no sense"),
        (r#"{"a": {"pattern": 5}}"#, "the pattern of property a is no text"),
        (r#"{"a": {"enum": "x"}}"#, "property a: its \"enum\" is no list"),
        (r#"{"a": {"maxLength": "5"}}"#, "property a: its \"maxLength\" is no number of characters"),
    ] {
        fs::write(&file, content).unwrap();
        let said = refusal(dir.path());
        assert!(said.contains(file.to_str().unwrap()) && said.contains(words), "{content}: {said}");
    }
    fs::remove_file(&file).unwrap();
    fs::create_dir(&file).unwrap();
    let said = refusal(dir.path());
    assert!(said.contains(file.to_str().unwrap()) && said.contains("cannot be read"), "{said}");
}

#[test]
fn new_images_have_what_is_required() {
    let site = json!({"properties": {"tier": {"type": "string"}}, "required": ["tier", "name"]});
    let server = with(&site.to_string());
    for path in ["/v2/schemas/image", "/v2/schemas/images"] {
        let schema = server.get(path).json();
        let schema = schema.pointer("/properties/images/items").unwrap_or(&schema);
        assert_eq!(schema["required"], json!(["tier", "name"]));
        let names: Vec<&String> = schema.as_object().unwrap().keys().collect();
        assert_eq!(names, ["name", "properties", "additionalProperties", "required", "links"]);
    }
    server.post("/v2/images", &json!({"name": "x"})).refuses(400, "'tier' is a required property");
    server.post("/v2/images", &json!({"tier": "x"})).refuses(400, "'name' is a required property");
    let id = server.create(json!({"name": "x", "tier": "gold"}));
    // Changes name what changes (in Glance none is possible then but that of a required property).
    let change = json!([{"op": "add", "path": "/other", "value": "y"}]);
    assert_eq!(server.patch(&id, &change).status, 200);
    let nothing = with(r#"{"properties": {}, "required": []}"#);
    assert!(nothing.get("/v2/schemas/image").json().get("required").is_none());
    nothing.create(json!({}));
}

#[test]
fn what_the_site_describes_may_be_null() {
    let server = with(r#"{"note": {"type": ["null", "string"]}, "word": {"type": "string"}}"#);
    let id = server.create(json!({"note": null}));
    server.post("/v2/images", &json!({"word": null})).refuses(400, "None is not of type 'string'");
    server.post("/v2/images", &json!({"kernel_id": null})).refuses(400, "None is not of type 'string'");
    let null = json!(null);
    assert_eq!(server.get(&format!("/v2/images/{id}")).json().get("note"), Some(&null));
    assert_eq!(server.get("/v2/images").json()["images"][0].get("note"), Some(&null));
    let change = json!([{"op": "add", "path": "/word", "value": "x"}]);
    assert_eq!(server.patch(&id, &change).json().get("note"), Some(&null));
    // Of what nobody describes any more, there is no null.
    fs::write(server.dir.path().join(FILE), "{}").unwrap();
    hang_up(&server, "the configuration is taken over");
    assert_eq!(server.get(&format!("/v2/images/{id}")).json()["note"], "");
}

#[test]
fn a_reload_reads_the_file_again() {
    let server = with(r#"{"tier": {"enum": ["gold"]}}"#);
    let file = server.dir.path().join(FILE);
    let tin = || server.post("/v2/images", &json!({"tier": "tin"}));
    tin().refuses(400, "'tin' is not one of ['gold'] (in 'tier')");
    fs::write(&file, r#"{"tier": {"enum": ["gold", "tin"], "not": {}}}"#).unwrap();
    hang_up(&server, "the configuration is taken over");
    assert_eq!(tin().status, 201);
    let log = server.daemon.log();
    assert!(log.contains("\"not\" is shown in the schema, and not checked"), "{log}");
    assert_eq!(server.get("/v2/schemas/image").json()["properties"]["tier"]["enum"], json!(["gold", "tin"]));
    fs::write(&file, "{").unwrap();
    hang_up(&server, "the configuration stays as it was");
    let log = server.daemon.log();
    assert!(log.contains(FILE) && log.contains("line 1 column 1"), "{log}");
    assert_eq!(tin().status, 201);
    fs::remove_file(&file).unwrap();
    hang_up(&server, "the configuration is taken over");
    assert!(server.get("/v2/schemas/image").json()["properties"].get("kernel_id").is_some());
    assert_eq!(server.post("/v2/images", &json!({"tier": "lead"})).status, 201);
}

/// As oslo.config looks for files: beside the last configuration file first.
#[test]
fn the_last_configuration_files_folder_is_looked_at_first() {
    let dir = configured();
    let other = tempfile::tempdir().unwrap();
    fs::write(other.path().join("more.conf"), "").unwrap();
    fs::write(dir.path().join(FILE), r#"{"a": 5}"#).unwrap();
    fs::write(other.path().join(FILE), r#"{"b": 5}"#).unwrap();
    let (first, last) = (dir.path().join("c.conf"), other.path().join("more.conf"));
    let (first, last) = (first.to_str().unwrap(), last.to_str().unwrap());
    for (files, property) in [([first, last], "property b"), ([last, first], "property a")] {
        let out = output(&mut larder(&["catalogue", "--config-file", files[0], "--config-file", files[1]]));
        assert!(text(&out.stderr).contains(property), "{}", text(&out.stderr));
    }
}
