//! What would be fetched and removed now, without doing it.

use super::reconciler::{Done, Reconciler, Reply};
use crate::admin::{self, ImageState, ImageStatus, Plan, PlannedFetch, Pruned, server::Fault};
use crate::agent::{desired::rules::LeftOut, index::Queued, plan::prune};
use crate::base::byte_size::ByteSize;
use crate::image::ImageId;
use std::collections::{BTreeMap, HashSet};

/// The room that is left for what comes next.
struct Left {
    /// Within `cache_max_size`; none for no limit.
    limit: Option<u64>,
    /// Above `cache_min_free`.
    free: u64,
}

// === impl Reconciler ===

impl Reconciler {
    /// Looks beside the loop what would go; the rest is put together then.
    pub(super) fn plan(&mut self, reply: Reply<Plan>) {
        let prune = self.removal(self.settings.prune.clone(), true);
        let age = self.settings.fleet.gone_image_minimum_age;
        let settings =
            prune::Settings { remove_unused_original_minimum_age_seconds: age, ..self.settings.prune.clone() };
        let (gone, lost) = (self.removal(settings, true), self.lost_bases());
        let shutdown = self.shutdown.clone();
        self.work.spawn(async move {
            let result = prune.run(|_| true, &shutdown).await;
            let gone = gone.run(move |it| lost.contains(it.name()), &shutdown).await;
            Done::Planned { result, gone, reply }
        });
    }

    /// The bases of images that the catalogue has no more.
    fn lost_bases(&self) -> HashSet<String> {
        self.state.gone.images.keys().map(ImageId::base_name).collect()
    }

    pub(super) fn planned(&mut self, result: Result<Pruned, String>, gone: Result<Pruned, String>, reply: Reply<Plan>) {
        let both = result.and_then(|pruned| gone.map(|gone| [gone, pruned]));
        let _ = reply.send(both.map(|both| self.put_together(both)).map_err(Fault::Internal));
    }

    fn put_together(&self, removals: [Pruned; 2]) -> Plan {
        let mut remove = BTreeMap::new();
        for mut pruned in removals {
            self.name_images(&mut pruned);
            for it in pruned.removed {
                remove.entry(it.base.clone()).or_insert(it);
            }
        }
        let status = self.state.status();
        let fetch = self.fetches(&status.images);
        let desired = &self.state.ruled.desired;
        Plan {
            fetch_bytes: fetch.iter().filter(|it| it.waits.is_none()).filter_map(|it| it.size).sum(),
            freed: remove.values().map(|it| it.allocated).sum(),
            fetch,
            remove: remove.into_values().collect(),
            left_out: desired.left_out.iter().map(left_out).collect(),
            left_out_count: desired.reports.iter().map(|it| it.left_out).sum(),
            room: status.room,
            rules: status.rules,
        }
    }

    /// The queue in its order, each with what it waits for.
    fn fetches(&self, images: &[ImageStatus]) -> Vec<PlannedFetch> {
        let bounds = self.settings.bounds();
        let promised = self.fetcher.ledger.promised();
        let free = self.state.look.as_ref().map_or(0, |it| it.space.free);
        let mut left = Left {
            limit: bounds.max_size.map(|max| max.saturating_sub(self.own_bytes()).saturating_sub(promised)),
            free: free.saturating_sub(promised).saturating_sub(bounds.min_free),
        };
        let queue = self.state.queue.iter().zip(images);
        queue.map(|(it, image)| self.fetch(it, image, &mut left)).collect()
    }

    fn fetch(&self, it: &Queued, image: &ImageStatus, left: &mut Left) -> PlannedFetch {
        let wanted = self.state.ruled.wanted(&it.id);
        let total = match &image.state {
            ImageState::Fetching { total, .. } => *total,
            _ => None,
        };
        let size = wanted.map(|it| it.size).or(total);
        let reason = match wanted {
            _ if image.pinned => "pinned".to_owned(),
            Some(wanted) if it.for_rules => format!("wanted by {}", wanted.by_rules()),
            Some(wanted) => format!("queued, and wanted by {}", wanted.by_rules()),
            None => "queued".to_owned(),
        };
        let waits = match &image.state {
            ImageState::Held { why } => Some(why.clone()),
            ImageState::WaitingForLock => Some("nova holds the lock of its base".to_owned()),
            ImageState::Failed { retry_at, why, .. } => Some(match retry_at {
                Some(at) => format!("it failed, and is tried again at {}: {why}", at.format("%Y-%m-%d %H:%M:%S UTC")),
                None => format!("it failed: {why}"),
            }),
            ImageState::Queued { .. } => match &self.state.idle_because {
                Some(why) => Some(why.clone()),
                None => self.lacks_room_for_rules(&it.id).or_else(|| left.take(wanted.map_or(0, |it| it.room))),
            },
            _ => None,
        };
        PlannedFetch { image: image.clone(), size, reason, waits }
    }
}

// === impl Left ===

impl Left {
    /// Takes room for one; what is missing when there is too little.
    fn take(&mut self, room: u64) -> Option<String> {
        let lacks = |left: u64, of: &str| {
            format!("no room: it may take {}, and {} are left ({of})", ByteSize(room), ByteSize(left))
        };
        if let Some(left) = self.limit.filter(|left| room > *left) {
            return Some(lacks(left, "cache_max_size"));
        }
        if room > self.free {
            return Some(lacks(self.free, "cache_min_free"));
        }
        self.limit = self.limit.map(|it| it - room);
        self.free -= room;
        None
    }
}

fn left_out(it: &LeftOut) -> admin::LeftOut {
    admin::LeftOut {
        id: it.id.clone(),
        name: it.name.clone(),
        size: it.size,
        rule: it.rule.to_string(),
        why: it.why.clone(),
    }
}
