//! What of the base directory may go, and why the rest stays. Pure.
//!
//! ```text
//! not nova's name ─→ keep      in use ─→ keep      wanted ─→ keep      in doubt ─→ keep
//! used within its age (or "in the future": the clock was set) ─→ keep until then
//! remove_unused_base_images = false ─→ keep
//! else ─→ remove
//! ```

use crate::admin;
use crate::agent::{
    base_dir::{BaseFile, Kind},
    in_use::InUse,
};
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use std::collections::HashMap;

/// Nova's `[image_cache]` options, with Nova's names, meanings and defaults.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// `remove_unused_base_images`: off, nothing is ever removed.
    pub remove_unused_base_images: bool,
    /// `remove_unused_original_minimum_age_seconds`: for images, swap, ephemerals, and downloads that a crash left.
    pub remove_unused_original_minimum_age_seconds: u64,
    /// `remove_unused_resized_minimum_age_seconds`: for resized copies.
    pub remove_unused_resized_minimum_age_seconds: u64,
}

/// What is to be done with one file.
#[derive(Clone, Debug, PartialEq)]
pub struct Decision {
    /// The file, as it was when this was decided.
    pub file: BaseFile,
    /// Whether it goes.
    pub verdict: Verdict,
    /// Whether there is evidence that it is in use.
    pub in_use: bool,
    /// Why, in a sentence.
    pub why: String,
    /// When it may go if nothing uses it until then; none while it is in use, wanted, in doubt, or never.
    pub may_go_at: Option<DateTime<Utc>>,
}

/// Whether a file goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It stays.
    Keep(Reason),
    /// It goes.
    Remove,
}

/// Why a file stays, for code; [`Decision::why`] is for people.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reason {
    /// Not a file that nova made.
    NotNovas,
    /// Something uses it.
    InUse,
    /// It is queued, in work or otherwise asked for.
    Wanted,
    /// Something could not be seen.
    Doubt,
    /// It was used not long enough ago.
    Young,
    /// Removing is switched off.
    Off,
}

/// Why a pinned base is wanted.
pub const PINNED: &str = "pinned, until larder cache unpin";
/// Why a base is wanted that rules want; their names follow.
pub const BY_RULE: &str = "wanted by ";

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            remove_unused_base_images: true,
            remove_unused_original_minimum_age_seconds: 86400,
            remove_unused_resized_minimum_age_seconds: 3600,
        }
    }
}

impl Settings {
    fn minimum_age(&self, kind: &Kind) -> TimeDelta {
        let seconds = match kind {
            Kind::Resized { .. } => self.remove_unused_resized_minimum_age_seconds,
            _ => self.remove_unused_original_minimum_age_seconds,
        };
        i64::try_from(seconds).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX)
    }
}

// === impl Decision ===

impl Decision {
    /// The file's name.
    pub fn name(&self) -> &str {
        &self.file.name
    }

    /// Whether the file goes.
    pub fn removes(&self) -> bool {
        self.verdict == Verdict::Remove
    }

    /// The same for the status; `id` is the image that the file is the base of, when known.
    pub fn to_message(&self, id: Option<ImageId>) -> admin::Verdict {
        admin::Verdict {
            base: self.file.name.clone(),
            id,
            size: self.file.size,
            allocated: self.file.allocated,
            last_used: self.file.last_used,
            in_use: self.in_use,
            gone: false,
            pinned: false,
            rules: Vec::new(),
            why: self.why.clone(),
            may_go_at: self.may_go_at,
            verified: None,
        }
    }
}

/// Decides about every file, in the order of `bases`.
///
/// `wanted`: names of bases that are asked for, each with the reason (`queued`, `being fetched`).
pub fn decide(
    bases: &[BaseFile],
    in_use: &InUse,
    wanted: &HashMap<String, String>,
    now: DateTime<Utc>,
    settings: &Settings,
) -> Vec<Decision> {
    // What a crash of nova's left of a download is of no use: nobody goes on with it, and while nova fetches, its lock is held.
    let is_part = |file: &BaseFile| matches!(file.kind, Kind::Part { .. });
    let asked = |file: &BaseFile| wanted.get(&file.name).map(String::as_str).filter(|_| !is_part(file));
    bases.iter().map(|file| about(file, in_use, asked(file), now, settings)).collect()
}

/// Whether a base that is to stay is half as old as nova's own manager lets it become (`limit`, seconds): nova sees no
/// pins, no rescue disks, no directories that its database does not list.
pub fn due_for_nova(it: &Decision, in_use: &InUse, now: DateTime<Utc>, limit: u64) -> bool {
    let half = i64::try_from(limit / 2).ok().and_then(TimeDelta::try_seconds).unwrap_or(TimeDelta::MAX);
    let stays = it.verdict == Verdict::Keep(Reason::Wanted) || in_use.is_active(it.name());
    stays && it.file.kind.is_base() && now.signed_duration_since(it.file.mtime) >= half
}

fn about(file: &BaseFile, in_use: &InUse, wanted: Option<&str>, now: DateTime<Utc>, settings: &Settings) -> Decision {
    let keep = |reason, why: String, may_go_at| Decision {
        file: file.clone(),
        verdict: Verdict::Keep(reason),
        in_use: reason == Reason::InUse,
        why,
        may_go_at,
    };
    if let Some(why) = not_novas(&file.kind) {
        return keep(Reason::NotNovas, why.to_owned(), None);
    }
    if let [first, more @ ..] = in_use.evidence(&file.name) {
        let why = match more.len() {
            0 => format!("in use: {first}"),
            more => format!("in use: {first}, and {more} more"),
        };
        return keep(Reason::InUse, why, None);
    }
    if let Some(why) = wanted {
        return keep(Reason::Wanted, format!("kept: {why}"), None);
    }
    if let Some(doubt) = in_use.doubt(&file.name) {
        return keep(Reason::Doubt, format!("kept in doubt: {}", doubt.why), None);
    }
    let limit = settings.minimum_age(&file.kind);
    let age = now.signed_duration_since(file.last_used);
    let may_go_at = file.last_used.checked_add_signed(limit);
    let off = !settings.remove_unused_base_images;
    if age < limit {
        let used = if age < TimeDelta::zero() {
            format!("its mtime is {} ahead of the clock, which counts as just used", span(-age))
        } else {
            format!("used {} ago", span(age))
        };
        let then = if off {
            "stays, remove_unused_base_images is off".to_owned()
        } else {
            format!("may go after {}", span(limit))
        };
        return keep(Reason::Young, format!("{used}, {then}"), may_go_at.filter(|_| !off));
    }
    if off {
        return keep(Reason::Off, format!("unused for {}, stays: remove_unused_base_images is off", span(age)), None);
    }
    let what = if matches!(file.kind, Kind::Part { .. }) { "left by an interrupted download" } else { "unused" };
    let why = format!("{what} for {}, longer than {}", span(age), span(limit));
    Decision { file: file.clone(), verdict: Verdict::Remove, in_use: false, why, may_go_at }
}

fn not_novas(kind: &Kind) -> Option<&'static str> {
    match kind {
        Kind::Ours => Some("the agent's own"),
        Kind::Link => Some(
            "a symbolic link: never followed nor removed; instances that copy it would write into its target, replace it by a file",
        ),
        Kind::Other => Some("not a name that nova gives: never removed"),
        Kind::Original | Kind::Resized { .. } | Kind::Swap | Kind::Ephemeral | Kind::Part { .. } => None,
    }
}

/// `3 d`, `24 h`, `90 min`, `7 s`: rounded down, in the largest unit that has two of it.
fn span(time: TimeDelta) -> String {
    let seconds = time.num_seconds();
    match seconds {
        172_800.. => format!("{} d", seconds / 86400),
        3600 | 7200.. => format!("{} h", seconds / 3600),
        60 | 120.. => format!("{} min", seconds / 60),
        _ => format!("{seconds} s"),
    }
}

#[cfg(test)]
mod tests;
