//! Between the loop and the task.

use super::Parts;
use crate::admin::Sharing;
use crate::agent::{base_dir::BaseDir, plan::fetch::Ledger};
use std::{
    collections::{BTreeSet, HashMap},
    sync::Arc,
};
use tokio::sync::watch;

/// What the loop keeps, for the others.
#[derive(Clone, Debug, Default, PartialEq)]
pub(in crate::agent) struct Kept {
    /// Names of the bases that an operator or a rule has pinned.
    pub(in crate::agent) pins: BTreeSet<String>,
    /// All that is wanted, with the reasons.
    pub(in crate::agent) wanted: HashMap<String, String>,
    /// What of it stays although room is needed.
    pub(in crate::agent) firm: HashMap<String, String>,
}

/// The loop's end.
#[derive(Debug)]
pub(in crate::agent) struct Line {
    pub(in crate::agent) kept: watch::Sender<Kept>,
    pub(in crate::agent) others: watch::Receiver<Sharing>,
}

/// The task's end and the loop's.
pub(in crate::agent) fn line(dir: Arc<BaseDir>, ledger: Ledger) -> (Parts, Line) {
    let (keep, kept) = watch::channel(Kept::default());
    let (view, others) = watch::channel(Sharing::default());
    (Parts { dir, ledger, kept, view }, Line { kept: keep, others })
}
