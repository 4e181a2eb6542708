//! Bases that go because room is needed.

use super::{
    reconciler::{Done, Reconciler},
    removals::Removal,
};
use crate::admin::Pruned;
use crate::agent::{
    base_dir::BaseDir,
    execute::fetch::Fetcher,
    index::Queued,
    plan::{
        evict::{Held, Marks},
        fetch::{Bounds, Missing},
        prune,
    },
    seat::Purpose,
    through::Shelf,
};
use crate::base::byte_size::ByteSize;
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::{HashMap, HashSet},
    sync::Arc,
    time::{Duration, Instant},
};

/// What is known of the want of room.
#[derive(Debug, Default)]
pub(super) struct Evictions {
    running: bool,
    /// Not before this moment, unless there is new want.
    next: Option<Instant>,
    /// The wait after one that freed nothing; doubled each time.
    wait: Duration,
}

/// What one eviction did.
#[derive(Debug)]
pub(super) struct Evicted {
    pub(super) pruned: Pruned,
    /// Bytes that were to be had.
    pub(super) able: u64,
    /// Bytes of original images that went before any base.
    pub(super) originals: u64,
    /// What interrupted fetches had left, which went too.
    pub(super) partials: Vec<Held>,
}

/// Who needs room, and who gives it before any base.
pub(super) struct Want {
    /// What images lack, in their order.
    pub(super) lacks: Vec<Held>,
    /// What interrupted fetches have left, the least wanted first.
    pub(super) partials: Vec<Held>,
    /// Removes that.
    pub(super) fetcher: Fetcher,
}

/// An image that waits for room.
type Lack = (ImageId, Missing);

const FIRST: Duration = Duration::from_secs(2);
const LONGEST: Duration = Duration::from_secs(60);

// === impl Reconciler ===

impl Reconciler {
    /// Removes what may go, when room is needed.
    pub(super) fn evict_if_needed(&mut self) {
        if self.evictions.running || self.evictions.next.is_some_and(|at| at > Instant::now()) || self.is_idle_once() {
            return;
        }
        let Some(space) = self.space() else { return };
        let bounds = self.settings.bounds();
        let excess = self.settings.evict.excess(self.own_bytes(), space.free, bounds);
        let missing =
            |id: &ImageId| self.state.put_off.get(id)?.held.as_ref().map(|it| it.missing).filter(|it| it.bytes > 0);
        let lack = |it: &Queued| Some((it.id.clone(), missing(&it.id)?));
        let those =
            |for_rules| self.state.queue.iter().filter(move |it| it.for_rules == for_rules).filter_map(lack).collect();
        let (mut lacks, of_rules): (Vec<Lack>, Vec<Lack>) = (those(false), those(true));
        // Rules do not displace what other rules want: that would come back, and so in turns.
        let for_rules = excess == 0 && lacks.is_empty();
        if for_rules {
            lacks = of_rules;
        }
        if excess == 0 && lacks.is_empty() {
            return;
        }
        self.evictions.running = true;
        let (removal, marks) = (self.eviction(for_rules), self.settings.evict.clone());
        let pinned = self.pinned_bases();
        let shutdown = self.shutdown.clone();
        let (originals, dir) = (self.originals.clone(), self.dir.clone());
        let promised = self.fetcher.ledger.promised();
        let (partials, fetcher) = (self.offer_partials(), self.fetcher.clone());
        self.work.spawn(async move {
            let lacking = lacking(space.free.saturating_sub(promised), &lacks, (&marks, bounds));
            let given = give_originals(originals, dir, lacking).await;
            // What they gave is seen by the look at the disk, but not yet by those who wait.
            let left = |it: &Missing| it.bytes.saturating_sub(if it.on_disk { given } else { 0 });
            let lacks = lacks.iter().map(|(id, it)| Held { id: id.clone(), bytes: left(it) }).collect();
            let want = Want { lacks, partials, fetcher };
            let evicted = removal.evict(&pinned, (&marks, bounds), &want, &shutdown).await;
            Done::Evicted(evicted.map(|it| Evicted { originals: given, ..it }))
        });
    }

    /// Somebody new needs room.
    pub(super) fn room_is_needed(&mut self) {
        self.evictions.next = None;
    }

    /// When something is removed for those that wait for room, if any do.
    pub(super) fn next_eviction(&self, now: DateTime<Utc>) -> Option<DateTime<Utc>> {
        let is_wanted = self.state.put_off.values().any(|it| it.held.is_some()) && !self.is_idle_once();
        let wait = self.evictions.next.filter(|_| is_wanted && !self.evictions.running)?;
        Some(now + TimeDelta::from_std(wait.saturating_duration_since(Instant::now())).ok()?)
    }

    /// One pass only, and it is not one that fetches.
    fn is_idle_once(&self) -> bool {
        self.asked_only && self.passes.asked().is_empty()
    }

    /// What keeps to its rules, and for rules to their images, too.
    fn eviction(&self, for_rules: bool) -> Removal {
        let marks = &self.settings.evict;
        let age = &self.settings.prune;
        let settings = prune::Settings {
            remove_unused_original_minimum_age_seconds: age
                .remove_unused_original_minimum_age_seconds
                .min(marks.min_age),
            remove_unused_resized_minimum_age_seconds: age.remove_unused_resized_minimum_age_seconds.min(marks.min_age),
            ..age.clone()
        };
        let mut removal = self.removal(settings, false);
        if for_rules {
            return removal;
        }
        (removal.wanted, removal.purpose) = (self.firmly_wanted(), Purpose::Room);
        removal
    }

    /// What stays although room is needed.
    pub(super) fn firmly_wanted(&self) -> HashMap<String, String> {
        let queued: HashSet<String> = self.state.queue.iter().map(|it| it.id.base_name()).collect();
        let pinned = if self.settings.evict.pinned_too { HashSet::new() } else { self.pinned_bases() };
        let mut wanted = self.state.wanted();
        wanted.retain(|name, _| queued.contains(name) || pinned.contains(name));
        wanted
    }

    pub(super) fn pinned_bases(&self) -> HashSet<String> {
        let by_rules = self.state.ruled.desired.images.values().filter(|it| it.is_pinned()).map(|it| it.base.clone());
        self.state.pins.iter().map(crate::image::ImageId::base_name).chain(by_rules).collect()
    }

    pub(super) async fn evicted(&mut self, result: Result<Evicted, String>) {
        let evictions = &mut self.evictions;
        evictions.running = false;
        let freed = result.as_ref().map_or(0, |it| it.pruned.freed + it.originals + sum(&it.partials));
        let gone = result.as_ref().map(|it| it.partials.iter().map(|it| it.id.clone()).collect());
        self.partials.taken(&gone.unwrap_or_default());
        evictions.wait = if freed > 0 { FIRST } else { (evictions.wait * 2).clamp(FIRST, LONGEST) };
        evictions.next = Some(Instant::now() + evictions.wait);
        match result {
            Ok(evicted) => self.note_evicted(evicted).await,
            Err(why) => {
                self.tell_passes_of_held();
                self.warn(why);
            }
        }
    }

    async fn note_evicted(&mut self, Evicted { pruned, able, originals, partials }: Evicted) {
        self.state.evictable = Some(able.saturating_sub(pruned.freed));
        if originals > 0 {
            tracing::info!(freed_bytes = originals, "original images went for the room of bases");
            self.try_held_again();
        }
        if !partials.is_empty() {
            let images: Vec<&str> = partials.iter().map(|it| it.id.as_str()).collect();
            self.warn(format!(
                "removed what interrupted fetches had left, for its room, {} in all: {}",
                ByteSize(sum(&partials)),
                images.join(", ")
            ));
            self.look_soon();
            self.try_held_again();
        }
        if pruned.removed.is_empty() && partials.is_empty() {
            return self.tell_passes_of_held();
        }
        if pruned.removed.is_empty() {
            return;
        }
        let names: Vec<&str> = pruned.removed.iter().map(|it| it.base.as_str()).collect();
        self.warn(format!(
            "removed {} for its room, {} in all: {}",
            plural(names.len()),
            ByteSize(pruned.freed),
            names.join(", ")
        ));
        metrics::counter!("larder_evicted_files_total").increment(pruned.removed.len() as u64);
        metrics::counter!("larder_evicted_bytes_total").increment(pruned.freed);
        self.forget_removed(&pruned).await;
        self.try_held_again();
    }

    /// There is more room, or may be: what waits for it is tried at once.
    pub(super) fn try_held_again(&mut self) {
        let now = self.state.now;
        for it in self.state.put_off.values_mut() {
            if let Some(held) = &mut it.held {
                (it.until, held.missing) = (now, Missing::default());
            }
        }
    }
}

/// Bytes that the file system lacks, whatever `cache_max_size` says.
fn lacking(free: u64, lacks: &[Lack], (marks, bounds): (&Marks, Bounds)) -> u64 {
    let on_disk = Bounds { max_size: None, ..bounds };
    let wanted = lacks.iter().filter(|(_, it)| it.on_disk).map(|(_, it)| it.bytes).max().unwrap_or(0);
    marks.excess(0, free, on_disk).max(wanted)
}

/// Copies that can be fetched again go before bases; what they freed.
async fn give_originals(originals: Option<Arc<Shelf>>, dir: Arc<BaseDir>, bytes: u64) -> u64 {
    let Some(originals) = originals.filter(|_| bytes > 0) else { return 0 };
    let give = move || if originals.shares_disk_with(dir.path()) { originals.give(bytes) } else { 0 };
    tokio::task::spawn_blocking(give).await.unwrap_or(0)
}

fn sum(held: &[Held]) -> u64 {
    held.iter().fold(0, |sum, it| sum.saturating_add(it.bytes))
}

fn plural(count: usize) -> String {
    if count == 1 { "a base".to_owned() } else { format!("{count} bases") }
}
