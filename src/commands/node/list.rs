//! `larder node list`.

use super::{args::ListArgs, line, space, word};
use crate::commands::output::{Align, ago, fitted, print, print_json};
use crate::remote::Catalogue;
use crate::wire::fleet::{Node, Selector};
use anyhow::Context;
use chrono::Utc;

pub(super) async fn run(catalogue: &Catalogue, args: &ListArgs) -> anyhow::Result<()> {
    let selector: Selector = args.nodes.parse().context("--nodes")?;
    let nodes = catalogue.nodes(&selector).await?;
    if args.json { print_json(&nodes) } else { print(&as_table(&nodes)) }
}

fn as_table(nodes: &[Node]) -> String {
    let now = Utc::now();
    let row = |it: &Node| {
        let counts = [it.summary.held, it.summary.queued + it.summary.fetching, it.summary.failed];
        let mut row = vec![it.name.to_string(), word(it.state), line(&it.labels.to_string())];
        row.extend(counts.map(|it| it.to_string()));
        row.extend([it.summary.used, it.summary.free].map(|bytes| space(&it.summary, bytes)));
        row.push(ago(it.seen_at, now));
        row
    };
    let columns = [
        ("node", Align::Left),
        ("state", Align::Left),
        ("labels", Align::Left),
        ("cached", Align::Right),
        ("to come", Align::Right),
        ("failed", Align::Right),
        ("used", Align::Right),
        ("free", Align::Right),
        ("seen", Align::Left),
    ];
    fitted(&columns, &nodes.iter().map(row).collect::<Vec<_>>())
}
