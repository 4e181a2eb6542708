//! `larder cache …`, and the same program called as `glance-cache-manage`.
//!
//! ```text
//! manage   glance-cache-manage's arguments, texts and exit codes ─┐
//! verbs    its seven verbs ───────────────────────────────────────┴→ node   one node's cache: admin socket, or HTTP
//! status, why, plan, pass, pins, gone   what only an agent can do ────────────────────→ admin::Client
//! ```

mod args;
mod gone;
mod manage;
mod node;
mod pass;
mod pins;
mod plan;
mod read_through;
mod scrub;
mod sharing;
mod states;
mod status;
mod verbs;
mod why;

pub use args::{CacheArgs, CacheVerb, Connection, ManageCli};
pub use manage::manage;
pub use node::Node;
pub use pass::{print_pass, print_pruned};
pub use scrub::{print_scrubbed, watch_scrub};

use crate::admin;
use crate::image::ImageId;
use anyhow::{Context, bail};
use std::time::Instant;

/// Does what was asked for; false when a part of it failed and was reported.
///
/// # Errors
/// What failed, on what.
pub async fn run(args: CacheArgs, node: Node) -> anyhow::Result<bool> {
    let (start, verbose) = (Instant::now(), args.connection.verbose);
    let done = dispatch(&args, &node).await?;
    if verbose && !args.connection.json {
        println!("Completed in {:.4} sec.", start.elapsed().as_secs_f64());
    }
    Ok(done)
}

async fn dispatch(args: &CacheArgs, node: &Node) -> anyhow::Result<bool> {
    let json = args.connection.json;
    match &args.verb {
        CacheVerb::Status { watch } => status::run(agent(node)?, *watch, json).await.map(|()| true),
        CacheVerb::Why { id } => why::run(agent(node)?, &parse_id(id)?, json).await.map(|()| true),
        CacheVerb::Plan => plan::run(agent(node)?, json).await.map(|()| true),
        CacheVerb::Prefetch => print_pass(&agent(node)?.prefetch().await?, json),
        CacheVerb::Prune { dry_run } => print_pruned(&agent(node)?.prune(*dry_run).await?, json).map(|()| true),
        CacheVerb::Queue { ids, priority } => pins::run(agent(node)?, ids, pins::Wish::Queue(*priority), json).await,
        CacheVerb::Pin { ids } => pins::run(agent(node)?, ids, pins::Wish::Pin, json).await,
        CacheVerb::Unpin { ids } => pins::run(agent(node)?, ids, pins::Wish::Unpin, json).await,
        CacheVerb::ConfirmGone { ids } => gone::run(agent(node)?, ids, &args.connection).await,
        verb => verbs::run(node, verb, &args.connection).await,
    }
}

/// The agent behind the admin socket; the cache API over HTTP knows less.
fn agent(node: &Node) -> anyhow::Result<&admin::Client> {
    match node {
        Node::Agent(client) => Ok(client),
        Node::Http { host, .. } => {
            bail!("the cache API of {host} cannot answer this: run it on the node itself, without --host")
        }
    }
}

fn parse_id(text: &str) -> anyhow::Result<ImageId> {
    text.parse::<ImageId>().context("no such image")
}
