//! Prune passes, and bases that somebody wants gone.

use super::{
    look::Look,
    reconciler::{Done, Reconciler, Reply},
    space::{Evicted, Want},
};
use crate::admin::{Pruned, server::Fault};
use crate::agent::{
    base_dir::{BaseDir, Kind, own_bytes},
    desired::rules::Wanted,
    execute::prune::{Job, run},
    index::Known,
    plan::{
        evict::{Held, Marks, choose, frees, give},
        fetch::Bounds,
        prune::{Decision, Settings, decide},
    },
    seat::{Purpose, Turn},
};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::{
    collections::{BTreeMap, BTreeSet, HashMap, HashSet},
    sync::Arc,
};
use tokio_util::sync::CancellationToken;

/// Who wants bases gone.
pub(super) enum Asked {
    One(ImageId, Reply<()>),
    All(Reply<u64>),
}

/// What a removal works with.
pub(super) struct Removal {
    dir: Arc<BaseDir>,
    known: BTreeMap<String, Known>,
    pub(super) wanted: HashMap<String, String>,
    settings: Settings,
    now: DateTime<Utc>,
    dry_run: bool,
    /// What others' wishes count.
    pub(super) purpose: Purpose,
}

// === impl Reconciler ===

impl Reconciler {
    pub(super) fn prune_for(&mut self, dry_run: bool, reply: Reply<Pruned>) {
        if self.pruning {
            let _ = reply.send(Err(Fault::Conflict("a prune pass is under way: ask again when it is over".to_owned())));
            return;
        }
        self.prune(dry_run, Some(reply));
    }

    pub(super) fn prune(&mut self, dry_run: bool, reply: Option<Reply<Pruned>>) {
        self.pruning = true;
        let removal = self.removal(self.settings.prune.clone(), dry_run);
        let shutdown = self.shutdown.clone();
        self.work.spawn(async move { Done::Pruned { result: removal.run(|_| true, &shutdown).await, reply } });
    }

    pub(super) fn removal(&self, settings: Settings, dry_run: bool) -> Removal {
        let (dir, known, wanted) = (self.dir.clone(), self.state.known.clone(), self.state.wanted());
        let purpose = Purpose::default();
        Removal { dir, known, wanted, settings, now: self.state.now, dry_run, purpose }
    }

    pub(super) async fn pruned(&mut self, result: Result<Pruned, String>, reply: Option<Reply<Pruned>>) {
        self.pruning = false;
        let answer = match result {
            Ok(mut pruned) => {
                self.note_pruned(&mut pruned).await;
                Ok(pruned)
            }
            Err(why) => {
                self.warn(why.clone());
                Err(Fault::Internal(why))
            }
        };
        if let Some(reply) = reply {
            let _ = reply.send(answer);
        }
    }

    async fn note_pruned(&mut self, pruned: &mut Pruned) {
        self.name_images(pruned);
        tracing::info!(
            removed = pruned.removed.len(),
            kept = pruned.kept.len(),
            freed_bytes = pruned.freed,
            dry_run = pruned.dry_run,
            "a prune pass has ended"
        );
        if !pruned.dry_run {
            self.forget_removed(pruned).await;
            metrics::counter!("larder_pruned_files_total").increment(pruned.removed.len() as u64);
            metrics::counter!("larder_pruned_bytes_total").increment(pruned.freed);
            self.state.last_prune = Some(pruned.clone());
            self.remove_gone();
        }
    }

    pub(super) fn name_images(&self, pruned: &mut Pruned) {
        let names = self.state.names();
        for it in pruned.removed.iter_mut().chain(&mut pruned.kept) {
            it.id = names.of(&it.base);
            self.state.say_if_gone(it);
        }
    }

    pub(super) async fn forget_removed(&mut self, pruned: &Pruned) {
        let names: HashSet<&str> = pruned.removed.iter().map(|it| it.base.as_str()).collect();
        if names.is_empty() {
            return;
        }
        names.iter().for_each(|it| self.meanwhile.went(it));
        if let Some(look) = &mut self.state.look {
            look.bases.retain(|it| !names.contains(it.name.as_str()));
            look.own = own_bytes(&look.bases);
        }
        let names: Vec<String> = names.iter().map(ToString::to_string).collect();
        let forgotten = self.index.forget(names.clone()).await;
        self.note_trouble(forgotten);
        self.drop_lists(names).await;
        self.reload().await;
        self.look_soon();
    }

    /// Removes one base that nothing uses, whatever its age.
    pub(super) fn delete_cached(&mut self, id: ImageId, reply: Reply<()>) {
        if self.jobs.contains_key(&id) {
            let why = format!("image {id} is being fetched: take it out of the queue first");
            let _ = reply.send(Err(Fault::Conflict(why)));
            return;
        }
        let base = id.base_name();
        self.delete(move |it| it.name() == base, Asked::One(id, reply));
    }

    /// Removes the bases of all images that nothing uses, whatever their age.
    pub(super) fn delete_all_cached(&mut self, reply: Reply<u64>) {
        self.delete(|it| it.file.kind == Kind::Original, Asked::All(reply));
    }

    fn delete(&mut self, which: impl Fn(&Decision) -> bool + Send + 'static, asked: Asked) {
        let mut removal = self.removal(everything(), false);
        if let Asked::One(id, _) = &asked {
            // Asked for both ways: what was said last counts, and the queue brings it back.
            if !self.state.is_pinned(id) && !self.state.ruled.wanted(id).is_some_and(Wanted::is_pinned) {
                removal.wanted.remove(&id.base_name());
            }
        }
        let shutdown = self.shutdown.clone();
        self.work.spawn(async move { Done::Deleted { result: removal.run(which, &shutdown).await, asked } });
    }

    pub(super) async fn deleted(&mut self, result: Result<Pruned, String>, asked: Asked) {
        let result = match result {
            Ok(pruned) => {
                self.forget_removed(&pruned).await;
                Ok(pruned)
            }
            Err(why) => {
                self.warn(why.clone());
                Err(Fault::Internal(why))
            }
        };
        match asked {
            Asked::All(reply) => drop(reply.send(result.map(|it| it.removed.len() as u64))),
            Asked::One(id, reply) => drop(reply.send(result.and_then(|it| gone(&id, &it)))),
        }
    }
}

/// All that nothing uses, whatever its age.
pub(super) fn everything() -> Settings {
    Settings {
        remove_unused_base_images: true,
        remove_unused_original_minimum_age_seconds: 0,
        remove_unused_resized_minimum_age_seconds: 0,
    }
}

fn gone(id: &ImageId, pruned: &Pruned) -> Result<(), Fault> {
    match (pruned.removed.first(), pruned.kept.first()) {
        (Some(_), _) => Ok(()),
        (None, Some(kept)) => Err(Fault::Conflict(format!("the base {} of image {id} stays: {}", kept.base, kept.why))),
        (None, None) => Err(Fault::NotFound(format!("image {id} is not cached on this node"))),
    }
}

/// The others' consent, as far as anything is to go.
async fn turn(
    dir: &BaseDir,
    (purpose, decisions): (Purpose, &[Decision]),
    dry_run: bool,
    shutdown: &CancellationToken,
) -> Turn {
    let names: BTreeSet<String> = decisions.iter().filter(|it| it.removes()).map(|it| it.name().to_owned()).collect();
    match names.is_empty() || dry_run {
        true => Turn::without(dir.seat()).await,
        false => Turn::take(dir.seat(), purpose, names, shutdown).await,
    }
}

// === impl Removal ===

impl Removal {
    /// Frees room: as much as the marks say, or what one of those lacks that wait for it.
    pub(super) async fn evict(
        self,
        pinned: &HashSet<String>,
        (marks, bounds): (&Marks, Bounds),
        want: &Want,
        shutdown: &CancellationToken,
    ) -> Result<Evicted, String> {
        let Self { dir, known, wanted, settings, now, purpose, .. } = self;
        let mut look = Look::beside(dir.clone(), now).await?;
        let excess = marks.excess(look.own, look.space.free, bounds);
        look.raise(&known);
        let mut left = decide(&look.bases, &look.in_use, &wanted, now, &settings);
        left.retain(Decision::removes);
        let turn = Arc::new(turn(&dir, (purpose, &left), false, shutdown).await);
        left.retain(|it| turn.keeps(it.name()).is_none());
        let able: u64 = left.iter().map(frees).sum();
        let (mut bytes, goes) = give(able, &want.partials, excess, &want.lacks);
        for it in &goes {
            want.fetcher.discard(&it.id).await;
            bytes = bytes.saturating_sub(it.bytes);
        }
        let partials: Vec<Held> = goes.into_iter().cloned().collect();
        let mut all = Pruned::default();
        // What turns out to be in use at the last moment is left out, and the next ones go in its place.
        while bytes > 0 && !shutdown.is_cancelled() {
            let chosen = choose(&left, pinned, bytes);
            if chosen.is_empty() {
                break;
            }
            let names: HashSet<&str> = chosen.iter().map(Decision::name).collect();
            let rest = left.iter().filter(|it| !names.contains(it.name())).cloned().collect();
            let job = Job {
                decisions: chosen,
                in_use: look.in_use.clone(),
                wanted: wanted.clone(),
                settings: settings.clone(),
                now,
                dry_run: false,
            };
            let done = run(&dir, job, &turn, shutdown).await;
            left = rest;
            bytes = bytes.saturating_sub(done.freed);
            all.freed += done.freed;
            all.removed.extend(done.removed);
            all.kept.extend(done.kept);
        }
        Ok(Evicted { pruned: all, able, originals: 0, partials })
    }

    /// Looks, decides, removes those that are meant.
    pub(super) async fn run(
        self,
        which: impl Fn(&Decision) -> bool + Send + 'static,
        shutdown: &CancellationToken,
    ) -> Result<Pruned, String> {
        let mut job = self.job().await?;
        job.decisions.retain(which);
        let turn = Arc::new(turn(&self.dir, (self.purpose, &job.decisions), self.dry_run, shutdown).await);
        Ok(run(&self.dir, job, &turn, shutdown).await)
    }

    /// The same for one file, of which nothing is changed if it stays, not even its mtime.
    pub(super) async fn run_for(self, base: &str, shutdown: &CancellationToken) -> Result<Pruned, String> {
        let mut job = self.job().await?;
        job.decisions.retain(|it| it.name() == base);
        if job.decisions.iter().any(Decision::removes) {
            let turn = Arc::new(turn(&self.dir, (self.purpose, &job.decisions), self.dry_run, shutdown).await);
            return Ok(run(&self.dir, job, &turn, shutdown).await);
        }
        let kept = job.decisions.iter().map(|it| it.to_message(None)).collect();
        Ok(Pruned { ended_at: Some(self.now), kept, ..Pruned::default() })
    }

    async fn job(&self) -> Result<Job, String> {
        let mut look = Look::beside(self.dir.clone(), self.now).await?;
        look.raise(&self.known);
        let (wanted, settings) = (self.wanted.clone(), self.settings.clone());
        let decisions = decide(&look.bases, &look.in_use, &wanted, self.now, &settings);
        Ok(Job { decisions, in_use: look.in_use, wanted, settings, now: self.now, dry_run: self.dry_run })
    }
}
