//! Where a fetch waits: for room, for one that is more urgent, for its share of the bandwidth.
//!
//! The loop pulls the [`Lever`]; the fetch goes through the [`Gate`] with every piece of data.

use super::progress::Place;
use crate::base::throttle::Throttle;
use std::{sync::Arc, time::Duration};
use tokio::{sync::watch, time::timeout};

/// What the loop says to a fetch.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct Signal {
    /// Stand still, for this reason.
    hold: Option<String>,
    /// Somebody waits for it: no limit holds it up.
    urgent: bool,
}

/// The loop's end.
#[derive(Debug)]
pub struct Lever {
    signal: watch::Sender<Signal>,
}

/// The fetch's end.
#[derive(Clone, Debug)]
pub struct Gate {
    signal: watch::Receiver<Signal>,
    throttle: Arc<Throttle>,
}

/// Both ends; what goes through pays at `throttle`.
pub fn gate(throttle: Arc<Throttle>) -> (Lever, Gate) {
    let (sender, signal) = watch::channel(Signal::default());
    (Lever { signal: sender }, Gate { signal, throttle })
}

// === impl Lever ===

impl Lever {
    /// Holds it for a reason, or lets it go on.
    pub fn hold(&self, why: Option<String>) {
        self.signal.send_if_modified(|it| std::mem::replace(&mut it.hold, why.clone()) != why);
    }

    /// Whether somebody waits for it.
    pub fn urgent(&self, urgent: bool) {
        self.signal.send_if_modified(|it| std::mem::replace(&mut it.urgent, urgent) != urgent);
    }

    /// Whether somebody does.
    pub fn is_urgent(&self) -> bool {
        self.signal.borrow().urgent
    }

    /// Whether it is held.
    pub fn is_held(&self) -> bool {
        self.signal.borrow().hold.is_some()
    }
}

// === impl Gate ===

impl Gate {
    /// Waits until `bytes` more may come; meanwhile the status says what for.
    pub async fn pass(&mut self, bytes: u64, place: &Place) {
        while let Some(why) = self.hold() {
            place.held(why);
            // The loop is gone: then nobody holds it any more, and the token of the fetch ends it.
            if self.signal.changed().await.is_err() {
                return;
            }
        }
        if self.signal.borrow().urgent {
            return;
        }
        let mut signal = self.signal.clone();
        tokio::select! {
            () = self.throttle.take(bytes) => {}
            _ = signal.wait_for(|it| it.urgent) => {}
        }
    }

    /// Returns once it has been held for so long without a break.
    pub async fn held_for(mut self, long: Duration) {
        loop {
            if self.signal.wait_for(|it| it.hold.is_some()).await.is_err() {
                return std::future::pending().await;
            }
            if timeout(long, self.signal.wait_for(|it| it.hold.is_none())).await.is_err() {
                return;
            }
        }
    }

    /// Whether its disk accesses give way to others'.
    pub fn gives_way(&self) -> bool {
        !self.signal.borrow().urgent
    }

    fn hold(&mut self) -> Option<String> {
        self.signal.borrow_and_update().hold.clone()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::admin::ImageState;
    use crate::agent::execute::progress::Board;
    use crate::image::ImageId;

    #[tokio::test]
    async fn it_stands_still_with_the_reason_and_goes_on() {
        let (board, id) = (Board::default(), ImageId::from_random(1));
        let place = Arc::new(board.place(&id));
        let (lever, mut gate) = gate(Arc::default());
        gate.pass(1 << 30, &place).await;
        lever.hold(Some("the disk is full".into()));
        let held = gate.clone();
        let passes = tokio::spawn({
            let place = place.clone();
            async move { gate.pass(1, &place).await }
        });
        held.held_for(Duration::from_millis(20)).await;
        assert!(!passes.is_finished());
        assert_eq!(board.images()[&id].state, ImageState::Held { why: "the disk is full".into() });
        lever.hold(None);
        timeout(Duration::from_secs(60), passes).await.unwrap().unwrap();
    }

    #[tokio::test]
    async fn an_urgent_one_pays_nothing() {
        let (board, id) = (Board::default(), ImageId::from_random(1));
        let place = Arc::new(board.place(&id));
        let throttle = Arc::new(Throttle::default());
        throttle.set(Some(1));
        let (lever, mut gate) = gate(throttle);
        let waits = tokio::spawn(async move { gate.pass(1 << 30, &place).await });
        tokio::task::yield_now().await;
        assert!(!waits.is_finished());
        lever.urgent(true);
        timeout(Duration::from_secs(60), waits).await.unwrap().unwrap();
    }
}
