//! Which stores do not do what they are asked for just now.

use crate::store::StoreError;
use std::{
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// How long a store that failed is asked after all others. Each failure begins it anew, and an answer ends it.
const REST: Duration = Duration::from_secs(30);

/// Of one store: until when it is asked last.
#[derive(Debug, Default)]
pub(super) struct Health(Mutex<Option<Instant>>);

// === impl Health ===

impl Health {
    pub(super) fn is_ill(&self) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).is_some_and(|until| Instant::now() < until)
    }

    /// It does what it should.
    pub(super) fn recover(&self) {
        *self.0.lock().unwrap_or_else(PoisonError::into_inner) = None;
    }

    /// It does not. True when that is news.
    pub(super) fn fall_ill(&self) -> bool {
        let until = Instant::now().checked_add(REST);
        let mut ill = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let was = ill.is_some_and(|until| Instant::now() < until);
        *ill = until;
        !was
    }
}

/// Whether an error speaks of the store, and not of what it was asked for.
pub(super) fn is_of_store(error: &StoreError) -> bool {
    matches!(error, StoreError::Remote { .. } | StoreError::Denied { .. } | StoreError::Io { .. })
}
