//! The centre: the catalogue's service on a database of its own, by virtual time.

use super::node::START;
use crate::agent::fleet::course::Call;
use crate::catalogue::service::{Bounds, Fault, Service, tests::settings};
use crate::identity::Caller;
use crate::image::{ImageId, NewImage};
use crate::wire::fleet::{
    Change, HeartbeatAnswer, HeldImage, JobDetail, JobId, NewJob, Node, NodeName, Registered, Rule, RuleSet,
};
use tempfile::TempDir;

/// Entries of a page.
const PAGE: usize = 100_000;

pub(super) struct Centre {
    service: Service,
    dir: TempDir,
    pub(super) is_up: bool,
    /// Calls of agents that it has answered, and those of the second that is counted now.
    pub(super) calls: u64,
    second: (u64, u64),
    /// The most in one second, since that was set back.
    pub(super) most: u64,
}

/// What an agent gets.
pub(super) enum Answer {
    Registered(Registered),
    Beat(HeartbeatAnswer),
    Rules(RuleSet),
    Failed(Option<u16>, String),
}

// === impl Centre ===

impl Centre {
    pub(super) async fn new() -> Self {
        // A commit waits for the disk: in memory there is none to wait for.
        let dir = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let service = Service::open(settings(dir.path())).await.unwrap();
        Self { service, dir, is_up: true, calls: 0, second: (0, 0), most: 0 }
    }

    /// Its process ends, and another one goes on with the database.
    pub(super) async fn restart(&mut self) {
        self.service = Service::open(settings(self.dir.path())).await.unwrap();
    }

    pub(super) fn set_time(&self, at: u64) {
        self.service.db().set_time(START + i64::try_from(at / 1000).unwrap());
    }

    /// Answers an agent.
    pub(super) async fn answer(&mut self, node: &NodeName, call: Call, at: u64) -> Answer {
        self.calls += 1;
        if self.second.0 == at / 1000 {
            self.second.1 += 1
        } else {
            self.second = (at / 1000, 1)
        }
        self.most = self.most.max(self.second.1);
        let caller = Caller::admin();
        let answer = match call {
            Call::Register(it) => self.service.register(&caller, node, it).await.map(Answer::Registered),
            Call::Beat(it) => self.service.heartbeat(&caller, node, it).await.map(Answer::Beat),
            Call::Rules => self.service.rules(&caller, Some(node.clone())).await.map(Answer::Rules),
        };
        answer.unwrap_or_else(|fault| Answer::Failed(Some(status(&fault)), fault.to_string()))
    }

    pub(super) async fn make_job(&self, id: JobId, new: NewJob) -> u64 {
        self.service.make_job_as(&Caller::admin(), id, new).await.unwrap().counts.total
    }

    pub(super) async fn job(&self, id: &JobId) -> JobDetail {
        self.service.job(&Caller::admin(), id, page()).await.unwrap()
    }

    pub(super) async fn put_rule(&self, name: &str, rule: Rule) {
        self.service.put_rule(&Caller::admin(), &name.parse().unwrap(), rule).await.unwrap();
    }

    pub(super) async fn rules_version(&self) -> u64 {
        self.service.rules(&Caller::admin(), None).await.unwrap().version
    }

    pub(super) async fn forget(&self, node: &NodeName) {
        self.service.forget_node(&Caller::admin(), node).await.unwrap();
    }

    pub(super) async fn create(&self, id: &ImageId) {
        let new = NewImage { id: Some(id.clone()), ..NewImage::default() };
        self.service.create(&Caller::admin(), new).await.unwrap();
    }

    pub(super) async fn delete(&self, id: &ImageId) {
        self.service.delete(&Caller::admin(), id).await.unwrap();
    }

    /// What comes after `since` in the feed, and where that ends.
    pub(super) async fn changes(&self, since: Option<u64>, node: Option<&NodeName>) -> (Vec<Change>, u64) {
        let page = self.service.changes(&Caller::admin(), since, node.cloned(), PAGE).await.unwrap();
        (page.changes, page.next)
    }

    pub(super) async fn tend(&self) {
        self.service.tend_fleet().await.unwrap();
    }

    pub(super) async fn nodes(&self) -> Vec<Node> {
        self.service.nodes(&Caller::admin(), crate::wire::fleet::Selector::default(), page()).await.unwrap().nodes
    }

    pub(super) async fn holds(&self, node: &NodeName) -> Vec<HeldImage> {
        self.service.node_images(&Caller::admin(), node, page()).await.unwrap().images
    }
}

fn page() -> Bounds {
    Bounds { marker: None, limit: PAGE }
}

/// As the API answers it.
fn status(fault: &Fault) -> u16 {
    match fault {
        Fault::NotFound(_) => 404,
        Fault::Conflict(_) => 409,
        Fault::Forbidden(_) => 403,
        Fault::Invalid(_) => 400,
        _ => 500,
    }
}
