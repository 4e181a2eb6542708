//! How far an import is, and whether it still makes sense.

use crate::base::chain;
use crate::catalogue::{
    service::Service,
    tables::{images, imports, tasks},
};
use crate::db::DbError;
use crate::image::Status;
use std::{
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

/// How often it is told and looked at.
const PERIOD: Duration = Duration::from_secs(2);

/// Why an import ends before its data is there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Ended {
    /// Its image is deleted, or has another status than it should.
    ImageGone,
    /// Another process has it.
    NotOurs,
    /// The program ends.
    Closing,
}

impl Service {
    /// Tells in the task how much was copied, until there is a reason to stop.
    pub(super) async fn watch(&self, row: &imports::Import, copied: &AtomicU64) -> Ended {
        loop {
            tokio::select! {
                () = self.desk().closing.cancelled() => return Ended::Closing,
                () = tokio::time::sleep(PERIOD) => {}
            }
            match self.look_at(row, copied.load(Ordering::Relaxed)).await {
                Ok(None) => {}
                Ok(Some(ended)) => return ended,
                // Who may work on it is asked again before anything is written.
                Err(error) => {
                    tracing::warn!(image.id = %row.image, error = %chain(&error), "an import cannot tell how far it is")
                }
            }
        }
    }

    async fn look_at(&self, row: &imports::Import, so_far: u64) -> Result<Option<Ended>, DbError> {
        let (row, process, now) = (row.clone(), self.process().id.clone(), self.now());
        let cipher = self.cipher().clone();
        let looked = self.db().write(move |tx| {
            if !imports::is_of(tx, &row, &process)? {
                return Ok(Some(Ended::NotOurs));
            }
            let image = images::find(tx, &cipher, &row.image)?;
            let waits = |it: Status| matches!(it, Status::Importing | Status::Active | Status::Deactivated);
            if image.is_none_or(|it| !waits(it.status)) {
                return Ok(Some(Ended::ImageGone));
            }
            if let Some(task) = tasks::find(tx, &row.task, None)? {
                let message = Some(copied(so_far));
                tasks::update(tx, &crate::image::task::Task { message, updated_at: now, ..task })?;
            }
            Ok(None)
        });
        looked.await
    }
}

/// What the task says (Glance's words).
pub(super) fn copied(bytes: u64) -> String {
    format!("Copied {} MiB", bytes >> 20)
}
