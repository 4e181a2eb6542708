//! How far scrubbing is, for the status.

use crate::admin::{Scrubbed, Scrubbing};
use crate::agent::execute::scrub::Progress;
use std::sync::{Arc, atomic::Ordering};

/// How far scrubbing is.
#[derive(Debug, Default)]
pub(super) struct ScrubStatus {
    now: Option<(String, Arc<Progress>)>,
    /// Bases of the pass that are not read yet, and all of them.
    pass: Option<(usize, usize)>,
    pub(super) last: Option<Scrubbed>,
}

// === impl ScrubStatus ===

impl ScrubStatus {
    pub(super) fn begin(&mut self, bases: usize) {
        self.pass = Some((bases, bases));
    }

    pub(super) fn reading(&mut self, base: &str, progress: Arc<Progress>) {
        self.now = Some((base.to_owned(), progress));
    }

    /// One base is over.
    pub(super) fn read(&mut self, base: &str) {
        if self.now.as_ref().is_some_and(|(now, _)| now == base) {
            self.now = None;
        }
        if let Some((left, _)) = &mut self.pass {
            *left = left.saturating_sub(1);
        }
    }

    pub(super) fn end(&mut self, pass: Scrubbed) {
        self.pass = None;
        self.last = Some(pass);
    }

    pub(super) fn is_reading(&self) -> bool {
        self.now.is_some()
    }

    pub(super) fn to_message(&self) -> Option<Scrubbing> {
        let (left, bases) = self.pass.unwrap_or((1, 1));
        let (base, progress) = self.now.as_ref()?;
        Some(Scrubbing {
            base: base.clone(),
            done: progress.done.load(Ordering::Relaxed),
            total: progress.total.load(Ordering::Relaxed),
            bases_done: (bases - left.min(bases)) as u64,
            bases: bases as u64,
            pass: self.pass.is_some(),
        })
    }
}
