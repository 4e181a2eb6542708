//! `larder image import` and `larder image copy`: data that the catalogue takes into its stores by itself.

use super::{
    args::{CopyArgs, ImportArgs, TargetArgs},
    follow::follow,
    parse_id,
    push::{self, record},
};
use crate::commands::output::{print, print_json};
use crate::image::ImageId;
use crate::remote::Catalogue;
use anyhow::{Context, bail};
use serde_json::{Value, json};

pub(super) async fn run(catalogue: &Catalogue, args: &ImportArgs) -> anyhow::Result<()> {
    let web = ["http://", "https://"].iter().any(|it| args.source.starts_with(it));
    let source = if web { None } else { Some(push::open(args.source.as_ref()).await?) };
    if web && args.record.disk_format.is_none() {
        bail!("give --disk-format: the content of {} cannot be looked at from here", args.source);
    }
    let inspection = source.as_ref().map(|it| &it.inspection);
    let image = catalogue.create(&record(&args.record, &args.source, inspection)?).await?;
    let id: ImageId = image.id.parse().context("the catalogue gave the new image an id that is none")?;
    let work = async {
        let mut method = json!({"name": "web-download", "uri": args.source});
        if let Some(source) = source {
            push::stage(catalogue, &id, source, (&args.source, args.end.quiet)).await?;
            method = json!({"name": "glance-direct"});
        }
        ask(catalogue, &id, (method, &args.targets), args.end.quiet).await
    };
    let done = tokio::select! {
        done = work => done,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("importing image {id}: interrupted")),
    };
    if let Err(error) = done {
        if args.end.keep {
            return Err(error.context(format!("image {id} is kept (--keep)")));
        }
        return match catalogue.delete(&id).await {
            Err(also) if !also.is_not_found() => {
                eprintln!("larder: {:#}", anyhow::Error::from(also));
                Err(error.context(format!("the record of image {id} is left: larder image delete {id}")))
            }
            _ => Err(error.context(format!("nothing was imported; the record of image {id} was removed again"))),
        };
    }
    if args.end.json { print_json(&catalogue.image(&id).await?) } else { print(id.as_str()) }
}

pub(super) async fn copy(catalogue: &Catalogue, args: &CopyArgs) -> anyhow::Result<()> {
    let id = parse_id(&args.id)?;
    ask(catalogue, &id, (json!({"name": "copy-image"}), &args.targets), args.quiet).await?;
    let image = catalogue.image(&id).await?;
    print(image.extra.get("stores").and_then(Value::as_str).unwrap_or_default())
}

/// Asks for the import and waits for its end.
async fn ask(
    catalogue: &Catalogue,
    id: &ImageId,
    (method, targets): (Value, &TargetArgs),
    quiet: bool,
) -> anyhow::Result<()> {
    let mut request = json!({"method": method});
    if !targets.stores.is_empty() {
        request["stores"] = json!(targets.stores);
    }
    if targets.all_stores {
        request["all_stores"] = true.into();
    }
    if targets.allow_failure {
        request["all_stores_must_succeed"] = false.into();
    }
    catalogue.import(id, &request).await?;
    follow(catalogue, id, quiet).await
}
