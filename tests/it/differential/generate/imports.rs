//! `PUT /v2/images/{id}/stage` and `POST /v2/images/{id}/import`

use super::{Generator, Step};
use crate::differential::{
    model::Effect,
    request::Request,
    values::{anything, percent, pick},
};
use rand::{Rng, RngCore};
use serde_json::{Value, json};

impl Generator {
    pub(super) fn stage(&mut self) -> Step {
        let (id, who, number) = self.image();
        let random = &mut self.random;
        let mut data = vec![b'r'; random.random_range(1..5000)];
        random.fill_bytes(&mut data[1..]);
        let kind = if percent(random, 92) { "application/octet-stream" } else { "text/html" };
        (Request::new(who, "PUT", format!("/v2/images/{id}/stage")).body(kind, data), Self::changes(number))
    }

    /// By what was staged, or in a way that both refuse: what is fetched from elsewhere is no matter of chance.
    pub(super) fn import(&mut self) -> Step {
        let (id, who, number) = match self.model.staged.pop() {
            Some(image) => (format!("@{}@", image.number), image.maker, Some(image.number)),
            None => self.image(),
        };
        let random = &mut self.random;
        let direct = json!({"method": {"name": "glance-direct"}});
        let with = |name: &str, value: Value| {
            let mut body = direct.clone();
            body[name] = value;
            body
        };
        let body = match random.random_range(0..30) {
            0 => anything(random),
            1 => json!({"method": anything(random)}),
            2 => json!({"method": {"name": pick(random, &["copy-image", "glance-download", "nothing", ""])}}),
            3 => json!({"method": {"name": "web-download"}}),
            4 => json!({"method": {"name": "web-download", "uri": pick(random, &["", "x", "file:///x", "ftp://h/x"])}}),
            5 => with("stores", json!(["nowhere"])),
            6 => with("all_stores", anything(random)),
            7 => with("all_stores_must_succeed", anything(random)),
            8 => with("more", anything(random)),
            9 => json!({}),
            _ => direct,
        };
        let request = Request::new(who, "POST", format!("/v2/images/{id}/import")).json(body);
        (request, number.map_or(Effect::Reads, Effect::Imports))
    }
}
