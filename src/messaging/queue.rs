//! What waits to be sent: bounded in messages and in bytes.

use super::message::Message;
use std::{
    collections::VecDeque,
    sync::{Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};
use tokio::sync::Notify;

/// The most bytes that wait.
const MOST_BYTES: usize = 64 << 20;

/// How often it is said that messages are dropped.
const SAY: Duration = Duration::from_secs(60);

/// A queue whose oldest messages make room for new ones.
#[derive(Debug)]
pub(super) struct Queue {
    inner: Mutex<Inner>,
    most: usize,
    arrived: Notify,
}

#[derive(Debug, Default)]
struct Inner {
    waiting: VecDeque<Message>,
    bytes: usize,
    /// Those that were taken to be sent, and are not settled.
    taken: usize,
    /// Since it was last said.
    dropped: u64,
    said: Option<Instant>,
    closing: bool,
}

// === impl Queue ===

impl Queue {
    pub(super) fn new(most: usize) -> Self {
        Self { inner: Mutex::default(), most: most.max(1), arrived: Notify::new() }
    }

    /// Never waits.
    pub(super) fn push(&self, message: Message) {
        let mut inner = self.inner();
        inner.bytes += message.bare.len();
        inner.waiting.push_back(message);
        let mut dropped = 0;
        while inner.waiting.len() + inner.taken > self.most || inner.bytes > MOST_BYTES {
            let Some(oldest) = inner.waiting.pop_front() else { break };
            inner.bytes -= oldest.bare.len();
            dropped += 1;
        }
        if dropped > 0 {
            inner.drop_some(dropped, "the queue is full");
        }
        drop(inner);
        self.arrived.notify_one();
    }

    /// The next messages, at most so many; it waits until there is one. None when the queue is closed and empty.
    pub(super) async fn take(&self, most: usize) -> Option<Vec<Message>> {
        loop {
            {
                let mut inner = self.inner();
                if !inner.waiting.is_empty() {
                    let count = inner.waiting.len().min(most);
                    let taken: Vec<Message> = inner.waiting.drain(..count).collect();
                    inner.bytes -= taken.iter().map(|it| it.bare.len()).sum::<usize>();
                    inner.taken = taken.len();
                    return Some(taken);
                }
                if inner.closing {
                    return None;
                }
            }
            self.arrived.notified().await;
        }
    }

    /// The taken messages are sent, but for so many that are given up.
    pub(super) fn settle(&self, given_up: u64) {
        let mut inner = self.inner();
        inner.taken = 0;
        if given_up > 0 {
            inner.drop_some(given_up, "the broker did not take them");
        }
    }

    /// Nothing more comes: who takes from it ends when it is empty. How many messages wait.
    pub(super) fn close(&self) -> usize {
        let mut inner = self.inner();
        inner.closing = true;
        let left = inner.waiting.len() + inner.taken;
        drop(inner);
        self.arrived.notify_one();
        left
    }

    /// Messages that wait, those that are being sent among them.
    pub(super) fn left(&self) -> usize {
        let inner = self.inner();
        inner.waiting.len() + inner.taken
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

// === impl Inner ===

impl Inner {
    fn drop_some(&mut self, count: u64, why: &'static str) {
        metrics::counter!("larder_notifications_dropped_total").increment(count);
        self.dropped += count;
        if self.said.is_none_or(|it| it.elapsed() >= SAY) {
            tracing::warn!(dropped = self.dropped, "notifications are lost: {why}");
            self.said = Some(Instant::now());
            self.dropped = 0;
        }
    }
}
