//! Places of data that is elsewhere: `PATCH` of `/locations`, and `POST /v2/images/{id}/locations`

use super::{Generator, Step};
use crate::differential::{
    model::{Effect, State},
    request::{Request, Who},
    values::{anything, percent, pick},
};
use crate::support::web::data;
use md5::Md5;
use rand::Rng;
use serde_json::{Value, json};
use sha2::{Digest, Sha256, Sha512};

impl Generator {
    pub(super) fn patch_locations(&mut self, (id, who, number): (&str, Who, Option<usize>), state: &State) -> Step {
        let page = self.page_of(state);
        let random = &mut self.random;
        let who = if percent(random, 30) { Who::Admin } else { who };
        let count = state.locations.len();
        let operation = match random.random_range(0..20) {
            0..9 => {
                let place = match random.random_range(0..10) {
                    0..7 => "-".to_owned(),
                    7 => random.random_range(0..=count + 1).to_string(),
                    8 => "0".to_owned(),
                    _ => pick(random, &["", "x", "-1", "00"]).to_owned(),
                };
                json!({"op": "add", "path": format!("/locations/{place}"), "value": self.place(&page)})
            }
            9..14 => {
                let place = random.random_range(0..=count + 1);
                let place = if place > count { "-".to_owned() } else { place.to_string() };
                json!({"op": "remove", "path": format!("/locations/{place}")})
            }
            14..17 => {
                let places: Vec<_> = (0..self.random.random_range(0..3)).map(|_| self.place(&page)).collect();
                json!({"op": "replace", "path": "/locations", "value": places})
            }
            _ => {
                // The same places, with something else in their metadata.
                let mut places = state.locations.clone();
                if percent(random, 30) {
                    places.reverse();
                }
                if let Some(first) = places.first_mut().filter(|_| percent(random, 60)) {
                    first["metadata"]["note"] = json!("kept");
                }
                json!({"op": "replace", "path": "/locations", "value": places})
            }
        };
        let mut operations = vec![operation];
        // Glance does the first half of a patch that it refuses when that takes data away.
        if operations[0]["op"] != "remove" && percent(&mut self.random, 15) {
            operations.push(json!({"op": "add", "path": "/locations/-", "value": self.place(&page)}));
        }
        if percent(&mut self.random, 10) {
            operations.push(json!({"op": "replace", "path": "/name", "value": "other"}));
        }
        let body = json!(operations).to_string().into_bytes();
        let kind = "application/openstack-images-v2.1-json-patch";
        (Request::new(who, "PATCH", format!("/v2/images/{id}")).body(kind, body), Self::changes(number))
    }

    /// A page with the data of the image, or, mostly, one that cannot be a place: no image has two kinds of data, of which
    /// Glance would send any.
    fn page_of(&mut self, state: &State) -> String {
        let same = match state.size {
            Some(500) => "/c",
            Some(1000) => "/a",
            Some(3_000_000) => "/big",
            Some(_) => "/none",
            None => pick(&mut self.random, &["/a", "/c", "/redirect/1", "/big"]),
        };
        let random = &mut self.random;
        match random.random_range(0..20) {
            0 => pick(
                random,
                &["file://DIR/fast/x", "file:///etc/passwd", "http://127.0.0.1:1/x", "ftp://h/x", "nonsense"],
            )
            .to_owned(),
            1..4 => format!("{}{}", self.web, pick(random, &["/none", "/empty", "/status/404", "/status/500"])),
            _ => format!("{}{same}", self.web),
        }
    }

    /// A place for a patch.
    fn place(&mut self, url: &str) -> Value {
        let random = &mut self.random;
        let mut place = json!({"url": url, "metadata": {}});
        match random.random_range(0..16) {
            0..2 => place["metadata"] = json!({"store": "web"}),
            2 => place["metadata"] = json!({"store": pick(random, &["nowhere", "fast", "", "slow"])}),
            3 => place["metadata"] = json!({"k": "v"}),
            4 => place["metadata"] = anything(random),
            _ => {}
        }
        if percent(random, 15) {
            place["validation_data"] = self.hash(url, &["sha512", "sha512", "sha512", "sha256"]);
        }
        place
    }

    /// What is at this address, or what is not.
    fn hash(&mut self, url: &str, algorithms: &[&'static str]) -> Value {
        let random = &mut self.random;
        let algorithm = pick(random, algorithms);
        let page = url.strip_prefix(&self.web).unwrap_or("/a");
        let page = if page.starts_with("/redirect/") { "/a" } else { page };
        let bytes = if percent(random, 70) { data(page).unwrap_or_default() } else { b"another".to_vec() };
        let hex = |sum: &[u8]| sum.iter().map(|it| format!("{it:02x}")).collect::<String>();
        let value = match algorithm {
            "sha512" => hex(&Sha512::digest(&bytes)),
            "sha256" => hex(&Sha256::digest(&bytes)),
            _ => hex(&Md5::digest(&bytes)),
        };
        json!({"os_hash_algo": algorithm, "os_hash_value": value})
    }

    pub(super) fn post_location(&mut self, (id, who, number): (&str, Who, Option<usize>)) -> Step {
        let who = if percent(&mut self.random, 50) { Who::Service } else { who };
        let url = self.page_of(&State::default());
        let mut body = json!({"url": url});
        if percent(&mut self.random, 50) {
            body["validation_data"] = self.hash(&url, &["sha512", "sha512", "sha256", "md5"]);
        }
        match self.random.random_range(0..20) {
            0 => body["metadata"] = json!({"store": "web"}),
            1 => body["validation_data"] = anything(&mut self.random),
            _ => {}
        }
        let request = Request::new(who, "POST", format!("/v2/images/{id}/locations")).json(body);
        (request, number.map_or(Effect::Reads, Effect::Imports))
    }
}
