//! Callers' tokens, for imports that ask another Glance in the caller's name.
//!
//! A token is kept in the memory of the process that the caller asked, and nowhere else: not in the database, where it could
//! be read for as long as it is valid. So only that process does such an import. When it is gone the import fails, and the
//! caller asks again; to go on as the catalogue's own user would let callers have images that are not theirs to see.

use crate::base::Secret;
use crate::catalogue::service::{Fault, Service};
use crate::identity::Caller;
use crate::image::ImportMethod;
use std::{
    collections::HashMap,
    sync::{Mutex, PoisonError},
    time::{Duration, Instant},
};

/// Tokens that are kept at the same time.
const MOST: usize = 1000;

/// No token lives longer; the import that it was for is gone.
const OLDEST: Duration = Duration::from_secs(86_400);

/// Whoever asked, by the task.
#[derive(Default)]
pub(in crate::catalogue::service) struct Tokens(Mutex<HashMap<String, (Caller, Instant)>>);

/// A token that is forgotten unless its import is entered.
pub(super) struct Held {
    service: Service,
    task: Option<String>,
}

// === impl Tokens ===

impl Tokens {
    fn put(&self, task: &str, caller: Caller) -> bool {
        let mut all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        all.retain(|_, it| it.1.elapsed() < OLDEST);
        let room = all.len() < MOST;
        if room {
            all.insert(task.to_owned(), (caller, Instant::now()));
        }
        room
    }

    /// The caller of the task, who has a token.
    pub(super) fn caller(&self, task: &str) -> Option<(Caller, Secret)> {
        let all = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let caller = all.get(task)?.0.clone();
        let token = caller.token.clone()?;
        Some((caller, token))
    }

    /// The task is over.
    pub(super) fn forget(&self, task: &str) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).remove(task);
    }
}

impl Service {
    /// Keeps the caller's token for this task, if the method needs it.
    ///
    /// # Errors
    /// `Unavailable`: too many are kept.
    pub(super) fn hold_token(&self, caller: &Caller, method: ImportMethod, task: &str) -> Result<Held, Fault> {
        if method != ImportMethod::GlanceDownload {
            return Ok(Held { service: self.clone(), task: None });
        }
        if !self.desk().tokens.put(task, caller.clone()) {
            return Err(Fault::Unavailable(
                "Too many imports from other regions wait here; try again later.".to_owned(),
            ));
        }
        Ok(Held { service: self.clone(), task: Some(task.to_owned()) })
    }
}

// === impl Held ===

impl Held {
    /// The import is entered.
    pub(super) fn keep(mut self) {
        self.task = None;
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        if let Some(task) = &self.task {
            self.service.desk().tokens.forget(task);
        }
    }
}
