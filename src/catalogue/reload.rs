//! A configuration that changes while the catalogue runs.

use crate::base::chain;
use crate::catalogue::{Settings, service::Service};
use crate::http::server::Dial;
use crate::runtime::logging::{self, Filter};
use std::sync::Arc;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

/// What a configuration says.
pub struct Read {
    /// Of the catalogue.
    pub settings: Settings,
    /// Of the log; only what is logged can change.
    pub logging: logging::Settings,
}

/// How the configuration is read again.
pub(super) struct Configuration {
    pub(super) hangups: mpsc::Receiver<()>,
    pub(super) read: Arc<Reader>,
}

pub(super) type Reader = dyn Fn() -> Result<Read, String> + Send + Sync;

// === impl Configuration ===

impl Configuration {
    /// Takes the configuration over at each hang-up, until `shutdown`.
    pub(super) async fn follow(mut self, service: Service, server: Dial, shutdown: CancellationToken) {
        loop {
            tokio::select! {
                () = shutdown.cancelled() => return,
                hangup = self.hangups.recv() => if hangup.is_none() { return },
            }
            match self.take_over(&service, &server).await {
                Ok(staying) if staying.is_empty() => tracing::info!("the configuration is taken over"),
                Ok(staying) => tracing::warn!(
                    "the configuration is taken over, but for what holds from a start on and has changed: {}",
                    staying.join(", ")
                ),
                Err(why) => tracing::error!("the configuration stays as it was: {why}"),
            }
        }
    }

    /// All of it or nothing; what waits for a restart.
    async fn take_over(&self, service: &Service, server: &Dial) -> Result<Vec<&'static str>, String> {
        let read = Arc::clone(&self.read);
        let Read { settings, logging } =
            tokio::task::spawn_blocking(move || read()).await.map_err(|died| chain(&died).to_string())??;
        let filter = Filter::of(&logging).map_err(|error| chain(&error).to_string())?;
        let staying = service.reconfigure(settings).await.map_err(|error| chain(&error).to_string())?;
        server.turn(service.settings().server.clone());
        filter.apply();
        Ok(staying)
    }
}
