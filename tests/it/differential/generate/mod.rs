//! Requests by chance, from a seed, over a small model of what exists.

mod create;
mod data;
mod imports;
mod list;
mod locations;
mod metadefs;
mod odd;
mod patch;
mod stores;

use super::{
    model::{Effect, Model},
    request::{Request, Who},
    values::{encoded, percent, pick, text},
};
use rand::{Rng, SeedableRng, rngs::StdRng, seq::IndexedRandom};
use serde_json::json;

pub(super) struct Generator {
    pub(super) random: StdRng,
    pub(super) model: Model,
    /// Projects demo and alt_demo.
    pub(super) projects: [String; 2],
    /// Where the tests' web server is.
    pub(super) web: String,
}

/// A request, and what it changes when both servers grant it.
pub(super) type Step = (Request, Effect);

// === impl Generator ===

impl Generator {
    pub(super) fn new(seed: u64, projects: [String; 2], web: String) -> Self {
        Self { random: StdRng::seed_from_u64(seed), model: Model::default(), projects, web }
    }

    /// A request around an import.
    pub(super) fn step_of_imports(&mut self) -> Step {
        if self.model.images.len() > 14 {
            return self.delete();
        }
        match self.random.random_range(0..100) {
            0..15 => self.create(),
            15..20 => self.patch(),
            20..33 => {
                let (id, who, _) = self.image();
                let tail = pick(&mut self.random, &["", "", "/file", "/members"]);
                (Request::new(who, "GET", format!("/v2/images/{id}{tail}")), Effect::Reads)
            }
            33..40 => self.data(),
            40..65 => self.stage(),
            65..95 => self.import(),
            _ => self.delete(),
        }
    }

    pub(super) fn step(&mut self) -> Step {
        if self.model.images.len() > 14 {
            return self.delete();
        }
        match self.random.random_range(0..100) {
            0..12 => self.create(),
            12..30 => self.patch(),
            30..37 => self.show(),
            37..46 => self.list(),
            46..57 => self.data(),
            57..64 => self.member(),
            64..69 => self.tag(),
            69..72 => self.action(),
            72..75 => self.delete(),
            75..92 => self.metadefs(),
            _ => self.odd(),
        }
    }

    fn who(&mut self) -> Who {
        match self.random.random_range(0..100) {
            0..25 => Who::Admin,
            25..65 => Who::Member,
            65..77 => Who::Other,
            77..85 => Who::Reader,
            85..91 => Who::Service,
            91..95 => Who::NoRole,
            95..97 => Who::Unscoped,
            97..99 => Who::Nobody,
            _ => Who::Forger,
        }
    }

    /// An image, and who may change it for sure in most cases.
    fn image(&mut self) -> (String, Who, Option<usize>) {
        let stray = self.random.random_range(0..100);
        match self.model.images.choose(&mut self.random).cloned() {
            Some(image) if stray >= 6 => {
                let who = if percent(&mut self.random, 60) { image.maker } else { self.who() };
                (format!("@{}@", image.number), who, Some(image.number))
            }
            _ => {
                let ids = [
                    "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69",
                    "9F3B3C9A-5F0E-4A4E-8F0A-2F1D3C4B5A69",
                    "9f3b3c9a5f0e4a4e8f0a2f1d3c4b5a69",
                    "nonsense",
                    "%20",
                    "a%2Fb",
                    "..%2f..",
                    "%F0%9F%98%80",
                    "%ff",
                    "%",
                    "x%00y",
                ];
                (pick(&mut self.random, &ids).to_owned(), self.who(), None)
            }
        }
    }

    fn changes(number: Option<usize>) -> Effect {
        number.map_or(Effect::Reads, Effect::Changes)
    }

    fn show(&mut self) -> Step {
        let (id, who, _) = self.image();
        let tail = pick(&mut self.random, &["", "", "", "", "/members", "/tasks", "/file", "/locations", "?x=y"]);
        (Request::new(who, "GET", format!("/v2/images/{id}{tail}")), Effect::Reads)
    }

    fn delete(&mut self) -> Step {
        let (id, mut who, number) = self.image();
        if self.model.images.len() > 14 {
            who = Who::Admin;
        }
        let mut request = Request::new(who, "DELETE", format!("/v2/images/{id}"));
        if percent(&mut self.random, 3) {
            request = request.body("", b"body".to_vec());
        }
        (request, number.map_or(Effect::Reads, Effect::Deletes))
    }

    fn action(&mut self) -> Step {
        let (id, who, number) = self.image();
        let verb = pick(&mut self.random, &["deactivate", "reactivate", "deactivate", "reactivate", "explode"]);
        let mut request = Request::new(who, "POST", format!("/v2/images/{id}/actions/{verb}"));
        if percent(&mut self.random, 5) {
            request = request.json("{}");
        }
        (request, Self::changes(number))
    }

    fn tag(&mut self) -> Step {
        let (id, who, number) = self.image();
        let verb = pick(&mut self.random, &["PUT", "PUT", "PUT", "DELETE", "DELETE", "GET", "POST"]);
        let tag = match self.random.random_range(0..3) {
            0 => encoded(&text(&mut self.random).chars().take(2000).collect::<String>()),
            _ => pick(&mut self.random, &["a", "b", "A", "long-word", "a%20b"]).to_owned(),
        };
        let mut request = Request::new(who, verb, format!("/v2/images/{id}/tags/{tag}"));
        if percent(&mut self.random, 3) {
            request = request.json("{}");
        }
        (request, Self::changes(number))
    }

    fn project(&mut self) -> String {
        match self.random.random_range(0..10) {
            0..5 => self.projects[1].clone(),
            5..7 => self.projects[0].clone(),
            7 => text(&mut self.random),
            _ => pick(&mut self.random, &["p1", "p2", "P1"]).to_owned(),
        }
    }

    fn member(&mut self) -> Step {
        let (id, mut who, number) = self.image();
        let project = self.project();
        let own = format!("/v2/images/{id}/members/{}", encoded(&project.chars().take(2000).collect::<String>()));
        let request = match self.random.random_range(0..20) {
            0..6 => {
                let body = match self.random.random_range(0..12) {
                    0 => super::values::anything(&mut self.random),
                    1 => json!({"member": super::values::anything(&mut self.random)}),
                    2 => json!({"member": project, "more": 1}),
                    3 => json!({"members": project}),
                    _ => json!({"member": project}),
                };
                Request::new(who, "POST", format!("/v2/images/{id}/members")).json(body)
            }
            6..10 => {
                if percent(&mut self.random, 60) {
                    who = Who::Other;
                }
                let status = pick(&mut self.random, &["accepted", "rejected", "pending", "accepted", "ACCEPTED", ""]);
                let body = match self.random.random_range(0..10) {
                    0 => super::values::anything(&mut self.random),
                    1 => json!({"status": super::values::anything(&mut self.random)}),
                    _ => json!({"status": status}),
                };
                Request::new(who, "PUT", own).json(body)
            }
            10..13 => Request::new(who, "DELETE", own),
            13..16 => Request::new(who, "GET", own),
            16..19 => Request::new(who, "GET", format!("/v2/images/{id}/members")),
            _ => Request::new(who, "PATCH", own).json("{}"),
        };
        (request, Self::changes(number))
    }
}
