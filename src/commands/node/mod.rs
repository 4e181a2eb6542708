//! `larder node …`: the nodes of a catalogue's fleet. And what `larder image where` and `prefetch` do with them.

mod args;
mod ask;
mod jobs;
mod list;
mod rules;
mod show;
mod wait;
mod whereabouts;

pub use args::{
    AskArgs, JobArgs, ListArgs, NodeArgs, NodeVerb, PrefetchArgs, RulesArgs, RulesVerb, ShowArgs, WhereArgs,
};
pub(super) use ask::prefetch;
pub(super) use whereabouts::run as whereabouts;

use crate::base::ByteSize;
use crate::remote;
use crate::wire::fleet::{Action, Summary};
use anyhow::Context;

/// Does what was asked for; false when a part of it failed and was reported.
///
/// # Errors
/// What failed, on what.
pub async fn run(args: NodeArgs, settings: remote::Settings) -> anyhow::Result<bool> {
    let catalogue = remote::Catalogue::new(settings)?;
    match args.verb {
        NodeVerb::List(args) => list::run(&catalogue, &args).await.map(|()| true),
        NodeVerb::Show(args) => show::run(&catalogue, &args).await.map(|()| true),
        NodeVerb::Queue(args) => ask::run(&catalogue, Action::Queue, &args).await,
        NodeVerb::Pin(args) => ask::run(&catalogue, Action::Pin, &args).await,
        NodeVerb::Unpin(args) => ask::run(&catalogue, Action::Unpin, &args).await,
        NodeVerb::Remove(args) => ask::run(&catalogue, Action::Remove, &args).await,
        NodeVerb::Job(args) => jobs::run(&catalogue, &args).await,
        NodeVerb::Rules(args) => rules::run(&catalogue, &args.verb).await.map(|()| true),
        NodeVerb::Forget { name } => {
            let name = name.parse().context("no such node")?;
            Ok(catalogue.forget_node(&name).await.map(|()| true)?)
        }
    }
}

/// The word of the API for a state.
fn word(state: impl serde::Serialize) -> String {
    match serde_json::to_value(state) {
        Ok(serde_json::Value::String(word)) => word.replace('_', " "),
        _ => String::new(),
    }
}

/// So many bytes of the node's disk, once the node has looked at it.
fn space(summary: &Summary, bytes: u64) -> String {
    if summary.total == 0 { "-".to_owned() } else { ByteSize(bytes).to_string() }
}

/// A text from elsewhere, on one line.
fn line(text: &str) -> String {
    text.replace(char::is_control, " ")
}
