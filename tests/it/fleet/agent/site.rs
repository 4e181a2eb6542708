//! A catalogue and nodes, all of them processes of their own.

use crate::support::{
    daemon::{Agent, Catalogue},
    disks, run, wait_until,
};
use larder::{
    remote,
    wire::fleet::{Action, HeldImage, ItemState, JobId, JobItem, NewJob, Node, Rule, Selector, Targets},
};
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::TcpStream,
    path::{Path, PathBuf},
    time::Duration,
};

pub(super) const LONG: Duration = Duration::from_secs(120);

pub(super) struct Site {
    pub(super) tmp: tempfile::TempDir,
    pub(super) catalogue: Catalogue,
}

impl Site {
    /// Nodes count as down after 3 s.
    pub(super) fn new() -> Self {
        let tmp = tempfile::tempdir().unwrap();
        std::fs::create_dir(tmp.path().join("centre")).unwrap();
        let catalogue = Catalogue::start(&tmp.path().join("centre"), "[fleet]\nheartbeat_interval = 1");
        Self { tmp, catalogue }
    }

    pub(super) fn folder(&self, name: &str) -> PathBuf {
        let folder = self.tmp.path().join(name);
        std::fs::create_dir_all(&folder).unwrap();
        folder
    }

    /// An image of this many MiB of noise.
    pub(super) fn push(&self, name: &str, mib: u64) -> String {
        let path = self.tmp.path().join(format!("{name}.raw"));
        disks::noise(&path, mib << 20, name.bytes().map(u64::from).sum());
        let mut command = self.catalogue.larder(&["image", "push"]);
        run(command.arg(path).args(["--name", name])).trim().to_owned()
    }

    /// An agent of this name; `extra` begins in `[DEFAULT]`.
    pub(super) fn node(&self, name: &str, extra: &str, fleet: &str) -> Agent {
        let extra = format!("{extra}\n[fleet]\nnode_name = {name}\n{fleet}");
        Agent::start(&self.folder(name), &self.catalogue.url(), &extra)
    }

    /// One request to the catalogue; the status of the answer.
    pub(super) fn call(&self, method: &str, path: &str) -> u16 {
        let mut stream = TcpStream::connect(("127.0.0.1", self.catalogue.port)).unwrap();
        let request = format!("{method} {path} HTTP/1.1\r\nhost: x\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
        stream.write_all(request.as_bytes()).unwrap();
        let mut answer = String::new();
        stream.read_to_string(&mut answer).unwrap();
        answer.split(' ').nth(1).unwrap().parse().unwrap()
    }

    pub(super) fn delete(&self, id: &str) {
        assert_eq!(self.call("DELETE", &format!("/v2/images/{id}")), 204);
    }
}

/// Caches all of these on a node.
pub(super) fn cache(agent: &Agent, ids: &[&String]) {
    ids.iter().for_each(|id| agent.queue(id));
    ids.iter().for_each(|id| agent.wait_state(id, "cached"));
}

/// Waits until the status is so.
pub(super) fn wait(agent: &Agent, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let mut last = Value::Null;
    wait_until(what, LONG, || {
        last = agent.status();
        so(&last)
    });
    last
}

/// Waits until a check of all images that began from now on was like this.
pub(super) fn wait_check(agent: &Agent, what: &str, so: impl Fn(&Value) -> bool) -> Value {
    let start = chrono::Utc::now();
    let is_new =
        |it: &Value| it.as_str().is_some_and(|at| at.parse::<chrono::DateTime<chrono::Utc>>().unwrap() >= start);
    wait(agent, what, |it| is_new(&it["last_check"]["at"]) && so(&it["last_check"]))
}

/// The bases that are there.
pub(super) fn bases(agent: &Agent) -> Vec<String> {
    let mut names = crate::support::files(&agent.base_dir());
    names.retain(|it| !it.starts_with(".larder"));
    names.sort();
    names
}

pub(super) fn exists(path: &Path) -> bool {
    path.exists()
}

/// The operator's side of the fleet.
pub(super) struct Fleet {
    runtime: tokio::runtime::Runtime,
    catalogue: remote::Catalogue,
    settings: remote::Settings,
}

impl Fleet {
    pub(super) fn of(site: &Site) -> Self {
        let settings =
            remote::Settings { endpoint: Some(site.catalogue.url().parse().unwrap()), ..remote::Settings::default() };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        Self { runtime, catalogue: remote::Catalogue::new(settings.clone()).unwrap(), settings }
    }

    pub(super) fn job(&self, action: Action, images: &[&String], nodes: Targets) -> JobId {
        let images = images.iter().map(|it| it.parse().unwrap()).collect();
        let new = NewJob { action, images, nodes, priority: 0 };
        // A connection that was open when the catalogue was killed would fail, and a POST is not sent again.
        let catalogue = remote::Catalogue::new(self.settings.clone()).unwrap();
        self.runtime.block_on(catalogue.make_job(&new)).unwrap().id
    }

    /// What became of an image on a node; none while the catalogue does not answer.
    pub(super) fn item(&self, job: &JobId, node: &str, image: &str) -> Option<(ItemState, Option<String>)> {
        let items = self.runtime.block_on(self.catalogue.job_results(job)).ok()?;
        let item = items.into_iter().find(|it| it.node.as_str() == node && it.image.as_str() == image)?;
        Some((item.state, item.why))
    }

    /// Waits until that has become of it; why, if it failed.
    pub(super) fn wait_item(&self, job: &JobId, node: &str, image: &str, state: ItemState) -> Option<String> {
        let mut last = None;
        wait_until(&format!("{image} on {node} is {state:?}"), LONG, || {
            last = self.item(job, node, image);
            last.as_ref().is_some_and(|it| it.0 == state)
        });
        last.and_then(|it| it.1)
    }

    /// What became of all of it, in the order of nodes.
    pub(super) fn wait_job(&self, job: &JobId) -> Vec<JobItem> {
        let mut items = Vec::new();
        wait_until("the job is over", LONG, || {
            let Ok(all) = self.runtime.block_on(self.catalogue.job_results(job)) else { return false };
            items = all;
            let open = [ItemState::Waiting, ItemState::Handed, ItemState::NodeDown];
            !items.is_empty() && items.iter().all(|it| !open.contains(&it.state))
        });
        items
    }

    /// Leaves an image out of listings.
    pub(super) fn hide(&self, id: &str) {
        let change = json!([{"op": "replace", "path": "/os_hidden", "value": true}]);
        self.runtime.block_on(self.catalogue.patch(&id.parse().unwrap(), &change)).unwrap();
    }

    /// Makes a rule; the version of the rules that hold now.
    pub(super) fn put_rule(&self, name: &str, rule: Value) -> u64 {
        let rule: Rule = serde_json::from_value(rule).unwrap();
        self.runtime.block_on(async {
            self.catalogue.put_rule(&name.parse().unwrap(), &rule).await.unwrap();
            self.catalogue.rules(None).await.unwrap().version
        })
    }

    pub(super) fn nodes(&self) -> Vec<Node> {
        self.runtime.block_on(self.catalogue.nodes(&Selector::default())).unwrap_or_default()
    }

    pub(super) fn wait_node(&self, name: &str, what: &str, so: impl Fn(&Node) -> bool) {
        wait_until(&format!("{name} is {what}"), LONG, || {
            self.nodes().iter().any(|it| it.name.as_str() == name && so(it))
        });
    }

    /// The images that a node has said it holds.
    pub(super) fn images(&self, node: &str) -> Vec<HeldImage> {
        self.runtime.block_on(self.catalogue.node_images(&node.parse().unwrap())).unwrap_or_default()
    }
}

pub(super) fn named(names: &[&str]) -> Targets {
    Targets::Names(names.iter().map(|it| it.parse().unwrap()).collect())
}

pub(super) fn connected(agent: &Agent) {
    wait(agent, "it is connected", |it| it["fleet"]["state"] == "connected" && it["fleet"]["follows"] == true);
}
