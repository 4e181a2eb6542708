//! What happens in a run, in which order.

use super::{
    law,
    node::Node,
    world::{Event, World},
};
use crate::image::ImageId;
use crate::wire::fleet::{Action, JobId, NewJob, Targets};
use std::{collections::BTreeSet, time::Duration};

/// Within so many seconds after the centre's return the fleet is whole again.
const CONVERGES: u64 = 30;

/// Calls in one second after the centre's return, of a thousand nodes.
const HERD: u64 = 450;

/// One thing that happens, or a while.
pub(super) enum Act {
    /// So many seconds go by.
    Wait(u64),
    /// So many of a thousand calls get lost, or worse.
    Faults(u32),
    /// Images are made.
    Images(usize),
    /// This is asked of these nodes (a selector; `` for all), for so many images.
    Job(Action, &'static str, usize),
    /// The rules change.
    Rule(&'static str),
    /// So many images are deleted at the centre.
    Delete(usize),
    /// So many agents crash, and start again within a minute; whether they lose their index.
    Crash(usize, bool),
    /// So many nodes go down for good, until they are all back.
    Down(usize),
    Up,
    /// So many clocks are set, by up to a day.
    Clocks(usize),
    /// So many nodes are forgotten by mistake.
    Forget(usize),
    /// The centre's process is another one.
    Restart,
    /// The centre is away for so many seconds; whether calls are refused at once.
    Away(u64, bool),
    /// It was, and within [`CONVERGES`] all nodes are back, but for so many of a thousand.
    Back(u32),
    /// It gets quiet: both sides agree.
    Quiet,
}

pub(super) struct Script(Vec<Act>);

// === impl Script ===

impl Script {
    /// All that can happen, to a fleet that is new in round 0.
    pub(super) fn of_everything(round: u64) -> Self {
        use Act::*;
        let mut acts = vec![Faults(20), Images(12), Wait(if round == 0 { 60 } else { 5 })];
        acts.extend([
            Job(Action::Queue, "", 2),
            Wait(20),
            Crash(60, false),
            Job(Action::Pin, "site=s1", 2),
            Rule("first"),
        ]);
        acts.extend([Wait(25), Clocks(100), Crash(20, true), Restart, Wait(15), Forget(5), Down(40), Delete(2)]);
        acts.extend([
            Job(Action::Remove, "site=s2,rack=r2", 2),
            Job(Action::Unpin, "rack=r1", 3),
            Wait(20),
            Rule("second"),
        ]);
        // A while without the centre, and nothing else is wrong.
        acts.extend([Faults(0), Wait(10), Crash(50, false), Away(600, true), Crash(20, false), Back(0), Wait(20)]);
        // A while in which everything vanishes, on a network that loses more.
        acts.extend([
            Faults(50),
            Job(Action::Queue, "site=s3", 3),
            Wait(2),
            Away(300, false),
            Delete(1),
            Crash(20, true),
        ]);
        acts.extend([Back(60), Job(Action::Remove, "rack=r7", 3), Up, Wait(30), Restart, Rule("first"), Quiet]);
        Self(acts)
    }

    /// Only an outage, and what is asked of nodes before and after it.
    pub(super) fn of_an_outage(time: Duration) -> Self {
        use Act::*;
        let job = || Job(Action::Queue, "", 2);
        Self(vec![Images(4), Wait(40), job(), Wait(3), Away(time.as_secs(), true), Back(0), job(), Quiet])
    }

    pub(super) async fn run(self, world: &mut World) -> Result<(), String> {
        for act in self.0 {
            world.centre.set_time(world.at);
            world.act(act).await?;
            world.has_news = true;
        }
        Ok(())
    }
}

// === impl World ===

impl World {
    async fn act(&mut self, act: Act) -> Result<(), String> {
        match act {
            Act::Wait(seconds) => self.run(seconds).await,
            Act::Faults(faults) => self.faults = faults,
            Act::Images(count) => self.make_images(count).await,
            Act::Job(action, nodes, images) => self.ask(action, nodes, images).await,
            Act::Rule(name) => {
                let rule = serde_json::json!({"match": {"visibility": "public"}, "priority": self.chance.index(100)});
                self.centre.put_rule(name, serde_json::from_value(rule).unwrap()).await;
            }
            Act::Delete(count) => {
                for _ in 0..count {
                    let id = self.images.pop().unwrap();
                    self.deleted.insert(id.clone());
                    self.centre.delete(&id).await;
                }
            }
            Act::Crash(count, loses) => {
                for node in self.some_up(count) {
                    self.crash(node, loses);
                    let wait = self.chance.between(500, 60_000);
                    self.put(wait, node, Event::Start);
                }
            }
            Act::Down(count) => self.some_up(count).into_iter().for_each(|it| self.crash(it, false)),
            Act::Up => {
                for node in (0..self.nodes.len()).filter(|it| !self.nodes[*it].is_up).collect::<Vec<_>>() {
                    let wait = self.chance.between(0, 20_000);
                    self.put(wait, node, Event::Start);
                }
            }
            Act::Clocks(count) => {
                for node in self.some_up(count) {
                    let jump = i64::try_from(self.chance.between(0, 2 * 86_400_000)).unwrap();
                    self.nodes[node].skew = jump - 86_400_000;
                }
            }
            Act::Forget(count) => {
                let known: BTreeSet<_> = self.centre.nodes().await.into_iter().map(|it| it.name).collect();
                for node in self.some_up(count).into_iter().filter(|it| known.contains(&self.names[*it])) {
                    self.centre.forget(&self.names[node]).await;
                }
            }
            Act::Restart => {
                self.cut_feeds();
                self.centre.restart().await;
            }
            Act::Away(seconds, refuses) => self.away(seconds, refuses).await?,
            Act::Back(late) => self.back(late).await?,
            Act::Quiet => {
                self.faults = 0;
                self.run(200).await;
                self.centre.tend().await;
                law::agrees(self).await?;
            }
        }
        Ok(())
    }

    async fn make_images(&mut self, count: usize) {
        for _ in 0..count {
            let id = ImageId::from_random(self.chance.number());
            self.centre.create(&id).await;
            self.images.insert(0, id);
        }
    }

    async fn ask(&mut self, action: Action, nodes: &str, images: usize) {
        let id = JobId::from_random(self.chance.number());
        let first = self.chance.index(self.images.len() - images);
        let images = self.images[first..first + images].to_vec();
        let selector: crate::wire::fleet::Selector = nodes.parse().unwrap();
        let known: BTreeSet<_> = self.centre.nodes().await.into_iter().map(|it| it.name).collect();
        let is_asked =
            |it: &usize| selector.matches(&self.nodes[*it].settings.labels) && known.contains(&self.names[*it]);
        let asked: BTreeSet<usize> = (0..self.nodes.len()).filter(is_asked).collect();
        let targets = if nodes.is_empty() { Targets::All(true) } else { Targets::Selector(selector) };
        let new = NewJob { action, images: images.clone(), nodes: targets, priority: 0 };
        let total = self.centre.make_job(id.clone(), new).await;
        assert_eq!(total, (asked.len() * images.len()) as u64);
        self.jobs.insert(id, (asked, images));
    }

    /// Some of the nodes that are up.
    fn some_up(&mut self, count: usize) -> Vec<usize> {
        let mut up: Vec<usize> = (0..self.nodes.len()).filter(|it| self.nodes[*it].is_up).collect();
        let count = count.min(up.len());
        (0..count).map(|_| up.swap_remove(self.chance.index(up.len()))).collect()
    }

    fn crash(&mut self, node: usize, loses: bool) {
        let it: &mut Node = &mut self.nodes[node];
        it.is_up = false;
        it.process += 1;
        if loses {
            it.forget();
        }
    }

    async fn away(&mut self, seconds: u64, refuses: bool) -> Result<(), String> {
        (self.centre.is_up, self.refuses) = (false, refuses);
        self.cut_feeds();
        let (sent, lines) = (self.sent_calls, self.warnings());
        self.run(seconds).await;
        // Half a second at the least, and then five to ten of them.
        let most = self.nodes.len() as u64 * (seconds / 5 + 8);
        if self.sent_calls - sent > most {
            return Err(format!("{} calls in {seconds} s without the centre", self.sent_calls - sent));
        }
        let (said, most) = (self.warnings() - lines, self.nodes.len() as u64 * (seconds / 3600 + 2));
        if said > most { Err(format!("{said} lines in {seconds} s without the centre")) } else { Ok(()) }
    }

    async fn back(&mut self, late: u32) -> Result<(), String> {
        self.centre.is_up = true;
        self.centre.most = 0;
        let since = self.at;
        self.run(CONVERGES).await;
        let missing = law::not_back(self, since);
        let most = self.nodes.len() * late as usize / 1000;
        if missing.len() > most {
            let views: Vec<_> = missing.iter().take(3).map(|it| self.nodes[*it].course.view()).collect();
            return Err(format!("{} nodes are not back after {CONVERGES} s: {views:?}", missing.len()));
        }
        if self.centre.most > HERD {
            return Err(format!("{} calls in one second after the centre's return", self.centre.most));
        }
        self.run(60).await;
        let missing = law::not_back(self, since);
        if missing.is_empty() { Ok(()) } else { Err(format!("{missing:?} are not back after a minute more")) }
    }

    fn warnings(&self) -> u64 {
        self.nodes.iter().map(|it| it.warnings).sum()
    }
}
