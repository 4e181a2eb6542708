//! How far a transfer is: a bar on a terminal, a line now and then elsewhere.

use crate::base::ByteSize;
use crate::commands::output::{per_cent, rate};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    sync::Mutex,
    time::{Duration, Instant},
};

/// How often a line is printed where no bar can be drawn.
const LINES: Duration = Duration::from_secs(5);

/// Shown on standard error; cheap to tell.
pub(super) struct Progress {
    shown: Shown,
    total: Option<u64>,
    doing: String,
    start: Instant,
}

enum Shown {
    Nothing,
    Bar(ProgressBar),
    Lines(Mutex<Instant>),
}

impl Progress {
    /// `doing` is such as `uploading disk.qcow2`.
    pub(super) fn new(doing: String, total: Option<u64>, quiet: bool) -> Self {
        let shown = match (quiet, stderr().is_terminal()) {
            (true, _) => Shown::Nothing,
            (false, true) => Shown::Bar(bar(&doing, total)),
            (false, false) => Shown::Lines(Mutex::new(Instant::now())),
        };
        Self { shown, total, doing, start: Instant::now() }
    }

    /// So many bytes have passed.
    pub(super) fn at(&self, done: u64) {
        match &self.shown {
            Shown::Nothing => {}
            Shown::Bar(bar) => bar.set_position(done),
            Shown::Lines(last) => {
                let Ok(mut last) = last.lock() else { return };
                if last.elapsed() >= LINES {
                    *last = Instant::now();
                    eprintln!("{}", self.line(done));
                }
            }
        }
    }

    /// Takes the bar away.
    pub(super) fn end(&self) {
        if let Shown::Bar(bar) = &self.shown {
            bar.finish_and_clear();
        }
    }

    fn line(&self, done: u64) -> String {
        let mean = rate((done as f64 / self.start.elapsed().as_secs_f64().max(0.001)) as u64);
        match self.total {
            Some(total) => {
                format!("{}: {} % of {} at {mean}", self.doing, per_cent(done, total), ByteSize(total))
            }
            None => format!("{}: {} at {mean}", self.doing, ByteSize(done)),
        }
    }
}

fn bar(doing: &str, total: Option<u64>) -> ProgressBar {
    let bar = match total {
        Some(total) => ProgressBar::new(total),
        None => ProgressBar::no_length(),
    };
    bar.set_draw_target(ProgressDrawTarget::stderr_with_hz(10));
    let form = "{msg} {wide_bar} {percent} % of {binary_total_bytes} at {decimal_bytes_per_sec}, {eta} left";
    if let Ok(style) = ProgressStyle::with_template(form) {
        bar.set_style(style.progress_chars("=> "));
    }
    bar.set_message(doing.to_owned());
    bar
}
