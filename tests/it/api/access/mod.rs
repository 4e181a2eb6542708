//! Who may do what, on the real catalogue.

mod cache;
mod clients;
mod expiry;
mod keystone;
mod limits;
mod matrix;
pub(crate) mod members;
mod policy;
mod remote;
mod scopes;
pub(crate) mod signatures;
mod tasks;
pub(crate) mod tenancy;

pub(crate) use keystone::{behind, behind_with};

use super::{Answer, Server};
use serde_json::{Value, json};

/// A catalogue that believes what the tests' requests say of their callers.
pub(super) fn trusting(more: &str) -> Server {
    Server::with(&format!("[paste_deploy]\nflavor = trusted-auth\ntrusted_peers = 127.0.0.1\n{more}"))
}

/// Somebody, as a proxy in front would name them.
#[derive(Clone, Debug)]
pub(super) struct As {
    project: String,
    roles: String,
}

impl As {
    pub(super) fn new(project: &str, roles: &str) -> Self {
        Self { project: project.to_owned(), roles: roles.to_owned() }
    }

    /// A member of a project, who is a reader by implication.
    pub(super) fn member(project: &str) -> Self {
        Self::new(project, "member,reader")
    }

    pub(super) fn reader(project: &str) -> Self {
        Self::new(project, "reader")
    }

    pub(super) fn admin() -> Self {
        Self::new("admins", "admin,member,reader")
    }

    pub(super) fn ask(&self, server: &Server, (method, path): (&str, &str), kind: &str, body: &[u8]) -> Answer {
        server.ask(method, path, &self.headers(kind), body)
    }

    /// Who asks, and what comes with it (if anything).
    pub(super) fn headers<'a>(&'a self, kind: &'a str) -> Vec<(&'a str, &'a str)> {
        let mut headers = vec![
            ("X-Identity-Status", "Confirmed"),
            ("X-User-Id", "somebody"),
            ("X-Project-Id", self.project.as_str()),
            ("X-Roles", self.roles.as_str()),
        ];
        if !kind.is_empty() {
            headers.push(("Content-Type", kind));
        }
        headers
    }

    pub(super) fn get(&self, server: &Server, path: &str) -> Answer {
        self.ask(server, ("GET", path), "", b"")
    }

    pub(super) fn delete(&self, server: &Server, path: &str) -> Answer {
        self.ask(server, ("DELETE", path), "", b"")
    }

    pub(super) fn send(&self, server: &Server, method: &str, path: &str, body: &Value) -> Answer {
        self.ask(server, (method, path), "application/json", body.to_string().as_bytes())
    }

    /// `replace` of one attribute.
    pub(super) fn set(&self, server: &Server, id: &str, path: &str, value: &Value) -> Answer {
        self.patch(server, id, &json!([{"op": "replace", "path": path, "value": value}]))
    }

    pub(super) fn patch(&self, server: &Server, id: &str, body: &Value) -> Answer {
        let kind = "application/openstack-images-v2.1-json-patch";
        self.ask(server, ("PATCH", &format!("/v2/images/{id}")), kind, body.to_string().as_bytes())
    }

    pub(super) fn upload(&self, server: &Server, id: &str, data: &[u8]) -> Answer {
        self.ask(server, ("PUT", &format!("/v2/images/{id}/file")), "application/octet-stream", data)
    }

    /// The id of a new image with these fields.
    pub(super) fn create(&self, server: &Server, fields: Value) -> String {
        let answer = self.send(server, "POST", "/v2/images", &fields);
        assert_eq!(answer.status, 201, "{answer:?} {}", answer.text());
        answer.json()["id"].as_str().unwrap().to_owned()
    }

    /// The ids of a listing.
    pub(super) fn list(&self, server: &Server, query: &str) -> Vec<String> {
        let answer = self.get(server, &format!("/v2/images?{query}"));
        assert_eq!(answer.status, 200, "{answer:?}");
        let page = answer.json();
        page["images"].as_array().unwrap().iter().map(|it| it["id"].as_str().unwrap().to_owned()).collect()
    }
}
