//! How fast images may come: by the time of day, and by what the disks bear. Pure.

use crate::base::byte_size::ByteSize;
use chrono::NaiveTime;
use std::{fmt, str::FromStr};

/// `prefetch_bandwidth_schedule`: limits for parts of the day, such as `08:00-18:00=20MiB,22:00-06:00=0`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Windows(Vec<Window>);

/// From a time of day up to another one, over midnight if that is earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Window {
    from: NaiveTime,
    to: NaiveTime,
    /// Bytes a second; 0 for no limit.
    rate: u64,
}

/// The text is no schedule of limits.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is not a time with a limit, such as 22:00-06:00=200MiB (bytes a second, 0 for no limit)")]
pub struct InvalidWindow(pub String);

/// No pressure slows fetches down below this, bytes a second: whoever waits must see that something happens.
const SLOWEST: u64 = 4 << 20;
/// Beyond this the pressure is no limit any more.
const FASTEST: u64 = 4 << 30;

// === impl Windows ===

impl Windows {
    /// The limit at a time of day: the first part of the day that holds it counts, `otherwise` outside of all. None
    /// for no limit.
    pub fn at(&self, time: NaiveTime, otherwise: u64) -> Option<u64> {
        let rate = self.0.iter().find(|it| it.holds(time)).map_or(otherwise, |it| it.rate);
        (rate > 0).then_some(rate)
    }
}

impl FromStr for Windows {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let parts = text.split(',').map(str::trim).filter(|it| !it.is_empty());
        parts.map(str::parse).collect::<Result<_, _>>().map(Self)
    }
}

impl fmt::Display for Windows {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, it) in self.0.iter().enumerate() {
            let comma = if index > 0 { "," } else { "" };
            write!(f, "{comma}{}-{}={}", it.from.format("%H:%M"), it.to.format("%H:%M"), it.rate)?;
        }
        Ok(())
    }
}

// === impl Window ===

impl Window {
    fn holds(&self, time: NaiveTime) -> bool {
        if self.from < self.to { (self.from..self.to).contains(&time) } else { time >= self.from || time < self.to }
    }
}

impl FromStr for Window {
    type Err = InvalidWindow;

    fn from_str(text: &str) -> Result<Self, InvalidWindow> {
        let read = || {
            let (times, rate) = text.split_once('=')?;
            let (from, to) = times.split_once('-')?;
            let time = |text: &str| NaiveTime::parse_from_str(text.trim(), "%H:%M").ok();
            Some(Self { from: time(from)?, to: time(to)?, rate: rate.parse::<ByteSize>().ok()?.0 })
        };
        read().ok_or_else(|| InvalidWindow(text.chars().take(80).collect()))
    }
}

/// The limit that the pressure on the disks sets: halved while it is above the threshold (both in per cent), raised by a
/// quarter while it is well below, until it is none. `rate` is what came lately, bytes a second.
pub fn slower(cap: Option<u64>, rate: Option<u64>, pressure: f64, threshold: f64) -> Option<u64> {
    if pressure > threshold {
        let from = cap.into_iter().chain(rate).min().unwrap_or(FASTEST);
        return Some((from / 2).max(SLOWEST));
    }
    match cap {
        Some(cap) if pressure < threshold * 0.75 => Some(cap + cap / 4).filter(|it| *it < FASTEST),
        cap => cap,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(text: &str) -> NaiveTime {
        NaiveTime::parse_from_str(text, "%H:%M").unwrap()
    }

    #[test]
    fn the_time_of_day_sets_the_limit() {
        let windows: Windows = "08:00-18:00=20MiB, 22:00-06:00=0, 17:00-19:00=1MB".parse().unwrap();
        for (time, rate) in [
            ("08:00", Some(20 << 20)),
            ("17:59", Some(20 << 20)),
            ("18:00", Some(1_000_000)),
            ("19:00", Some(7)),
            ("22:00", None),
            ("00:00", None),
            ("05:59", None),
            ("06:00", Some(7)),
        ] {
            assert_eq!(windows.at(at(time), 7), rate, "{time}");
        }
        assert_eq!(Windows::default().at(at("12:00"), 0), None);
        assert_eq!(windows.to_string().parse(), Ok(windows));
        assert_eq!("".parse(), Ok(Windows::default()));
        for text in ["22:00-06:00", "22-6=1MB", "25:00-06:00=1", "22:00=5", "22:00-06:00=fast"] {
            let error = text.parse::<Windows>().unwrap_err().to_string();
            assert!(error.contains(text) && error.contains("22:00-06:00=200MiB"), "{error}");
        }
    }

    #[test]
    fn pressure_slows_down_and_never_stops() {
        let mut cap = None;
        for _ in 0..30 {
            cap = slower(cap, Some(1 << 30), 80.0, 60.0);
        }
        assert_eq!(cap, Some(SLOWEST));
        assert_eq!(slower(cap, Some(0), 50.0, 60.0), cap, "neither high nor low");
        let mut steps = 0;
        while cap.is_some() {
            cap = slower(cap, Some(SLOWEST), 10.0, 60.0);
            steps += 1;
            assert!(steps < 60);
        }
        assert_eq!(slower(None, Some(100 << 20), 61.0, 60.0), Some(50 << 20));
        assert_eq!(slower(None, None, 0.0, 60.0), None);
    }

    proptest::proptest! {
        #[test]
        fn no_text_panics(text in ".{0,40}") {
            let _ = text.parse::<Windows>();
        }
    }
}
