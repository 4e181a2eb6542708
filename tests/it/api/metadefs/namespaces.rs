use super::{NAMESPACES, delete, full, made, put};
use crate::api::Server;
use serde_json::{Value, json};

#[test]
pub(crate) fn a_namespace_is_made_with_all_that_is_in_it() {
    let server = Server::start();
    let answer = server.post(NAMESPACES, &full("N"));
    assert_eq!(answer.status, 201);
    assert!(answer.header("location").unwrap().ends_with("/v2/metadefs/namespaces/N"));
    let made = answer.json();
    assert_eq!((&made["self"], &made["protected"]), (&json!("/v2/metadefs/namespaces/N"), &json!(false)));
    assert!(made["objects"][0].get("self").is_none() && made.get("description").is_none());
    let shown = server.get("/v2/metadefs/namespaces/N").json();
    assert_eq!(shown["properties"]["cpus"], json!({"type": "integer", "title": "CPUs", "default": "2", "minimum": 1}));
    assert_eq!(shown["objects"][0]["self"], "/v2/metadefs/namespaces/N/objects/box");
    assert_eq!(shown["tags"], json!([{"name": "new"}, {"name": "Old"}]));
    server.post(NAMESPACES, &full("N")).refuses(409, "The metadata definition namespace=N already exists.");
    let types = server.get("/v2/metadefs/resource_types").json();
    assert_eq!(types["resource_types"][1]["name"], "OS::Nova::Flavor");
}

#[test]
pub(crate) fn what_cannot_be_made_whole_is_not_made() {
    let server = Server::start();
    for (field, twice, words) in [
        ("tags", json!([{"name": "a"}, {"name": "A"}]), "tag names are case insensitive"),
        ("objects", json!([{"name": "a"}, {"name": "a"}]), "object with name=a already exists"),
        ("resource_type_associations", json!([{"name": "a"}, {"name": "a"}]), "resource-type=a to namespace=N"),
    ] {
        let mut body = full("N");
        body[field] = twice;
        server.post(NAMESPACES, &body).refuses(409, words);
        server.get("/v2/metadefs/namespaces/N").refuses(404, "Metadata definition namespace=N was not found.");
    }
    assert_eq!(server.get("/v2/metadefs/resource_types").json(), json!({"resource_types": []}));
}

#[test]
pub(crate) fn properties_bear_the_prefix_of_a_resource_type() {
    let server = made("N");
    let shown = server.get("/v2/metadefs/namespaces/N?resource_type=OS::Glance::Image").json();
    assert!(shown["properties"].get("hw_cpus").is_some());
    assert_eq!(shown["objects"][0]["required"], json!(["hw_lid"]));
    let plain = server.get("/v2/metadefs/namespaces/N?resource_type=OS::Nova::Flavor&foo=bar").json();
    assert!(plain["properties"].get("cpus").is_some());
}

#[test]
pub(crate) fn pages_follow_each_other() {
    let server = Server::start();
    for (index, name) in ["c", "a", "e", "b", "d"].into_iter().enumerate() {
        let visibility = if index % 2 == 0 { "public" } else { "private" };
        let body = json!({
            "namespace": name,
            "visibility": visibility,
            "display_name": format!("same {}", index % 2),
            "resource_type_associations": [{"name": format!("T{}", index % 2)}],
        });
        assert_eq!(server.post(NAMESPACES, &body).status, 201);
    }
    let walk = |query: &str| {
        let (mut path, mut names) = (format!("{NAMESPACES}?{query}"), Vec::new());
        loop {
            let page = server.get(&path).json();
            let found = page["namespaces"].as_array().unwrap();
            names.extend(found.iter().map(|it| it["namespace"].as_str().unwrap().to_owned()));
            match page["next"].as_str() {
                Some(next) => next.clone_into(&mut path),
                None => return names.concat(),
            }
        }
    };
    assert_eq!(walk(""), "dbeac");
    assert_eq!(walk("limit=2&sort_key=namespace&sort_dir=asc"), "abcde");
    assert_eq!(walk("limit=1&sort_key=display_name&sort_dir=desc"), "badec");
    assert_eq!(walk("limit=1&sort_key=description&sort_dir=asc"), "caebd");
    assert_eq!(walk("limit=2&visibility=private"), "ba");
    assert_eq!(walk("limit=2&resource_types=T0,nonsense&sort_dir=asc"), "ced");
    let page = server.get(&format!("{NAMESPACES}?limit=1&sort_key=namespace&sort_dir=asc&resource_types=T0,T1")).json();
    assert_eq!(page["next"].as_str().unwrap().split("marker=").nth(1), Some("a"));
    assert_eq!(page["namespaces"][0]["resource_type_associations"][0]["name"], "T1");
    server.get(&format!("{NAMESPACES}?marker=zz")).refuses(404, "namespace=zz was not found");
    server.get(&format!("{NAMESPACES}?limit=x")).refuses(400, "limit param must be an integer");
    server.get(&format!("{NAMESPACES}?sort_key=x")).refuses(400, "Invalid sort key: x");
}

#[test]
pub(crate) fn a_namespace_is_renamed_protected_and_deleted() {
    let server = made("N");
    server.post(NAMESPACES, &json!({"namespace": "other"}));
    let renamed = put(&server, "/v2/metadefs/namespaces/N", &json!({"namespace": "M", "protected": true}));
    assert_eq!((renamed.status, &renamed.json()["display_name"]), (200, &Value::Null));
    server.get("/v2/metadefs/namespaces/N").refuses(404, "was not found");
    let shown = server.get("/v2/metadefs/namespaces/M").json();
    assert_eq!((&shown["visibility"], shown["tags"].as_array().unwrap().len()), (&json!("private"), 2));
    put(&server, "/v2/metadefs/namespaces/M", &json!({"namespace": "other"}))
        .refuses(409, "would result in a duplicate");
    for (path, words) in [
        ("", "namespace M is protected"),
        ("/tags", "namespace M is protected"),
        ("/tags/new", "tag new is protected"),
        ("/objects/box", "object box is protected"),
        ("/properties/cpus", "property cpus is protected"),
        ("/resource_types/OS::Nova::Flavor", "resource-type-association OS::Nova::Flavor is protected"),
    ] {
        delete(&server, &format!("/v2/metadefs/namespaces/M{path}")).refuses(403, words);
    }
    let associations = server.get("/v2/metadefs/namespaces/M/resource_types").json();
    assert_eq!(associations["resource_type_associations"].as_array().unwrap().len(), 2);
    put(&server, "/v2/metadefs/namespaces/M", &json!({"namespace": "M"}));
    assert_eq!(delete(&server, "/v2/metadefs/namespaces/M").status, 204);
    delete(&server, "/v2/metadefs/namespaces/M").refuses(404, "Namespace M not found");
    // Nothing of it is left for a new one of this name.
    assert_eq!(server.post(NAMESPACES, &json!({"namespace": "M"})).status, 201);
    assert!(server.get("/v2/metadefs/namespaces/M").json().get("tags").is_none());
}
