//! Who downloads what, so that each image is downloaded once at a time.

use super::{flight::Flight, wanted::Wanted};
use crate::image::ImageId;
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};
use tokio::sync::watch;

/// The downloads under way; clones share them.
#[derive(Clone, Debug, Default)]
pub(super) struct Flights(Arc<Mutex<HashMap<ImageId, Entry>>>);

#[derive(Debug)]
struct Entry {
    wanted: Wanted,
    stage: watch::Sender<Stage>,
}

/// How far a download is.
#[derive(Clone, Debug)]
pub(super) enum Stage {
    /// The catalogue is being asked.
    Asking,
    /// Bytes come.
    Flying(Arc<Flight>),
    /// There is no room to keep it: everybody for themselves.
    Alone,
    /// Nothing became of it, or all did.
    Over,
}

/// Whose turn it is.
#[derive(Debug)]
pub(super) enum Turn {
    /// The caller's: nobody downloads it yet.
    Lead(Seat),
    /// Another one's.
    Follow(watch::Receiver<Stage>),
    /// Other data is downloaded under this image's name.
    Other,
}

/// The right to download an image; given up when dropped, and those who wait for it go on.
#[derive(Debug)]
pub(super) struct Seat {
    flights: Flights,
    id: ImageId,
}

// === impl Flights ===

impl Flights {
    pub(super) fn turn(&self, id: &ImageId, wanted: &Wanted) -> Turn {
        let mut entries = self.lock();
        match entries.get(id) {
            Some(entry) if entry.wanted.is_same(wanted) => Turn::Follow(entry.stage.subscribe()),
            Some(_) => Turn::Other,
            None => {
                let stage = watch::Sender::new(Stage::Asking);
                entries.insert(id.clone(), Entry { wanted: wanted.clone(), stage });
                Turn::Lead(Seat { flights: self.clone(), id: id.clone() })
            }
        }
    }

    /// Those whose bytes come, by image.
    pub(super) fn flying(&self) -> Vec<(ImageId, Arc<Flight>)> {
        let entries = self.lock();
        let flying = entries.iter().filter_map(|(id, it)| match &*it.stage.borrow() {
            Stage::Flying(flight) => Some((id.clone(), flight.clone())),
            _ => None,
        });
        let mut flying: Vec<_> = flying.collect();
        flying.sort_by(|a, b| a.0.cmp(&b.0));
        flying
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, Entry>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Seat ===

impl Seat {
    /// Bytes come from now on.
    pub(super) fn fly(&self, flight: Arc<Flight>) {
        if let Some(entry) = self.flights.lock().get(&self.id) {
            entry.stage.send_replace(Stage::Flying(flight));
        }
    }

    /// Those who wait are to ask the catalogue themselves.
    pub(super) fn leave_alone(self) {
        if let Some(entry) = self.flights.lock().get(&self.id) {
            entry.stage.send_replace(Stage::Alone);
        }
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let Some(entry) = self.flights.lock().remove(&self.id) else { return };
        entry.stage.send_if_modified(|it| {
            let is_told = matches!(it, Stage::Alone);
            if !is_told {
                *it = Stage::Over;
            }
            !is_told
        });
    }
}

/// What becomes of another one's download, once that is known.
pub(super) async fn settled(mut stage: watch::Receiver<Stage>) -> Stage {
    let settled = stage.wait_for(|it| !matches!(it, Stage::Asking)).await;
    settled.map_or(Stage::Over, |it| it.clone())
}
