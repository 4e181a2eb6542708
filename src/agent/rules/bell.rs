//! Asks for a listing.

use std::sync::atomic::{AtomicBool, Ordering};
use tokio::sync::Notify;

/// Rung by whoever sees that images may have changed; any number of rings are one until it is heard.
#[derive(Debug, Default)]
pub(in crate::agent) struct Bell {
    rung: Notify,
    pass: AtomicBool,
}

// === impl Bell ===

impl Bell {
    /// Something may have changed.
    pub(in crate::agent) fn ring(&self) {
        self.rung.notify_one();
    }

    /// A periodic pass begins: what the listing brings is tried at once.
    pub(in crate::agent) fn ring_for_pass(&self) {
        self.pass.store(true, Ordering::Release);
        self.ring();
    }

    pub(super) async fn heard(&self) {
        self.rung.notified().await;
    }

    /// Whether one of the rings was for a pass.
    pub(super) fn take_pass(&self) -> bool {
        self.pass.swap(false, Ordering::AcqRel)
    }
}
