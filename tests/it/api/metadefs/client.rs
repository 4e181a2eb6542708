use super::Server;
use crate::{
    clients::drive::Driver,
    support::{rig, skip},
};
use std::collections::BTreeMap;

/// The real `glance`, all of its verbs of metadata definitions.
#[test]
fn the_glance_client_makes_shows_and_deletes_definitions() {
    if rig::venv().is_none() {
        skip("tests/setup has not been run: no glance client");
        return;
    }
    let server = Server::start();
    let url = format!("http://{}", server.address);
    let mut client = Driver::with("glance", server.dir.path(), BTreeMap::new());
    let mut with = |line: &str, schema: &str, words: &str| {
        let mut args = vec!["--os-image-url", &url, "--os-auth-token", "none"];
        args.extend(line.split(' '));
        if !schema.is_empty() {
            args.extend(["--schema", schema]);
        }
        let ended = client.run(&args);
        assert!(ended.code == 0 && format!("{}{}", ended.out, ended.err).contains(words), "{line}: {ended:?}");
    };
    with("md-namespace-create N --visibility public --display-name Name", "", "Name");
    with("md-resource-type-associate N --name OS::Glance::Image --prefix hw_", "", "hw_");
    with("md-property-create N --name p --title Title --type string", r#"{"enum": ["a"]}"#, "Title");
    with("md-object-create N --name o", r#"{"properties": {"q": {"title": "Q", "type": "string"}}}"#, "o");
    with("md-tag-create N --name t", "", "t");
    with("md-tag-create-multiple N --names a,b --delim ,", "", "b");
    for (line, words) in [
        ("md-namespace-list", "N"),
        ("md-namespace-show N --resource-type OS::Glance::Image", "hw_p"),
        ("md-namespace-resource-type-list N", "OS::Glance::Image"),
        ("md-resource-type-list", "OS::Glance::Image"),
        ("md-property-list N", "Title"),
        ("md-property-show N p", "Title"),
        ("md-object-list N", "o"),
        ("md-object-show N o", "q"),
        ("md-object-property-show N o q", "Q"),
        ("md-tag-list N", "b"),
        ("md-tag-show N A", "a"),
        ("md-tag-update N a --name z", "z"),
        ("md-namespace-update N --namespace M --visibility private", "private"),
        ("md-tag-delete M z", ""),
        ("md-namespace-tags-delete M", ""),
        ("md-namespace-objects-delete M", ""),
        ("md-namespace-properties-delete M", ""),
        ("md-resource-type-deassociate M OS::Glance::Image", ""),
        ("md-namespace-delete M", ""),
    ] {
        with(line, "", words);
    }
    server.get("/v2/metadefs/namespaces/M").refuses(404, "was not found");
}
