//! `larder cache plan`: what a node would fetch and remove now.

use super::status::{in_a_line, verdicts};
use crate::admin::{Client, Plan, PlannedFetch};
use crate::base::ByteSize;
use crate::commands::output::{Align, fitted, print, print_json};
use chrono::{DateTime, Utc};
use std::fmt::Write;

pub(super) async fn run(client: &Client, json: bool) -> anyhow::Result<()> {
    let plan = client.plan().await?;
    if json { print_json(&plan) } else { print(in_full(&plan, Utc::now()).trim_end()) }
}

fn in_full(plan: &Plan, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    for rule in &plan.rules.rules {
        let _ = writeln!(text, "Rule {}", in_a_line(rule, now));
    }
    if let Some(why) = &plan.rules.why {
        let _ = writeln!(text, "The catalogue did not list its images for rules: {why}");
    }
    match plan.fetch.len() {
        0 => text.push_str("Nothing is to be fetched.\n"),
        count => {
            let (images, bytes) = (counted(count as u64, "image"), ByteSize(plan.fetch_bytes));
            let _ = writeln!(text, "To be fetched: {images}, {bytes} of them now\n{}", fetches(&plan.fetch));
        }
    }
    match plan.remove.len() {
        0 => text.push_str("Nothing is to be removed.\n"),
        count => {
            let (bases, freed) = (counted(count as u64, "base"), ByteSize(plan.freed));
            let _ =
                writeln!(text, "To be removed: {bases}, {freed} on disk\n{}", verdicts(&plan.remove, |_| None, now));
        }
    }
    if plan.left_out_count > 0 {
        let _ = writeln!(text, "Left out: {}", counted(plan.left_out_count, "image"));
        for it in &plan.left_out {
            let name = it.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
            let _ = writeln!(text, "  {}{name}: rule {}: {}", it.id, it.rule, it.why);
        }
    }
    text
}

fn fetches(all: &[PlannedFetch]) -> String {
    let row = |it: &PlannedFetch| {
        let image = it.image.id.as_ref().map_or(it.image.base.as_str(), |id| id.as_str());
        vec![
            image.to_owned(),
            it.image.name.clone().unwrap_or_default(),
            it.size.map_or_else(String::new, |size| ByteSize(size).to_string()),
            it.image.priority.to_string(),
            it.reason.clone(),
            it.waits.clone().unwrap_or_else(|| "now".to_owned()),
        ]
    };
    let rows: Vec<Vec<String>> = all.iter().map(row).collect();
    let columns = [
        ("Image", Align::Left),
        ("Name", Align::Left),
        ("Size", Align::Right),
        ("Priority", Align::Right),
        ("Why", Align::Left),
        ("When", Align::Left),
    ];
    fitted(&columns, &rows)
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}
