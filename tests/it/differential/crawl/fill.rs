//! Something of every kind, made through the API of the server that runs.

use super::super::{request::Request, values::encoded};
use super::{Site, Who};
use crate::api::Answer;
use serde_json::{Value, json};
use std::{thread, time::Duration};

const PATCH: &str = "application/openstack-images-v2.1-json-patch";

/// Makes things, and knows what it has made.
pub(super) struct Filler<'a> {
    site: &'a Site,
    /// What names begin with.
    mark: &'static str,
    /// Images that another server may change, by what they are.
    images: Vec<(&'static str, String)>,
}

/// The smallest QCOW2 that is one: 1 MiB without data.
fn qcow2() -> Vec<u8> {
    let mut data = vec![0; 64 << 10];
    data[..4].copy_from_slice(b"QFI\xfb");
    data[7] = 3;
    data[23] = 16;
    data[24..32].copy_from_slice(&(1_u64 << 20).to_be_bytes());
    data[39] = 1;
    data[100..104].copy_from_slice(&104_u32.to_be_bytes());
    data
}

// === impl Filler ===

impl<'a> Filler<'a> {
    pub(super) fn new(site: &'a Site, mark: &'static str) -> Self {
        Self { site, mark, images: Vec::new() }
    }

    /// Sends it; it must be done.
    #[track_caller]
    fn done(&self, request: Request) -> Answer {
        let answer = self.site.ask(&request);
        assert!(answer.status < 300, "{request}: {} {}", answer.status, answer.text());
        answer
    }

    fn json(&self, who: Who, method: &str, path: &str, body: &Value) -> Value {
        let answer = self.done(Request::new(who, method, path).json(body));
        serde_json::from_slice(&answer.body).unwrap_or_default()
    }

    fn act(&self, who: Who, method: &str, path: &str) {
        self.done(Request::new(who, method, path));
    }

    /// A new image with these fields; its id.
    fn image(&mut self, who: Who, what: &'static str, fields: Value) -> String {
        let mut body = json!({"name": format!("{}-{what}", self.mark)});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let id = self.json(who, "POST", "/v2/images", &body)["id"].as_str().unwrap().to_owned();
        self.images.push((what, id.clone()));
        id
    }

    /// Likewise, of format raw, with data.
    fn full(&mut self, who: Who, what: &'static str, fields: Value) -> String {
        let mut body = json!({"disk_format": "raw", "container_format": "bare"});
        body.as_object_mut().unwrap().extend(fields.as_object().unwrap().clone());
        let id = self.image(who, what, body);
        self.upload(who, &id, format!("the data of {what} by {}", self.mark).repeat(50).as_bytes());
        id
    }

    fn upload(&self, who: Who, id: &str, data: &[u8]) {
        let path = format!("/v2/images/{id}/file");
        self.done(Request::new(who, "PUT", path).body("application/octet-stream", data.to_vec()));
    }

    fn patch(&self, who: Who, id: &str, changes: &Value) {
        let body = changes.to_string().into_bytes();
        self.done(Request::new(who, "PATCH", format!("/v2/images/{id}")).body(PATCH, body));
    }

    /// What `of` was made as.
    fn id(&self, what: &str) -> &str {
        &self.images.iter().find(|it| it.0 == what).unwrap().1
    }

    /// Makes something of every kind.
    pub(super) fn fill(&mut self) {
        self.states();
        self.fields();
        self.members();
        self.metadefs();
        self.task();
    }

    /// Every visibility and every status that can be had by asking.
    fn states(&mut self) {
        for visibility in ["private", "shared", "community", "public"] {
            let who = if visibility == "public" { Who::Admin } else { Who::Member };
            self.full(who, visibility, json!({"visibility": visibility}));
            self.image(who, "queued", json!({"visibility": visibility}));
        }
        let id = self.full(Who::Member, "deactivated", json!({"visibility": "community"}));
        self.act(Who::Admin, "POST", &format!("/v2/images/{id}/actions/deactivate"));
        let id = self.full(Who::Member, "reactivated", json!({}));
        self.act(Who::Admin, "POST", &format!("/v2/images/{id}/actions/deactivate"));
        self.act(Who::Admin, "POST", &format!("/v2/images/{id}/actions/reactivate"));
        let id = self.full(Who::Member, "deleted", json!({"tags": ["first"], "words": "gone"}));
        self.act(Who::Member, "DELETE", &format!("/v2/images/{id}"));
        self.full(Who::Member, "hidden", json!({"os_hidden": true, "visibility": "community"}));
        self.full(Who::Member, "protected", json!({"protected": true}));
        let id = self.image(Who::Member, "empty", json!({"disk_format": "raw", "container_format": "bare"}));
        self.upload(Who::Member, &id, b"");
    }

    /// Formats, and values of all fields.
    fn fields(&mut self) {
        let id = self.image(Who::Member, "qcow2", json!({"disk_format": "qcow2", "container_format": "bare"}));
        self.upload(Who::Member, &id, &qcow2());
        for format in ["aki", "ari", "ami"] {
            let id = self.image(Who::Member, format, json!({"disk_format": format, "container_format": format}));
            self.upload(Who::Member, &id, format.as_bytes());
        }
        for format in ["vhd", "vmdk", "vdi", "iso", "ploop"] {
            self.image(Who::Member, format, json!({"disk_format": format, "container_format": "ovf"}));
        }
        self.full(
            Who::Member,
            "plain",
            json!({"tags": ["first", "second", "ünïcödé", "a b"], "min_disk": 3, "min_ram": 2_147_483_647, "os_distro": "linux",
                "architecture": "x86_64", "description": "", "words": "", "ünïcödé": "漢字 ☃", "UPPER": "Case",
                "long": "x".repeat(3000), "hw_rng_model": "virtio", "kernel_id": null}),
        );
        self.image(Who::Member, "unicode", json!({"name": "ünïcödé 漢字", "tags": ["<b>&\"'</b>"]}));
        self.image(Who::Member, "nameless", json!({"name": null}));
        self.image(Who::Member, "empty-name", json!({"name": ""}));
        self.image(Who::Member, "long-name", json!({"name": "é".repeat(255)}));
        let id = self.full(Who::Member, "patched", json!({"tags": ["first", "second"], "words": "old", "more": "old"}));
        let owner = self.site.tokens.projects[1].clone();
        self.patch(
            Who::Member,
            &id,
            &json!([{"op": "replace", "path": "/words", "value": "new"}, {"op": "remove", "path": "/more"},
                {"op": "add", "path": "/another", "value": "x"}, {"op": "replace", "path": "/tags", "value": ["third"]},
                {"op": "replace", "path": "/min_ram", "value": 7}]),
        );
        self.patch(Who::Member, &id, &json!([{"op": "add", "path": "/more", "value": "again"}]));
        self.act(Who::Member, "PUT", &format!("/v2/images/{id}/tags/fourth"));
        self.act(Who::Member, "DELETE", &format!("/v2/images/{id}/tags/third"));
        let id = self.full(Who::Admin, "of another", json!({}));
        self.patch(Who::Admin, &id, &json!([{"op": "replace", "path": "/owner", "value": owner}]));
    }

    /// Members in each state.
    fn members(&mut self) {
        let other = self.site.tokens.projects[1].clone();
        for status in ["pending", "accepted", "rejected"] {
            let id = self.full(Who::Member, status, json!({"visibility": "shared", "tags": ["first"]}));
            self.json(Who::Member, "POST", &format!("/v2/images/{id}/members"), &json!({"member": other}));
            self.json(Who::Member, "POST", &format!("/v2/images/{id}/members"), &json!({"member": "nobody-there"}));
            let member = format!("/v2/images/{id}/members/{other}");
            self.json(Who::Other, "PUT", &member, &json!({"status": status}));
            if status == "rejected" {
                let all = format!("/v2/images/{id}/members");
                self.act(Who::Member, "DELETE", &format!("{all}/nobody-there"));
                self.json(Who::Member, "POST", &all, &json!({"member": "nobody-there"}));
                self.json(Who::Member, "POST", &all, &json!({"member": "gone"}));
                self.act(Who::Member, "DELETE", &format!("{all}/gone"));
            }
        }
    }

    fn namespace(&self, name: &str) -> String {
        format!("{}-{name}", self.mark)
    }

    /// Definitions of every kind.
    fn metadefs(&self) {
        let all = "/v2/metadefs/namespaces";
        let make = |path: &str, body: &Value| self.json(Who::Admin, "POST", path, body);
        let full = self.namespace("full");
        make(
            all,
            &json!({"namespace": full, "display_name": "Ünïcödé", "description": "Words.", "visibility": "public",
                "resource_type_associations": [{"name": "OS::Glance::Image", "prefix": "hw_"}, {"name": self.namespace("Type")}],
                "properties": {"of_all": {"title": "All", "type": "integer", "minimum": 0, "maximum": 9, "default": 5}},
                "objects": [{"name": "of all", "description": "An object.", "properties": {"a": {"title": "A", "type": "string"}}}],
                "tags": [{"name": "of-all"}]}),
        );
        make(all, &json!({"namespace": self.namespace("private"), "visibility": "private"}));
        make(all, &json!({"namespace": self.namespace("bare")}));
        make(all, &json!({"namespace": self.namespace("guarded"), "protected": true, "tags": [{"name": "stays"}]}));
        make(all, &json!({"namespace": self.namespace("doomed"), "visibility": "public"}));
        let full = format!("{all}/{full}");
        for (name, body) in [
            (
                "text",
                json!({"type": "string", "minLength": 1, "maxLength": 9, "pattern": "^[a-z]*$", "default": "x", "enum": ["x", "ü"]}),
            ),
            ("number", json!({"type": "number", "minimum": -1, "description": "With <b>words</b>.", "readonly": true})),
            ("yes_no", json!({"type": "boolean", "default": false})),
            (
                "list",
                json!({"type": "array", "items": {"type": "string", "enum": ["a", "b"]}, "uniqueItems": true, "minItems": 1,
                "maxItems": 3, "additionalItems": false, "default": ["a"], "operators": ["<in>", "<or>"]}),
            ),
        ] {
            let mut property = json!({"name": name, "title": format!("The {name}")});
            property.as_object_mut().unwrap().extend(body.as_object().unwrap().clone());
            make(&format!("{full}/properties"), &property);
        }
        for name in ["first", "second", "third"] {
            let properties = json!({"p": {"title": "P", "type": "array", "items": {"type": "integer"}}, "q": {"title": "Q", "type": "string"}});
            let object = json!({"name": name, "description": "Words.", "required": ["p"], "properties": properties});
            make(&format!("{full}/objects"), &object);
            self.act(Who::Admin, "POST", &format!("{full}/tags/{name}"));
        }
        make(&format!("{full}/objects"), &json!({"name": "bare"}));
        let tags = json!({"tags": [{"name": "one"}, {"name": "two"}, {"name": "Zebra"}]});
        make(&format!("{all}/{}/tags", self.namespace("bare")), &tags);
        let association = json!({"name": "OS::Nova::Server", "prefix": "p:", "properties_target": "image"});
        make(&format!("{full}/resource_types"), &association);
        self.json(
            Who::Admin,
            "PUT",
            &format!("{full}/objects/third"),
            &json!({"name": "renamed", "description": "New."}),
        );
        self.json(
            Who::Admin,
            "PUT",
            &format!("{full}/properties/number"),
            &json!({"name": "number", "title": "New", "type": "number"}),
        );
        self.json(Who::Admin, "PUT", &format!("{full}/tags/third"), &json!({"name": "third-renamed"}));
        self.act(Who::Admin, "DELETE", &format!("{full}/resource_types/{}", encoded(&self.namespace("Type"))));
        self.act(Who::Admin, "DELETE", &format!("{all}/{}", self.namespace("doomed")));
    }

    /// A task, which fails: nobody listens where it is to read.
    fn task(&self) {
        let input = json!({"import_from": "http://127.0.0.1:1/x", "import_from_format": "raw",
            "image_properties": {"name": self.namespace("task"), "disk_format": "raw", "container_format": "bare"}});
        let made = self.json(Who::Admin, "POST", "/v2/tasks", &json!({"type": "import", "input": input}));
        let path = format!("/v2/tasks/{}", made["id"].as_str().unwrap());
        // Glance loses one now and then, which then stays as it is.
        for _ in 0..600 {
            let task = self.done(Request::new(Who::Admin, "GET", path.as_str()));
            let task: Value = serde_json::from_slice(&task.body).unwrap();
            if task["status"] == "failure" || task["status"] == "success" {
                return;
            }
            thread::sleep(Duration::from_millis(50));
        }
        eprintln!("a task of {} has not ended", self.mark);
    }

    /// Changes what another one has made.
    pub(super) fn change(&self, of: &Filler<'_>) {
        let image = |what: &str| format!("/v2/images/{}", of.id(what));
        self.patch(
            Who::Member,
            of.id("plain"),
            &json!([{"op": "replace", "path": "/words", "value": "changed"}, {"op": "remove", "path": "/long"},
                {"op": "replace", "path": "/name", "value": format!("by-{}", self.mark)}, {"op": "replace", "path": "/tags", "value": ["second", "x"]}]),
        );
        // What was removed once comes back.
        self.patch(Who::Member, of.id("plain"), &json!([{"op": "add", "path": "/long", "value": "short"}]));
        self.act(Who::Member, "PUT", &format!("{}/tags/first", image("plain")));
        self.act(Who::Member, "DELETE", &format!("{}/tags/fourth", image("patched")));
        self.act(Who::Admin, "POST", &format!("{}/actions/deactivate", image("community")));
        self.act(Who::Admin, "POST", &format!("{}/actions/reactivate", image("deactivated")));
        self.act(Who::Member, "DELETE", &image("private"));
        self.patch(Who::Member, of.id("protected"), &json!([{"op": "replace", "path": "/protected", "value": false}]));
        self.act(Who::Member, "DELETE", &image("protected"));
        let members = |status: &str| format!("{}/members", image(status));
        let other = &self.site.tokens.projects[1];
        self.json(Who::Other, "PUT", &format!("{}/{other}", members("pending")), &json!({"status": "accepted"}));
        self.act(Who::Member, "DELETE", &format!("{}/{other}", members("accepted")));
        self.json(Who::Member, "POST", &members("accepted"), &json!({"member": other}));
        self.json(Who::Member, "POST", &members("rejected"), &json!({"member": "gone"}));
        let queued = of.images.iter().find(|it| it.0 == "unicode").unwrap();
        let formats = json!([{"op": "replace", "path": "/disk_format", "value": "raw"},
            {"op": "replace", "path": "/container_format", "value": "bare"}]);
        self.patch(Who::Member, &queued.1, &formats);
        self.upload(Who::Member, &queued.1, b"data at last");

        let space = format!("/v2/metadefs/namespaces/{}", of.namespace("full"));
        self.act(Who::Admin, "DELETE", &format!("/v2/metadefs/namespaces/{}", of.namespace("private")));
        self.json(
            Who::Admin,
            "PUT",
            &format!("{space}/objects/first"),
            &json!({"name": "first", "description": "Changed."}),
        );
        let changed = json!({"namespace": of.namespace("full"), "display_name": "Changed", "protected": false, "visibility": "public"});
        self.json(Who::Admin, "PUT", &space, &changed);
        for path in ["objects/second", "properties/list", "tags/first", "resource_types/OS::Nova::Server"] {
            self.act(Who::Admin, "DELETE", &format!("{space}/{path}"));
        }
        self.act(Who::Admin, "POST", &format!("{space}/tags/first"));
    }
}
