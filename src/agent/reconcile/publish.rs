//! The one status: to whoever asks, to the metrics, to systemd; and what is kept, to those who share the directory.

use super::{gauges, reconciler::Reconciler};
use crate::agent::sharing::Kept;
use crate::runtime::systemd;
use std::sync::Arc;

// === impl Reconciler ===

impl Reconciler {
    /// Publishes how things are now.
    pub(super) fn publish(&mut self) {
        let status = Arc::new(self.state.status());
        let count = gauges::tell(&status, &self.state.known);
        let of = |state| count.get(state).copied().unwrap_or(0);
        let busy = of("fetching") + of("verifying") + of("converting");
        let said = format!("{} cached, {busy} in work, {} queued, {} failed", of("cached"), of("queued"), of("failed"));
        if said != self.said {
            systemd::status(&said);
            self.said = said;
        }
        self.status.send_replace(status);
        let (wanted, firm) = (self.state.wanted(), self.firmly_wanted());
        let kept = Kept { pins: self.pinned_bases().into_iter().collect(), wanted, firm };
        self.state.sharing.kept.send_if_modified(|it| std::mem::replace(it, kept.clone()) != kept);
    }
}
