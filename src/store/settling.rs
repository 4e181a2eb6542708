//! Objects that a commit which nobody waits for any more may still make, and then removes: who writes the same object
//! waits for that.

use crate::store::StoreError;
use futures_util::{FutureExt, future::BoxFuture};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::{
    runtime::Handle,
    sync::{Notify, oneshot},
};

/// The objects of a store that are being published; clones share them.
#[derive(Clone, Default)]
pub(super) struct Settling(Arc<Shared>);

#[derive(Default)]
struct Shared {
    busy: Mutex<HashMap<String, usize>>,
    less: Notify,
}

/// An object that is being published, for as long as this is kept.
struct Busy {
    all: Settling,
    key: String,
}

/// What a commit has made, if anything: it is taken back when this is dropped, unless somebody knows of it.
pub(super) struct Published {
    /// For the log: nothing of keys.
    url: String,
    take_back: Option<BoxFuture<'static, ()>>,
    busy: Option<Busy>,
}

// === impl Settling ===

impl Settling {
    fn enter(&self, key: &str) -> Busy {
        *self.busy().entry(key.to_owned()).or_default() += 1;
        Busy { all: self.clone(), key: key.to_owned() }
    }

    /// Publishes the object `key`, to its end even when nobody waits for it any more: a request that is broken off may have
    /// its effect all the same. `publish` is handed what it enters what it made into. None when it broke down.
    pub(super) async fn commit<F>(
        &self,
        (key, url): (&str, String),
        publish: impl FnOnce(Published) -> F,
    ) -> Option<Result<(), StoreError>>
    where
        F: Future<Output = Result<Published, StoreError>> + Send + 'static,
    {
        let publishing = publish(Published { url, take_back: None, busy: Some(self.enter(key)) });
        let (sender, outcome) = oneshot::channel();
        tokio::spawn(async move {
            let _ = sender.send(publishing.await);
        });
        Some(outcome.await.ok()?.map(Published::keep))
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

// === impl Published ===

impl Published {
    /// From here on there is an object, and this removes it.
    pub(super) fn made(&mut self, take_back: impl Future<Output = ()> + Send + 'static) {
        self.take_back = Some(take_back.boxed());
    }

    /// The object is somebody else's.
    pub(super) fn forget(&mut self) {
        self.take_back = None;
    }

    fn keep(mut self) {
        self.forget();
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        let (Some(take_back), Ok(runtime)) = (self.take_back.take(), Handle::try_current()) else { return };
        tracing::info!(url = self.url, "an upload was given up, or failed, while it was published; it is removed");
        let busy = self.busy.take();
        runtime.spawn(async move {
            let _busy = busy;
            take_back.await;
        });
    }
}
