//! What prefetch rules want: chosen, queued, and kept.

use super::reconciler::Reconciler;
use crate::admin::Priority;
use crate::agent::{
    Settings,
    base_dir::Kind,
    desired::rules::{Choice, Desired, Followed, Found, Uses, Wanted, choose},
    index::{Fact, Index, IndexError, Queued},
    rules::{Bell, News, Settings as Line, known},
};
use crate::base::{byte_size::ByteSize, chain};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    sync::Arc,
};
use tokio::sync::watch;

/// The most entries of the queue that are there for rules; operators have the rest.
const MOST_QUEUED: usize = 8_000;

/// What is known of rules.
#[derive(Debug, Default)]
pub(super) struct Ruled {
    pub(super) followed: Vec<Followed>,
    pub(super) found: Found,
    /// Why the catalogue did not list its images since then.
    pub(super) why: Option<String>,
    pub(super) desired: Desired,
    pub(super) uses: Uses,
}

/// How those are reached who follow the rules.
#[derive(Debug)]
pub(in crate::agent) struct RulesLine {
    pub(in crate::agent) settings: watch::Sender<Line>,
    pub(in crate::agent) bell: Arc<Bell>,
}

// === impl Ruled ===

impl Ruled {
    /// As it was before the last end: a node goes on with what it knows.
    pub(super) async fn open(index: &Index, settings: &Settings, now: DateTime<Utc>) -> Result<Self, IndexError> {
        let (centre, found) = known(index).await;
        let followed = settings.for_rules().follow(&centre);
        let mut ruled = Self { followed, found, uses: index.uses().await?, ..Self::default() };
        ruled.choose(&|_| false, now, settings.schedule_local_time);
        Ok(ruled)
    }

    fn choose(&mut self, gone: &dyn Fn(&ImageId) -> bool, now: DateTime<Utc>, local_time: bool) {
        let used = |base: &str| self.uses.score(base, now);
        let choice = Choice { rules: &self.followed, found: &self.found, used: &used, gone, now, local_time };
        self.desired = choose(&choice);
    }

    /// What rules want of this image.
    pub(super) fn wanted(&self, id: &ImageId) -> Option<&Wanted> {
        self.desired.images.get(id)
    }

    /// Whether this entry of the queue is there for rules alone, and their windows are shut.
    pub(super) fn is_waiting(&self, it: &Queued) -> bool {
        it.for_rules && self.wanted(&it.id).is_some_and(|it| it.waits().is_some())
    }

    /// Why it is not fetched now, in that case.
    pub(super) fn waits(&self, it: &Queued) -> Option<String> {
        let wanted = self.wanted(&it.id).filter(|_| it.for_rules)?;
        let (rule, opens) = wanted.waits()?;
        let opens = opens
            .map_or_else(|| "never opens".to_owned(), |at| format!("opens at {}", at.format("%Y-%m-%d %H:%M UTC")));
        Some(format!("it waits for the window of rule {rule}, which {opens}"))
    }

    pub(super) fn chooses_by_use(&self) -> bool {
        self.followed.iter().any(|it| it.rule.images.most_used.is_some())
    }
}

// === impl Reconciler ===

impl Reconciler {
    /// Other rules, or other images for them. What could not be found out changes nothing.
    pub(super) async fn take_rules(&mut self, news: News) {
        let News { rules, found, pass } = news;
        self.state.ruled.followed = rules;
        match found {
            Some(Ok(found)) => {
                self.state.ruled.why = None;
                self.keep_found(found).await;
            }
            Some(Err(why)) => {
                let text = format!("prefetch rules go on with the images that are known: {why}");
                if self.state.ruled.why.replace(why).is_none() {
                    self.warn(text);
                }
            }
            None => {}
        }
        let queued = self.follow_rules(self.state.now).await;
        if !self.state.gone.images.is_empty() {
            self.remove_gone();
        }
        if pass && !queued.is_empty() {
            self.passes.begin(queued, None);
        }
    }

    /// Writes it down when it says something new.
    async fn keep_found(&mut self, found: Found) {
        let before = std::mem::replace(&mut self.state.ruled.found, found);
        let now = &self.state.ruled.found;
        if (&before.rules, &before.images) == (&now.rules, &now.images) {
            return;
        }
        tracing::info!(
            images = now.images.len(),
            rules = now.rules.len(),
            "the catalogue has other images for prefetch rules"
        );
        let noted = match serde_json::to_string(now) {
            Ok(text) => self.index.set_fact(Fact::Found, Some(text)).await,
            Err(error) => {
                tracing::warn!(%error, "cannot write down what rules have found");
                Ok(())
            }
        };
        self.note_trouble(noted);
    }

    /// Chooses anew, and queues what is wanted and not there; gives back what was not queued before.
    pub(super) async fn follow_rules(&mut self, now: DateTime<Utc>) -> HashSet<ImageId> {
        let lost = &self.state.gone.images;
        self.state.ruled.choose(&|id| lost.contains_key(id), now, self.settings.schedule_local_time);
        metrics::gauge!("larder_rule_images").set(self.state.ruled.desired.images.len() as f64);
        let queued = self.queue_for_rules(now).await;
        self.state.judge(&self.settings.prune);
        queued
    }

    /// A window opens or shuts.
    pub(super) async fn follow_windows(&mut self) {
        let now = self.state.now;
        if self.state.ruled.desired.changes.is_some_and(|at| at <= now) {
            self.follow_rules(now).await;
        }
    }

    /// Brings the queue up to what rules want, as soon as it is known what is there.
    pub(super) async fn queue_for_rules(&mut self, now: DateTime<Utc>) -> HashSet<ImageId> {
        let Some(look) = &self.state.look else { return HashSet::new() };
        let there: HashSet<&str> =
            look.bases.iter().filter(|it| it.kind == Kind::Original).map(|it| it.name.as_str()).collect();
        let entries: HashMap<&ImageId, &Queued> = self.state.queue.iter().map(|it| (&it.id, it)).collect();
        let images = &self.state.ruled.desired.images;
        let is_idle = self.state.idle_because.is_some();
        let gone = |it: &&Queued| it.for_rules && (is_idle || !images.contains_key(&it.id));
        let drop: Vec<ImageId> = self.state.queue.iter().filter(gone).map(|it| it.id.clone()).collect();
        let mut wanted: Vec<(&ImageId, &Wanted)> =
            images.iter().filter(|(_, it)| !there.contains(it.base.as_str())).collect();
        wanted.sort_by_key(|(_, it)| Reverse(it.priority()));
        wanted.truncate(if is_idle { 0 } else { MOST_QUEUED });
        let mut put = Vec::new();
        let mut new = HashSet::new();
        for (id, it) in wanted {
            let priority = Priority::try_from(it.priority()).unwrap_or_default();
            match entries.get(id) {
                Some(entry) if !entry.for_rules || entry.priority == priority => continue,
                Some(_) => {}
                None => {
                    tracing::info!(image.id = %id, "queued, since it is {} and not there", it.by_rules());
                    new.insert(id.clone());
                }
            }
            put.push((id.clone(), priority));
        }
        if put.is_empty() && drop.is_empty() {
            return new;
        }
        let noted = self.index.queue_for_rules(put, drop.clone(), now).await;
        if noted.is_ok() {
            for id in &drop {
                tracing::info!(image.id = %id, "taken out of the queue: no rule wants it any more");
                self.drop_download(id).await;
                self.passes.gone(id);
            }
        }
        self.note_trouble(noted);
        self.reload().await;
        new
    }

    /// Why this image is not fetched for rules that do not pin it: such a fetch displaces nothing, and keeps to the marks
    /// down to which bases go, so that what it brings does not go for its own room.
    pub(super) fn lacks_room_for_rules(&self, id: &ImageId) -> Option<String> {
        let it = self.displaces_nothing(id)?;
        let (bounds, marks) = (self.settings.bounds(), &self.settings.evict);
        let taken = it.room.saturating_add(self.fetcher.ledger.promised());
        let rule = it.by_rules();
        let low = bounds.max_size.map(|max| max / 100 * u64::from(marks.low.min(marks.high).min(100)));
        if let Some(low) = low.filter(|low| self.own_bytes().saturating_add(taken) > *low) {
            return Some(format!(
                "no room: {rule} does not pin it, so that it is fetched only within {} (cache_low_watermark)",
                ByteSize(low)
            ));
        }
        let floor = if bounds.min_free == 0 { 0 } else { marks.until_free.max(bounds.min_free) };
        let free = self.space().or(self.state.look.as_ref().map(|it| it.space))?.free;
        (free.saturating_sub(taken) < floor).then(|| {
            format!(
                "no room: {rule} does not pin it, so that it is fetched only while {} stay free (cache_evict_until_free)",
                ByteSize(floor)
            )
        })
    }

    /// What rules say of this image, if it is fetched for them alone and they do not pin it.
    pub(super) fn displaces_nothing(&self, id: &ImageId) -> Option<&Wanted> {
        self.state.queued(id).filter(|it| it.for_rules)?;
        self.state.ruled.wanted(id).filter(|it| !it.is_pinned())
    }

    /// Tells those who follow the rules of other settings.
    pub(super) fn tell_rules(&self) {
        let now = self.settings.for_rules();
        self.rules.settings.send_if_modified(|it| std::mem::replace(it, now.clone()) != now);
    }

    /// The disk was looked at: uses are counted, and what is wanted and not there is queued.
    pub(super) async fn rules_after_look(&mut self, now: DateTime<Utc>) {
        self.note_users(now).await;
        if !self.asked_only {
            self.queue_for_rules(now).await;
        }
    }

    /// Takes into account which instances were seen on which bases.
    async fn note_users(&mut self, now: DateTime<Utc>) {
        let Some(look) = &self.state.look else { return };
        let seen = super::users::users(look, self.dir.instances_path());
        let ruled = &mut self.state.ruled;
        let known = ruled.uses.bases.len();
        let changes = ruled.uses.see(&seen, now);
        if changes.is_empty() {
            return;
        }
        let has_started = !changes.bases.is_empty() && ruled.chooses_by_use();
        // What was never used was not looked for.
        let is_first = ruled.uses.bases.len() != known;
        if let Err(error) = self.index.note_uses(changes).await {
            self.warn(chain(&error).to_string());
        }
        if has_started && is_first {
            self.rules.bell.ring();
        } else if has_started {
            self.follow_rules(now).await;
        }
    }
}
