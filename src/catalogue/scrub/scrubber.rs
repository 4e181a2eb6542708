//! What the scrubber stands on, and its daemon.

use crate::base::chain;
use crate::catalogue::{
    Settings,
    tables::{self, LocationCipher, SchemaError, WrongKey, opened_cipher},
};
use crate::db::{Db, DbError};
use crate::store::{self, Stores};
use chrono::{DateTime, SubsecRound, Utc};
use std::time::Duration;
use tokio_util::sync::CancellationToken;

/// The shortest pause between two passes; `wakeup_time = 0` would keep the database busy for nothing.
const SHORTEST_PAUSE: Duration = Duration::from_secs(1);

/// Removes the data of deleted images.
pub struct Scrubber {
    pub(super) db: Db,
    pub(super) stores: Stores,
    pub(super) cipher: LocationCipher,
    /// How long an image is kept.
    pub(super) keep: Duration,
    /// Images at the same time.
    pub(super) pool: usize,
}

/// The scrubber cannot start.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The database.
    #[error("cannot open the catalogue's database")]
    Db(#[from] DbError),
    /// What is in the database.
    #[error("cannot work on the catalogue's database")]
    Schema(#[from] SchemaError),
    /// The store.
    #[error("cannot open the image store")]
    Store(#[from] store::OpenError),
    /// `metadata_encryption_key`
    #[error(transparent)]
    Key(#[from] WrongKey),
    /// The thread that opened them.
    #[error("opening the database and the store broke off")]
    BrokeOff,
}

/// A pass cannot go on.
#[derive(Debug, thiserror::Error)]
#[error("cannot look for images to scrub")]
pub struct ScrubError(#[from] DbError);

// === impl Scrubber ===

impl Scrubber {
    /// Opens the database and the store of a catalogue.
    ///
    /// # Errors
    /// [`OpenError`].
    pub async fn open(settings: &Settings) -> Result<Self, OpenError> {
        let opening = settings.clone();
        let opened = tokio::task::spawn_blocking(move || {
            Ok::<_, OpenError>((Db::open(&opening.database)?, Stores::open(&opening.store, opening.import_filtering)?))
        });
        let (db, stores) = opened.await.unwrap_or(Err(OpenError::BrokeOff))?;
        tables::ensure(&db).await?;
        let cipher = opened_cipher(&db, settings.metadata_encryption_key.clone()).await?;
        Ok(Self { db, stores, cipher, keep: settings.scrub_time, pool: settings.scrub_pool_size.max(1) })
    }

    /// A pass every `pause`, until `shutdown`. A pass that fails is logged, and comes again.
    pub async fn run(&self, pause: Duration, shutdown: &CancellationToken) {
        let pause = pause.max(SHORTEST_PAUSE);
        tracing::info!(wakeup_time_s = pause.as_secs(), scrub_pool_size = self.pool, "the scrubber runs");
        while !shutdown.is_cancelled() {
            match self.pass(shutdown).await {
                Ok(report) if report.is_idle() => tracing::debug!(waiting = report.waiting, "nothing to scrub"),
                Ok(report) => tracing::info!("{report}"),
                Err(error) => tracing::error!(error = %chain(&error), "a pass of the scrubber failed; it comes again"),
            }
            tokio::select! {
                () = shutdown.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
            }
        }
    }

    /// Images that were deleted until then are due.
    pub(super) fn until(&self) -> DateTime<Utc> {
        chrono::TimeDelta::from_std(self.keep)
            .ok()
            .and_then(|it| self.now().checked_sub_signed(it))
            .unwrap_or(DateTime::UNIX_EPOCH)
    }

    /// The time, as fine as the database keeps it.
    #[expect(clippy::unused_self, reason = "a clock of the scrubber's own may come")]
    pub(super) fn now(&self) -> DateTime<Utc> {
        Utc::now().trunc_subsecs(6)
    }
}
