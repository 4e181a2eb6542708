//! The queue, and the fetches beside the loop.

use super::{
    job::Job,
    reconciler::{Done, Reconciler, Reply},
    state::{Full, PutOff},
};
use crate::admin::{ImageState, Pass, Priority, server::Fault};
use crate::agent::{
    base_dir::{BaseFile, own_bytes},
    desired::{Failure, Turn, Waits, retry_at},
    execute::{
        fetch::{FetchError, Outcome},
        gate::gate,
    },
    index::{IndexError, Known, LONGEST_QUEUE, Queued},
    plan::fetch::Missing,
};
use crate::base::chain;
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use futures_util::FutureExt;
use std::{
    collections::{HashMap, HashSet},
    panic::AssertUnwindSafe,
    time::Instant,
};
use tokio::sync::oneshot;

/// Bytes, by base.
type Sizes = Vec<(String, u64)>;

/// How long an image is put off whose base nova has locked.
const LOCKED: TimeDelta = TimeDelta::seconds(2);
/// Likewise when the index could not be written.
const UNWRITTEN: TimeDelta = TimeDelta::seconds(30);
/// How long an image is put off for which there is no room; doubled each time up to the longest.
const FULL: TimeDelta = TimeDelta::seconds(5);
const FULL_LONGEST: i32 = 6;
/// An error is kept in the index and shown in the status up to this length.
const LONGEST_ERROR: usize = 1000;

impl Reconciler {
    /// In work, or put off.
    pub(super) fn busy(&self, now: DateTime<Utc>) -> HashSet<ImageId> {
        let put_off = self.state.put_off.iter().filter(|(_, it)| it.until > now).map(|(id, _)| id);
        let waits = self.state.queue.iter().filter(|it| self.state.ruled.is_waiting(it)).map(|it| &it.id);
        let replaced = self.scrubs.replaced_now().into_iter().chain(self.to_be_replaced(now));
        let going = self.partials.going().chain(replaced);
        self.jobs.keys().chain(put_off).chain(waits).chain(going).cloned().collect()
    }

    pub(super) fn may_fetch(&self) -> bool {
        let wanted = !self.asked_only || !self.passes.asked().is_empty();
        // Before the first look nobody knows what room there is.
        wanted
            && self.state.look.is_some()
            && self.state.idle_because.is_none()
            && self.jobs.len() < self.settings.max_concurrent_fetches.max(1)
    }

    pub(super) fn start_fetches(&mut self, now: DateTime<Utc>) {
        if !self.may_fetch() {
            return;
        }
        let places = self.settings.max_concurrent_fetches.max(1) - self.jobs.len();
        let (busy, asked) = (self.busy(now), self.passes.asked());
        let turn = Turn { now, busy: &busy, asked: &asked, at_once: self.settings.prefetch_on_queue };
        for id in turn.due(&self.state.queue, places) {
            match self.lacks_room_for_rules(&id) {
                Some(why) => self.full(&id, why, Missing::default()),
                None => self.start_fetch(id),
            }
        }
    }

    fn start_fetch(&mut self, id: ImageId) {
        let cancel = self.shutdown.child_token();
        self.partials.is_none(&id);
        // From now on it has its room, or says anew what it lacks.
        if let Some(held) = self.state.put_off.get_mut(&id).and_then(|it| it.held.as_mut()) {
            held.missing = Missing::default();
        }
        let (lever, gate) = gate(self.fetcher.throttle.clone());
        let priority = self.state.queued(&id).map_or_else(Priority::default, |it| it.priority);
        self.begun += 1;
        self.jobs.insert(id.clone(), Job::new(cancel.clone(), lever, priority, self.begun));
        let (fetcher, dir) = (self.fetcher.clone(), self.dir.clone());
        self.work.spawn(async move {
            tracing::info!(image.id = %id, "fetching begins");
            let started = Instant::now();
            let fetch = AssertUnwindSafe(fetcher.fetch(&id, gate, &cancel)).catch_unwind();
            let result = fetch.await.unwrap_or(Err(FetchError::Died));
            metrics::histogram!("larder_fetch_seconds").record(started.elapsed().as_secs_f64());
            let look = {
                let id = id.clone();
                tokio::task::spawn_blocking(move || (dir.look(&id.base_name()), dir.downloaded(&id.base_name())))
            };
            let (file, left) = look.await.map_or((None, 0), |(file, left)| (file.ok().flatten(), left));
            Done::Fetched { id, result: Box::new(result), file, left }
        });
    }

    /// A fetch has ended.
    pub(super) async fn fetched(&mut self, id: &ImageId, result: Result<Outcome, FetchError>, file: Option<BaseFile>) {
        let given_up = self.jobs.remove(id).and_then(|it| it.given_up);
        self.state.waited_for.remove(id);
        match result {
            Ok(Outcome::There { known, new, doubt }) => {
                doubt.into_iter().for_each(|it| self.warn(it));
                self.arrived(id, *known, new, file).await;
            }
            Ok(Outcome::Locked) => self.locked(id).await,
            Err(error) if error.is_full() => {
                metrics::counter!("larder_fetches_total", "result" => error.label()).increment(1);
                // Nothing goes for what displaces nothing.
                let displaces = self.displaces_nothing(id).is_none();
                let missing = if displaces { error.missing() } else { Missing::default() };
                self.full(id, chain(&error).to_string(), missing);
            }
            Err(error) if error.is_stop() && given_up.is_some() => {
                metrics::counter!("larder_fetches_total", "result" => "no_room").increment(1);
                // Others need the room.
                self.discard(id).await;
                self.full(id, given_up.unwrap_or_default(), Missing::default());
            }
            Err(error) if error.is_stop() => {
                tracing::info!(image.id = %id, "fetching was stopped");
                // Who stops the agent gets it gone on with; who takes it out of the queue does not want it.
                if self.state.queued(id).is_none() {
                    self.discard(id).await;
                }
                metrics::counter!("larder_fetches_total", "result" => error.label()).increment(1);
            }
            Err(error) => {
                metrics::counter!("larder_fetches_total", "result" => error.label()).increment(1);
                let patience = error.retry_after().and_then(|it| TimeDelta::from_std(it).ok()).unwrap_or_default();
                let why = chain(&error).to_string();
                self.failed(id, why, error.kind(), patience).await;
            }
        }
    }

    async fn arrived(&mut self, id: &ImageId, mut known: Known, new: bool, file: Option<BaseFile>) {
        let base = known.base.clone();
        if !new && self.state.known.contains_key(&base) {
            // It may have been found damaged since it was fetched.
            known.verified = None;
        }
        if let Err(error) = self.index.arrived(known).await {
            // The base is there and stays; the record is made at the next try.
            self.put_off(id, UNWRITTEN);
            let why = format!("image {id} is there, but that could not be noted: {}", chain(&error));
            let retry_at = Some(self.state.now + UNWRITTEN);
            self.passes.tried(id, &ImageState::Failed { why: why.clone(), attempts: 0, retry_at });
            return self.warn(why);
        }
        let result = if new { "fetched" } else { "was_there" };
        metrics::counter!("larder_fetches_total", "result" => result).increment(1);
        tracing::info!(image.id = %id, base.file = %base, new, "the image is cached");
        self.meanwhile.came(&base);
        if let (Some(look), Some(file)) = (&mut self.state.look, file) {
            look.bases.retain(|it| it.name != base);
            look.bases.push(file);
            look.bases.sort_by(|a, b| a.name.cmp(&b.name));
            look.own = own_bytes(&look.bases);
        }
        self.state.put_off.remove(id);
        self.reload().await;
        self.passes.tried(id, &ImageState::Cached);
        self.look_soon();
    }

    /// Nova has the lock: others first, this one again shortly, but not for ever.
    async fn locked(&mut self, id: &ImageId) {
        let since = self.state.put_off.get(id).and_then(|it| it.locked_since).unwrap_or_else(Instant::now);
        let waited = since.elapsed();
        if waited < self.settings.lock_wait {
            self.state
                .put_off
                .insert(id.clone(), PutOff { until: self.state.now + LOCKED, locked_since: Some(since), held: None });
            return;
        }
        let why = format!(
            "another process has held the lock of the base {} for {} s: see who, by `fuser` or `lslocks`",
            id.base_name(),
            waited.as_secs()
        );
        metrics::counter!("larder_fetches_total", "result" => "lock").increment(1);
        self.failed(id, why, Failure::Passing, TimeDelta::zero()).await;
    }

    fn put_off(&mut self, id: &ImageId, by: TimeDelta) {
        self.state.put_off.insert(id.clone(), PutOff { until: self.state.now + by, locked_since: None, held: None });
    }

    /// There is no room: it waits, and is tried again once something was removed, or after a while. That is no failure
    /// of the image's.
    fn full(&mut self, id: &ImageId, why: String, missing: Missing) {
        let before = self.state.put_off.get(id).and_then(|it| it.held.as_ref()).map_or(0, |it| it.times);
        if before == 0 {
            tracing::warn!(image.id = %id, missing = missing.bytes, "held: {why}");
        }
        let why: String = why.chars().take(LONGEST_ERROR).collect();
        let held = Some(Full { why, missing, times: before.saturating_add(1) });
        let wait = FULL * 2_i32.saturating_pow(before.min(8)).min(FULL_LONGEST);
        self.state.put_off.insert(id.clone(), PutOff { until: self.state.now + wait, locked_since: None, held });
        if missing.bytes == 0 {
            self.tell_passes_of_held();
        }
        self.room_is_needed();
    }

    /// Nothing more can be done for what waits for room: passes do not wait for it.
    pub(super) fn tell_passes_of_held(&mut self) {
        let held: Vec<(ImageId, ImageState)> = self
            .state
            .put_off
            .iter()
            .filter_map(|(id, it)| Some((id.clone(), ImageState::Held { why: it.held.as_ref()?.why.clone() })))
            .collect();
        held.iter().for_each(|(id, state)| self.passes.tried(id, state));
    }

    /// `patience`: what a server asked for.
    async fn failed(&mut self, id: &ImageId, why: String, kind: Failure, patience: TimeDelta) {
        self.state.put_off.remove(id);
        let Some(queued) = self.state.queued(id) else { return };
        let attempts = queued.attempts.saturating_add(1);
        let waits = Waits {
            first: self.settings.retry_interval,
            longest: self.settings.retry_interval_max,
            lasting: self.settings.refused_retry_interval,
        };
        let now = self.state.now;
        let retry = retry_at(now, kind, attempts, &waits, rand::random()).max(now + patience);
        tracing::warn!(image.id = %id, attempts, retry_at = %retry, "fetching failed: {why}");
        let why: String = why.chars().take(LONGEST_ERROR).collect();
        let noted = self.index.failed(id, why.clone(), retry).await;
        if noted.is_err() {
            self.put_off(id, retry - now);
        }
        self.note_trouble(noted);
        self.reload().await;
        self.passes.tried(id, &ImageState::Failed { why, attempts, retry_at: Some(retry) });
    }

    /// A pass that somebody asked for: over all of the queue, waits or not.
    pub(super) fn begin_pass(&mut self, reply: Reply<Pass>) {
        let (ended, wait) = oneshot::channel();
        let all = self.may_be_tried(|_| true);
        if !self.passes.begin(all.clone(), Some(ended)) {
            let _ = reply.send(Err(Fault::Unavailable("too many prefetch passes are waited for already".to_owned())));
            return;
        }
        // What nova had locked is looked at now, too.
        self.state.put_off.retain(|_, it| it.locked_since.is_some());
        self.refuse_when_idle(&all);
        tokio::spawn(async move {
            let stopped = |_| Fault::Unavailable("the agent was stopped during the pass".to_owned());
            let _ = reply.send(wait.await.map_err(stopped));
        });
    }

    pub(super) fn end_passes(&mut self) {
        if let Some(pass) = self.passes.end() {
            tracing::debug!(images = pass.images.len(), "a prefetch pass has ended");
            self.state.last_prefetch = Some(pass);
        }
    }

    pub(super) fn begin_periodic_pass(&mut self, now: DateTime<Utc>) {
        self.set_prefetch_clock(now);
        self.rules.bell.ring_for_pass();
        let due = self.may_be_tried(|it| it.retry_at.is_none_or(|at| at <= now));
        if self.passes.begin(due.clone(), None) {
            self.refuse_when_idle(&due);
        }
    }

    /// What a pass is over: what waits for a rule's window is no part of it.
    fn may_be_tried(&self, which: impl Fn(&Queued) -> bool) -> HashSet<ImageId> {
        let open = |it: &&Queued| which(it) && !self.state.ruled.is_waiting(it);
        self.state.queue.iter().filter(open).map(|it| it.id.clone()).collect()
    }

    fn refuse_when_idle(&mut self, images: &HashSet<ImageId>) {
        let Some(why) = self.state.idle_because.clone() else { return };
        for id in images {
            let state = ImageState::Failed { why: why.clone(), attempts: 0, retry_at: None };
            self.passes.tried(id, &state);
        }
    }

    pub(super) async fn queue(&mut self, id: &ImageId, priority: Option<Priority>) -> Result<(), Fault> {
        if self.state.queue.len() as u64 >= LONGEST_QUEUE && self.state.queued(id).is_none() {
            return Err(Fault::Unavailable(format!("the queue is full: it holds {LONGEST_QUEUE} images")));
        }
        let added = self.index.enqueue(id, priority, self.state.now).await.map_err(|error| internal(&error))?;
        tracing::info!(image.id = %id, added, "queued");
        self.reload().await;
        Ok(())
    }

    pub(super) async fn delete_queued(&mut self, id: &ImageId) -> Result<(), Fault> {
        if !self.index.dequeue(id).await.map_err(|error| internal(&error))? {
            return Err(Fault::NotFound(format!("image {id} is not queued on this node")));
        }
        tracing::info!(image.id = %id, "taken out of the queue");
        self.drop_download(id).await;
        self.passes.gone(id);
        self.reload().await;
        Ok(())
    }

    pub(super) async fn delete_all_queued(&mut self) -> Result<u64, Fault> {
        let ids: Vec<ImageId> = self.state.queue.iter().map(|it| it.id.clone()).collect();
        let count = self.index.clear_queue().await.map_err(|error| internal(&error))?;
        tracing::info!(count, "emptied the queue");
        for id in &ids {
            self.drop_download(id).await;
            self.passes.gone(id);
        }
        self.reload().await;
        Ok(count)
    }

    /// At the start: downloads that a crash has interrupted, of images that nobody wants any more, and lists of bases
    /// that are gone, go.
    pub(super) async fn tidy_up(&mut self) {
        let images: HashMap<String, ImageId> =
            self.state.queue.iter().map(|it| (it.id.base_name(), it.id.clone())).collect();
        let queued: HashSet<String> = images.keys().cloned().collect();
        let (dir, lists) = (self.dir.clone(), self.fetcher.lists.clone());
        let step = move || -> Result<(HashSet<String>, Sizes), String> {
            dir.remove_downloads(&|base| queued.contains(base)).map_err(|error| chain(&error).to_string())?;
            let mut bases = lists.bases().map_err(|error| error.to_string())?;
            // What cannot be looked at stays.
            bases.retain(|base| !matches!(dir.look(base), Ok(None)));
            lists.sweep(&bases, &queued).map_err(|error| error.to_string())?;
            let left = queued.iter().map(|it| (it.clone(), dir.downloaded(it))).collect();
            Ok((bases, left))
        };
        let done = tokio::task::spawn_blocking(step).await;
        match done.unwrap_or_else(|died| Err(died.to_string())) {
            Ok((listed, left)) => {
                left.iter().for_each(|(base, bytes)| self.partials.left(&images[base], *bytes));
                self.scrubs.lost = self.state.known.keys().filter(|it| !listed.contains(*it)).cloned().collect();
            }
            Err(why) => self.warn(format!("cannot tidy up interrupted downloads and piece lists: {why}")),
        }
    }

    /// Nobody wants it any more: what is there of it goes, at once or when its fetch has ended.
    pub(super) async fn drop_download(&mut self, id: &ImageId) {
        match self.jobs.get(id) {
            Some(job) => job.cancel.cancel(),
            None => self.discard(id).await,
        }
    }

    async fn discard(&mut self, id: &ImageId) {
        self.partials.is_none(id);
        self.fetcher.discard(id).await;
    }
}

pub(super) fn internal(error: &IndexError) -> Fault {
    Fault::Internal(chain(error).to_string())
}
