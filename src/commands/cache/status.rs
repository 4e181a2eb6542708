//! `larder cache status`: everything about a node, in words.

use super::states::{in_words, trouble};
use crate::admin::{Check, Client, ImageState, ImageStatus, Member, MemberState, RuleStatus, Rules, Status, Verdict};
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
    let limit = room.limit.map_or_else(String::new, |it| format!(" of {}", ByteSize(it)));
    let promised = if room.promised > 0 { format!(", {} promised", ByteSize(room.promised)) } else { String::new() };
    let counted = if room.counted_by_nova { " (nova counts them)" } else { "" };
    let growth = match room.disk_growth {
        0 => String::new(),
        it => format!(", disks of instances may take {} of it", ByteSize(it)),
    };
    let _ = writeln!(
        text,
        "Space           {used}{limit} used by bases{counted}{promised}, {free} free of {total}{growth}"
    );
    if let Some(pace) = &status.pace {
        let _ = writeln!(text, "Pace            {pace}");
    }
    let next = |at: Option<DateTime<Utc>>| at.map_or_else(|| "not planned".to_owned(), |at| until(at, now));
    let last =
        |at: Option<DateTime<Utc>>| at.map_or_else(String::new, |at| format!(" (the last one ended {})", ago(at, now)));
    let prefetch = status.last_prefetch.as_ref().and_then(|pass| pass.ended_at);
    let prune = status.last_prune.as_ref().and_then(|pass| pass.ended_at);
    let _ = writeln!(text, "Next prefetch   {}{}", next(status.next_prefetch), last(prefetch));
    let _ = writeln!(text, "Next prune      {}{}", next(status.next_prune), last(prune));
    let scrub = status.last_scrub.as_ref().and_then(|pass| pass.ended_at);
    if let Some(now) = &status.scrubbing {
        let _ = writeln!(
            text,
            "{} {}",
            if now.pass { "Scrubbing      " } else { "Reading        " },
            super::scrub::in_words(now)
        );
    } else if status.next_scrub.is_some() || scrub.is_some() {
        let _ = writeln!(text, "Next scrub      {}{}", next(status.next_scrub), last(scrub));
    }
    if let Some(line) = verified(status, now) {
        let _ = writeln!(text, "Verified        {line}");
    }
    for (base, damage) in damaged(status) {
        let _ = writeln!(text, "DAMAGED: {base}: {damage}");
    }
    fleet(text, &status.fleet, now);
    super::sharing::write(text, &status.sharing, now);
    if let Some(it) = &status.read_through {
        super::read_through::write(text, it);
    }
    rules(text, &status.rules, now);
    if let Some(check) = &status.last_check {
        let _ = writeln!(text, "Catalogue check {}", checked(check, now));
    }
    if let Some(why) = &status.idle_because {
        let _ = writeln!(text, "Nothing is published here: {why}");
    }
    for warning in &status.warnings {
        let _ = writeln!(text, "Warning: {warning}");
    }
}

/// `2 of 3 bases, the oldest 3 d ago`; none when there is no base.
fn verified(status: &Status, now: DateTime<Utc>) -> Option<String> {
    let cached = status.images.iter().filter(|it| matches!(it.state, ImageState::Cached)).count();
    let times: Vec<_> = status.bases.iter().filter_map(|it| Some(it.verified.as_ref()?.at)).collect();
    let oldest = times.iter().min().map_or_else(String::new, |at| format!(", the oldest {}", ago(*at, now)));
    let all = cached.max(times.len());
    let bases = if all == 1 { "base" } else { "bases" };
    (all > 0).then(|| format!("{} of {all} {bases}{oldest}", times.len()))
}

/// Bases whose bytes are not what they were.
fn damaged(status: &Status) -> impl Iterator<Item = (&str, &str)> {
    status.bases.iter().filter_map(|it| Some((it.base.as_str(), it.verified.as_ref()?.damage.as_deref()?)))
}

fn checked(it: &Check, now: DateTime<Utc>) -> String {
    const CONFIRM: &str = "(if that is right: larder cache confirm-gone)";
    let when = ago(it.at, now);
    if let Some(why) = &it.why {
        let held = if it.held.is_empty() { String::new() } else { format!(" {CONFIRM}") };
        return format!("{when}: it is not known which images it has: {why}{held}");
    }
    let gone = if it.gone > 0 { format!(", {} gone", it.gone) } else { String::new() };
    let doubted = match it.doubted {
        0 => String::new(),
        count => format!(", {count} missing and kept, too many at once {CONFIRM}"),
    };
    format!("{when}: {} cached images are there{gone}{doubted}", it.there)
}

fn fleet(text: &mut String, it: &Member, now: DateTime<Utc>) {
    let since = it.since.map_or_else(String::new, |at| format!(" for {}", span(now - at)));
    let why = it.why.as_deref().map_or_else(String::new, |why| format!(": {why}"));
    let beat = it.last_beat.map_or_else(String::new, |at| format!(", last beat {}", ago(at, now)));
    let state = match it.state {
        MemberState::Off => format!("off{why}"),
        MemberState::Absent => "none: the catalogue keeps no fleet".to_owned(),
        MemberState::Joining => format!("joining as {}", it.node),
        MemberState::Connected if it.follows => format!("connected as {}{since}{beat}", it.node),
        MemberState::Connected => format!("connected as {}{since}{beat}, without the change feed", it.node),
        MemberState::Lost => format!("not connected{since}{beat}{why}"),
    };
    let _ = writeln!(text, "Fleet           {state}");
    if it.open_work + it.untold_results > 0 {
        let (open, untold) = (it.open_work, it.untold_results);
        let _ = writeln!(text, "Fleet's work    {open} to do, {untold} results to be reported");
    }
}

/// One line a rule.
fn rules(text: &mut String, it: &Rules, now: DateTime<Utc>) {
    if it.rules.is_empty() {
        return;
    }
    let listed = it.listed_at.map_or_else(|| "not listed yet".to_owned(), |at| format!("listed {}", ago(at, now)));
    let why = it.why.as_deref().map_or_else(String::new, |why| format!("; not since: {why}"));
    let _ = writeln!(text, "Rules           {}, images {listed}{why}", it.rules.len());
    for rule in &it.rules {
        let _ = writeln!(text, "  {}", in_a_line(rule, now));
    }
}

/// `golden (centre): 2 of 3 images here, 4.0 GiB of 10.0 GiB, pins, 1 left out; its window opens in 3 h`
pub(super) fn in_a_line(rule: &RuleStatus, now: DateTime<Utc>) -> String {
    let replaces = if rule.replaces { ", in place of the centre's" } else { "" };
    let (here, wanted, bytes) = (rule.here, rule.wanted, ByteSize(rule.bytes));
    let mut line = format!("{} ({}{replaces}): {here} of {wanted} images here, {bytes}", rule.name, rule.origin);
    if let Some(budget) = rule.budget {
        let _ = write!(line, " of {}", ByteSize(budget));
    }
    if rule.pin {
        line.push_str(", pins");
    }
    if rule.left_out > 0 {
        let _ = write!(line, ", {} left out", rule.left_out);
    }
    match (rule.open, rule.changes_at) {
        (true, None) => {}
        (true, Some(at)) => drop(write!(line, "; its window is open, and shuts {}", until(at, now))),
        (false, Some(at)) => drop(write!(line, "; its window opens {}", until(at, now))),
        (false, None) => line.push_str("; its window never opens"),
    }
    line
}

/// `rule golden`, `rules golden and lts`.
pub(super) fn by_rules(names: &[String]) -> String {
    match names {
        [one] => format!("rule {one}"),
        more => format!("rules {}", more.join(" and ")),
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
        .map(|image| vec![named(image).to_owned(), image.name.clone().unwrap_or_default(), state(image, now)])
        .collect();
    let columns = [("Image", Align::Left), ("Name", Align::Left), ("State", Align::Left)];
    let _ = writeln!(text, "\n{}", fitted(&columns, &rows));
    for (image, why) in status.images.iter().filter_map(|image| Some((image, trouble(&image.state)?))) {
        let _ = writeln!(text, "{}: {why}", named(image));
    }
}

/// `cached, pinned`; `queued 5 s ago, priority 50`.
fn state(image: &ImageStatus, now: DateTime<Utc>) -> String {
    let mut text = in_words(&image.state, now);
    if !image.priority.is_normal() {
        let _ = write!(text, ", priority {}", image.priority);
    }
    if image.pinned {
        text.push_str(", pinned");
    }
    if !image.rules.is_empty() {
        let verb = if image.pinned_by_rule { "pinned" } else { "wanted" };
        let _ = write!(text, ", {verb} by {}", by_rules(&image.rules));
    }
    if image.waited_for {
        text.push_str(", waited for by an instance's start");
    }
    text
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
            let is_damaged = base.verified.as_ref().is_some_and(|it| it.damage.is_some());
            let damaged = if is_damaged { "DAMAGED, " } else { "" };
            let why = match base.may_go_at {
                Some(at) if at > now => format!("{damaged}{} ({})", base.why, until(at, now)),
                _ => format!("{damaged}{}", base.why),
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
