//! `/v2/metadefs`

mod client;
pub(crate) mod content;
pub(crate) mod namespaces;
mod standard;

use super::Server;
use serde_json::{Value, json};

const NAMESPACES: &str = "/v2/metadefs/namespaces";

fn put(server: &Server, path: &str, body: &Value) -> super::Answer {
    server.ask("PUT", path, &[("Content-Type", "application/json")], body.to_string().as_bytes())
}

fn delete(server: &Server, path: &str) -> super::Answer {
    server.ask("DELETE", path, &[], b"")
}

/// A namespace with one of everything.
fn full(name: &str) -> Value {
    json!({
        "namespace": name,
        "display_name": "Full",
        "visibility": "public",
        "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_"}, {"name": "OS::Nova::Flavor"}],
        "properties": {"cpus": {"title": "CPUs", "type": "integer", "default": 2, "minimum": 1}},
        "objects": [{"name": "box", "required": ["lid"], "properties": {"lid": {"title": "Lid", "type": "string"}}}],
        "tags": [{"name": "Old"}, {"name": "new"}],
    })
}

fn made(name: &str) -> Server {
    let server = Server::start();
    let answer = server.post(NAMESPACES, &full(name));
    assert_eq!(answer.status, 201, "{}", answer.text());
    server
}
