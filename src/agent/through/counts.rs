//! What the endpoint has done since it was started, for the status and for Prometheus.

use std::sync::atomic::{AtomicU64, Ordering};

/// Requests for data and bytes of it.
#[derive(Debug, Default)]
pub(super) struct Counts {
    /// Served from this node.
    pub(super) hits: AtomicU64,
    /// Served from a download that others had begun.
    pub(super) joined: AtomicU64,
    /// They began a download.
    pub(super) misses: AtomicU64,
    /// Served by the catalogue.
    pub(super) passed: AtomicU64,
    /// Bytes given to callers, but those of the catalogue's own streams.
    pub(super) served: AtomicU64,
    /// Bytes that downloads brought.
    pub(super) fetched: AtomicU64,
}

// === impl Counts ===

impl Counts {
    pub(super) fn hit(&self) {
        count(&self.hits, "hit");
    }

    pub(super) fn join(&self) {
        count(&self.joined, "joined");
    }

    pub(super) fn miss(&self) {
        count(&self.misses, "miss");
    }

    pub(super) fn pass(&self) {
        count(&self.passed, "passed");
    }

    pub(super) fn serve(&self, bytes: u64) {
        self.served.fetch_add(bytes, Ordering::Relaxed);
        metrics::counter!("larder_read_through_served_bytes_total").increment(bytes);
    }

    pub(super) fn fetch(&self, bytes: u64) {
        self.fetched.fetch_add(bytes, Ordering::Relaxed);
        metrics::counter!("larder_read_through_fetched_bytes_total").increment(bytes);
    }
}

fn count(which: &AtomicU64, result: &'static str) {
    which.fetch_add(1, Ordering::Relaxed);
    metrics::counter!("larder_read_through_requests_total", "result" => result).increment(1);
}
