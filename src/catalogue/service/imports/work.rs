//! Taking imports over, as many as this process works on at a time.

use super::tokens::Tokens;
use crate::base::chain;
use crate::catalogue::{
    service::{Fault, Service},
    tables::{imports, processes},
};
use crate::db::DbError;
use chrono::TimeDelta;
use std::sync::Arc;
use tokio::sync::{Mutex, Notify, OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

/// How long an import waits for a process that has its staging folder. After that anybody takes it, and ends it.
const NOBODY_HAS_IT: TimeDelta = TimeDelta::hours(1);

/// What keeps the imports of this process in bounds.
pub(in crate::catalogue::service) struct Desk {
    room: Arc<Semaphore>,
    wanted: Notify,
    /// Held from a claim until its image counts as worked on: what is claimed is not idle. Only the database is waited for
    /// under it.
    claiming: Mutex<()>,
    /// The program ends: imports are given back.
    pub(super) closing: CancellationToken,
    /// Those that convert their image take turns.
    pub(super) conversions: Semaphore,
    /// For those that ask in the caller's name.
    pub(super) tokens: Tokens,
}

// === impl Desk ===

impl Desk {
    /// `most` imports at a time, and so many that convert.
    pub(in crate::catalogue::service) fn new(most: usize, conversions: usize) -> Self {
        Self {
            room: Arc::new(Semaphore::new(most)),
            wanted: Notify::new(),
            claiming: Mutex::new(()),
            closing: CancellationToken::new(),
            conversions: Semaphore::new(conversions),
            tokens: Tokens::default(),
        }
    }

    /// There may be something to do.
    pub(in crate::catalogue::service) fn call(&self) {
        self.wanted.notify_one();
    }
}

impl Service {
    /// Waits until there may be an import to take over.
    pub(crate) async fn any_import(&self) {
        self.desk().wanted.notified().await;
    }

    /// Gives the imports back that this process works on, for another one to go on with.
    pub(crate) fn end_imports(&self) {
        self.desk().closing.cancel();
    }

    /// Takes imports over while there are some, and room for them.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn take_imports(&self) -> Result<(), Fault> {
        while !self.desk().closing.is_cancelled() {
            let Ok(place) = Arc::clone(&self.desk().room).try_acquire_owned() else { return Ok(()) };
            let waiting = self.db().read::<_, DbError, _>(imports::any_waiting);
            if !waiting.await? {
                return Ok(());
            }
            // A folder that hangs holds up nothing but imports.
            let folder = self.staging().await.ok().map(|it| it.id.clone());
            let _claiming = self.desk().claiming.lock().await;
            let Some(row) = self.claim_import(folder).await? else { return Ok(()) };
            if !self.begin_work(row, place).await? {
                return Ok(());
            }
        }
        Ok(())
    }

    /// Takes one over whose data is in this staging folder, or is not staged.
    async fn claim_import(&self, folder: Option<String>) -> Result<Option<imports::Import>, Fault> {
        let (process, now) = (self.process().clone(), self.now());
        let claimed = self.db().write::<_, DbError, _>(move |tx| {
            let claimed = imports::claim(tx, &process.id, (folder.as_deref(), now - NOBODY_HAS_IT))?;
            if claimed.is_some() {
                processes::beat(tx, &process, now)?;
            }
            Ok(claimed)
        });
        Ok(claimed.await?)
    }

    /// False when that cannot be just now.
    async fn begin_work(&self, row: imports::Import, place: OwnedSemaphorePermit) -> Result<bool, Fault> {
        let Some(entered) = self.enter(&row.image) else {
            // Something of the image ends just now.
            return self.give_back(&row, row.attempts.saturating_sub(1)).await.map(|()| false);
        };
        let service = self.clone();
        self.in_background(async move {
            if let Err(fault) = service.work_on(&row).await {
                // The row stays, and the worker that looks for such rows gives it to whoever takes it.
                tracing::error!(image.id = %row.image, error = %chain(&fault), "an import is taken up again later");
            }
            drop(entered);
            drop(place);
            service.desk().call();
        });
        Ok(true)
    }

    /// Gives an import, on which work has begun so often, to whoever takes it next.
    ///
    /// # Errors
    /// That of the database.
    pub(super) async fn give_back(&self, row: &imports::Import, attempts: u64) -> Result<(), Fault> {
        let (row, process) = (row.clone(), self.process().id.clone());
        Ok(self.db().write::<_, DbError, _>(move |tx| imports::release(tx, &row, &process, attempts)).await?)
    }

    /// Gives back what this process has and does not work on.
    ///
    /// # Errors
    /// That of the database.
    pub(crate) async fn give_back_idle_imports(&self) -> Result<(), Fault> {
        let _claiming = self.desk().claiming.lock().await;
        let process = self.process().id.clone();
        let mine = self.db().read::<_, DbError, _>(move |tx| imports::of(tx, &process)).await?;
        for row in mine {
            let idle = !self.uploading().contains(&row.image);
            if idle {
                self.give_back(&row, row.attempts).await?;
                self.desk().call();
            }
        }
        Ok(())
    }
}
