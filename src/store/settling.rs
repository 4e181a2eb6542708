//! Objects that a commit which nobody waits for any more may still make, and then removes: who writes the same object
//! waits for that.

use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::Notify;

/// The objects of a store that are being published; clones share them.
#[derive(Clone, Default)]
pub(super) struct Settling(Arc<Shared>);

#[derive(Default)]
struct Shared {
    busy: Mutex<HashMap<String, usize>>,
    less: Notify,
}

/// An object that is being published, for as long as this is kept.
pub(super) struct Busy {
    all: Settling,
    key: String,
}

// === impl Settling ===

impl Settling {
    pub(super) fn enter(&self, key: &str) -> Busy {
        *self.busy().entry(key.to_owned()).or_default() += 1;
        Busy { all: self.clone(), key: key.to_owned() }
    }

    /// Waits until nobody publishes this object.
    pub(super) async fn settled(&self, key: &str) {
        loop {
            let less = self.0.less.notified();
            if !self.busy().contains_key(key) {
                return;
            }
            less.await;
        }
    }

    fn busy(&self) -> MutexGuard<'_, HashMap<String, usize>> {
        self.0.busy.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Busy {
    fn drop(&mut self) {
        let mut busy = self.all.busy();
        if let Some(count) = busy.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                busy.remove(&self.key);
            }
        }
        drop(busy);
        self.all.0.less.notify_waiters();
    }
}
