//! `PATCH /v2/images/{id}` in both dialects.

use super::{
    Generator, Step,
    create::{PROPERTIES, sensible},
};
use crate::differential::{
    request::Request,
    values::{anything, mostly, percent, pick},
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Value, json};

const V21: &str = "application/openstack-images-v2.1-json-patch";
const V20: &str = "application/openstack-images-v2.0-json-patch";

fn path(random: &mut StdRng) -> String {
    let base = [
        "name",
        "visibility",
        "protected",
        "os_hidden",
        "min_disk",
        "min_ram",
        "disk_format",
        "container_format",
        "tags",
        "owner",
        "name",
        "visibility",
    ];
    let special = [
        "id",
        "status",
        "size",
        "checksum",
        "created_at",
        "self",
        "file",
        "schema",
        "stores",
        "direct_url",
        "virtual_size",
        "os_hash_algo",
        "location",
        "deleted",
        "os_glance_import_task",
        "is_public",
    ];
    let nested = [
        "tags/-",
        "tags/0",
        "name/x",
        "mine/y",
        "locations",
        "locations/-",
        "locations/0",
        "locations/x",
        "a/b/c",
        "locations/-1",
    ];
    let odd = ["", "/", "//", " name ", "~0", "~1", "a~1b", "x~0y", "a~2", "mine/", "a b", "~"];
    match random.random_range(0..100) {
        0..45 => format!("/{}", pick(random, &base)),
        45..75 => format!("/{}", pick(random, &PROPERTIES)),
        75..83 => format!("/{}", pick(random, &special)),
        83..90 => format!("/{}", pick(random, &nested)),
        90..97 => format!("/{}", pick(random, &odd)),
        97 => "name".to_owned(),
        98 => String::new(),
        _ => format!("/{}", "k".repeat(256)),
    }
}

impl Generator {
    pub(super) fn patch(&mut self) -> Step {
        let (id, who, number) = self.image();
        let v21 = percent(&mut self.random, 75);
        let count = if percent(&mut self.random, 70) { 1 } else { self.random.random_range(0..4) };
        let operations: Vec<Value> = (0..count).map(|_| self.operation(v21)).collect();
        let random = &mut self.random;
        let body = match random.random_range(0..40) {
            0 => anything(random).to_string(),
            1 => "[".to_owned(),
            2 => String::new(),
            3 => operations.first().map_or_else(|| "{}".to_owned(), ToString::to_string),
            _ => json!(operations).to_string(),
        };
        let kinds = [
            "application/json",
            "",
            "application/json-patch+json",
            "text/plain",
            "application/openstack-images-v2.1-json-patch; charset=utf-8",
            "APPLICATION/openstack-images-v2.1-json-patch",
        ];
        let kind = match random.random_range(0..30) {
            0 => pick(random, &kinds),
            1 if v21 => V20,
            1 => V21,
            _ if v21 => V21,
            _ => V20,
        };
        let request = Request::new(who, "PATCH", format!("/v2/images/{id}")).body(kind, body.into_bytes());
        (request, Self::changes(number))
    }

    fn operation(&mut self, v21: bool) -> Value {
        let projects = self.projects.clone();
        let random = &mut self.random;
        let verb = match random.random_range(0..100) {
            0..35 => "add",
            35..75 => "replace",
            75..94 => "remove",
            _ => pick(random, &["move", "copy", "test", "ADD", "", "explode"]),
        };
        let path = path(random);
        let name = path.trim_matches('/');
        let value = if name.starts_with("locations") {
            self.places()
        } else {
            let value = sensible(random, name, &projects);
            mostly(random, value)
        };
        let random = &mut self.random;
        if name == "protected" && value == json!(true) && percent(random, 60) {
            return json!({"op": "replace", "path": "/protected", "value": false});
        }
        let mut operation = if v21 { json!({"op": verb, "path": path}) } else { json!({verb: path}) };
        let valued = if verb == "remove" { percent(random, 5) } else { percent(random, 97) };
        if valued {
            operation["value"] = value;
        }
        match random.random_range(0..60) {
            0 => operation["more"] = json!(1),
            1 => return anything(random),
            2 if v21 => operation["path"] = anything(random),
            3 if v21 => operation["op"] = anything(random),
            4 => operation["add"] = json!("/other"),
            5 => operation = json!({"value": 1}),
            _ => {}
        }
        operation
    }

    fn places(&mut self) -> Value {
        let random = &mut self.random;
        let url = pick(
            random,
            &["file:///etc/passwd", "filesystem:///x", "swift+config://x/y/z", "nonsense", "", "ftp://h/x"],
        );
        let one = match random.random_range(0..6) {
            0 => json!({"url": url}),
            1 => json!({"url": url, "metadata": []}),
            2 => json!({"url": url, "metadata": {}, "more": 1}),
            3 => anything(random),
            _ => json!({"url": url, "metadata": {}}),
        };
        match random.random_range(0..4) {
            0 => json!([]),
            1 => json!([one]),
            2 => json!([one, one]),
            _ => one,
        }
    }
}
