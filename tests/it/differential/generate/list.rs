//! `GET /v2/images` with filters, orders and pages.

use super::{Generator, Step, create::PROPERTIES};
use crate::differential::{
    model::Effect,
    request::Request,
    values::{encoded, percent, pick, text},
};
use rand::{Rng, seq::IndexedRandom};

impl Generator {
    pub(super) fn list(&mut self) -> Step {
        let who = self.who();
        let mut query: Vec<(String, String)> = Vec::new();
        for _ in 0..self.random.random_range(0..4) {
            self.parameter(&mut query);
        }
        let text: Vec<_> = query
            .iter()
            .map(|(name, value)| {
                // Placeholders and lists of ids stay as they are.
                let value = if value.starts_with('@') { value.clone() } else { encoded(value) };
                format!("{}={value}", encoded(name))
            })
            .collect();
        let path = if text.is_empty() { "/v2/images".to_owned() } else { format!("/v2/images?{}", text.join("&")) };
        (Request::new(who, "GET", path), Effect::Reads)
    }

    fn parameter(&mut self, query: &mut Vec<(String, String)>) {
        let id = self.model.images.choose(&mut self.random).map(|it| format!("@{}@", it.number));
        let projects = self.projects.clone();
        let random = &mut self.random;
        let mut add = |name: &str, value: &str| query.push((name.to_owned(), value.to_owned()));
        match random.random_range(0..22) {
            0..3 => add("limit", pick(random, &["1", "2", "3", "5", "0", "1000", "1001", "-1", "x", "", "1.5", " 2"])),
            3 => {
                let odd = pick(random, &["nonsense", "", "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69"]).to_owned();
                add("marker", &id.unwrap_or(odd));
            }
            4 => add("marker", pick(random, &["nonsense", "", "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69"])),
            5..7 => add(
                "sort",
                pick(
                    random,
                    &[
                        "name",
                        "name:asc",
                        "name:asc,size",
                        "size:desc,name:asc",
                        "id:asc",
                        "x:asc",
                        "name:up",
                        "",
                        "created_at:asc",
                        "updated_at",
                        "status:asc,id:desc",
                        "name:asc:desc",
                        ",",
                        "name,name",
                        "visibility",
                    ],
                ),
            ),
            7..9 => {
                add("sort_key", pick(random, &["name", "size", "id", "created_at", "x", "", "disk_format", "status"]));
                if percent(random, 70) {
                    add("sort_dir", pick(random, &["asc", "desc", "up", "ASC", ""]));
                }
                if percent(random, 30) {
                    add("sort_key", pick(random, &["name", "size", "id"]));
                }
                if percent(random, 15) {
                    add("sort_dir", pick(random, &["asc", "desc"]));
                }
            }
            9..11 => add(
                "visibility",
                pick(
                    random,
                    &["public", "private", "shared", "community", "all", "x", "", "PUBLIC", "in:public,shared"],
                ),
            ),
            11 => add("member_status", pick(random, &["pending", "accepted", "rejected", "all", "x", ""])),
            12 => add(
                "name",
                &match random.random_range(0..3) {
                    0 => text(random),
                    1 => pick(
                        random,
                        &["in:x,plain words", "in:\"a,b\",x", "eq:x", "gt:x", "in:", "neq:x", "in:\"x", "eq:", "x:y"],
                    )
                    .to_owned(),
                    _ => "x".to_owned(),
                },
            ),
            13 => add(
                pick(random, &["created_at", "updated_at"]),
                pick(
                    random,
                    &[
                        "gt:2026-01-01T00:00:00Z",
                        "lt:2020-01-01T00:00:00Z",
                        "gte:2020-01-01",
                        "x",
                        "",
                        "in:2020-01-01",
                        "eq:2020-01-01T00:00:00Z",
                        "neq:2020-01-01T00:00:00Z",
                        "lte:2050-01-01T00:00:00+01:00",
                        "gt:",
                        "2020-01-01",
                        "gt:2020-13-01T00:00:00Z",
                        "gt:2020-01-01T00:00:00.5Z",
                    ],
                ),
            ),
            14 => add(
                pick(random, &["size_min", "size_max", "min_ram_min", "min_disk_max", "virtual_size_min"]),
                pick(random, &["0", "100", "5000", "-1", "x", "", "1.5", "99999999999999999999"]),
            ),
            15 => add(
                pick(random, &["protected", "os_hidden"]),
                pick(random, &["true", "false", "True", "1", "x", "", "all"]),
            ),
            16 => {
                add("tag", pick(random, &["a", "b", "A", "", "long-word", "😀"]));
                if percent(random, 40) {
                    add("tag", pick(random, &["a", "b", "long-word"]));
                }
            }
            17 => add(
                pick(random, &["status", "container_format", "disk_format"]),
                pick(
                    random,
                    &[
                        "active",
                        "queued",
                        "in:active,queued",
                        "raw",
                        "bare",
                        "in:raw,iso",
                        "",
                        "x",
                        "eq:raw",
                        "deactivated",
                    ],
                ),
            ),
            18 => {
                let name = pick(random, &PROPERTIES);
                add(name, &text(random));
            }
            19 => add(
                pick(
                    random,
                    &["size", "min_disk", "min_ram", "checksum", "os_hash_algo", "os_hash_value", "virtual_size"],
                ),
                pick(random, &["0", "5", "x", "sha512", "", "-1"]),
            ),
            20 => add("owner", pick(random, &[&projects[0], &projects[1], "x", ""])),
            _ => add(
                pick(
                    random,
                    &["changes-since", "deleted", "is_public", "id", "ünï", "a b", "description", "kernel_id"],
                ),
                pick(random, &["true", "false", "x", "2020-01-01T00:00:00Z", "", "in:a,b"]),
            ),
        }
    }
}
