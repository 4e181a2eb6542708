//! `store-check`: whether a store does what the catalogue builds on, tried with data of its own.

use crate::catalogue::{Settings, manage::ManageError};
use crate::store::{
    Store, Stores,
    conformance::{self, Extent, Outcome, Report},
};
use serde::Serialize;
use std::{fmt, sync::Arc};

/// What became of a trial.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StoreChecked {
    /// The id of the store, or its kind where there is one store.
    pub store: String,
    /// It takes no data, so that there was nothing to try.
    pub read_only: bool,
    /// A signal ended the trial.
    pub stopped: bool,
    /// What was tried, in this order.
    pub points: Vec<Tried>,
}

/// One point.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Tried {
    /// Its name.
    pub point: &'static str,
    /// What must hold.
    pub claim: &'static str,
    /// Whether it does.
    pub holds: bool,
    /// What does not hold.
    pub wrong: Option<String>,
    /// Milliseconds that it took.
    pub took_ms: u64,
}

/// Tries the store of this id, or the one that uploads go to; `each` hears of each point as soon as it is tried. Images are
/// not touched, and what is written is removed, also when `stop` ends the trial.
///
/// # Errors
/// [`ManageError`]: there is no such store, or it cannot be opened.
pub async fn check_store(
    settings: &Settings,
    id: Option<&str>,
    extent: &Extent,
    (each, stop): (impl Fn(&Tried) + Send + Sync, impl Future<Output = ()> + Send),
) -> Result<StoreChecked, ManageError> {
    let (options, rules) = (settings.store.clone(), settings.import_filtering.clone());
    let stores = tokio::task::spawn_blocking(move || Stores::open(&options, rules))
        .await
        .map_err(|_| ManageError::BrokeOff)??;
    let store = find(&stores, settings, id)?;
    let mut checked =
        StoreChecked { store: store.name().to_owned(), read_only: false, stopped: false, points: Vec::new() };
    match conformance::check_until(&*store, extent, |it| each(&Tried::from(it)), stop).await {
        Report::ReadOnly => checked.read_only = true,
        Report::Tried(outcomes) => checked.points = outcomes.iter().map(Tried::from).collect(),
        Report::Stopped(outcomes) => {
            checked.stopped = true;
            checked.points = outcomes.iter().map(Tried::from).collect();
        }
    }
    Ok(checked)
}

fn find(stores: &Stores, settings: &Settings, id: Option<&str>) -> Result<Arc<dyn Store>, ManageError> {
    let Some(id) = id else { return Ok(Arc::clone(stores.main())) };
    let only = || Some(stores.main()).filter(|it| settings.store.backends.is_empty() && it.name() == id);
    stores.by_id(id).or_else(only).cloned().ok_or_else(|| {
        let known: Vec<&str> = match &settings.store.backends[..] {
            [] => vec![stores.main().name()],
            several => several.iter().map(|it| it.id.as_str()).collect(),
        };
        ManageError::Refused(format!("there is no store '{id}'; there is: {}", known.join(", ")))
    })
}

// === impl StoreChecked ===

impl StoreChecked {
    /// Whether all points were tried, and hold.
    pub fn is_well(&self) -> bool {
        !self.stopped && self.points.iter().all(|it| it.holds)
    }
}

impl fmt::Display for StoreChecked {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let wrong = self.points.iter().filter(|it| !it.holds).count();
        let (store, right) = (&self.store, self.points.len() - wrong);
        if self.read_only {
            return write!(f, "The store {store} only gives data and takes none: there is nothing to try.");
        }
        if self.stopped {
            write!(f, "Stopped; what was written is removed. ")?;
        }
        write!(f, "The store {store}: {right} points hold, {wrong} do not.")
    }
}

// === impl Tried ===

impl From<&Outcome> for Tried {
    fn from(outcome: &Outcome) -> Self {
        Self {
            point: outcome.point,
            claim: outcome.claim,
            holds: outcome.wrong.is_none(),
            wrong: outcome.wrong.clone(),
            took_ms: u64::try_from(outcome.took.as_millis()).unwrap_or(u64::MAX),
        }
    }
}

impl fmt::Display for Tried {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = if self.holds { "ok" } else { "wrong" };
        write!(f, "{word:<6} {:<15} {:>6.1} s  {}", self.point, self.took_ms as f64 / 1000.0, self.claim)?;
        self.wrong.iter().try_for_each(|why| write!(f, "\n{:<6} → {why}", ""))
    }
}
