//! Judging where nobody may wait for other servers, as within a transaction: what they are to be asked is put off.

use crate::identity::policy::remote::Question;
use std::cell::RefCell;

thread_local! {
    /// What the judgements on this thread would have asked; none while they may ask.
    static PUT_OFF: RefCell<Option<Vec<Question>>> = const { RefCell::new(None) };
}

/// Questions that a judgement depends on and that were not asked.
#[derive(Debug)]
pub struct Unasked(pub(super) Vec<Question>);

/// Puts back what held before, also when the work panics.
struct Before(Option<Vec<Question>>);

// === impl Unasked ===

impl Unasked {
    /// Whether everything is judged.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }
}

impl Drop for Before {
    fn drop(&mut self) {
        PUT_OFF.set(self.0.take());
    }
}

/// Runs `work`, in which no other server is asked. What they would have been asked, beyond what they have answered
/// already, is in the result; unless that is empty, `work` was denied what may be allowed, and its result counts for
/// nothing: after [`Enforcer::ask`](super::Enforcer::ask) it is to be done again.
pub fn without_asking<T>(work: impl FnOnce() -> T) -> (T, Unasked) {
    let _before = Before(PUT_OFF.replace(Some(Vec::new())));
    let done = work();
    (done, Unasked(PUT_OFF.take().unwrap_or_default()))
}

/// Takes the question, where it may not be asked now.
pub(super) fn put_off(question: &Question) -> bool {
    PUT_OFF.with_borrow_mut(|all| {
        let Some(all) = all else { return false };
        if !all.contains(question) {
            all.push(question.clone());
        }
        true
    })
}
