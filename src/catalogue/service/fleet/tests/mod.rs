//! The fleet's verbs, on every database.

mod feed;
mod jobs;
mod nodes;

use crate::catalogue::{
    Settings,
    service::{Bounds, Fault, Service, tests::settings},
};
use crate::db::{
    self,
    scratch::{self, Scratch},
};
use crate::identity::Caller;
use crate::image::ImageId;
use crate::wire::fleet::{
    Heartbeat, HeartbeatAnswer, HeldState, ImageChange, NodeName, Registered, Registration, Session,
};
use std::path::Path;

/// A service on one of the databases.
struct Engine {
    service: Service,
    settings: Settings,
    server: Option<Scratch>,
    dir: tempfile::TempDir,
}

/// One on each database that is there, SQLite first.
async fn engines() -> Vec<Engine> {
    let mut engines = vec![Engine::new(None).await];
    for server in scratch::servers() {
        engines.push(Engine::new(Some(server)).await);
    }
    engines
}

impl Engine {
    async fn new(server: Option<Scratch>) -> Self {
        let dir = tempfile::tempdir().unwrap();
        let settings = match &server {
            Some(server) => on(server, dir.path()),
            None => settings(dir.path()),
        };
        Self { service: Service::open(settings.clone()).await.unwrap(), settings, server, dir }
    }

    /// Another process on the same database.
    async fn another(&self) -> Service {
        Service::open(self.settings.clone()).await.unwrap()
    }

    /// What the service has no verb for.
    fn sql(&self, statement: &str) {
        match &self.server {
            Some(server) => drop(server.lines(statement)),
            None => {
                let raw = rusqlite::Connection::open(self.dir.path().join("catalogue.sqlite")).unwrap();
                raw.busy_timeout(std::time::Duration::from_secs(60)).unwrap();
                raw.execute(statement, []).unwrap();
            }
        }
    }

    /// As if the node had been silent for so long.
    fn silent(&self, node: &NodeName, seconds: u64) {
        self.sql(&format!("UPDATE larder_nodes SET beat_at = beat_at - {seconds} WHERE name = '{node}'"));
    }

    async fn register(&self, node: &str, labels: &str, session: Option<&Session>) -> Result<Registered, Fault> {
        let it = Registration { labels: labels.parse().unwrap(), session: session.cloned(), ..registration(node) };
        self.service.register(&Caller::admin(), &name(node), it).await
    }

    /// An agent of a node that has told its inventory.
    async fn agent(&self, node: &str, labels: &str) -> Agent {
        let session = self.register(node, labels, None).await.unwrap().session;
        let mut agent = Agent { service: self.service.clone(), name: name(node), next: beat(session) };
        agent.next.full = true;
        agent.beat().await;
        agent
    }
}

fn on(server: &Scratch, dir: &Path) -> Settings {
    let database =
        db::Settings { connection: server.url.clone(), max_pool_size: 4, max_overflow: 12, ..db::Settings::default() };
    Settings { database, ..settings(dir) }
}

/// What speaks for a node.
struct Agent {
    service: Service,
    name: NodeName,
    /// The beat that comes next.
    next: Heartbeat,
}

impl Agent {
    async fn try_beat(&self) -> Result<HeartbeatAnswer, Fault> {
        self.service.heartbeat(&Caller::admin(), &self.name, self.next.clone()).await
    }

    /// A beat that is done.
    async fn beat(&mut self) -> HeartbeatAnswer {
        let answer = self.try_beat().await.unwrap();
        assert!(!answer.resync && answer.sequence == self.next.sequence, "{answer:?}");
        self.next = Heartbeat {
            sequence: self.next.sequence + 1,
            rules_version: self.next.rules_version,
            ..beat(self.next.session.clone())
        };
        answer
    }
}

fn registration(node: &str) -> Registration {
    Registration {
        labels: "".parse().unwrap(),
        address: Some(format!("http://{node}:9393")),
        version: "1.0".to_owned(),
        boot_id: "b".to_owned(),
        session: None,
        instance: None,
    }
}

fn beat(session: Session) -> Heartbeat {
    Heartbeat {
        session,
        sequence: 1,
        full: false,
        changes: Vec::new(),
        summary: None,
        results: Vec::new(),
        rules_version: 0,
    }
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn image(number: u32) -> ImageId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

fn held(number: u32, state: Option<HeldState>) -> ImageChange {
    ImageChange { image: image(number), state, size: 7, done: None, pinned: false, digest: None, why: None }
}

fn page(limit: usize) -> Bounds {
    Bounds { marker: None, limit }
}
