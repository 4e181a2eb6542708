//! The test: very many steps, each judged, and now and then days of quiet.
//!
//! `LARDER_MODEL` is the number of steps, `LARDER_MODEL_SEED` repeats a run.

use super::{host::Host, law::nothing_stays, node, qcow2::Template};
use crate::agent::Settings;
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use rand::{Rng, SeedableRng, rngs::StdRng};
use std::collections::{BTreeSet, VecDeque};

pub(super) struct World {
    pub(super) host: Host,
    pub(super) node: Option<node::Node>,
    pub(super) settings: Settings,
    pub(super) rng: StdRng,
    pub(super) images: Vec<ImageId>,
    pub(super) pinned: BTreeSet<ImageId>,
    /// The agent was told that the centre has them no more.
    pub(super) gone: BTreeSet<ImageId>,
    pub(super) count: u64,
    /// Of instances so far.
    pub(super) names: u64,
    said: VecDeque<String>,
    _tmp: tempfile::TempDir,
}

const STEPS: u64 = 400;
/// Steps between two quiet times.
const EPOCH: u64 = 100;
/// A long run tells how far it is, this often.
const TELLS: u64 = 1000;
/// The last steps that are shown when one goes wrong.
const SHOWN: usize = 60;

impl World {
    pub(super) async fn new(seed: u64) -> Option<Self> {
        // In memory: the model is about what is removed, and syncs would take most of its time.
        let tmp = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap();
        let dir = tmp.path().canonicalize().unwrap();
        let template = Template::new(&dir)?;
        // Far from the machine's own time, so that what is stamped by that can be told.
        let now = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
        let host = Host::new(dir.clone(), template, now);
        let settings = node::settings(&dir, host.centre.port);
        let mut rng = StdRng::seed_from_u64(seed);
        let images = (0..16).map(|_| ImageId::from_random(rng.random())).collect();
        let node = Some(node::Node::start(&settings, now).await);
        let (pinned, gone, said) = (BTreeSet::new(), BTreeSet::new(), VecDeque::new());
        Some(Self { host, node, settings, rng, images, pinned, gone, count: 0, names: 0, said, _tmp: tmp })
    }

    pub(super) fn say(&mut self, what: String) {
        if self.said.len() == SHOWN {
            self.said.pop_front();
        }
        self.said.push_back(format!("{:6} {} {what}", self.count, self.host.now.format("%F %T")));
    }

    /// Days in which nothing happens but that time goes by.
    pub(super) async fn quiet(&mut self) -> Result<(), String> {
        self.host.open.clear();
        self.host.locked.clear();
        for disk in std::mem::take(&mut self.host.unreadable) {
            std::fs::remove_file(disk).unwrap();
        }
        self.say("quiet".to_owned());
        let node = self.node.as_mut().unwrap();
        for _ in 0..6 {
            self.host.now += TimeDelta::hours(15);
            let (now, host) = (self.host.now, &mut self.host);
            node.settle(now, || host.restamp()).await;
        }
        let state = &node.loop_.state;
        let wanted = state.queue.iter().map(|it| it.id.clone()).chain(self.pinned.iter().cloned()).collect();
        nothing_stays(&self.host, &wanted)?;
        let there: BTreeSet<String> = self.host.listing().into_keys().collect();
        let known: BTreeSet<String> = state.known.keys().cloned().collect();
        let bases: BTreeSet<String> = there.iter().filter(|it| it.len() == 40 && !it.contains('_')).cloned().collect();
        if known != bases {
            return Err(format!("the index knows {known:?}, and there are {bases:?}"));
        }
        let missing = self.pinned.iter().find(|it| self.host.centre.has(it) && !there.contains(&it.base_name()));
        missing.map_or(Ok(()), |it| Err(format!("{it} is pinned and not there")))
    }

    /// The agent starts again at this time.
    pub(super) async fn crash_at(&mut self, now: DateTime<Utc>) {
        drop(self.node.take());
        self.host.now = now;
        self.node = Some(node::Node::start(&self.settings, now).await);
    }

    async fn run(&mut self, steps: u64) -> Result<(), String> {
        for count in 1..=steps {
            self.count = count;
            self.happen().await?;
            if count % EPOCH == 0 || count == steps {
                self.quiet().await?;
            }
            if count % TELLS == 0 {
                println!("{count} steps");
            }
            // The clock stays far from the machine's.
            let start: DateTime<Utc> = DateTime::from_timestamp(1_000_000_000, 0).unwrap();
            if (self.host.now - start).abs() > TimeDelta::days(3000) {
                self.say("the clock is set right".to_owned());
                self.host.now = start;
            }
        }
        Ok(())
    }

    fn report(&self) -> String {
        self.said.iter().map(|it| format!("  {it}\n")).collect()
    }
}

#[test]
fn no_base_in_use_is_removed_and_nothing_stays_for_ever() {
    let number = |name: &str| std::env::var(name).ok().map(|it| it.parse::<u64>().unwrap());
    let (steps, seed) = (number("LARDER_MODEL").unwrap_or(STEPS), number("LARDER_MODEL_SEED").unwrap_or(4));
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    runtime.block_on(async {
        let Some(mut world) = World::new(seed).await else { return };
        let began = std::time::Instant::now();
        if let Err(why) = world.run(steps).await {
            let again = format!("LARDER_MODEL={} LARDER_MODEL_SEED={seed}", world.count);
            panic!("{why}\nagain: {again}\nthe last steps:\n{}", world.report());
        }
        println!("{steps} steps, seed {seed}, in {:.1} s", began.elapsed().as_secs_f64());
    });
}
