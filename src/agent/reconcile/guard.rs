//! Watches over the fetches in work: room that somebody else takes, starts of instances that wait, and the pace.

use super::reconciler::{Done, Reconciler};
use crate::admin::ImageState;
use crate::agent::{
    in_use::waited_for,
    plan::{
        fetch::{InWork, go_on},
        pace::slower,
    },
};
use crate::base::{byte_size::ByteSize, pressure};
use crate::image::ImageId;
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    path::Path,
    time::{Duration, Instant},
};

/// How often the pace is set anew, and those are looked for who wait.
const EVERY: Duration = Duration::from_secs(2);

/// What is known of the pace.
#[derive(Debug, Default)]
pub(super) struct Guard {
    /// When the pace was set, and what had landed by then.
    paced: Option<(Instant, u64)>,
    /// When those were looked for who wait.
    looked: Option<Instant>,
    looking: bool,
    /// What the pressure on the disks leaves, bytes a second.
    cap: Option<u64>,
}

// === impl Reconciler ===

impl Reconciler {
    /// Holds fetches for which there is no room, lets go those for which there is again.
    pub(super) fn guard(&mut self) {
        self.set_pace();
        self.look_for_waiting();
        if self.jobs.is_empty() {
            return;
        }
        let Some(space) = self.space() else { return };
        let bounds = self.settings.bounds();
        let full = self.found_full();
        let verdicts = go_on(&self.in_work(), self.own_bytes(), space.free, bounds);
        let urgent =
            self.jobs.iter().find(|(_, it)| it.lever.is_urgent() && !it.lever.is_held()).map(|(id, _)| id.clone());
        for (id, why) in verdicts {
            let Some(job) = self.jobs.get_mut(&id) else { continue };
            let stands = job.room(why.as_deref().or(full.get(&id).map(String::as_str)));
            if stands >= self.settings.full_disk_wait {
                let why = why.clone().unwrap_or_else(|| "the disk is full".to_owned());
                tracing::warn!(image.id = %id, waited_s = stands.as_secs(), "gave up for now, so that its bytes do not fill the disk: {why}");
                job.give_up(why.clone());
            }
            let first = urgent.as_ref().filter(|it| **it != id && !job.lever.is_urgent());
            let waits = first.map(|it| format!("image {it} goes first: the start of an instance waits for it"));
            job.lever.hold(why.or(waits));
        }
    }

    /// Fetches whose writes found the disk full, and what they said.
    fn found_full(&self) -> HashMap<ImageId, String> {
        let held = |state: ImageState| match state {
            ImageState::Held { why } => Some(why),
            _ => None,
        };
        let board = self.state.board.images();
        let own = |id: &ImageId| self.jobs.get(id).is_some_and(|it| !it.lever.is_held());
        board.into_iter().filter(|(id, _)| own(id)).filter_map(|(id, it)| Some((id, held(it.state)?))).collect()
    }

    /// The fetches, the most wanted first.
    fn in_work(&self) -> Vec<InWork> {
        let left: HashMap<ImageId, u64> = self.fetcher.ledger.shares().into_iter().collect();
        let mut jobs: Vec<_> = self.jobs.iter().collect();
        jobs.sort_by_key(|(_, it)| (!it.lever.is_urgent(), Reverse(it.priority), it.number));
        jobs.into_iter().map(|(id, _)| InWork { id: id.clone(), left: left.get(id).copied().unwrap_or(0) }).collect()
    }

    /// Blocks that the cache took at the last look, with the bases that have come or gone since. What fetches in work have
    /// landed is left out: much of it may be holes, and it is within what was promised.
    pub(super) fn own_bytes(&self) -> u64 {
        self.state.look.as_ref().map_or(0, |it| it.own)
    }

    /// Sets the limit of all fetches together: the one of the time of day, less while the disks are under pressure.
    fn set_pace(&mut self) {
        let now = Instant::now();
        if self.jobs.is_empty() {
            self.guard.paced = None;
            self.state.pace = None;
            return;
        }
        let landed = self.fetcher.ledger.mark();
        let passed = match self.guard.paced {
            Some((at, _)) if now - at < EVERY => return,
            Some((at, before)) => Some((now - at, landed.bytes().saturating_sub(before))),
            None => None,
        };
        self.guard.paced = Some((now, landed.bytes()));
        let (limit, threshold) = (self.settings.bandwidth(self.state.now), self.settings.io_pressure_limit);
        self.guard.cap = if threshold == 0 {
            None
        } else {
            let rate = passed.map(|(time, bytes)| (bytes as f64 / time.as_secs_f64()) as u64);
            match pressure::some_avg10(Path::new(pressure::IO)) {
                Ok(pressure) => slower(self.guard.cap, rate, pressure, f64::from(threshold)),
                Err(_) => None,
            }
        };
        let rate = [limit, self.guard.cap].into_iter().flatten().min();
        self.fetcher.throttle.set(rate);
        self.state.pace = rate.map(|rate| {
            let why = if Some(rate) == limit {
                "prefetch_bandwidth"
            } else {
                "the disks are under pressure, io_pressure_limit"
            };
            format!("at most {}/s for all fetches together ({why})", ByteSize(rate))
        });
    }

    /// Looks beside the loop who has the locks open that the fetches hold.
    fn look_for_waiting(&mut self) {
        if self.jobs.is_empty() || self.guard.looking || self.guard.looked.is_some_and(|at| at.elapsed() < EVERY) {
            return;
        }
        (self.guard.looking, self.guard.looked) = (true, Some(Instant::now()));
        let (dir, ids): (_, Vec<ImageId>) = (self.dir.clone(), self.jobs.keys().cloned().collect());
        self.work.spawn(async move {
            let look = tokio::task::spawn_blocking(move || {
                let names: HashMap<String, ImageId> = ids.into_iter().map(|id| (id.base_name(), id)).collect();
                let bases: Vec<&str> = names.keys().map(String::as_str).collect();
                let found = waited_for(&dir, &bases, Path::new("/proc"));
                found.iter().filter_map(|it| names.get(it).cloned()).collect()
            });
            Done::Waiting(look.await.unwrap_or_default())
        });
    }

    /// These are waited for; their fetches go first.
    pub(super) fn waiting(&mut self, waited_for: &HashSet<ImageId>) {
        self.guard.looking = false;
        for (id, job) in &self.jobs {
            let urgent = waited_for.contains(id);
            if urgent && !job.lever.is_urgent() {
                tracing::info!(image.id = %id, "another process waits for this base: its fetch goes first");
            }
            job.lever.urgent(urgent);
        }
        self.state.waited_for = waited_for.iter().filter(|id| self.jobs.contains_key(id)).cloned().collect();
    }
}
