//! `larder cache why ID`: one image, explained.

use super::states::{in_words, trouble};
use crate::admin::{Client, Why};
use crate::base::ByteSize;
use crate::commands::output::{ago, print, print_json, until};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use std::fmt::Write;

pub(super) async fn run(client: &Client, id: &ImageId, json: bool) -> anyhow::Result<()> {
    let why = client.why(id).await?;
    if json { print_json(&why) } else { print(in_full(&why, Utc::now()).trim_end()) }
}

fn in_full(why: &Why, now: DateTime<Utc>) -> String {
    let mut text = format!("Image {}, base {}\n", why.id, why.base);
    if let Some(status) = &why.status {
        let name = status.name.as_ref().map_or_else(String::new, |name| format!(" ({name})"));
        let _ = writeln!(text, "State: {}{name}", in_words(&status.state, now));
        if let Some(why) = trouble(&status.state) {
            let held = matches!(status.state, crate::admin::ImageState::Held { .. });
            let _ = writeln!(text, "{} because: {why}", if held { "Held" } else { "Failed" });
        }
    }
    if let Some(verdict) = &why.verdict {
        let (size, allocated) = (ByteSize(verdict.size), ByteSize(verdict.allocated));
        let _ = writeln!(text, "File: {size} long, {allocated} on disk, last used {}", ago(verdict.last_used, now));
        let may_go = verdict.may_go_at.map_or_else(String::new, |at| format!("; it may go {}", until(at, now)));
        let _ = writeln!(text, "Kept or not: {}{may_go}", verdict.why);
        if let Some(verified) = &verdict.verified {
            let state = verified.damage.as_ref().map_or_else(|| "good".to_owned(), |it| format!("DAMAGED: {it}"));
            let _ = writeln!(text, "Bytes: {state} ({}, {})", verified.how, ago(verified.at, now));
        }
    }
    for (heading, lines) in [("Used by:", &why.evidence), ("In detail:", &why.story)] {
        if !lines.is_empty() {
            let _ = writeln!(text, "{heading}");
        }
        for line in lines {
            let _ = writeln!(text, "  {line}");
        }
    }
    text
}
