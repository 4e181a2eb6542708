//! Settings that may change while a server runs.

use super::Settings;
use tokio::sync::watch;

/// Where a server looks its settings up: each connection takes those of its beginning. `max_connections` stays what it
/// was at the start.
#[derive(Clone, Debug)]
pub struct Live(watch::Receiver<Settings>);

/// Where they are changed.
#[derive(Debug)]
pub struct Dial(watch::Sender<Settings>);

// === impl Live ===

impl Live {
    pub(super) fn now(&self) -> Settings {
        self.0.borrow().clone()
    }
}

impl From<Settings> for Live {
    fn from(settings: Settings) -> Self {
        Self(watch::channel(settings).1)
    }
}

// === impl Dial ===

impl Dial {
    /// A dial that stands at these settings, and what shows them.
    pub fn new(settings: Settings) -> (Self, Live) {
        let (sender, receiver) = watch::channel(settings);
        (Self(sender), Live(receiver))
    }

    /// Connections that come from now on get these.
    pub fn turn(&self, settings: Settings) {
        self.0.send_replace(settings);
    }
}
