//! `larder node job`.

use super::{args::JobArgs, wait, word};
use crate::commands::output::{Align, ago, fitted, print, print_json};
use crate::remote::Catalogue;
use crate::wire::fleet::{Job, JobId};
use anyhow::Context;
use chrono::Utc;

/// Jobs that are listed.
const NEWEST: usize = 50;

/// False when it failed on a node.
pub(super) async fn run(catalogue: &Catalogue, args: &JobArgs) -> anyhow::Result<bool> {
    let Some(id) = &args.id else {
        let jobs = catalogue.jobs(NEWEST).await?;
        if args.json {
            print_json(&jobs)?
        } else {
            print(&as_table(&jobs))?
        }
        return Ok(true);
    };
    let id: JobId = id.parse().context("no such job")?;
    if args.cancel {
        let job = catalogue.cancel_job(&id).await?;
        if args.json {
            print_json(&job)?
        } else {
            print(&format!("job {}: {}", job.id, wait::words(&job.counts)))?
        }
        return Ok(true);
    }
    let job = catalogue.job(&id).await?;
    if args.wait { wait::run(catalogue, job, args.json).await } else { wait::tell(catalogue, job, args.json).await }
}

fn as_table(jobs: &[Job]) -> String {
    let now = Utc::now();
    let row = |it: &Job| {
        let images = match it.images.as_slice() {
            [one] => one.to_string(),
            more => format!("{} images", more.len()),
        };
        vec![
            it.id.to_string(),
            it.action.to_string(),
            images,
            word(it.state),
            ago(it.created_at, now),
            wait::words(&it.counts),
        ]
    };
    let columns = ["job", "action", "images", "state", "asked for", "nodes and images"].map(|it| (it, Align::Left));
    fitted(&columns, &jobs.iter().map(row).collect::<Vec<_>>())
}
