//! How much is free on the base directory's file system, as it last told.
//!
//! A file system whose server is gone answers nobody until that is back. So it is asked beside the loop, one question at
//! a time, and what it said counts for a while only.

use super::reconciler::{Done, Reconciler};
use crate::base::space::Space;
use std::{
    io,
    time::{Duration, Instant},
};

/// What is known of the file system.
#[derive(Debug, Default)]
pub(super) struct Disk {
    told: Option<(Instant, Space)>,
    asked: Option<Instant>,
    /// That it is silent was said.
    warned: bool,
}

/// How often it is asked.
const EVERY: Duration = Duration::from_millis(250);
/// What it has told is true for so long.
const FRESH: Duration = Duration::from_secs(5);
/// A file system that is well answers sooner, however busy it is.
const SILENT: Duration = Duration::from_secs(15);

// === impl Disk ===

impl Disk {
    /// Its space, unless that was told too long ago.
    pub(super) fn space(&self, now: Instant) -> Option<Space> {
        self.told.filter(|(at, _)| now.saturating_duration_since(*at) <= FRESH).map(|(_, space)| space)
    }

    /// Whether it is to be asked now; then it is.
    fn ask(&mut self, now: Instant) -> bool {
        let known = self.told.is_some_and(|(at, _)| now.saturating_duration_since(at) < EVERY);
        let asks = self.asked.is_none() && !known;
        if asks {
            self.asked = Some(now);
        }
        asks
    }

    /// It has answered; whether it had been silent.
    pub(super) fn tell(&mut self, now: Instant, answer: io::Result<Space>) -> bool {
        self.asked = None;
        self.told = answer.ok().map(|it| (now, it)).or(self.told);
        std::mem::take(&mut self.warned)
    }

    /// For how long it has been silent, when that is to be said.
    fn silent(&mut self, now: Instant) -> Option<Duration> {
        let since = now.saturating_duration_since(self.asked?);
        (since >= SILENT && !std::mem::replace(&mut self.warned, true)).then_some(since)
    }
}

// === impl Reconciler ===

impl Reconciler {
    /// Asks the file system again, beside the loop, and says so if it does not answer.
    pub(super) fn ask_disk(&mut self) {
        let now = Instant::now();
        if let Some(silent) = self.disk.silent(now) {
            self.warn(format!(
                "the file system of {} has not answered for {} s: is its server there? Nothing is fetched or removed until it does",
                self.dir.path().display(),
                silent.as_secs()
            ));
        }
        if self.disk.ask(now) {
            let dir = self.dir.clone();
            self.work.spawn(async move {
                let answer = tokio::task::spawn_blocking(move || dir.space()).await;
                Done::Space(answer.unwrap_or_else(|died| Err(io::Error::other(died))))
            });
        }
    }

    /// The file system has told its space, or why it cannot.
    pub(super) fn disk_told(&mut self, answer: io::Result<Space>) {
        if let Err(error) = &answer {
            tracing::debug!(path = %self.dir.path().display(), %error, "cannot tell the space of the file system");
        }
        if self.disk.tell(Instant::now(), answer) {
            self.warn(format!("the file system of {} answers again", self.dir.path().display()));
        }
    }

    /// What is free, as far as that is known now.
    pub(super) fn space(&self) -> Option<Space> {
        self.disk.space(Instant::now())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SPACE: Space = Space { free: 7, total: 9 };

    #[test]
    fn one_question_at_a_time_and_no_old_answers() {
        let (mut disk, start) = (Disk::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(disk.space(at(0)).is_none() && disk.ask(at(0)) && !disk.ask(at(1)));
        assert!(!disk.tell(at(1), Ok(SPACE)));
        assert_eq!(disk.space(at(1)), Some(SPACE));
        assert!(!disk.ask(at(1)), "it has just told");
        assert!(disk.ask(at(2)));
        assert_eq!(disk.space(at(6)), Some(SPACE));
        assert_eq!(disk.space(at(7)), None, "that may not be true any more");
    }

    #[test]
    fn silence_is_said_once_and_so_is_its_end() {
        let (mut disk, start) = (Disk::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        assert!(disk.silent(at(99)).is_none(), "it was not asked");
        assert!(disk.ask(at(0)) && disk.silent(at(14)).is_none());
        assert_eq!(disk.silent(at(20)), Some(Duration::from_secs(20)));
        assert!(disk.silent(at(30)).is_none() && !disk.ask(at(30)), "one thread waits, no more");
        assert!(disk.tell(at(40), Err(io::ErrorKind::StaleNetworkFileHandle.into())));
        assert!(disk.space(at(40)).is_none() && disk.ask(at(41)) && !disk.tell(at(42), Ok(SPACE)));
    }
}
