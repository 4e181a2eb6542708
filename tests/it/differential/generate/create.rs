//! `POST /v2/images`

use super::{Generator, Step};
use crate::differential::{
    model::Effect,
    request::Request,
    values::{anything, mostly, percent, pick, text},
};
use rand::{Rng, rngs::StdRng};
use serde_json::{Map, Value, json};

/// Names of custom properties, of the schema file and not.
pub(super) const PROPERTIES: [&str; 16] = [
    "os_distro",
    "os_version",
    "architecture",
    "kernel_id",
    "ramdisk_id",
    "instance_uuid",
    "description",
    "cinder_encryption_key_deletion_policy",
    "mine",
    "Mine",
    "hw:cpu",
    "a b",
    "ünï",
    "a/b",
    "x~y",
    "",
];

/// A value that the attribute takes.
pub(super) fn sensible(random: &mut StdRng, name: &str, projects: &[String; 2]) -> Value {
    match name {
        "name" => json!(text(random)),
        "visibility" => json!(pick(random, &["shared", "private", "shared", "community", "public"])),
        "protected" | "os_hidden" => json!(percent(random, 40)),
        "min_disk" | "min_ram" => json!(random.random_range(0..4000)),
        "disk_format" => json!(pick(random, &["raw", "raw", "qcow2", "iso", "vmdk", "ami", "vhd"])),
        "container_format" => json!(pick(random, &["bare", "bare", "bare", "ovf", "ami", "docker"])),
        "tags" => match random.random_range(0..4) {
            0 => json!([]),
            1 => json!([text(random), "t"]),
            2 => json!(["a", "a", "b"]),
            _ => json!(["a", "long-word"]),
        },
        "owner" => json!(projects[usize::from(percent(random, 40))]),
        "kernel_id" | "ramdisk_id" | "instance_uuid" if percent(random, 70) => {
            json!("9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69")
        }
        "cinder_encryption_key_deletion_policy" if percent(random, 70) => json!("do_not_delete"),
        _ => json!(text(random)),
    }
}

impl Generator {
    pub(super) fn create(&mut self) -> Step {
        let who = self.who();
        let random = &mut self.random;
        let request = Request::new(who, "POST", "/v2/images");
        if percent(random, 8) {
            let body: &[u8] = match random.random_range(0..9) {
                0 => b"",
                1 => b"{",
                2 => b"[]",
                3 => b"null",
                4 => b"\"x\"",
                5 => b"{\"name\": \"\xff\"}",
                6 => b"{\"name\": \"a\", \"name\": \"b\"}",
                7 => b"{\"min_disk\": NaN}",
                _ => b"{\"name\": \"\\ud800\"}",
            };
            let kind = pick(random, &["application/json", "", "text/plain", "application/xml"]);
            return (request.body(kind, body.to_vec()), Effect::MakesImage);
        }
        let mut fields = Map::new();
        if percent(random, 75) {
            fields.insert("disk_format".to_owned(), json!("raw"));
            fields.insert("container_format".to_owned(), json!("bare"));
        }
        // Lists may be sorted by the id, so that it has to be the same.
        if percent(random, 95) {
            let id =
                format!("{:08x}-1111-4111-8111-{:012x}", random.random::<u32>(), random.random_range(0..1_u64 << 48));
            let odd = ["not-an-id", "8F3B3C9A-5F0E-4A4E-8F0A-2F1D3C4B5A69", "8f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a6g", ""];
            let id = if percent(random, 96) { json!(id) } else { json!(pick(random, &odd)) };
            fields.insert("id".to_owned(), id);
        }
        for _ in 0..random.random_range(0..5) {
            let base = ["name", "name", "visibility", "protected", "os_hidden", "min_disk", "min_ram", "tags", "owner"];
            let formats = ["disk_format", "container_format"];
            let special =
                ["status", "size", "checksum", "created_at", "self", "file", "schema", "stores", "direct_url"];
            let reserved = ["location", "deleted", "deleted_at", "os_glance_x", "os_glance", "locations", "is_public"];
            let name = match random.random_range(0..20) {
                0..9 => pick(random, &base),
                9..11 => pick(random, &formats),
                11 => pick(random, &special),
                12 => pick(random, &reserved),
                _ => pick(random, &PROPERTIES),
            };
            if name == "protected" && percent(random, 70) {
                continue;
            }
            let value = sensible(random, name, &self.projects);
            fields.insert(name.to_owned(), mostly(random, value));
        }
        match random.random_range(0..60) {
            0 => {
                fields.insert("k".repeat(256), json!("v"));
            }
            1 => fields.extend((0..129).map(|it| (format!("p{it}"), json!("v")))),
            2 => {
                fields.insert("tags".to_owned(), (0..129).map(|it| it.to_string()).collect());
            }
            3 => {
                fields.insert("😀".to_owned(), json!("v"));
            }
            4 => {
                fields.insert("x".to_owned(), anything(random));
            }
            _ => {}
        }
        (request.json(Value::Object(fields)), Effect::MakesImage)
    }
}
