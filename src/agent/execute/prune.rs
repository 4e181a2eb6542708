//! Removes what may go, each under nova's lock, after a second look.
//!
//! ```text
//! decide ─→ lock (many at a time) ─→ look again: age, evidence ─→ decide again ─→ lease ─→ unlink ─→ unlock … ─→ fsync
//!             ↑──────────────────── that look is too old ───────────────────────────────────┘
//! ```
//!
//! One look at all instances serves all that are locked, for as long as it is fresh; headers of bases are read once a pass.
//!
//! A crash at any point leaves whole files only; after a power cut a removed base may be back, whole.

use crate::admin::Pruned;
use crate::agent::{
    base_dir::{BaseDir, BaseFile, Kind, NovaLock, Removed},
    in_use::{InUse, Lease, Memory, observe_for},
    plan::prune::{Decision, Reason, Settings, Verdict, decide},
    seat::Turn,
};
use crate::base::chain;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{HashMap, VecDeque},
    path::Path,
    rc::Rc,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio_util::sync::CancellationToken;

/// How many locks are held at the same time, so that one look at the instances serves all of them.
const AT_A_TIME: usize = 128;
/// Locks are gathered for so long: spawns of these images wait meanwhile.
const GATHERED: Duration = Duration::from_millis(250);
/// What was seen under the locks holds for so long, or for as long as it took to see it. Then the rest is let go of, locked
/// again and looked at again.
const FRESH: Duration = Duration::from_secs(1);
/// Nova's lock is tried this often, with a pause in between; whoever holds it longer uses the base anyway.
const LOCK_ROUNDS: u32 = 4;
const LOCK_PAUSE: Duration = Duration::from_millis(20);
/// So often it is asked who has a base open, with the same pause.
const LEASE_ROUNDS: u32 = 5;
/// Clocks of hosts that share a directory differ by less.
const AHEAD: TimeDelta = TimeDelta::hours(1);
/// Longer lines are cut by some logs.
const NAMES_A_LINE: usize = 100;

/// One pass.
#[derive(Clone, Debug)]
pub struct Job {
    /// What was decided about every file of the directory.
    pub decisions: Vec<Decision>,
    /// What was found in use then.
    pub in_use: InUse,
    /// As for [`decide`].
    pub wanted: HashMap<String, String>,
    /// As for [`decide`]. One time for the whole pass: a clock that is set meanwhile makes nothing older.
    pub now: DateTime<Utc>,
    /// As for [`decide`].
    pub settings: Settings,
    /// Says what would go; changes nothing, not even an mtime.
    pub dry_run: bool,
}

/// Runs one pass. The log has the lines of nova's image cache manager.
///
/// A stop ends it between two batches; what was not reached is kept and looked at by the next pass. What the others
/// keep that share the directory stays, too.
pub async fn run(dir: &Arc<BaseDir>, job: Job, turn: &Arc<Turn>, shutdown: &CancellationToken) -> Pruned {
    let (now, turn) = (job.now, Arc::clone(turn));
    let mut pass = Pass { dir: Arc::clone(dir), job, turn, shutdown: shutdown.clone(), pruned: Pruned::default() };
    let work = tokio::task::spawn_blocking(move || {
        pass.run();
        pass.pruned
    });
    let mut pruned = work.await.unwrap_or_else(|error| {
        tracing::error!(error = %chain(&error), "the prune pass ended early");
        Pruned::default()
    });
    pruned.ended_at = Some(now);
    pruned
}

struct Pass {
    dir: Arc<BaseDir>,
    job: Job,
    turn: Arc<Turn>,
    shutdown: CancellationToken,
    pruned: Pruned,
}

// === impl Pass ===

impl Pass {
    fn run(&mut self) {
        self.pruned.dry_run = self.job.dry_run;
        let decisions = std::mem::take(&mut self.job.decisions);
        say_what_was_found(&self.dir, &decisions);
        self.touch_active(&decisions);
        let (goes, stays): (Vec<_>, Vec<_>) = decisions.into_iter().partition(Decision::removes);
        stays.into_iter().for_each(|it| self.keep(it));
        let turn = Arc::clone(&self.turn);
        let (others, goes): (Vec<_>, Vec<_>) = goes.into_iter().partition(|it| turn.keeps(it.name()).is_some());
        for it in others {
            let why = turn.keeps(it.name()).unwrap_or_default();
            self.keep_because(&it, Reason::Wanted, &format!("kept: {why}"));
        }
        let (mut goes, mut memory) = (VecDeque::from(goes), Memory::default());
        while !goes.is_empty() && !self.shutdown.is_cancelled() {
            let locked = self.lock_some(&mut goes);
            let left = self.remove_locked(locked, &mut memory);
            left.into_iter().rev().for_each(|it| goes.push_front(it));
        }
        for it in goes {
            self.keep_because(&it, Reason::Doubt, "not reached: the agent is stopping");
        }
        if !self.job.dry_run
            && !self.pruned.removed.is_empty()
            && let Err(error) = self.dir.sync_names()
        {
            tracing::warn!(path = %self.dir.path().display(), error = %chain(&error), "cannot sync the base directory");
        }
    }

    /// What instances use now was last used now; nova's manager does the same. So was what is from the future: a clock
    /// that was wrong left it, and until that day it could not grow old.
    fn touch_active(&self, decisions: &[Decision]) {
        if self.job.dry_run {
            return;
        }
        for it in decisions.iter().filter(|it| self.is_to_be_touched(it)) {
            match self.dir.touch(it.name(), self.job.now) {
                Ok(true) => {}
                Ok(false) => tracing::debug!(base.file = it.name(), "may not touch it: it belongs to another user now"),
                Err(error) => {
                    tracing::warn!(base.file = it.name(), error = %chain(&error), "cannot touch a base in use")
                }
            }
        }
    }

    fn is_to_be_touched(&self, it: &Decision) -> bool {
        let novas = it.file.kind.is_base() || matches!(it.file.kind, Kind::Part { .. });
        novas && (self.job.in_use.is_active(it.name()) || it.file.mtime > self.job.now + AHEAD)
    }

    /// Locks the next ones. A base and its leftover download share a lock.
    fn lock_some(&mut self, goes: &mut VecDeque<Decision>) -> VecDeque<(Decision, Rc<NovaLock>)> {
        let mut locks: HashMap<String, Rc<NovaLock>> = HashMap::new();
        let (mut locked, began) = (VecDeque::new(), Instant::now());
        while locked.len() < AT_A_TIME && began.elapsed() < GATHERED {
            let Some(it) = goes.pop_front() else { break };
            let held = locks.get(it.file.lock_name()).cloned();
            if let Some(lock) = held.or_else(|| self.lock(&it).map(Rc::new)) {
                locks.insert(lock.base().to_owned(), Rc::clone(&lock));
                locked.push_back((it, lock));
            }
        }
        locked
    }

    /// The lock, or `None` and the file is kept: whoever holds it uses it.
    fn lock(&mut self, it: &Decision) -> Option<NovaLock> {
        for round in 0..LOCK_ROUNDS {
            if round > 0 {
                std::thread::sleep(LOCK_PAUSE);
            }
            match self.dir.try_lock(it.file.lock_name()) {
                Ok(Some(lock)) => return Some(lock),
                Ok(None) => {}
                Err(error) => {
                    self.failed(it, &error);
                    return None;
                }
            }
        }
        self.keep_because(it, Reason::InUse, "its lock is held: nova is using it");
        None
    }

    /// The second look, under the locks: one at all instances serves all of them. Gives back those that it did not get to
    /// before what was seen became old.
    fn remove_locked(&mut self, mut locked: VecDeque<(Decision, Rc<NovaLock>)>, memory: &mut Memory) -> Vec<Decision> {
        let began = Instant::now();
        let bases = match self.dir.scan() {
            Ok(bases) => bases,
            Err(error) => {
                locked.iter().for_each(|(it, _)| self.failed(it, &error));
                return Vec::new();
            }
        };
        let in_use = observe_for(&self.dir, &bases, memory);
        let (seen, fresh) = (Instant::now(), FRESH.max(began.elapsed()));
        while let Some((it, lock)) = locked.pop_front() {
            let now = bases.binary_search_by(|file| file.name.as_str().cmp(it.name())).map(|at| &bases[at]);
            self.look_again(it, now.ok(), &in_use, &lock);
            if seen.elapsed() > fresh || self.shutdown.is_cancelled() {
                break;
            }
        }
        locked.into_iter().map(|(it, _)| it).collect()
    }

    fn look_again(&mut self, it: Decision, now: Option<&BaseFile>, in_use: &InUse, lock: &NovaLock) {
        let Some(now) = now else { return tracing::debug!(base.file = it.name(), "it is gone already") };
        if now.inode != it.file.inode {
            return self.keep_because(&it, Reason::Doubt, "it was replaced while it was being looked at");
        }
        let file = BaseFile { last_used: now.last_used.max(it.file.last_used), ..now.clone() };
        let mut again = decide(&[file], in_use, &self.job.wanted, self.job.now, &self.job.settings);
        match again.pop() {
            Some(again) if again.removes() => self.remove(again, lock),
            Some(again) => self.keep(again),
            None => {}
        }
    }

    fn remove(&mut self, it: Decision, lock: &NovaLock) {
        let path = self.dir.path().join(it.name());
        // Held until the file is gone: who opens it meanwhile waits, and is noticed.
        let lease = ask(&path, it.file.inode);
        if matches!(lease, Lease::Open) {
            return self.keep_because(&it, Reason::InUse, "in use: a process has it open");
        }
        if self.job.dry_run {
            return self.gone(&it);
        }
        if matches!(&lease, Lease::Alone(alone) if !alone.is_still()) {
            return self.keep_because(&it, Reason::InUse, "in use: a process opened it just now");
        }
        tracing::info!("Removing base, swap or ephemeral file: {}", path.display());
        match self.dir.remove(&it.file, lock) {
            Ok(Removed::Gone) => self.gone(&it),
            Ok(Removed::WasNotThere) => tracing::debug!("Cannot remove {}, it does not exist", path.display()),
            Err(error) => self.failed(&it, &error),
        }
    }

    fn gone(&mut self, it: &Decision) {
        // A file that has another name takes its blocks until that goes too.
        self.pruned.freed += if it.file.links > 1 { 0 } else { it.file.allocated };
        self.pruned.removed.push(it.to_message(None));
    }

    fn failed(&mut self, it: &Decision, error: &(dyn std::error::Error + 'static)) {
        let path = self.dir.path().join(it.name());
        tracing::error!("Failed to remove {}, error was {}", path.display(), chain(error));
        self.keep_because(it, Reason::Doubt, &format!("could not be removed: {}", chain(error)));
    }

    fn keep_because(&mut self, it: &Decision, reason: Reason, why: &str) {
        let in_use = reason == Reason::InUse;
        let may_go_at = it.may_go_at.filter(|_| !in_use);
        self.keep(Decision { verdict: Verdict::Keep(reason), in_use, why: why.to_owned(), may_go_at, ..it.clone() });
    }

    fn keep(&mut self, it: Decision) {
        if it.verdict == Verdict::Keep(Reason::Young) && it.file.kind.is_base() {
            let path = self.dir.path().join(it.name());
            tracing::info!("Base, swap or ephemeral file too young to remove: {}", path.display());
        }
        self.pruned.kept.push(it.to_message(None));
    }
}

/// The lease; a short look into the file, such as this agent's own at its header, does not count as use.
fn ask(path: &Path, inode: (u64, u64)) -> Lease {
    for round in 0..LEASE_ROUNDS {
        if round > 0 {
            std::thread::sleep(LOCK_PAUSE);
        }
        match Lease::ask(path, inode) {
            Lease::Open => {}
            Lease::Alone(alone) if !alone.is_still() => {}
            answer => return answer,
        }
    }
    Lease::Open
}

fn say_what_was_found(dir: &BaseDir, decisions: &[Decision]) {
    let paths = |wanted: fn(&Decision) -> bool| -> Vec<String> {
        decisions.iter().filter(|it| wanted(it)).map(|it| dir.path().join(it.name()).display().to_string()).collect()
    };
    for some in paths(|it| it.in_use).chunks(NAMES_A_LINE) {
        tracing::info!("Active base files: {}", some.join(" "));
    }
    // Those that are too young too (nova's words).
    let unused = |it: &Decision| matches!(it.verdict, Verdict::Remove | Verdict::Keep(Reason::Young));
    for some in paths(unused).chunks(NAMES_A_LINE) {
        tracing::info!("Removable base files: {}", some.join(" "));
    }
}
