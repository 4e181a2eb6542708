//! An image that is closed on a thread of its own.

use super::image::Image;
use std::{
    ops::Deref,
    sync::{Mutex, PoisonError},
    thread,
};

/// What is done after the image was closed.
type Then = Box<dyn FnOnce() + Send>;

/// An image for any thread: whoever drops it last does not wait until it is closed, which librbd's own threads must not.
pub(in crate::store::rbd) struct Opened {
    /// Always there until it is dropped.
    image: Option<Image>,
    then: Mutex<Option<Then>>,
}

// === impl Opened ===

impl Opened {
    pub(in crate::store::rbd) fn new(image: Image) -> Self {
        Self { image: Some(image), then: Mutex::new(None) }
    }

    /// Closes it here and now; nothing is done after it. Blocks.
    pub(in crate::store::rbd) fn close(mut self) {
        self.then(None);
        drop(self.image.take());
    }

    /// Sets what is done after it was closed, or nothing.
    pub(in crate::store::rbd) fn then(&self, then: Option<Then>) {
        *self.then.lock().unwrap_or_else(PoisonError::into_inner) = then;
    }
}

impl Deref for Opened {
    type Target = Image;

    #[expect(clippy::expect_used, reason = "taken by drop only")]
    fn deref(&self) -> &Image {
        self.image.as_ref().expect("an image is there until it is dropped")
    }
}

impl Drop for Opened {
    fn drop(&mut self) {
        let Some(image) = self.image.take() else { return };
        let then = self.then.get_mut().unwrap_or_else(PoisonError::into_inner).take();
        let close = move || {
            drop(image);
            if let Some(then) = then {
                then();
            }
        };
        if let Err(error) = thread::Builder::new().name("rbd-close".to_owned()).spawn(close) {
            tracing::error!(%error, "no thread to close an image in Ceph");
        }
    }
}
