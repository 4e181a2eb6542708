//! Whether somebody waits to be served: then connections without a request give way.

use crate::http::server::stall::Turns;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{OwnedSemaphorePermit, Semaphore, watch},
    time::sleep,
};

/// How long a connection may be without a request while others wait: long enough for the request of a connection that
/// has just been opened.
const PATIENCE: Duration = Duration::from_secs(1);

/// The places of a server, and whether they are all taken.
#[derive(Clone, Debug)]
pub(super) struct Crowd {
    places: Arc<Semaphore>,
    full: Arc<watch::Sender<bool>>,
}

// === impl Crowd ===

impl Crowd {
    pub(super) fn new(places: usize) -> Self {
        let places = Arc::new(Semaphore::new(places.clamp(1, Semaphore::MAX_PERMITS)));
        Self { places, full: Arc::new(watch::Sender::new(false)) }
    }

    /// Waits for a place; none never comes.
    pub(super) async fn place(&self) -> Option<OwnedSemaphorePermit> {
        let place = match self.places.clone().try_acquire_owned() {
            Ok(place) => Some(place),
            Err(_) => {
                self.full.send_replace(true);
                self.places.clone().acquire_owned().await.ok()
            }
        };
        self.full.send_if_modified(std::mem::take);
        place
    }

    /// Whether every place is taken.
    pub(super) fn is_full(&self) -> bool {
        self.places.available_permits() == 0
    }

    /// Ends when others have waited while the connection of `turns` was without a request.
    pub(super) async fn wants_place_of(&self, turns: &Turns) {
        let mut full = self.full.subscribe();
        loop {
            // An error: the server is gone, and with it whoever could wait.
            if full.wait_for(|it| *it).await.is_err() {
                return std::future::pending().await;
            }
            let before = turns.idle();
            sleep(PATIENCE).await;
            if before.is_some() && turns.idle() == before && *full.borrow() {
                return;
            }
        }
    }
}
