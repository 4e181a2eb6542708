//! Prefetch passes: each wants some images tried once, and ends when all were.

use crate::admin::{ImageState, Pass, PassResult};
use crate::image::ImageId;
use chrono::Utc;
use std::collections::HashSet;
use tokio::sync::oneshot;

/// The passes under way.
#[derive(Debug, Default)]
pub(super) struct Passes(Vec<Running>);

#[derive(Debug)]
struct Running {
    pending: HashSet<ImageId>,
    results: Vec<PassResult>,
    reply: Option<oneshot::Sender<Pass>>,
}

/// Passes that somebody waits for, at the same time.
const MOST: usize = 64;

// === impl Passes ===

impl Passes {
    /// A pass over these images; false when there are too many already.
    pub(super) fn begin(&mut self, pending: HashSet<ImageId>, reply: Option<oneshot::Sender<Pass>>) -> bool {
        if self.0.len() >= MOST {
            return false;
        }
        self.0.push(Running { pending, results: Vec::new(), reply });
        true
    }

    /// All that are still to be tried.
    pub(super) fn asked(&self) -> HashSet<ImageId> {
        self.0.iter().flat_map(|it| it.pending.iter().cloned()).collect()
    }

    /// An image was tried.
    pub(super) fn tried(&mut self, id: &ImageId, state: &ImageState) {
        for pass in &mut self.0 {
            if pass.pending.remove(id) {
                pass.results.push(PassResult { id: id.clone(), state: state.clone() });
            }
        }
    }

    /// An image is in the queue no more.
    pub(super) fn gone(&mut self, id: &ImageId) {
        for pass in &mut self.0 {
            pass.pending.remove(id);
        }
    }

    /// Ends those that are done, answers whoever waits, and gives back the last one.
    pub(super) fn end(&mut self) -> Option<Pass> {
        let (done, rest) = std::mem::take(&mut self.0).into_iter().partition(|it| it.pending.is_empty());
        self.0 = rest;
        let mut last = None;
        for Running { results, reply, .. } in done {
            let pass = Pass { ended_at: Some(Utc::now()), images: results };
            if let Some(reply) = reply {
                let _ = reply.send(pass.clone());
            }
            last = Some(pass);
        }
        last
    }
}
