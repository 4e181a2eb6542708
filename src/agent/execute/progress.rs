//! What is in work, and how far it is: written by the fetches, read by whoever shows the status.

use crate::admin::ImageState;
use crate::image::ImageId;
use std::{
    collections::{HashMap, VecDeque},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

/// The images in work.
#[derive(Clone, Debug, Default)]
pub struct Board {
    images: Arc<Mutex<HashMap<ImageId, InWork>>>,
}

/// An image in work.
#[derive(Clone, Debug, PartialEq)]
pub struct InWork {
    /// Its name at the centre, once that was asked.
    pub name: Option<String>,
    /// What is done with it.
    pub state: ImageState,
}

/// One image's place on the board; given up when dropped.
#[derive(Debug)]
pub struct Place {
    board: Board,
    id: ImageId,
    meter: Mutex<Meter>,
}

/// Bytes a second over the last seconds.
#[derive(Debug, Default)]
struct Meter {
    samples: VecDeque<(Instant, u64)>,
}

/// Over how long the rate is taken.
const WINDOW: Duration = Duration::from_secs(5);
const SAMPLE: Duration = Duration::from_millis(200);

// === impl Board ===

impl Board {
    /// What is in work now.
    pub fn images(&self) -> HashMap<ImageId, InWork> {
        self.lock().clone()
    }

    /// Whether anything is.
    pub fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    /// A place for an image whose work begins.
    pub fn place(&self, id: &ImageId) -> Place {
        let state = ImageState::Fetching { done: 0, total: None, rate: 0 };
        self.lock().insert(id.clone(), InWork { name: None, state });
        Place { board: self.clone(), id: id.clone(), meter: Mutex::default() }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<ImageId, InWork>> {
        self.images.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Place ===

impl Place {
    /// The image's name is known.
    pub fn named(&self, name: Option<&str>) {
        if let Some(image) = self.board.lock().get_mut(&self.id) {
            image.name = name.map(str::to_owned);
        }
    }

    /// So many bytes have come.
    pub fn fetching(&self, done: u64, total: Option<u64>) {
        let rate = self.meter.lock().unwrap_or_else(PoisonError::into_inner).note(Instant::now(), done);
        self.set(ImageState::Fetching { done, total, rate });
    }

    /// So much of the raw image is there.
    pub fn converting(&self, done: u64, total: u64) {
        self.set(ImageState::Converting { done, total });
    }

    /// It stands still, and why.
    pub fn held(&self, why: String) {
        self.set(ImageState::Held { why });
    }

    /// Any other state.
    pub fn set(&self, state: ImageState) {
        if let Some(image) = self.board.lock().get_mut(&self.id) {
            image.state = state;
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        self.board.lock().remove(&self.id);
    }
}

// === impl Meter ===

impl Meter {
    fn note(&mut self, now: Instant, done: u64) -> u64 {
        while self.samples.len() > 1 && self.samples.front().is_some_and(|(at, _)| now - *at > WINDOW) {
            self.samples.pop_front();
        }
        if self.samples.back().is_none_or(|(at, _)| now - *at >= SAMPLE) {
            self.samples.push_back((now, done));
        }
        let Some((start, before)) = self.samples.front() else { return 0 };
        let seconds = (now - *start).as_secs_f64();
        if seconds < SAMPLE.as_secs_f64() { 0 } else { (done.saturating_sub(*before) as f64 / seconds) as u64 }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_rate_is_that_of_the_last_seconds() {
        let (mut meter, start) = (Meter::default(), Instant::now());
        let mut rate = 0;
        for tenth in 0..=200_u64 {
            // 1000 bytes a second for 10 s, then 5000.
            let done = if tenth <= 100 { tenth * 100 } else { 10_000 + (tenth - 100) * 500 };
            rate = meter.note(start + Duration::from_millis(tenth * 100), done);
            if tenth == 100 {
                assert!((950..=1050).contains(&rate), "{rate}");
            }
        }
        assert!((4900..=5100).contains(&rate), "{rate}");
        assert!(meter.samples.len() < 40);
    }

    #[test]
    fn a_place_is_given_up() {
        let (board, id) = (Board::default(), ImageId::from_random(1));
        let place = board.place(&id);
        place.named(Some("debian"));
        place.fetching(5, Some(10));
        let state = ImageState::Fetching { done: 5, total: Some(10), rate: 0 };
        assert_eq!(board.images()[&id], InWork { name: Some("debian".into()), state });
        drop(place);
        assert!(board.is_empty());
    }
}
