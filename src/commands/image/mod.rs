//! `larder image …`: the images of a catalogue.

mod args;
mod delete;
mod follow;
mod import;
mod list;
mod progress;
mod push;
mod save;
mod show;
mod verify;

pub use args::{
    CopyArgs, DeleteArgs, EndArgs, ImageArgs, ImageVerb, ImportArgs, ListArgs, PushArgs, RecordArgs, SaveArgs,
    ShowArgs, TargetArgs, VerifyArgs,
};

use crate::commands::node;
use crate::image::ImageId;
use crate::remote;
use anyhow::Context;

/// Does what was asked for; false when a part of it failed and was reported.
///
/// # Errors
/// What failed, on what.
pub async fn run(args: ImageArgs, settings: remote::Settings) -> anyhow::Result<bool> {
    let catalogue = remote::Catalogue::new(settings)?;
    match args.verb {
        ImageVerb::Push(args) => push::run(&catalogue, &args).await.map(|()| true),
        ImageVerb::Import(args) => import::run(&catalogue, &args).await.map(|()| true),
        ImageVerb::Copy(args) => import::copy(&catalogue, &args).await.map(|()| true),
        ImageVerb::List(args) => list::run(&catalogue, &args).await.map(|()| true),
        ImageVerb::Show(args) => show::run(&catalogue, &args).await,
        ImageVerb::Save(args) => save::run(&catalogue, &args).await.map(|()| true),
        ImageVerb::Verify(args) => verify::run(&catalogue, &args).await,
        ImageVerb::Delete(args) => delete::run(&catalogue, &args).await,
        ImageVerb::Where(args) => node::whereabouts(&catalogue, &args).await.map(|()| true),
        ImageVerb::Prefetch(args) => node::prefetch(&catalogue, &args).await,
    }
}

fn parse_id(text: &str) -> anyhow::Result<ImageId> {
    text.parse::<ImageId>().context("no such image")
}

/// `key=value` as given on the command line.
fn key_value(text: &str) -> anyhow::Result<(&str, &str)> {
    let pair = text.split_once('=').filter(|(key, _)| !key.is_empty());
    pair.with_context(|| format!("'{text}' is no KEY=VALUE, such as os_distro=debian"))
}
