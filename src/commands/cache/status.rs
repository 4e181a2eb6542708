//! `larder cache status`: everything about a node, in words.

use super::states::{failure, in_words};
use crate::admin::{Client, ImageStatus, Status, Verdict};
use crate::base::ByteSize;
use crate::commands::output::{Align, ago, fitted, print, print_json, span, until};
use chrono::{DateTime, Utc};
use std::{
    fmt::Write,
    io::{IsTerminal, stdout},
    time::Duration,
};

pub(super) async fn run(client: &Client, watch: bool, json: bool) -> anyhow::Result<()> {
    loop {
        let status = client.status().await?;
        let clear = if watch && !json && stdout().is_terminal() { "\x1b[H\x1b[2J" } else { "" };
        match json {
            true => print_json(&status)?,
            false => print(&format!("{clear}{}", in_full(&status, Utc::now()).trim_end()))?,
        }
        if !watch {
            return Ok(());
        }
        tokio::select! {
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
            _ = tokio::signal::ctrl_c() => return Ok(()),
        }
    }
}

fn in_full(status: &Status, now: DateTime<Utc>) -> String {
    let mut text = String::new();
    head(&mut text, status, now);
    images(&mut text, status, now);
    bases(&mut text, status, now);
    text
}

fn head(text: &mut String, status: &Status, now: DateTime<Utc>) {
    let since = status.started_at.map_or_else(String::new, |at| format!(", running for {}", span(now - at)));
    let _ = writeln!(text, "larder agent {}{since}", status.version);
    let _ = writeln!(text, "Base directory  {}", status.base_directory);
    let _ = writeln!(text, "Catalogue       {}", status.catalogue);
    let room = status.room;
    let (used, free, total) = (ByteSize(room.used), ByteSize(room.free), ByteSize(room.total));
    let _ = writeln!(text, "Space           {used} used by bases, {free} free of {total}");
    let next = |at: Option<DateTime<Utc>>| at.map_or_else(|| "not planned".to_owned(), |at| until(at, now));
    let last =
        |at: Option<DateTime<Utc>>| at.map_or_else(String::new, |at| format!(" (the last one ended {})", ago(at, now)));
    let prefetch = status.last_prefetch.as_ref().and_then(|pass| pass.ended_at);
    let prune = status.last_prune.as_ref().and_then(|pass| pass.ended_at);
    let _ = writeln!(text, "Next prefetch   {}{}", next(status.next_prefetch), last(prefetch));
    let _ = writeln!(text, "Next prune      {}{}", next(status.next_prune), last(prune));
    if let Some(why) = &status.idle_because {
        let _ = writeln!(text, "Nothing is published here: {why}");
    }
    for warning in &status.warnings {
        let _ = writeln!(text, "Warning: {warning}");
    }
}

fn images(text: &mut String, status: &Status, now: DateTime<Utc>) {
    if status.images.is_empty() {
        let _ = writeln!(text, "\nNo images are queued or cached. Queue one: larder cache queue-image ID");
        return;
    }
    let rows: Vec<Vec<String>> = status
        .images
        .iter()
        .map(|image| vec![named(image).to_owned(), image.name.clone().unwrap_or_default(), in_words(&image.state, now)])
        .collect();
    let columns = [("Image", Align::Left), ("Name", Align::Left), ("State", Align::Left)];
    let _ = writeln!(text, "\n{}", fitted(&columns, &rows));
    for (image, why) in status.images.iter().filter_map(|image| Some((image, failure(&image.state)?))) {
        let _ = writeln!(text, "{}: {why}", named(image));
    }
}

/// The image's id, or its base's name when no image is known.
fn named(image: &ImageStatus) -> &str {
    image.id.as_ref().map_or(&image.base, |id| id.as_str())
}

fn bases(text: &mut String, status: &Status, now: DateTime<Utc>) {
    if status.bases.iter().all(is_own) {
        return;
    }
    let name =
        |base: &str| status.images.iter().find(|image| image.base == base).and_then(|image| image.name.as_deref());
    let _ = writeln!(text, "\n{}", verdicts(&status.bases, name, now));
}

/// A table of files of the base directory, each with why it stays or goes; `name` knows images by their bases.
pub(super) fn verdicts<'a>(
    bases: &'a [Verdict],
    name: impl Fn(&'a str) -> Option<&'a str>,
    now: DateTime<Utc>,
) -> String {
    let rows: Vec<Vec<String>> = bases
        .iter()
        .filter(|base| !is_own(base))
        .map(|base| {
            let image = name(&base.base).or(base.id.as_ref().map(|id| id.as_str())).unwrap_or("not known");
            let why = match base.may_go_at {
                Some(at) if at > now => format!("{} ({})", base.why, until(at, now)),
                _ => base.why.clone(),
            };
            vec![base.base.clone(), image.to_owned(), ByteSize(base.allocated).to_string(), why]
        })
        .collect();
    let columns = [
        ("Base", Align::Left),
        ("Image", Align::Left),
        ("On disk", Align::Right),
        ("Why it stays or goes", Align::Left),
    ];
    fitted(&columns, &rows)
}

/// The agent's own files in the base directory; JSON has them, people need not see them.
pub(super) fn is_own(base: &Verdict) -> bool {
    base.base.starts_with(".larder")
}
