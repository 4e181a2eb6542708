//! What this host keeps of what another wants to remove.

use super::Kept;
use crate::agent::{
    base_dir::BaseDir,
    in_use::observe,
    plan::prune::{Decision, Reason, Settings, Verdict, decide},
    seat::{Answer, Purpose, Question},
};
use crate::base::chain;
use chrono::{DateTime, Utc};
use std::collections::HashMap;

/// By a look at what uses the bases here, and by what the loop keeps. Blocks on the disk.
pub(super) fn answer(dir: &BaseDir, question: &Question, kept: &Kept, now: DateTime<Utc>) -> Answer {
    let id = question.id.clone();
    let mut bases = match dir.scan() {
        Ok(bases) => bases,
        Err(error) => return Answer { id, everything: Some(chain(&error).to_string()), ..Answer::default() },
    };
    let in_use = observe(dir, &bases);
    bases.retain(|it| question.bases.contains(&it.name));
    let none = HashMap::new();
    let wanted = match question.purpose {
        Purpose::Unused => &kept.wanted,
        Purpose::Room => &kept.firm,
        Purpose::Damaged => &none,
    };
    // How old it has to be is for those to say who remove it.
    let settings = Settings {
        remove_unused_base_images: true,
        remove_unused_original_minimum_age_seconds: 0,
        remove_unused_resized_minimum_age_seconds: 0,
    };
    let decisions = decide(&bases, &in_use, wanted, now, &settings);
    let goes = |it: &Decision| matches!(it.verdict, Verdict::Remove | Verdict::Keep(Reason::Young | Reason::Off));
    let keeps = decisions.into_iter().filter(|it| !goes(it));
    Answer { id, keeps: keeps.map(|it| (it.name().to_owned(), it.why)).collect(), everything: None }
}
