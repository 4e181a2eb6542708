//! `larder image verify`.

use super::{args::VerifyArgs, parse_id, progress::Progress};
use crate::base::ByteSize;
use crate::commands::output::{Align, fitted, print};
use crate::image::ImageId;
use crate::remote::Catalogue;
use crate::wire::verify::{Outcome, VerifiedCopy};
use anyhow::{Context, bail};
use serde_json::json;

/// False when a copy is not sound, or could not be judged.
pub(super) async fn run(catalogue: &Catalogue, args: &VerifyArgs) -> anyhow::Result<bool> {
    let (mut all, mut rows) = (true, Vec::new());
    for text in &ids(catalogue, args).await? {
        match one(catalogue, text, args.quiet).await {
            Ok(copies) => {
                all &= copies.iter().all(|it| matches!(it.outcome, Some(Outcome::Sound | Outcome::Unhashed)));
                for copy in &copies {
                    if args.json {
                        print(&as_json(text, copy)?)?;
                    } else {
                        rows.push(row(text, copy));
                    }
                }
            }
            Err(error) => {
                eprintln!("larder: {error:#}");
                all = false;
            }
        }
    }
    if !rows.is_empty() {
        let left = |name| (name, Align::Left);
        let columns = [left("Image"), left("Store"), ("Size", Align::Right), left("Outcome"), left("Why")];
        print(&fitted(&columns, &rows))?;
    }
    Ok(all)
}

async fn ids(catalogue: &Catalogue, args: &VerifyArgs) -> anyhow::Result<Vec<String>> {
    if !args.all {
        return Ok(args.ids.clone());
    }
    let query = [("status", "active"), ("limit", "1000")];
    Ok(catalogue.images_up_to(&query, usize::MAX).await?.into_iter().map(|it| it.id).collect())
}

/// What came out of each copy.
async fn one(catalogue: &Catalogue, text: &str, quiet: bool) -> anyhow::Result<Vec<VerifiedCopy>> {
    let id: ImageId = parse_id(text)?;
    let (mut judged, mut shown) = (Vec::new(), None::<(usize, Progress)>);
    let tell = |copy: VerifiedCopy| {
        if shown.as_ref().is_none_or(|it| it.0 != copy.location) {
            let doing = format!("verifying {id} in {}", store(&copy));
            shown = Some((copy.location, Progress::new(doing, copy.size, quiet)));
        }
        if let Some((_, progress)) = &shown {
            progress.at(copy.read);
            if copy.outcome.is_some() {
                progress.end();
            }
        }
        if copy.outcome.is_some() {
            judged.push(copy);
        }
    };
    let done = tokio::select! {
        done = catalogue.verify(&id, tell) => done.map_err(anyhow::Error::from),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("verifying image {id}: interrupted")),
    };
    done?;
    if judged.is_empty() {
        bail!("verifying image {id}: it has no copy");
    }
    Ok(judged)
}

fn store(copy: &VerifiedCopy) -> String {
    copy.store.clone().unwrap_or_else(|| format!("location {}", copy.location))
}

fn row(id: &str, copy: &VerifiedCopy) -> Vec<String> {
    let size = copy.size.map_or_else(String::new, |it| ByteSize(it).to_string());
    let outcome = copy.outcome.map_or("", Outcome::as_str);
    vec![id.to_owned(), store(copy), size, outcome.to_owned(), copy.why.clone().unwrap_or_default()]
}

fn as_json(id: &str, copy: &VerifiedCopy) -> anyhow::Result<String> {
    let mut value = serde_json::to_value(copy).context("a copy cannot be shown")?;
    value["image"] = json!(id);
    Ok(value.to_string())
}
