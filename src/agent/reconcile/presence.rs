//! Images that the catalogue has no more: their bases go as soon as nothing uses them.

use super::{
    fetches::internal,
    reconciler::{Done, Reconciler},
};
use crate::admin::{Check, Pruned, server::Fault};
use crate::agent::plan::prune;
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::collections::{BTreeMap, BTreeSet, HashSet};

/// What is sure about images that were asked for.
#[derive(Debug)]
pub(in crate::agent) struct Presence {
    /// Those that cannot be used any more, and why.
    pub(in crate::agent) gone: BTreeMap<ImageId, String>,
    /// Those that can.
    pub(in crate::agent) there: BTreeSet<ImageId>,
    /// Those that seem so, too many at once to be believed, and why; none when not all were asked for.
    pub(in crate::agent) held: Option<BTreeMap<ImageId, String>>,
    /// For the status, after all were asked for.
    pub(in crate::agent) check: Option<Check>,
}

/// What is known to be gone since the start.
#[derive(Debug, Default)]
pub(super) struct Gone {
    pub(super) images: BTreeMap<ImageId, String>,
    /// Those whose bases stay, as the log and the status have been told.
    said: HashSet<ImageId>,
    removing: bool,
    check: Option<Check>,
    /// Too many at once to be believed, unless an operator confirms it.
    held: BTreeMap<ImageId, String>,
    /// When the next one is old enough.
    pub(super) next: Option<DateTime<Utc>>,
}

// === impl Gone ===

impl Gone {
    /// What came of asking last, and what is doubted now.
    pub(super) fn check(&self) -> Option<Check> {
        let held: Vec<ImageId> = self.held.keys().cloned().collect();
        self.check.clone().map(|it| Check { doubted: held.len() as u64, held, ..it })
    }
}

// === impl Reconciler ===

impl Reconciler {
    pub(super) async fn presence(&mut self, it: Presence) {
        let Presence { gone, there, held, check } = it;
        self.state.gone.check = check.or(self.state.gone.check.take());
        if let Some(held) = held {
            self.state.gone.held = held;
        }
        if gone.is_empty() && there.is_empty() {
            return;
        }
        let lost: Vec<ImageId> = gone.keys().cloned().collect();
        let noted = self.index.at_centre(lost, there.iter().cloned().collect(), self.state.now).await;
        self.note_trouble(noted);
        for (id, why) in gone {
            if self.state.gone.images.insert(id.clone(), why.clone()).is_none() {
                tracing::info!(image.id = %id, "the catalogue has the image no more: {why}");
            }
        }
        for id in there {
            self.state.gone.said.remove(&id);
            if self.state.gone.images.remove(&id).is_some() {
                tracing::info!(image.id = %id, "the catalogue has the image again");
            }
        }
        self.reload().await;
        // No rule keeps what is gone.
        self.follow_rules(self.state.now).await;
        self.remove_gone();
    }

    /// An operator knows that the catalogue is right.
    pub(super) async fn confirm_gone(&mut self, id: &ImageId) -> Result<(), Fault> {
        let Some(why) = self.state.gone.held.get(id).cloned() else {
            let why =
                format!("image {id} is none of those that the catalogue seems to have lost: see `larder cache status`");
            return Err(Fault::NotFound(why));
        };
        let noted = self.index.at_centre(vec![id.clone()], Vec::new(), self.state.now).await;
        noted.map_err(|error| internal(&error))?;
        self.state.gone.held.remove(id);
        tracing::info!(image.id = %id, "an operator has confirmed that the image is gone");
        let gone = BTreeMap::from([(id.clone(), why)]);
        self.presence(Presence { gone, there: BTreeSet::new(), held: None, check: None }).await;
        Ok(())
    }

    /// Removes the bases of lost images that nothing uses.
    pub(super) fn remove_gone(&mut self) {
        let here = |id: &&ImageId| self.state.known.contains_key(&id.base_name());
        let names: HashSet<String> = self.state.gone.images.keys().filter(here).map(ImageId::base_name).collect();
        metrics::gauge!("larder_gone_images").set(names.len() as f64);
        let off = !self.settings.prune.remove_unused_base_images || self.asked_only;
        if names.is_empty() || self.state.gone.removing || off {
            return;
        }
        self.state.gone.removing = true;
        self.state.gone.next = None;
        let age = self.settings.fleet.gone_image_minimum_age;
        let settings =
            prune::Settings { remove_unused_original_minimum_age_seconds: age, ..self.settings.prune.clone() };
        let removal = self.removal(settings, false);
        let shutdown = self.shutdown.clone();
        self.work.spawn(async move { Done::Gone(removal.run(move |it| names.contains(it.name()), &shutdown).await) });
    }

    pub(super) fn remove_gone_if_due(&mut self, now: DateTime<Utc>) {
        if self.state.gone.next.is_some_and(|at| at <= now) {
            self.remove_gone();
        }
    }

    pub(super) async fn removed_gone(&mut self, result: Result<Pruned, String>) {
        self.state.gone.removing = false;
        let mut pruned = match result {
            Ok(pruned) => pruned,
            Err(why) => return self.warn(why),
        };
        self.name_images(&mut pruned);
        for it in &pruned.removed {
            let why = it.id.as_ref().and_then(|id| self.state.gone.images.get(id)).cloned().unwrap_or_default();
            tracing::info!(base.file = %it.base, "removed the base of an image that the catalogue has no more: {why}");
        }
        for it in &pruned.kept {
            let Some(id) = &it.id else { continue };
            let lost = self.state.gone.images.get(id).cloned();
            if let Some(lost) = lost.filter(|_| it.may_go_at.is_none() && self.state.gone.said.insert(id.clone())) {
                let text = format!(
                    "the catalogue has image {id} no more ({lost}), so it cannot be fetched again; its base {} stays: {}",
                    it.base, it.why
                );
                self.warn(text);
            }
        }
        self.state.gone.next = pruned.kept.iter().filter_map(|it| it.may_go_at).min();
        metrics::counter!("larder_pruned_files_total").increment(pruned.removed.len() as u64);
        metrics::counter!("larder_pruned_bytes_total").increment(pruned.freed);
        self.forget_removed(&pruned).await;
        let known = &self.state.known;
        self.state.gone.images.retain(|id, _| known.contains_key(&id.base_name()));
    }
}
