//! The same requests to Larder and to a real Glance, by callers of every kind: both answer the same, but for the
//! differences that the tables name.

mod hashing;
mod imports;
mod listing;
mod locations;
mod notifications;
mod plugins;
mod rights;
mod schemas;
mod signatures;
mod stores;
mod tasks;

use super::{Answer, Server, access::As, exchange, try_exchange};
use crate::support::rig;
use serde_json::{Value, json};
use std::{
    cell::{Cell, RefCell},
    net::SocketAddr,
    time::{Duration, Instant},
};

pub(super) const JSON: &str = "application/json";
const PATCH: &str = "application/openstack-images-v2.1-json-patch";

/// Both servers.
pub(super) struct Pair {
    larder: Server,
    glance: SocketAddr,
    differences: RefCell<Vec<String>>,
    /// What comes twice is made apart by this.
    mark: String,
    lost: Cell<bool>,
}

/// As the rig's Glance is configured.
const SHOWING: &str = "show_multiple_locations = true\nshow_image_direct_url = true\nimage_location_quota = 3\n";
/// As a Glance that is not told otherwise has them.
pub(super) const NO_IMPORTS: &str = "enabled_import_methods = []\n";
const TRUSTING: &str = "[paste_deploy]\nflavor = trusted-auth\ntrusted_peers = 127.0.0.1\n";

fn address(glance: &rig::Glance) -> SocketAddr {
    glance.url.trim_start_matches("http://").parse().unwrap()
}

/// A Glance's answer, and Larder's.
pub(super) struct Both {
    pub(super) glance: Answer,
    pub(super) larder: Answer,
}

impl Pair {
    /// None, and it is said why, without a Glance.
    pub(super) fn start() -> Option<Self> {
        let glance = address(rig::trusting_glance()?);
        let filter = "[import_filtering_opts]\nallowed_hosts = [127.0.0.1]\nallowed_ports = []";
        let larder = Server::with(&format!("{SHOWING}do_secure_hash = false\n{NO_IMPORTS}{TRUSTING}{filter}"));
        Some(Self::of(larder, glance))
    }

    fn of(larder: Server, glance: SocketAddr) -> Self {
        let mark = uuid::Uuid::new_v4().to_string();
        Self { larder, glance, differences: RefCell::default(), mark, lost: Cell::new(false) }
    }

    /// The name of a project that no other test has.
    pub(super) fn project(&self, name: &str) -> String {
        format!("{name}-{}", self.mark)
    }

    /// Asks both; it is noted when they do not answer the same.
    pub(super) fn ask(&self, who: &As, request: (&str, &str), kind: &str, body: &[u8]) -> Both {
        self.ask_with(who, request, (kind, body), &[])
    }

    /// Likewise, with more headers.
    pub(super) fn ask_with(
        &self,
        who: &As,
        request: (&str, &str),
        content: (&str, &[u8]),
        more: &[(&str, &str)],
    ) -> Both {
        let both = self.exchange(who, request, content, more);
        if both.glance.status >= 500 && both.larder.status < 300 {
            self.lose(&format!("says {} to {request:?}", both.glance.status));
        } else if !both.is_same() {
            self.note(format!("{who:?} {request:?} {}\n{}", String::from_utf8_lossy(content.1), both.print()));
        }
        both
    }

    /// Asks both, whatever they answer.
    pub(super) fn ask_freely(&self, who: &As, request: (&str, &str), kind: &str, body: &[u8]) -> Both {
        self.exchange(who, request, (kind, body), &[])
    }

    fn exchange(
        &self,
        who: &As,
        (method, path): (&str, &str),
        (kind, body): (&str, &[u8]),
        more: &[(&str, &str)],
    ) -> Both {
        let headers = who.headers(kind);
        let headers = [&headers[..], &[("Accept", JSON)], more].concat();
        let glance = try_exchange(self.glance, (method, path), &headers, body).unwrap_or_else(|| {
            self.lose(&format!("does not answer {method} {path}"));
            Answer { status: 500, headers: Vec::new(), body: b"{}".to_vec() }
        });
        Both { glance, larder: exchange(self.larder.address, method, path, &headers, body) }
    }

    /// Asks each for a path of its own, whatever they answer.
    pub(super) fn ask_each(&self, who: &As, (glance, larder): (&str, &str)) -> Both {
        let headers = [&who.headers("")[..], &[("Accept", JSON)]].concat();
        let ask = |server, path| exchange(server, "GET", path, &headers, b"");
        Both { glance: ask(self.glance, glance), larder: ask(self.larder.address, larder) }
    }

    pub(super) fn note(&self, difference: String) {
        if !self.lost.get() {
            self.differences.borrow_mut().push(difference);
        }
    }

    pub(super) fn get(&self, who: &As, path: &str) -> Both {
        self.ask(who, ("GET", path), "", b"")
    }

    pub(super) fn send(&self, who: &As, method: &str, path: &str, body: &Value) -> Both {
        self.ask(who, (method, path), JSON, body.to_string().as_bytes())
    }

    pub(super) fn patch(&self, who: &As, id: &str, body: &Value) -> Both {
        self.ask(who, ("PATCH", &format!("/v2/images/{id}")), PATCH, body.to_string().as_bytes())
    }

    /// A new image of `who` with an id of its own and these fields besides.
    pub(super) fn image(&self, who: &As, fields: Value) -> String {
        let id = uuid::Uuid::new_v4().to_string();
        let mut body = json!({"id": id, "name": "x", "disk_format": "raw", "container_format": "bare"});
        for (name, value) in fields.as_object().into_iter().flatten() {
            body[name] = value.clone();
        }
        let made = self.send(who, "POST", "/v2/images", &body);
        assert_eq!(made.larder.status, 201, "{}", made.print());
        id
    }

    /// Gives a queued image data.
    pub(super) fn fill(&self, who: &As, id: &str) {
        let path = format!("/v2/images/{id}/file");
        self.ask(who, ("PUT", &path), "application/octet-stream", b"some data");
    }

    /// Glance has failed (its database was locked, a thread was lost): from here on there is nothing to compare with.
    pub(super) fn lose(&self, what: &str) {
        eprintln!("not compared to the end: Glance {what}");
        self.lost.set(true);
    }

    /// Waits for work that Glance does behind its answers. False when it has lost it, which happens: then there is nothing
    /// to compare with.
    pub(super) fn glance_is_done(&self, done: impl Fn() -> bool) -> bool {
        let start = Instant::now();
        while !self.lost.get() && !done() {
            if start.elapsed() > Duration::from_secs(300) {
                self.lose("has lost a task");
            }
            std::thread::sleep(Duration::from_millis(50));
        }
        !self.lost.get()
    }

    /// That all answers were the same.
    #[track_caller]
    pub(super) fn end(self) {
        let differences = self.differences.take();
        assert!(differences.is_empty(), "{} differences:\n{}", differences.len(), differences.join("\n\n"));
    }
}

impl Both {
    /// Status, what is allowed, and what a success says.
    pub(super) fn is_same(&self) -> bool {
        let allowed = |it: &Answer| {
            let mut words: Vec<String> =
                it.header("allow").unwrap_or_default().split(',').map(|it| it.trim().to_owned()).collect();
            words.sort();
            words
        };
        self.glance.status == self.larder.status
            && allowed(&self.glance) == allowed(&self.larder)
            && (self.glance.status >= 300 || said(&self.glance) == said(&self.larder))
    }

    pub(super) fn print(&self) -> String {
        let one = |it: &Answer| format!("{} {:?} {}", it.status, it.header("allow"), it.text().replace('\n', " "));
        format!("  Glance {}\n  Larder {}", one(&self.glance), one(&self.larder))
    }
}

/// The body without what differs from server to server: times, folders and ports.
fn said(answer: &Answer) -> Value {
    match serde_json::from_slice(&answer.body) {
        Ok(value) => plain(value),
        Err(_) => answer.text().into(),
    }
}

fn plain(value: Value) -> Value {
    match value {
        Value::Object(fields) => fields
            .into_iter()
            .map(|(name, value)| {
                let is_time = name.ends_with("_at") && value.is_string();
                let value = if is_time { json!("a time") } else { plain(value) };
                (name, value)
            })
            .collect(),
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::String(text) if text.starts_with("file://") => text.rsplit('/').next().unwrap_or_default().into(),
        other => other,
    }
}
