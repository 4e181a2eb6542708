//! `larder image where`.

use super::{args::WhereArgs, line, show::state, word};
use crate::commands::output::{Align, ago, fitted, print, print_json};
use crate::image::ImageId;
use crate::remote::Catalogue;
use crate::wire::fleet::Holder;
use anyhow::Context;
use chrono::Utc;

/// Says which nodes have an image.
pub(in crate::commands) async fn run(catalogue: &Catalogue, args: &WhereArgs) -> anyhow::Result<()> {
    let id: ImageId = args.id.parse().context("no such image")?;
    let nodes = catalogue.image_nodes(&id).await?;
    if args.json {
        return print_json(&nodes);
    }
    let row = |it: &Holder| {
        vec![
            it.node.to_string(),
            word(it.node_state),
            state(&it.held),
            if it.held.pinned { "yes" } else { "" }.to_owned(),
            ago(it.held.changed_at, Utc::now()),
            line(&short(it.held.digest.as_deref().unwrap_or_default())),
            line(it.held.why.as_deref().unwrap_or_default()),
        ]
    };
    let columns = ["node", "node is", "image is", "pinned", "since", "digest", "why"].map(|it| (it, Align::Left));
    print(&fitted(&columns, &nodes.iter().map(row).collect::<Vec<_>>()))
}

/// Enough of a digest to see that another one is another one.
fn short(digest: &str) -> String {
    let (algorithm, value) = digest.split_once(':').unwrap_or(("", digest));
    let value: String = value.chars().take(12).collect();
    if algorithm.is_empty() { value } else { format!("{algorithm}:{value}") }
}
