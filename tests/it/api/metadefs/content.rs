use super::{delete, made, put};
use serde_json::json;

const TAGS: &str = "/v2/metadefs/namespaces/N/tags";
const PROPERTIES: &str = "/v2/metadefs/namespaces/N/properties";
const OBJECTS: &str = "/v2/metadefs/namespaces/N/objects";

#[test]
pub(crate) fn tags_are_replaced_or_added_to() {
    let server = made("N");
    let names = || server.get(&format!("{TAGS}?sort_key=name&sort_dir=asc")).json()["tags"].to_string();
    let add = json!({"tags": [{"name": "more"}]}).to_string();
    let append = [("Content-Type", "application/json"), ("X-Openstack-Append", "True")];
    assert_eq!(server.ask("POST", TAGS, &append, add.as_bytes()).status, 201);
    assert_eq!(names(), r#"[{"name":"Old"},{"name":"more"},{"name":"new"}]"#);
    server.ask("POST", TAGS, &append, add.as_bytes()).refuses(409, "already exists");
    let replaced = server.post(TAGS, &json!({"tags": [{"name": "b"}, {"name": "a"}]}));
    assert_eq!((replaced.status, replaced.json()), (201, json!({"tags": [{"name": "b"}, {"name": "a"}]})));
    assert_eq!(names(), r#"[{"name":"a"},{"name":"b"}]"#);
    server.post(TAGS, &json!({"tags": [{"name": "x"}, {"name": "X"}]})).refuses(409, "case insensitive");
    assert_eq!(names(), r#"[{"name":"a"},{"name":"b"}]"#);
    assert_eq!(server.post(TAGS, &json!({"tags": []})).status, 201);
    assert_eq!(names(), r#"[{"name":"a"},{"name":"b"}]"#);
    let page = server.get(&format!("{TAGS}?sort_key=name&sort_dir=asc&marker=a&limit=1")).json();
    assert_eq!(page, json!({"tags": [{"name": "b"}]}));
    server.get(&format!("{TAGS}?marker=z")).refuses(404, "Could not find metadata tag z");
    assert_eq!(delete(&server, TAGS).status, 204);
    assert_eq!(names(), "[]");
}

#[test]
pub(crate) fn a_tag_has_one_name_in_any_case() {
    let server = made("N");
    let ask = |method: &str, name: &str| server.ask(method, &format!("{TAGS}/{name}"), &[], b"");
    ask("POST", "OLD").refuses(409, "case insensitive");
    assert_eq!(ask("GET", "old").json()["name"], "Old");
    assert_eq!(ask("POST", "%C3%9Cber").status, 201);
    ask("POST", "%C3%BCber").refuses(409, "case insensitive");
    put(&server, &format!("{TAGS}/new"), &json!({"name": "oLd"})).refuses(409, "case insensitive");
    let renamed = put(&server, &format!("{TAGS}/old"), &json!({"name": "OLD"}));
    assert_eq!((renamed.status, &renamed.json()["name"]), (200, &json!("OLD")));
    assert_eq!(ask("DELETE", "Old").status, 204);
    ask("GET", "old").refuses(404, "Could not find metadata tag old");
    ask("POST", &"n".repeat(81)).refuses(400, "too long");
}

#[test]
pub(crate) fn properties_come_and_go() {
    let server = made("N");
    let disk = json!({"name": "disk", "title": "Disk", "type": "string", "enum": ["a"], "operators": ["<in>"]});
    let made = server.post(PROPERTIES, &disk);
    assert_eq!((made.status, &made.json()["name"]), (201, &json!("disk")));
    server.post(PROPERTIES, &disk).refuses(409, "property with name=disk already exists in namespace=N");
    let all = server.get(PROPERTIES).json();
    assert_eq!(all["properties"].as_object().unwrap().keys().collect::<Vec<_>>(), ["cpus", "disk"]);
    let of = "resource_type=OS::Glance::Image";
    assert_eq!(server.get(&format!("{PROPERTIES}/hw_cpus?{of}")).json()["name"], "cpus");
    server.get(&format!("{PROPERTIES}/cpus?{of}")).refuses(404, "does not start with the expected");
    server.get(&format!("{PROPERTIES}/cpus?resource_type=none")).refuses(404, "name=none, was not found");
    let rename = json!({"name": "cpus", "title": "Disk", "type": "string"});
    put(&server, &format!("{PROPERTIES}/disk"), &rename).refuses(409, "would result in a duplicate");
    let rename = json!({"name": "store", "title": "Disk", "type": "string"});
    assert_eq!(put(&server, &format!("{PROPERTIES}/disk"), &rename).status, 200);
    server.get(&format!("{PROPERTIES}/disk")).refuses(404, "Could not find property disk");
    assert_eq!(delete(&server, &format!("{PROPERTIES}/store")).status, 204);
    assert_eq!(delete(&server, PROPERTIES).status, 204);
    assert_eq!(server.get(PROPERTIES).json(), json!({"properties": {}}));
}

#[test]
pub(crate) fn objects_come_and_go() {
    let server = made("N");
    let made = server.post(OBJECTS, &json!({"name": "bag"}));
    assert_eq!((made.status, made.json().get("required")), (201, None));
    assert_eq!(server.get(&format!("{OBJECTS}/bag")).json()["required"], json!([]));
    server.post(OBJECTS, &json!({"name": "bag"})).refuses(409, "object with name=bag already exists");
    let all = server.get(OBJECTS).json();
    assert_eq!((all["objects"].as_array().unwrap().len(), &all["schema"]), (2, &json!("v2/schemas/metadefs/objects")));
    put(&server, &format!("{OBJECTS}/bag"), &json!({"name": "box"})).refuses(409, "would result in a duplicate");
    assert_eq!(put(&server, &format!("{OBJECTS}/bag"), &json!({"name": "sack", "required": ["a", "b"]})).status, 200);
    assert_eq!(server.get(&format!("{OBJECTS}/sack")).json()["required"], json!(["a", "b"]));
    assert_eq!(delete(&server, &format!("{OBJECTS}/sack")).status, 204);
    delete(&server, &format!("{OBJECTS}/sack")).refuses(404, "Could not find metadata object sack");
    server.get(&format!("{OBJECTS}?limit=0")).refuses(400, "limit param must be positive");
    assert_eq!(delete(&server, OBJECTS).status, 204);
    assert_eq!(server.get(OBJECTS).json()["objects"], json!([]));
}

#[test]
pub(crate) fn a_namespace_is_associated_with_resource_types() {
    let server = made("N");
    let types = "/v2/metadefs/namespaces/N/resource_types";
    let made = server.post(types, &json!({"name": "OS::Cinder::Volume", "properties_target": "image"}));
    assert_eq!((made.status, &made.json()["properties_target"]), (201, &json!("image")));
    server.post(types, &json!({"name": "OS::Cinder::Volume"})).refuses(409, "already exists");
    server.post(types, &json!({"name": "x", "foo": 1})).refuses(400, "Additional properties are not allowed");
    assert_eq!(server.get(types).json()["resource_type_associations"].as_array().unwrap().len(), 3);
    assert_eq!(delete(&server, &format!("{types}/OS::Cinder::Volume")).status, 204);
    delete(&server, &format!("{types}/OS::Cinder::Volume")).refuses(404, "Failed to find resource type");
    delete(&server, types).refuses(405, "is not allowed");
}
