//! Images that stay on this node: fetched when they are not there, never pruned.

use super::{fetches::internal, reconciler::Reconciler};
use crate::admin::server::Fault;
use crate::agent::{
    base_dir::Kind,
    index::{LONGEST_QUEUE, MOST_PINS},
};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::collections::HashSet;

// === impl Reconciler ===

impl Reconciler {
    pub(super) async fn pin(&mut self, id: &ImageId) -> Result<(), Fault> {
        if self.state.pins.len() >= MOST_PINS && !self.state.is_pinned(id) {
            return Err(Fault::Unavailable(format!("there are {MOST_PINS} pinned images already: unpin some")));
        }
        let added = self.index.pin(id, self.state.now).await.map_err(|error| internal(&error))?;
        tracing::info!(image.id = %id, added, "pinned");
        self.state.pins.insert(id.clone());
        self.queue_pinned(self.state.now).await;
        self.reload().await;
        Ok(())
    }

    pub(super) async fn unpin(&mut self, id: &ImageId) -> Result<(), Fault> {
        if !self.index.unpin(id).await.map_err(|error| internal(&error))? {
            if let Some(held) = self.state.ruled.wanted(id).filter(|it| it.is_pinned()) {
                let rules = held.by_rules();
                return Err(Fault::NotFound(format!(
                    "no operator has pinned image {id} on this node: {rules} holds it for as long as it is found; change that rule"
                )));
            }
            return Err(Fault::NotFound(format!("image {id} is not pinned on this node")));
        }
        tracing::info!(image.id = %id, "unpinned");
        self.state.pins.remove(id);
        self.reload().await;
        Ok(())
    }

    /// Queues what is pinned and not there, as soon as it is known what is there.
    pub(super) async fn queue_pinned(&mut self, now: DateTime<Utc>) {
        let Some(look) = &self.state.look else { return };
        let there: HashSet<&str> =
            look.bases.iter().filter(|it| it.kind == Kind::Original).map(|it| it.name.as_str()).collect();
        let queued: HashSet<&ImageId> = self.state.queue.iter().map(|it| &it.id).collect();
        let places = (LONGEST_QUEUE as usize).saturating_sub(queued.len());
        let is_absent = |id: &&ImageId| !there.contains(id.base_name().as_str()) && !queued.contains(id);
        let absent: Vec<ImageId> = self.state.pins.iter().filter(is_absent).take(places).cloned().collect();
        for id in absent {
            tracing::info!(image.id = %id, "queued, since it is pinned and not there");
            let queued = self.index.enqueue(&id, None, now).await.map(drop);
            self.note_trouble(queued);
        }
    }
}
