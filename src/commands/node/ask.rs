//! `larder node queue | pin | unpin | remove`, `larder image prefetch`.

use super::{
    args::{AskArgs, PrefetchArgs, WhichArgs},
    wait,
};
use crate::commands::output::{print, print_json};
use crate::image::ImageId;
use crate::remote::Catalogue;
use crate::wire::fleet::{Action, NewJob, Targets};
use anyhow::Context;

/// As [`run`], for images that nodes are to have.
pub(in crate::commands) async fn prefetch(catalogue: &Catalogue, args: &PrefetchArgs) -> anyhow::Result<bool> {
    run(catalogue, if args.pin { Action::Pin } else { Action::Queue }, &args.ask).await
}

/// False when it failed on a node.
pub(super) async fn run(catalogue: &Catalogue, action: Action, args: &AskArgs) -> anyhow::Result<bool> {
    let images = args.images.iter().map(|it| it.parse::<ImageId>().context("no such image"));
    let new = NewJob {
        action,
        images: images.collect::<Result<_, _>>()?,
        nodes: targets(&args.which)?,
        priority: args.how.priority,
    };
    new.check()?;
    let job = catalogue.make_job(&new).await?;
    if args.how.wait {
        return wait::run(catalogue, job, args.how.json).await;
    }
    if args.how.json {
        print_json(&job)?
    } else {
        print(job.id.as_str())?
    }
    Ok(true)
}

fn targets(which: &WhichArgs) -> anyhow::Result<Targets> {
    if which.all {
        return Ok(Targets::All(true));
    }
    match &which.nodes {
        Some(labels) => Ok(Targets::Selector(labels.parse().context("--nodes")?)),
        None => {
            let names = which.node.iter().map(|it| it.parse().context("--node"));
            Ok(Targets::Names(names.collect::<Result<_, _>>()?))
        }
    }
}
