//! `larder node show`.

use super::{args::ShowArgs, line, space, word};
use crate::base::ByteSize;
use crate::commands::output::{Align, ago, fitted, per_cent, print, print_json};
use crate::remote::Catalogue;
use crate::wire::fleet::{HeldImage, Node};
use anyhow::Context;
use chrono::Utc;

pub(super) async fn run(catalogue: &Catalogue, args: &ShowArgs) -> anyhow::Result<()> {
    let name = args.name.parse().context("no such node")?;
    let node = catalogue.node(&name).await?;
    let images = catalogue.node_images(&name).await?;
    if args.json {
        let mut shown = serde_json::to_value(&node).context("the node cannot be shown")?;
        shown["images"] = serde_json::to_value(&images).context("the node's images cannot be shown")?;
        return print_json(&shown);
    }
    print(&about(&node))?;
    let columns = [
        ("image", Align::Left),
        ("state", Align::Left),
        ("size", Align::Right),
        ("pinned", Align::Left),
        ("since", Align::Left),
        ("why", Align::Left),
    ];
    print(&fitted(&columns, &images.iter().map(row).collect::<Vec<_>>()))
}

fn about(node: &Node) -> String {
    let now = Utc::now();
    let summary = &node.summary;
    let text = |it: &str| line(it);
    let rows = [
        ("name", node.name.to_string()),
        ("state", format!("{}, seen {}", word(node.state), ago(node.seen_at, now))),
        ("labels", text(&node.labels.to_string())),
        ("address", text(node.address.as_deref().unwrap_or("-"))),
        ("version", text(&node.version)),
        ("registered", ago(node.registered_at, now)),
        ("rules", format!("version {}", node.rules_version)),
        (
            "images",
            format!(
                "{} cached ({} pinned), {} queued, {} coming, {} failed",
                summary.held, summary.pinned, summary.queued, summary.fetching, summary.failed
            ),
        ),
        (
            "space",
            format!(
                "{} used, {} of {} free, disks of instances may take {}",
                space(summary, summary.used),
                space(summary, summary.free),
                space(summary, summary.total),
                space(summary, summary.disk_growth)
            ),
        ),
    ];
    let rows: Vec<Vec<String>> = rows.into_iter().map(|(name, value)| vec![name.to_owned(), value]).collect();
    fitted(&[("Field", Align::Left), ("Value", Align::Left)], &rows)
}

fn row(it: &HeldImage) -> Vec<String> {
    vec![
        it.image.to_string(),
        state(it),
        ByteSize(it.size).to_string(),
        if it.pinned { "yes" } else { "" }.to_owned(),
        ago(it.changed_at, Utc::now()),
        line(it.why.as_deref().unwrap_or_default()),
    ]
}

/// `fetching 42 %`.
pub(super) fn state(it: &HeldImage) -> String {
    match it.done.filter(|_| it.size > 0) {
        Some(done) => format!("{} {} %", word(it.state), per_cent(done, it.size)),
        None => word(it.state),
    }
}
