//! Things an operator should know, the newest of them.

use std::collections::VecDeque;

/// Kept in the status; the log has them all.
const NEWEST: usize = 50;

/// The newest warnings, oldest first, each with its time.
#[derive(Debug, Default)]
pub(super) struct Warnings(VecDeque<String>);

// === impl Warnings ===

impl Warnings {
    /// Whether it is new: what happens again and again is said once.
    pub(super) fn add(&mut self, text: impl Into<String>) -> bool {
        let text = text.into();
        if self.0.iter().any(|it| it.split_once(' ').is_some_and(|(_, old)| old == text)) {
            return false;
        }
        if self.0.len() == NEWEST {
            self.0.pop_front();
        }
        self.0.push_back(format!("{} {text}", chrono::Utc::now().format("%Y-%m-%dT%H:%M:%SZ")));
        true
    }

    pub(super) fn all(&self) -> Vec<String> {
        self.0.iter().cloned().collect()
    }
}
