use super::Server;
use crate::support::{output, rig, skip, text};
use std::process::Command;

/// The real `glance`, all of its verbs of metadata definitions.
#[test]
fn the_glance_client_makes_shows_and_deletes_definitions() {
    let Some(venv) = rig::venv() else {
        skip("tests/setup has not been run: no glance client");
        return;
    };
    let server = Server::start();
    let with = |line: &str, schema: &str, words: &str| {
        let mut command = Command::new(venv.join("bin/glance"));
        command.env_clear().env("HOME", server.dir.path()).env("PYTHONWARNINGS", "ignore");
        command.args(["--os-image-url", &format!("http://{}", server.address), "--os-auth-token", "none"]);
        command.args(line.split(' '));
        if !schema.is_empty() {
            command.args(["--schema", schema]);
        }
        let out = output(&mut command);
        let said = text(&out.stdout) + &text(&out.stderr);
        assert!(out.status.success() && said.contains(words), "{line}: {said}");
    };
    let glance = |line: &str, words: &str| with(line, "", words);
    glance("md-namespace-create N --visibility public --display-name Name", "Name");
    glance("md-resource-type-associate N --name OS::Glance::Image --prefix hw_", "hw_");
    with("md-property-create N --name p --title Title --type string", r#"{"enum": ["a"]}"#, "Title");
    with("md-object-create N --name o", r#"{"properties": {"q": {"title": "Q", "type": "string"}}}"#, "o");
    glance("md-tag-create N --name t", "t");
    glance("md-tag-create-multiple N --names a,b --delim ,", "b");
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
        glance(line, words);
    }
    server.get("/v2/metadefs/namespaces/M").refuses(404, "was not found");
}
