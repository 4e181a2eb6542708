//! How long to wait after a failure.

use chrono::{DateTime, TimeDelta, Utc};
use std::time::Duration;

/// What kind of failure it was.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Failure {
    /// It may work next time as it is: a broken connection, a full disk.
    Passing,
    /// Somebody has to change something: the image is not found, refused, or not what it says.
    Lasting,
}

/// The lengths of the waits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Waits {
    /// After the first passing failure; doubled with each one.
    pub first: Duration,
    /// The longest after a passing failure.
    pub longest: Duration,
    /// After a lasting one.
    pub lasting: Duration,
}

/// When an image is tried again that has now failed `attempts` times (1 for the first).
///
/// `random`, from 0 to 1, shortens the wait by up to a fifth, so that nodes that failed together do not return together.
pub fn retry_at(now: DateTime<Utc>, failure: Failure, attempts: u32, waits: &Waits, random: f64) -> DateTime<Utc> {
    let wait = match failure {
        Failure::Passing => {
            let doubled = waits.first.saturating_mul(2_u32.saturating_pow(attempts.saturating_sub(1).min(31)));
            doubled.min(waits.longest.max(waits.first))
        }
        Failure::Lasting => waits.lasting,
    };
    let wait = wait.min(Duration::from_secs(366 * 86400)).mul_f64(1.0 - random.clamp(0.0, 1.0) / 5.0);
    now + TimeDelta::from_std(wait).unwrap_or(TimeDelta::days(366))
}
