//! Nova's own manager goes by mtime alone: where it removes bases too, what is to stay is touched before its age.

use super::reconciler::{Done, Reconciler};
use crate::agent::plan::prune::{Decision, due_for_nova};
use std::sync::Arc;
use tokio::task::spawn_blocking;

// === impl Reconciler ===

impl Reconciler {
    /// Touches, beside the loop, what is pinned, wanted or an instance's at half of nova's age; says what it may not touch.
    pub(super) fn keep_from_nova(&mut self) {
        let Some(limit) = self.settings.nova_removes_after else { return };
        let Some(look) = &self.state.look else { return };
        let now = self.state.now;
        let due = self.state.decisions.iter().filter(|it| due_for_nova(it, &look.in_use, now, limit));
        let due: Vec<String> = due.map(Decision::name).map(str::to_owned).collect();
        if due.is_empty() {
            return;
        }
        let dir = Arc::clone(&self.dir);
        let touch = move || {
            // One that has gone meanwhile is no trouble.
            let fails =
                |base: &String| !matches!(dir.touch(base, now), Ok(true)) && matches!(dir.look(base), Ok(Some(_)));
            due.into_iter().filter(fails).collect::<Vec<_>>()
        };
        self.work.spawn(async move { Done::Untouched(limit, spawn_blocking(touch).await.unwrap_or_default()) });
    }

    /// These are to stay, and cannot be touched.
    pub(super) fn untouched(&mut self, limit: u64, bases: Vec<String>) {
        for base in bases {
            let text = format!(
                "the base {base} is to stay, but cannot be touched, and nova-compute removes it once it is unused for \
                 {limit} s: set [image_cache] remove_unused_base_images = False in nova.conf"
            );
            // Each look finds it again.
            if self.state.warnings.add(text.clone()) {
                tracing::warn!("{text}");
            }
        }
    }
}
