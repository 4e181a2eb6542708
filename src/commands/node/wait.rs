//! Waiting for a job: how far the nodes are, and what became of it.

use super::{line, word};
use crate::commands::output::{Align, fitted, print, print_json};
use crate::remote::{Catalogue, RemoteError};
use crate::wire::fleet::{Counts, ItemState, Job, JobDetail, JobItem};
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use std::{
    io::{IsTerminal, stderr},
    time::Duration,
};
use tokio::time::{Instant, sleep};

/// How often the catalogue is asked.
const ASK: Duration = Duration::from_secs(1);

/// How long it may be away before the waiting ends.
const PATIENCE: Duration = Duration::from_secs(120);

/// Waits until all nodes that are up are through; false when it failed on one.
pub(super) async fn run(catalogue: &Catalogue, job: Job, json: bool) -> anyhow::Result<bool> {
    let progress = Progress::new(&job);
    let mut job = job;
    let mut heard = Instant::now();
    while job.counts.open() > job.counts.node_down {
        progress.show(&job.counts);
        sleep(ASK).await;
        match catalogue.job(&job.id).await {
            Ok(now) => (job, heard) = (now, Instant::now()),
            Err(error) if may_pass(&error) && heard.elapsed() < PATIENCE => {}
            Err(error) => {
                progress.end();
                return Err(error.into());
            }
        }
    }
    progress.show(&job.counts);
    progress.end();
    tell(catalogue, job, json).await
}

/// Says what became of a job; false when it failed on a node.
pub(super) async fn tell(catalogue: &Catalogue, job: Job, json: bool) -> anyhow::Result<bool> {
    let counts = job.counts;
    if json {
        let results = catalogue.job_results(&job.id).await?;
        print_json(&JobDetail { job, results, next: None })?;
        return Ok(counts.failed == 0);
    }
    if counts.failed + counts.node_down > 0 {
        let results = catalogue.job_results(&job.id).await?;
        let odd = |it: &&JobItem| matches!(it.state, ItemState::Failed | ItemState::NodeDown);
        let rows: Vec<Vec<String>> = results.iter().filter(odd).map(row).collect();
        let columns = ["node", "image", "state", "why"].map(|it| (it, Align::Left));
        print(&fitted(&columns, &rows))?;
    }
    print(&format!("job {}: {}", job.id, words(&counts)))?;
    Ok(counts.failed == 0)
}

fn row(it: &JobItem) -> Vec<String> {
    let why = match it.state {
        ItemState::NodeDown => "it does it when it comes back",
        _ => it.why.as_deref().unwrap_or_default(),
    };
    vec![it.node.to_string(), it.image.to_string(), word(it.state), line(why)]
}

/// A catalogue that is started again, or a balancer without one, is not the end.
fn may_pass(error: &RemoteError) -> bool {
    error.is_transient()
}

/// `3 of 5 done, 1 there already, 1 failed`.
pub(super) fn words(counts: &Counts) -> String {
    let mut words = vec![format!("{} of {} done", counts.done, counts.total)];
    for (count, what) in [
        (counts.existing, "had nothing to do"),
        (counts.failed, "failed"),
        (counts.handed, "in work"),
        (counts.waiting, "waiting"),
        (counts.node_down, "on nodes that are down"),
        (counts.cancelled, "cancelled"),
        (counts.expired, "expired"),
    ] {
        if count > 0 {
            words.push(format!("{count} {what}"));
        }
    }
    words.join(", ")
}

/// A bar on a terminal; elsewhere a line whenever something has changed.
enum Progress {
    Bar(ProgressBar),
    Lines(std::cell::Cell<Option<Counts>>),
}

impl Progress {
    fn new(job: &Job) -> Self {
        if !stderr().is_terminal() {
            return Self::Lines(std::cell::Cell::new(None));
        }
        let bar = ProgressBar::with_draw_target(Some(job.counts.total), ProgressDrawTarget::stderr_with_hz(10));
        if let Ok(style) = ProgressStyle::with_template("{wide_bar} {pos}/{len} {msg}") {
            bar.set_style(style.progress_chars("=> "));
        }
        bar.enable_steady_tick(Duration::from_millis(500));
        Self::Bar(bar)
    }

    fn show(&self, counts: &Counts) {
        match self {
            Self::Bar(bar) => {
                bar.set_position(counts.total.saturating_sub(counts.open()));
                bar.set_message(words(counts));
            }
            Self::Lines(last) => {
                if last.replace(Some(*counts)) != Some(*counts) {
                    eprintln!("{}", words(counts));
                }
            }
        }
    }

    fn end(&self) {
        if let Self::Bar(bar) = self {
            bar.finish_and_clear();
        }
    }
}
