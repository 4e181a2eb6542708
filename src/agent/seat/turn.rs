//! One of those that share the directory removes at a time, and only what all others can do without.
//!
//! ```text
//! turn.lock ─→ turn.json: what is to go ─→ who is there? ─→ host-H.answer of each ─→ remove ─→ unlock
//! ```

use super::{Agreement, Answer, Claims, Folder, Purpose, Question, Seat};
use crate::base::{chain, ofd_lock::OfdLock};
use std::{
    collections::BTreeSet,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

/// What the others keep of what is to go; nobody else's turn comes while this is there.
#[derive(Debug, Default)]
pub struct Turn {
    claims: Claims,
    _lock: Option<OfdLock>,
}

/// How often answers are looked for.
const AGAIN: Duration = Duration::from_millis(100);
/// How often it is looked who is there.
const WHO: Duration = Duration::from_secs(2);

// === impl Turn ===

impl Turn {
    /// For those who only look: nobody is asked.
    pub async fn without(seat: &Arc<Seat>) -> Self {
        let at = Arc::clone(seat);
        Self { claims: beside(move || at.claims()).await, _lock: None }
    }

    /// Before `bases` go: waits for its turn, and for the answers of the others. What is not clear in time keeps everything.
    pub async fn take(seat: &Arc<Seat>, purpose: Purpose, bases: BTreeSet<String>, cancel: &CancellationToken) -> Self {
        if bases.is_empty() || seat.alone().is_some() {
            return Self::default();
        }
        let path = seat.folder().turn_lock();
        // Longer than one turn takes in which somebody does not answer.
        let wait = seat.patience() * 2;
        let (lock, unlocked) = match OfdLock::lock(&path, seat.folder().owner(), wait, cancel).await {
            Ok(lock) => (Some(lock), None),
            Err(error) => (None, Some(format!("it is not this host's turn to remove: {}", chain(&error)))),
        };
        let question =
            Question { id: format!("{:032x}", rand::random::<u128>()), host: seat.host().to_string(), purpose, bases };
        let (at, asked) = (Arc::clone(seat), question.clone());
        // In this order: writing makes NFS look anew who is in the folder.
        let (written, claims) = beside(move || (at.ask(&asked), at.claims())).await;
        let mut agreement = Agreement::new(&question.id, claims);
        if agreement.waits_for().next().is_some() {
            let why = unlocked.or_else(|| Some(format!("the others could not be asked: {}", written.err()?)));
            match why {
                Some(why) => agreement.look_again(Claims { everything: Some(why), ..Claims::default() }),
                None => agreement = listen(seat, agreement, cancel).await,
            }
        } else if let (Some(why), true) = (unlocked, lock_is_held(seat)) {
            // A task of our own has it.
            agreement.look_again(Claims { everything: Some(why), ..Claims::default() });
        }
        Self { claims: agreement.end(seat.patience()), _lock: lock }
    }

    /// Why this base stays, if it does.
    pub fn keeps(&self, base: &str) -> Option<&str> {
        self.claims.keeps(base)
    }
}

/// Waits until all have answered, or the time is over.
async fn listen(seat: &Arc<Seat>, mut agreement: Agreement, cancel: &CancellationToken) -> Agreement {
    let began = Instant::now();
    let mut looked = began;
    while began.elapsed() < seat.patience() && !cancel.is_cancelled() {
        let missing: Vec<_> = agreement.waits_for().cloned().collect();
        if missing.is_empty() {
            break;
        }
        let at = Arc::clone(seat);
        let look = looked.elapsed() >= WHO;
        let (answers, claims) = beside(move || {
            let answers: Vec<_> = missing.into_iter().filter_map(|it| Some((at.answer_of(&it)?, it))).collect();
            (answers, look.then(|| at.claims()))
        })
        .await;
        answers.into_iter().for_each(|(answer, host)| agreement.hear(&host, answer));
        if let Some(claims) = claims {
            agreement.look_again(claims);
            looked = Instant::now();
        }
        tokio::select! {
            () = cancel.cancelled() => {}
            () = sleep(AGAIN) => {}
        }
    }
    agreement
}

fn lock_is_held(seat: &Seat) -> bool {
    OfdLock::is_held(&seat.folder().turn_lock()).unwrap_or(true)
}

async fn beside<T: Send + 'static>(step: impl FnOnce() -> T + Send + 'static) -> T {
    match tokio::task::spawn_blocking(step).await {
        Ok(done) => done,
        Err(died) => std::panic::resume_unwind(died.into_panic()),
    }
}

// === impl Seat ===

impl Seat {
    fn ask(&self, question: &Question) -> Result<(), String> {
        let bytes = serde_json::to_vec(question).map_err(|error| error.to_string())?;
        let path = self.folder().turn();
        self.write(&path, &bytes).map_err(|error| format!("cannot write {}: {error}", path.display()))
    }

    fn answer_of(&self, host: &super::HostName) -> Option<Answer> {
        let (text, _) = Folder::read(&self.folder().answer(host)).ok()??;
        serde_json::from_slice(&text).ok()
    }

    /// What another host asks now, but for `last`. Blocks on the disk.
    pub fn asked(&self, last: &str) -> Option<Question> {
        let (text, _) = Folder::read(&self.folder().turn()).ok()??;
        let question: Question = serde_json::from_slice(&text).ok()?;
        let is_new = question.id != last && question.host != self.host().as_str();
        // What was asked before, by somebody who has gone on, needs no answer.
        (is_new && lock_is_held(self)).then_some(question)
    }

    /// Answers. Blocks on the disk.
    ///
    /// # Errors
    /// What the system says: whoever asked waits in vain, and keeps everything.
    pub fn answer(&self, answer: &Answer) -> std::io::Result<()> {
        let bytes = serde_json::to_vec(answer)?;
        self.write(&self.folder().answer(self.host()), &bytes)
    }
}
