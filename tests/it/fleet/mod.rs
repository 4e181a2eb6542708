//! The fleet, from outside: a real catalogue, and what speaks for nodes as their agents do.

mod access;
#[cfg(feature = "agent")]
mod agent;
mod commands;
mod described;
mod feed;
mod processes;

use crate::api::Server;
use larder::{
    image::ImageId,
    remote::{Catalogue, RemoteError, Settings},
    wire::fleet::{
        Action, Heartbeat, HeartbeatAnswer, HeldState, ImageChange, NodeName, Outcome, Registration, Session, Summary,
        Work, WorkResult,
    },
};
use std::{collections::BTreeMap, time::Duration};
use url::Url;

/// The longest wait for anything.
const PATIENCE: Duration = Duration::from_secs(120);

/// The fleet's calls, as anybody.
fn client(server: &Server) -> Catalogue {
    at(&format!("http://{}", server.address), Settings::default())
}

fn at(url: &str, settings: Settings) -> Catalogue {
    Catalogue::new(Settings { endpoint: Some(Url::parse(url).unwrap()), ..settings }).unwrap()
}

fn name(text: &str) -> NodeName {
    text.parse().unwrap()
}

fn image(number: u32) -> ImageId {
    format!("00000000-0000-4000-8000-{number:012}").parse().unwrap()
}

/// What speaks for a node, by the rules that an agent keeps.
struct Node {
    catalogue: Catalogue,
    name: NodeName,
    labels: String,
    session: Option<Session>,
    /// The last beat that was answered.
    sequence: u64,
    full: bool,
    held: BTreeMap<ImageId, ImageChange>,
    changes: Vec<ImageChange>,
    results: Vec<WorkResult>,
    /// Images that cannot be had.
    missing: Vec<ImageId>,
    rules_version: u64,
}

impl Node {
    fn new(catalogue: &Catalogue, text: &str, labels: &str) -> Self {
        Self {
            catalogue: catalogue.clone(),
            name: name(text),
            labels: labels.to_owned(),
            session: None,
            sequence: 0,
            full: true,
            held: BTreeMap::new(),
            changes: Vec::new(),
            results: Vec::new(),
            missing: Vec::new(),
            rules_version: 0,
        }
    }

    async fn register(&mut self) -> Result<(), RemoteError> {
        let it = Registration {
            labels: self.labels.parse().unwrap(),
            address: None,
            version: "test".to_owned(),
            boot_id: "boot".to_owned(),
            session: self.session.clone(),
            instance: None,
        };
        let registered = self.catalogue.register_node(&self.name, &it).await?;
        (self.session, self.sequence, self.full) = (Some(registered.session), 0, true);
        Ok(())
    }

    /// The beat that comes next.
    fn next(&self) -> Heartbeat {
        let changes = if self.full { self.held.values().cloned().collect() } else { self.changes.clone() };
        Heartbeat {
            session: self.session.clone().unwrap(),
            sequence: self.sequence + 1,
            full: self.full,
            changes,
            summary: Some(Summary {
                held: self.held.len() as u64,
                free: 1 << 30,
                total: 2 << 30,
                ..Summary::default()
            }),
            results: self.results.clone(),
            rules_version: self.rules_version,
        }
    }

    /// One beat; registers first where that must be. Work is done before the next one.
    async fn beat(&mut self) -> Result<HeartbeatAnswer, RemoteError> {
        if self.session.is_none() {
            self.register().await?;
        }
        let answer = match self.catalogue.heartbeat(&self.name, &self.next()).await {
            Err(error) if matches!(error.status().map(|it| it.as_u16()), Some(404 | 409)) => {
                self.register().await?;
                self.catalogue.heartbeat(&self.name, &self.next()).await?
            }
            other => other?,
        };
        self.sequence = answer.sequence;
        self.full = answer.resync;
        if !answer.resync {
            self.changes.clear();
            self.results.clear();
            answer.work.iter().for_each(|it| self.work(it));
        }
        Ok(answer)
    }

    fn work(&mut self, work: &Work) {
        let there = self.held.contains_key(&work.image);
        let wanted = work.action != Action::Remove;
        let (state, why) = if wanted && self.missing.contains(&work.image) {
            (Outcome::Failed, Some("the image is not found".to_owned()))
        } else if there == wanted {
            (Outcome::Existing, None)
        } else {
            (Outcome::Done, None)
        };
        if state == Outcome::Done {
            let change = ImageChange {
                image: work.image.clone(),
                state: wanted.then_some(HeldState::Cached),
                size: 4096,
                done: None,
                pinned: work.action == Action::Pin,
                digest: None,
                why: None,
            };
            if wanted {
                self.held.insert(work.image.clone(), change.clone());
            } else {
                self.held.remove(&work.image);
            }
            self.changes.push(change);
        }
        self.results.push(WorkResult { job: work.job.clone(), image: work.image.clone(), state, why });
    }

    /// Beats as often as it may, for ever.
    async fn live(mut self) {
        loop {
            let _ = self.beat().await;
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}
