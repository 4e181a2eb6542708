//! Requests that are no ordinary use: versions, schemas, discovery, wrong methods, strange paths and headers.

use super::{Generator, Step};
use crate::differential::{
    model::Effect,
    request::{Request, Who},
    values::{anything, percent, pick},
};
use rand::Rng;
use serde_json::json;

const PATHS: [&str; 64] = [
    "/",
    "/versions",
    "/versions/",
    "/v2",
    "/v2/",
    "/v2/images",
    "/v2/images/",
    "/v2/images//",
    "//v2/images",
    "/v2//images",
    "/v2/images///",
    "/v1/images",
    "/v1",
    "/v3/images",
    "/v2.0/images",
    "/v2.7/images",
    "/v2.8/images",
    "/v2.9/images",
    "/v2.14/images",
    "/v2.17/images",
    "/v2.18/images",
    "/v2.99/images",
    "/v2.17",
    "/v2.17/",
    "/V2/images",
    "/images",
    "/foo",
    "/v2/foo",
    "/v2/foo/bar",
    "/healthcheck/x",
    "/v2/schemas",
    "/v2/schemas/x",
    "/v2/schemas/image",
    "/v2/schemas/images",
    "/v2/schemas/member",
    "/v2/schemas/members",
    "/v2/schemas/task",
    "/v2/schemas/tasks",
    "/v2/schemas/metadefs/namespace",
    "/v2/schemas/metadefs/namespaces",
    "/v2/schemas/metadefs/resource_type",
    "/v2/schemas/metadefs/resource_types",
    "/v2/schemas/metadefs/property",
    "/v2/schemas/metadefs/properties",
    "/v2/schemas/metadefs/object",
    "/v2/schemas/metadefs/objects",
    "/v2/schemas/metadefs/tag",
    "/v2/schemas/metadefs/tags",
    "/v2/schemas/metadefs",
    "/v2/schemas/metadefs/x",
    "/v2/schemas/image/",
    "/v2/info",
    "/v2/info/import",
    "/v2/info/stores",
    "/v2/info/stores/detail",
    "/v2/info/usage",
    "/v2/tasks",
    "/v2/tasks/",
    "/v2/tasks/nonsense",
    "/v2/stores/file/nonsense",
    "/v2/cache",
    "/v2/cache/nonsense",
    "/v2/cached_images",
    "/v2/queued_images",
];

impl Generator {
    pub(super) fn odd(&mut self) -> Step {
        let who = self.who();
        match self.random.random_range(0..12) {
            0..4 => {
                let method = self.method();
                let path = pick(&mut self.random, &PATHS);
                (self.decorated(Request::new(who, method, path)), Effect::Reads)
            }
            4..6 => {
                // Methods that the resource does not have.
                let (id, who, _) = self.image();
                let tails = [
                    "",
                    "/file",
                    "/members",
                    "/tags/a",
                    "/actions/deactivate",
                    "/members/x",
                    "/tasks",
                    "/locations",
                    "/tags",
                    "/actions",
                    "/stage",
                    "/import",
                    "/nothing",
                    "/file/x",
                ];
                let tail = pick(&mut self.random, &tails);
                let method = pick(&mut self.random, &["POST", "PUT", "PATCH", "OPTIONS", "TRACE", "BREW", "GET"]);
                let careful =
                    matches!((tail, method), ("" | "/file", "PATCH" | "PUT") | ("/members" | "/locations", "POST"));
                let method = if careful { "POST" } else { method };
                let method = if matches!(tail, "/members" | "/locations") && method == "POST" { "PUT" } else { method };
                let changes = matches!(tail, "/tags/a" | "/actions/deactivate");
                let method = if changes { "PATCH" } else { method };
                (self.decorated(Request::new(who, method, format!("/v2/images/{id}{tail}"))), Effect::Reads)
            }
            6 => self.tasks(),
            7 => {
                let (id, who, _) = self.image();
                (self.decorated(Request::new(who, "GET", format!("/v2/images/{id}"))), Effect::Reads)
            }
            8 => (self.decorated(Request::new(who, "GET", "/v2/images?limit=2")), Effect::Reads),
            9 => self.location(),
            10 => self.cache(),
            _ => {
                let (id, who, _) = self.image();
                let bodies = [
                    json!({}),
                    json!({"method": {}}),
                    json!({"method": {"name": "glance-direct"}}),
                    json!({"method": {"name": "web-download", "uri": "http://127.0.0.1:1/x"}}),
                    json!({"method": {"name": 5}}),
                    json!([]),
                    json!({"method": {"name": "nonsense"}}),
                ];
                let body = bodies[self.random.random_range(0..bodies.len())].clone();
                (Request::new(who, "POST", format!("/v2/images/{id}/import")).json(body), Effect::Reads)
            }
        }
    }

    fn method(&mut self) -> &'static str {
        match self.random.random_range(0..10) {
            0 => "POST",
            1 => ["PUT", "DELETE", "PATCH", "OPTIONS", "BREW"][self.random.random_range(0..5)],
            _ => "GET",
        }
    }

    fn decorated(&mut self, request: Request) -> Request {
        let random = &mut self.random;
        let mut request = match random.random_range(0..3) {
            0 => {
                let accepts = [
                    "*/*",
                    "text/html",
                    "application/json",
                    "text/plain",
                    "application/json, text/html;q=0.5",
                    "application/vnd.openstack.images-v2",
                    "application/vnd.openstack.images-v2.3",
                    "application/vnd.openstack.images-v9",
                    "nonsense",
                    "",
                    "application/json;q=0",
                    "text/*",
                    "image/png",
                    "application/xml",
                    "text/html;q=0.1, application/json;q=0.9",
                ];
                request.header("Accept", pick(random, &accepts))
            }
            1 if percent(random, 30) => {
                let ids = ["mine", "req-1234", "req-9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69", ""];
                request.header("X-Openstack-Request-Id", pick(random, &ids))
            }
            _ => request,
        };
        if percent(random, 10) {
            request = match random.random_range(0..3) {
                0 => request.json("{}"),
                1 => request.body("text/plain", b"words".to_vec()),
                _ => request.header("Accept-Language", pick(random, &["de", "en", "xx;q=0.5"])),
            };
        }
        request
    }

    /// `POST /v2/images/{id}/locations` that both refuse at once: what they take is looked at later, by chance sooner or later.
    fn location(&mut self) -> Step {
        let (id, who, number) = self.image();
        let random = &mut self.random;
        let url =
            pick(random, &["file:///etc/passwd", "filesystem:///x", "http://127.0.0.1:1/x", "nonsense", "ftp://h/x"]);
        let whole = matches!(who, Who::Admin | Who::Service);
        let bodies = [
            json!({}),
            json!([]),
            json!({"url": 5}),
            json!({"url": ""}),
            json!({"validation_data": {}}),
            json!({"url": url, "validation_data": {"os_hash_algo": "sha512"}}),
            json!({"url": url, "validation_data": {"os_hash_algo": "sha512", "os_hash_value": "zz"}}),
            json!({"url": url, "validation_data": {"os_hash_algo": "crc32", "os_hash_value": "00"}}),
            json!({"url": url, "validation_data": []}),
            anything(random),
            json!({"url": url}),
            json!({"url": url, "metadata": {}}),
        ];
        let body = bodies[random.random_range(0..bodies.len() - if whole { 2 } else { 0 })].clone();
        let request = Request::new(who, "POST", format!("/v2/images/{id}/locations")).json(body);
        (request, Self::changes(number))
    }

    /// The cache's routes, on servers without a cache.
    fn cache(&mut self) -> Step {
        let (id, who, _) = self.image();
        let random = &mut self.random;
        let method = pick(random, &["GET", "PUT", "DELETE", "POST"]);
        let path = match random.random_range(0..6) {
            0 => "/v2/cache".to_owned(),
            1 => "/v2/cache/clean".to_owned(),
            2 => "/v2/cache/prune".to_owned(),
            3 => format!("/v2/cache/nodes/{id}"),
            _ => format!("/v2/cache/{id}"),
        };
        (self.decorated(Request::new(who, method, path)), Effect::Reads)
    }

    fn tasks(&mut self) -> Step {
        let who = self.who();
        let random = &mut self.random;
        let request = match random.random_range(0..5) {
            0 => {
                let query = [
                    "",
                    "?limit=2",
                    "?limit=x",
                    "?limit=-1",
                    "?type=import",
                    "?type=x",
                    "?status=success",
                    "?status=x",
                    "?marker=nonsense",
                    "?sort_key=type",
                    "?sort_key=x",
                    "?sort_dir=asc",
                    "?sort_dir=x",
                    "?owner=x",
                    "?x=y",
                    "?limit=0",
                    "?sort_key=created_at&sort_dir=desc",
                ];
                Request::new(who, "GET", format!("/v2/tasks{}", pick(random, &query)))
            }
            1 => {
                let method = pick(random, &["GET", "GET", "DELETE", "PUT"]);
                Request::new(who, method, "/v2/tasks/9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69")
            }
            _ => {
                // None that would run.
                let input =
                    json!({"import_from": "file:///etc/passwd", "import_from_format": "raw", "image_properties": {}});
                let bodies = [
                    json!({}),
                    json!([]),
                    json!({"type": "import"}),
                    json!({"type": "x", "input": {}}),
                    json!({"type": "import", "input": input}),
                    json!({"type": 5, "input": {}}),
                    json!({"type": "import", "input": anything(random)}),
                    json!({"type": "import", "input": {"import_from": "x"}}),
                    json!({"type": "import", "input": {}, "status": "success"}),
                    anything(random),
                ];
                let body = bodies[random.random_range(0..bodies.len())].clone();
                Request::new(who, "POST", "/v2/tasks").json(body)
            }
        };
        (request, Effect::Reads)
    }
}
