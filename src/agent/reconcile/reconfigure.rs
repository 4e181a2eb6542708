//! The configuration was read again.

use super::reconciler::Reconciler;
use crate::agent::{Settings, signatures::Signers};
use crate::base::chain;
use crate::remote::Catalogue;
use std::sync::Arc;

// === impl Reconciler ===

impl Reconciler {
    /// Goes by these settings from now on, but for what holds from start to end; that is said.
    pub(super) fn reconfigure(&mut self, settings: Settings) {
        if settings == self.settings {
            // The clocks go on as they were.
            tracing::debug!("the configuration was read again and is as it was");
            return;
        }
        for what in self.settings.fixed(&settings) {
            self.warn(format!("{what} has changed; that takes effect at the next start"));
        }
        match Catalogue::new(settings.catalogue.clone()) {
            Ok(catalogue) if settings.catalogue != self.settings.catalogue => {
                self.state.catalogue = catalogue.describe();
                self.fetcher.catalogue = catalogue.clone();
                self.catalogue.send_replace(catalogue);
            }
            Ok(_) => {}
            Err(error) => self.warn(format!("the old catalogue stays: {}", chain(&error))),
        }
        match Signers::new(&settings.signatures) {
            Ok(signers) => self.fetcher.signers = signers,
            Err(error) => self.warn(format!("the old key manager stays: {}", chain(&error))),
        }
        self.fetcher.limits = Arc::new(settings.limits());
        self.state.idle_because = settings.idle_because();
        self.settings = settings.with_fixed_of(&self.settings);
        let fleet = self.settings.fleet.clone();
        self.fleet.send_if_modified(|it| std::mem::replace(it, fleet.clone()) != fleet);
        self.tell_rules();
        self.state.bounds = self.settings.bounds();
        self.state.counted_by_nova = self.settings.counted_by_nova;
        // What they lack was judged by the old limits.
        self.try_held_again();
        self.room_is_needed();
        self.set_clocks();
        self.state.judge(&self.settings.prune);
        tracing::info!("the configuration was read again");
    }
}
