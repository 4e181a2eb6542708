//! Scrub passes, the first reading of what nova fetched, and what is done about damage.
//!
//! One base at a time: read beside the loop, noted when it is done, so that a stop loses one base at most.

use super::{
    identify::{Centre, Identified},
    look::Look,
    reconciler::{Done, Reconciler, Reply},
    removals::everything,
};
use crate::admin::{ImageState, Pass, Pruned, ScrubOutcome, Scrubbed, ScrubbedBase, server::Fault};
use crate::agent::{
    base_dir::{BaseFile, Kind},
    execute::scrub::{Finding, Progress, Read, Reader},
    in_use::Evidence,
    index::Known,
    seat::Purpose,
};
use crate::base::chain;
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{HashMap, HashSet, VecDeque},
    sync::Arc,
};
use tokio::sync::oneshot;

/// What the loop knows of scrubbing.
#[derive(Debug, Default)]
pub(super) struct Scrubs {
    pass: Option<Running>,
    /// The base that is being read, or removed.
    at: Option<String>,
    /// The image of the damaged base that is being removed.
    replaced: Option<Wish>,
    /// Not before then, for what is read without a pass.
    pub(super) put_off: HashMap<String, DateTime<Utc>>,
    /// Bases whose list is lost.
    pub(super) lost: HashSet<String>,
    centre: Centre,
}

/// An image that is queued before its damaged base goes: a crash in between must not lose it.
#[derive(Debug)]
struct Wish {
    id: ImageId,
    /// Nobody else had queued it.
    new: bool,
}

#[derive(Debug)]
struct Running {
    /// None before the directory was looked at.
    left: Option<VecDeque<String>>,
    done: Vec<ScrubbedBase>,
    /// Places in `done` that wait for an image to be fetched again.
    waiting: Vec<(usize, oneshot::Receiver<Pass>)>,
    reply: Option<Reply<Scrubbed>>,
}

/// What could not be told is looked at again after this.
const AGAIN: TimeDelta = TimeDelta::minutes(10);
/// Bases are not read for the first time in the first moments after a start: instances come first.
const CALM: TimeDelta = TimeDelta::seconds(5);

// === impl Scrubs ===

impl Scrubs {
    /// Its base is damaged and still there: fetched now, it would be found cached.
    pub(super) fn replaced_now(&self) -> Option<&ImageId> {
        self.replaced.as_ref().map(|it| &it.id)
    }
}

// === impl Reconciler ===

impl Reconciler {
    /// A pass that somebody asked for: over all bases.
    pub(super) fn scrub_for(&mut self, reply: Reply<Scrubbed>) {
        if self.scrubs.pass.is_some() {
            let why = "a scrub pass is under way: ask again when it is over";
            let _ = reply.send(Err(Fault::Conflict(why.to_owned())));
            return;
        }
        self.begin_scrub(Some(reply));
    }

    /// The schedule's time has come; a pass that is still under way goes on.
    pub(super) fn begin_periodic_scrub(&mut self) {
        if self.scrubs.pass.is_none() {
            self.begin_scrub(None);
        }
    }

    fn begin_scrub(&mut self, reply: Option<Reply<Scrubbed>>) {
        self.scrubs.pass = Some(Running { left: None, done: Vec::new(), waiting: Vec::new(), reply });
    }

    /// The ones that were not read for the longest time come first.
    fn bases_to_scrub(&self) -> VecDeque<String> {
        let mut all: Vec<_> = self.state.known.values().collect();
        all.sort_by_key(|it| it.verified.as_ref().map(|it| it.at));
        all.into_iter().map(|it| it.base.clone()).collect()
    }

    /// Reads what is next, if nothing is being read.
    pub(super) fn scrub_on(&mut self, now: DateTime<Utc>) {
        if self.scrubs.at.is_some() || self.shutdown.is_cancelled() {
            return;
        }
        // Before that nobody knows what is there, and who is writing.
        if self.state.look.is_none() {
            return;
        }
        let all = self.scrubs.pass.as_ref().filter(|it| it.left.is_none()).map(|_| self.bases_to_scrub());
        if let Some(pass) = &mut self.scrubs.pass {
            if let Some(all) = all {
                tracing::info!(bases = all.len(), "a scrub pass begins");
                self.state.scrub.begin(all.len());
                pass.left = Some(all);
            }
            match pass.left.as_mut().and_then(VecDeque::pop_front) {
                Some(base) => self.read(base),
                None => self.end_scrub(),
            }
        } else if now >= self.state.started_at + CALM {
            self.due_read(now).into_iter().for_each(|base| self.read(base));
        }
    }

    /// The next base that is to be read without a pass.
    fn due_read(&self, now: DateTime<Utc>) -> Option<String> {
        let look = self.state.look.as_ref().filter(|_| !self.asked_only)?;
        let due = look.bases.iter().filter(|it| self.is_due(it, look, now));
        due.map(|it| it.name.clone()).find(|base| !self.is_fetched(base))
    }

    /// Images whose damaged bases are about to be read again and removed: a fetch would find them cached.
    pub(super) fn to_be_replaced(&self, now: DateTime<Utc>) -> impl Iterator<Item = &ImageId> {
        let look = self.state.look.as_ref().filter(|_| !self.asked_only);
        let is_damaged = |it: &&Known| it.verified.as_ref().is_some_and(|it| it.damage.is_some());
        let is_due = move |it: &Known| {
            let file = look.and_then(|look| Some((look, look.bases.iter().find(|file| file.name == it.base)?)));
            file.is_some_and(|(look, file)| self.is_due(file, look, now))
        };
        let damaged = self.state.known.values().filter(is_damaged);
        damaged.filter_map(move |it| it.id.as_ref().filter(|_| is_due(it)))
    }

    /// Whether a base is to be read without a pass: for the first time, or since it was damaged and is not used any more.
    fn is_due(&self, file: &BaseFile, look: &Look, now: DateTime<Utc>) -> bool {
        let Some(known) = self.state.known.get(&file.name).filter(|_| file.kind == Kind::Original) else {
            return false;
        };
        if self.scrubs.put_off.get(&file.name).is_some_and(|until| *until > now) {
            return false;
        }
        match &known.verified {
            Some(verified) if verified.damage.is_some() => {
                self.settings.scrub_replace && look.in_use.evidence(&file.name).is_empty()
            }
            Some(_) if !self.scrubs.lost.contains(&file.name) => false,
            _ => self.settings.scrub_adopted && look.in_use.is_settled(file, now),
        }
    }

    fn is_fetched(&self, base: &str) -> bool {
        self.jobs.keys().any(|id| id.base_name() == *base)
    }

    fn read(&mut self, base: String) {
        let Some(known) = self.state.known.get(&base).cloned() else {
            return self.scrubbed(&base, 0, ScrubOutcome::Unclear { why: "it is gone".to_owned() });
        };
        if let Some(why) = self.is_written(&base) {
            return self.scrubbed(&base, 0, ScrubOutcome::Unclear { why });
        }
        self.scrubs.at = Some(base.clone());
        let progress = Arc::new(Progress::default());
        self.state.scrub.reading(&base, progress.clone());
        let (dir, lists) = (self.dir.clone(), self.fetcher.lists.clone());
        let reader = Reader { dir, lists, rate: self.settings.scrub_rate };
        let (centre, catalogue) = (self.scrubs.centre.clone(), self.fetcher.catalogue.clone());
        let cancel = self.shutdown.clone();
        self.work.spawn(async move {
            let identified = tokio::select! {
                biased;
                () = cancel.cancelled() => Identified::default(),
                it = centre.identify(&catalogue, known) => it,
            };
            let read = reader.read(base.clone(), identified.expected, progress, cancel).await;
            Done::Read { base, known: identified.known, read }
        });
    }

    /// Who is writing it, or that it was written so shortly ago that somebody may still be.
    fn is_written(&self, base: &str) -> Option<String> {
        if self.is_fetched(base) {
            return Some("it is being fetched".to_owned());
        }
        let look = self.state.look.as_ref()?;
        let writes = |it: &&Evidence| matches!(it, Evidence::Open { writing: true, .. });
        if let Some(writer) = look.in_use.evidence(base).iter().find(writes) {
            return Some(writer.to_string());
        }
        let file = look.bases.iter().find(|it| it.name == base)?;
        let new = self.state.known.get(base).is_none_or(|it| it.verified.is_none());
        (new && !look.in_use.is_settled(file, self.state.now))
            .then(|| "it was written less than a minute ago".to_owned())
    }

    /// A base was read.
    pub(super) async fn read_done(&mut self, base: String, known: Option<Box<Known>>, read: Read) {
        self.scrubs.lost.remove(&base);
        if let Some(known) = known {
            let noted = self.index.note(vec![*known]).await;
            self.note_trouble(noted);
        }
        if let Some(verified) = read.verified() {
            let noted = self.index.verified(base.clone(), verified).await;
            if noted.is_err() {
                // Else it would be read again and again.
                self.scrubs.put_off.insert(base.clone(), self.state.now + AGAIN);
            }
            self.note_trouble(noted);
        }
        self.reload().await;
        match read.finding {
            Finding::Stopped => self.scrubs.at = None,
            Finding::Good(how, _) => {
                tracing::info!(base.file = %base, bytes = read.size, how = how.as_str(), "the base is good");
                let how = how.as_str().to_owned();
                self.scrubbed(&base, read.size, ScrubOutcome::Good { how });
            }
            Finding::Unclear(why) => {
                tracing::warn!(base.file = %base, "whether the base is good could not be told: {why}");
                self.scrubs.put_off.insert(base.clone(), self.state.now + AGAIN);
                self.scrubbed(&base, read.size, ScrubOutcome::Unclear { why });
            }
            Finding::Damaged(damage) => self.damaged(base, read.size, damage).await,
        }
    }

    /// It goes if nothing uses it, by the same evidence as for a prune pass.
    async fn damaged(&mut self, base: String, size: u64, damage: String) {
        tracing::error!(
            base.file = %base, image.id = self.state.image_of(&base).map(tracing::field::display),
            "the base is damaged: {damage}"
        );
        if !self.settings.scrub_replace {
            let then = "kept: scrub_replace is off".to_owned();
            return self.scrubbed(&base, size, ScrubOutcome::Damaged { damage, removed: false, then });
        }
        if let Err(why) = self.wish_again(&base).await {
            let result = Err(why);
            return self.replaced(base, size, damage, result).await;
        }
        let mut removal = self.removal(everything(), false);
        // It is asked for as it was, not as it is.
        removal.wanted.remove(&base);
        removal.purpose = Purpose::Damaged;
        let shutdown = self.shutdown.clone();
        self.work.spawn(async move {
            let result = removal.run_for(&base, &shutdown).await;
            Done::Replaced { base, size, damage, result }
        });
    }

    /// Queues the image of a base that is to go, if it is known.
    async fn wish_again(&mut self, base: &str) -> Result<(), String> {
        let Some(id) = self.state.image_of(base) else { return Ok(()) };
        let queued = self.index.enqueue(&id, None, self.state.now).await;
        let new = queued.map_err(|error| format!("image {id} could not be queued again: {}", chain(&error)))?;
        self.scrubs.replaced = Some(Wish { id, new });
        self.reload().await;
        Ok(())
    }

    /// The base stays, so its image need not come.
    async fn wish_no_more(&mut self, wish: Option<Wish>) {
        let Some(Wish { id, new: true }) = wish else { return };
        let taken_out = self.index.dequeue(&id).await.map(drop);
        self.note_trouble(taken_out);
        self.passes.gone(&id);
        self.reload().await;
    }

    /// A damaged base was removed, or not.
    pub(super) async fn replaced(&mut self, base: String, size: u64, damage: String, result: Result<Pruned, String>) {
        let (image, name) = (self.state.image_of(&base), self.state.known.get(&base).and_then(|it| it.name.clone()));
        let gone = result.as_ref().is_ok_and(|it| it.removed.iter().any(|it| it.base == base));
        let wish = self.scrubs.replaced.take();
        if !gone {
            self.wish_no_more(wish).await;
            let why = match result {
                Ok(pruned) => pruned.kept.into_iter().next().map_or_else(|| "it is gone".to_owned(), |it| it.why),
                Err(why) => why,
            };
            self.scrubs.put_off.insert(base.clone(), self.state.now + AGAIN);
            let text = "stop what uses it and scrub again, or move those instances to another disk";
            tracing::error!(base.file = %base, "the damaged base stays: {why}; {text}");
            let then = format!("kept: {why}");
            return self.scrubbed(&base, size, ScrubOutcome::Damaged { damage, removed: false, then });
        }
        if let Ok(pruned) = &result {
            self.forget_removed(pruned).await;
        }
        let (then, wait) = self.fetch_again(image);
        tracing::warn!(base.file = %base, "removed the damaged base: {then}");
        self.state.warnings.add(format!("removed the damaged base {base} ({damage}): {then}"));
        self.scrubbed(&base, size, ScrubOutcome::Damaged { damage, removed: true, then });
        if let Some(pass) = &mut self.scrubs.pass {
            // Its record went with it.
            pass.done.iter_mut().rev().take(1).for_each(|it| it.name = name.clone());
            pass.waiting.extend(wait.map(|it| (pass.done.len().saturating_sub(1), it)));
        }
    }

    fn fetch_again(&mut self, image: Option<ImageId>) -> (String, Option<oneshot::Receiver<Pass>>) {
        let Some(id) = image else {
            return ("its image is not known here; nova fetches it when it is needed".to_owned(), None);
        };
        let (ended, wait) = oneshot::channel();
        let begun = self.passes.begin(HashSet::from([id.clone()]), Some(ended));
        (format!("image {id} is fetched again"), begun.then_some(wait))
    }

    /// The outcome for one base.
    fn scrubbed(&mut self, base: &str, size: u64, outcome: ScrubOutcome) {
        self.scrubs.at = None;
        let result = match &outcome {
            ScrubOutcome::Good { .. } => "good",
            ScrubOutcome::Unclear { .. } => "unclear",
            ScrubOutcome::Damaged { .. } => "damaged",
        };
        metrics::counter!("larder_scrubbed_bases_total", "result" => result).increment(1);
        self.state.scrub.read(base);
        let (id, name) = (self.state.image_of(base), self.state.known.get(base).and_then(|it| it.name.clone()));
        if let Some(pass) = &mut self.scrubs.pass {
            pass.done.push(ScrubbedBase { base: base.to_owned(), id, name, size, outcome });
        }
    }

    /// Answers when what was removed has been fetched again, or not.
    fn end_scrub(&mut self) {
        let Some(Running { mut done, waiting, reply, .. }) = self.scrubs.pass.take() else { return };
        let damaged = done.iter().filter(|it| matches!(it.outcome, ScrubOutcome::Damaged { .. })).count();
        tracing::info!(bases = done.len(), damaged, "a scrub pass has ended");
        let good = done.iter().filter(|it| matches!(it.outcome, ScrubOutcome::Good { .. })).count() as u64;
        let ended_at = Some(self.state.now);
        let notable = done.iter().filter(|it| !matches!(it.outcome, ScrubOutcome::Good { .. })).cloned().collect();
        self.state.scrub.end(Scrubbed { ended_at, good, bases: notable });
        let Some(reply) = reply else { return };
        tokio::spawn(async move {
            for (place, wait) in waiting {
                let tried = wait.await.ok().and_then(|pass| pass.images.into_iter().next());
                if let (Some(it), Some(tried)) = (done.get_mut(place), tried)
                    && let ScrubOutcome::Damaged { then, .. } = &mut it.outcome
                {
                    *then = match tried.state {
                        ImageState::Cached => format!("image {} was fetched again and verified", tried.id),
                        ImageState::Failed { why, .. } => format!("fetching image {} again failed: {why}", tried.id),
                        _ => format!("image {} is fetched again", tried.id),
                    };
                }
            }
            let _ = reply.send(Ok(Scrubbed { ended_at: Some(chrono::Utc::now()), good, bases: done }));
        });
    }

    /// A base with this name is another one from now on, or none.
    pub(super) async fn drop_lists(&mut self, bases: Vec<String>) {
        self.scrubs.put_off.retain(|base, _| !bases.contains(base));
        let (dir, lists) = (self.dir.clone(), self.fetcher.lists.clone());
        let step = move || {
            let gone = bases.iter().filter(|base| matches!(dir.look(base), Ok(None)));
            gone.for_each(|base| lists.remove(base));
        };
        let _ = tokio::task::spawn_blocking(step).await;
    }

    /// When something is to be read without a pass next, if that is known.
    pub(super) fn next_read(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        if self.scrubs.at.is_some() || self.state.look.is_none() {
            return None;
        }
        if self.scrubs.pass.is_some() {
            return Some(now);
        }
        self.due_read(now).map(|_| now.max(self.state.started_at + CALM))
    }
}
