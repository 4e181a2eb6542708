//! Requests to a site with several stores: data put, imported and copied into them, taken out of them, and read.

use super::{Generator, Step};
use crate::differential::{
    model::{Effect, State},
    request::{Request, Who},
    stores::FOLDERS,
    values::{anything, percent, pick},
};
use crate::support::web::data;
use rand::{Rng, seq::SliceRandom};
use serde_json::{Value, json};

/// What the tests' web server has, most often what is an image's data.
const PAGES: [&str; 14] = [
    "/a",
    "/a",
    "/b",
    "/b",
    "/c",
    "/c",
    "/big",
    "/chunked",
    "/redirect/1",
    "/empty",
    "/short",
    "/status/404",
    "/status/500",
    "/none",
];

impl Generator {
    /// A request that fits the image's state mostly.
    pub(in crate::differential) fn step_of_stores(&mut self) -> Step {
        match self.random.random_range(0..100) {
            _ if self.model.images.len() > 14 => return self.delete(),
            _ if self.model.images.is_empty() => return self.plain(),
            0..10 => return self.plain(),
            10..14 => return self.discover(),
            14..16 => return self.delete(),
            16..19 => return self.patch(),
            _ => {}
        }
        let (id, who, number) = self.image();
        let image = self.model.images.iter().find(|it| Some(it.number) == number);
        let state = image.map(|it| it.state.clone()).unwrap_or_default();
        let of = (id.as_str(), who, number);
        let kind = if percent(&mut self.random, 10) { self.random.random_range(0..100) } else { self.fitting(&state) };
        match kind {
            0..12 => self.upload_to(of),
            12..22 => self.stage_of(of),
            22..32 => self.import_staged(of),
            32..42 => self.web_download(of),
            42..52 => self.copy(of, &state),
            52..62 => self.take_out(of, &state),
            62..74 => self.patch_locations(of, &state),
            74..84 => self.post_location(of),
            84..90 => self.activity(of),
            90..95 => self.download_of(&id, who),
            _ => {
                let tail = pick(&mut self.random, &["", "/tasks", "/tasks", "/locations", "/locations", "/file"]);
                let who = if percent(&mut self.random, 25) { Who::Service } else { who };
                (Request::new(who, "GET", format!("/v2/images/{id}{tail}")), Effect::Reads)
            }
        }
    }

    /// A kind that the state is for.
    fn fitting(&mut self, state: &State) -> u32 {
        let kinds: &[u32] = match state.status.as_str() {
            "uploading" => &[22, 22, 22, 22, 22, 22, 22, 12, 95],
            "active" => &[42, 42, 42, 52, 52, 52, 62, 62, 62, 90, 90, 90, 95, 95, 84],
            "deactivated" => &[84, 84, 84, 52, 42, 62, 90, 95],
            _ => &[0, 0, 0, 12, 12, 12, 32, 32, 62, 62, 74, 74, 95],
        };
        kinds[self.random.random_range(0..kinds.len())]
    }

    /// An image with formats; its id is chosen, so that it is the same on both.
    fn plain(&mut self) -> Step {
        let who = if percent(&mut self.random, 75) { Who::Member } else { Who::Admin };
        let random = &mut self.random;
        let id = format!("{:08x}-1111-4111-8111-{:012x}", random.random::<u32>(), random.random_range(0..1_u64 << 48));
        let mut body = json!({"id": id, "name": "x", "disk_format": "raw", "container_format": "bare"});
        match random.random_range(0..14) {
            0 => body["container_format"] = Value::Null,
            1 => body["disk_format"] = json!("qcow2"),
            2 => body["container_format"] = json!("ovf"),
            3 => body["protected"] = json!(true),
            _ => {}
        }
        body["visibility"] = json!(pick(random, &["shared", "private", "community"]));
        (Request::new(who, "POST", "/v2/images").json(body), Effect::MakesImage)
    }

    fn discover(&mut self) -> Step {
        let who = self.who();
        let paths = [
            "/v2/info/stores",
            "/v2/info/stores/detail",
            "/v2/info/stores/detail",
            "/v2/info/stores/x",
            "/v2/info/import",
            "/v2/info/usage",
            "/v2/images",
            "/v2/images?visibility=all",
            "/v2/images?limit=3&sort=name",
        ];
        (Request::new(who, "GET", pick(&mut self.random, &paths)), Effect::Reads)
    }

    fn store(&mut self) -> &'static str {
        match self.random.random_range(0..20) {
            0 => "web",
            1 => "nowhere",
            2 => ["FAST", "", "os_glance_staging_store", "fast,slow", "file"][self.random.random_range(0..5)],
            _ => FOLDERS[self.random.random_range(0..3)],
        }
    }

    fn upload_to(&mut self, (id, who, number): (&str, Who, Option<usize>)) -> Step {
        let data = self.data_of_page();
        let mut request =
            Request::new(who, "PUT", format!("/v2/images/{id}/file")).body("application/octet-stream", data);
        if percent(&mut self.random, 70) {
            request = request.header("X-Image-Meta-Store", self.store());
        }
        (request, Self::changes(number))
    }

    fn stage_of(&mut self, (id, who, number): (&str, Who, Option<usize>)) -> Step {
        let data = self.data_of_page();
        let request = Request::new(who, "PUT", format!("/v2/images/{id}/stage"));
        (request.body("application/octet-stream", data), Self::changes(number))
    }

    fn import_staged(&mut self, of: (&str, Who, Option<usize>)) -> Step {
        self.import_into(of, json!({"method": {"name": "glance-direct"}}))
    }

    fn web_download(&mut self, of: (&str, Who, Option<usize>)) -> Step {
        let uri = self.page();
        self.import_into(of, json!({"method": {"name": "web-download", "uri": uri}}))
    }

    /// The address of something on the tests' web server.
    pub(super) fn page(&mut self) -> String {
        format!("{}{}", self.web, pick(&mut self.random, &PAGES))
    }

    /// Data of an image, most often what a page has, so that this page is a place of the image.
    fn data_of_page(&mut self) -> Vec<u8> {
        match self.random.random_range(0..10) {
            0..4 => data("/a").unwrap(),
            4..8 => data("/c").unwrap(),
            _ => self.content(),
        }
    }

    fn copy(&mut self, (id, who, number): (&str, Who, Option<usize>), state: &State) -> Step {
        let who = if percent(&mut self.random, 80) { Who::Admin } else { who };
        let mut body = json!({"method": {"name": "copy-image"}});
        let missing: Vec<_> = FOLDERS.into_iter().filter(|it| !state.stores.iter().any(|store| store == it)).collect();
        if missing.is_empty() || percent(&mut self.random, 40) {
            return self.import_into((id, who, number), body);
        }
        let count = self.random.random_range(1..=missing.len());
        body["stores"] = json!(missing[..count]);
        if percent(&mut self.random, 50) {
            body["all_stores_must_succeed"] = json!(percent(&mut self.random, 50));
        }
        let request = Request::new(who, "POST", format!("/v2/images/{id}/import")).json(body);
        (request, number.map_or(Effect::Reads, Effect::Imports))
    }

    /// This import, into some stores.
    fn import_into(&mut self, (id, who, number): (&str, Who, Option<usize>), mut body: Value) -> Step {
        let mut request = Request::new(who, "POST", format!("/v2/images/{id}/import"));
        let mut stores = FOLDERS.to_vec();
        stores.shuffle(&mut self.random);
        stores.truncate(self.random.random_range(1..=3));
        match self.random.random_range(0..100) {
            0..25 => {}
            25..60 => body["stores"] = json!(stores),
            60..72 => {
                stores.insert(self.random.random_range(0..=stores.len()), "web");
                body["stores"] = json!(stores);
            }
            72..84 => body["all_stores"] = json!(percent(&mut self.random, 85)),
            84..92 => request = request.header("X-Image-Meta-Store", self.store()),
            92 => body["stores"] = json!(["nowhere", "fast"]),
            93 => body["stores"] = json!([]),
            94 => body["stores"] = json!(["fast", "fast"]),
            95 => (body["stores"], body["all_stores"]) = (json!(stores), json!(true)),
            96 => body["stores"] = anything(&mut self.random),
            97 => body["all_stores"] = anything(&mut self.random),
            98 => body["all_stores_must_succeed"] = anything(&mut self.random),
            _ => body["more"] = anything(&mut self.random),
        }
        if percent(&mut self.random, 45) {
            body["all_stores_must_succeed"] = json!(percent(&mut self.random, 35));
        }
        (request.json(body), number.map_or(Effect::Reads, Effect::Imports))
    }

    fn take_out(&mut self, (id, who, number): (&str, Who, Option<usize>), state: &State) -> Step {
        let who = if percent(&mut self.random, 80) { Who::Admin } else { who };
        let random = &mut self.random;
        let store = match state.stores.len() {
            1.. if percent(random, 70) => state.stores[random.random_range(0..state.stores.len())].clone(),
            _ => self.store().to_owned(),
        };
        (Request::new(who, "DELETE", format!("/v2/stores/{store}/{id}")), Self::changes(number))
    }

    fn activity(&mut self, (id, who, number): (&str, Who, Option<usize>)) -> Step {
        let verb = pick(&mut self.random, &["deactivate", "reactivate", "reactivate"]);
        (Request::new(who, "POST", format!("/v2/images/{id}/actions/{verb}")), Self::changes(number))
    }
}
