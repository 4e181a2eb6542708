//! What of the catalogue's images rules are about: taken from its listing page by page, and kept small.

use super::{Followed, MOST_IMAGES, choose::newest_first};
use crate::agent::plan::fetch::{Terms, order};
use crate::image::{ImageId, signature::Signatures};
use crate::wire::{fleet::RuleName, image::RemoteImage};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use std::collections::{BTreeMap, BTreeSet};

/// What the last whole listing has shown; kept across restarts, so that a node goes on without its catalogue.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Found {
    /// When; none before the first one.
    pub at: Option<DateTime<Utc>>,
    /// The rules that it was made for.
    pub rules: Vec<RuleName>,
    /// In the order of their ids.
    pub images: Vec<Finding>,
}

/// An image that meets the conditions of a rule, but for `newest` and `most_used`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Finding {
    /// The image.
    pub id: ImageId,
    /// Its name at the centre.
    pub name: Option<String>,
    /// Bytes of its data, which is what budgets count: unlike the room that its base takes, it is the same before and after
    /// the image is here.
    pub size: u64,
    /// Bytes that its fetch may need, download and raw image together.
    pub room: u64,
    /// When it was made.
    pub created_at: Option<DateTime<Utc>>,
    /// `os_distro` and `os_version`; none without the first.
    pub family: Option<String>,
    /// Indexes into [`Found::rules`].
    pub rules: Vec<u16>,
}

/// Takes images in, and keeps those that rules can choose.
pub struct Finder<'a> {
    rules: &'a [Followed],
    /// Bases of images that this node has used.
    used: &'a BTreeSet<String>,
    force_raw: bool,
    most: usize,
    images: BTreeMap<ImageId, Finding>,
}

// === impl Finder ===

impl<'a> Finder<'a> {
    /// For these rules; `used` are the bases that `most_used` can choose from.
    pub fn new(rules: &'a [Followed], used: &'a BTreeSet<String>, force_raw: bool) -> Self {
        Self { rules, used, force_raw, most: MOST_IMAGES, images: BTreeMap::new() }
    }

    /// The same, but what it keeps is cut at another number of images.
    #[cfg(test)]
    pub(super) fn with_most(self, most: usize) -> Self {
        Self { most, ..self }
    }

    /// An image of the listing.
    pub fn see(&mut self, image: &RemoteImage) {
        if image.status != "active" || image.os_hidden {
            return;
        }
        let meeting: Vec<usize> = (0..self.rules.len()).filter(|it| self.rules[*it].rule.images.meets(image)).collect();
        let Ok(id) = image.id.parse::<ImageId>() else { return };
        if meeting.is_empty() {
            return;
        }
        let is_used = self.used.contains(&id.base_name());
        let family = family(image);
        let can_choose = |it: &usize| {
            let wanted = &self.rules[*it].rule.images;
            // The newest of a family are counted first, used or not.
            (wanted.newest.is_none() || family.is_some())
                && (wanted.most_used.is_none() || wanted.newest.is_some() || is_used)
        };
        let rules: Vec<u16> = meeting.into_iter().filter(can_choose).filter_map(|it| u16::try_from(it).ok()).collect();
        if rules.is_empty() {
            return;
        }
        let terms = Terms { allow_unverified: true, force_raw: self.force_raw, signatures: Signatures::Off };
        let room = order(&id, image, terms).map_or(0, |it| it.room());
        let finding = Finding {
            id: id.clone(),
            name: image.name.clone(),
            size: image.size.unwrap_or(0),
            room,
            created_at: image.created_at.as_deref().and_then(moment),
            family,
            rules,
        };
        self.images.insert(id, finding);
        if self.images.len() > self.most.saturating_mul(2) {
            self.shrink();
        }
    }

    /// The listing was whole.
    pub fn end(mut self, at: DateTime<Utc>) -> Found {
        if self.images.len() > self.most {
            self.shrink();
        }
        let rules = self.rules.iter().map(|it| it.name.clone()).collect();
        Found { at: Some(at), rules, images: self.images.into_values().collect() }
    }

    /// Drops what no rule can choose any more: each keeps its first ones, the most urgent rule first.
    fn shrink(&mut self) {
        let mut kept: BTreeSet<ImageId> = BTreeSet::new();
        for (at, it) in self.rules.iter().enumerate() {
            let mine = |found: &&Finding| found.rules.iter().any(|rule| usize::from(*rule) == at);
            let mut images: Vec<&Finding> = self.images.values().filter(mine).collect();
            newest_first(&mut images, it.rule.images.newest);
            for found in images {
                if kept.len() >= self.most {
                    break;
                }
                kept.insert(found.id.clone());
            }
        }
        self.images.retain(|id, _| kept.contains(id));
    }
}

fn family(image: &RemoteImage) -> Option<String> {
    let property = |name: &str| image.extra.get(name).and_then(serde_json::Value::as_str);
    property("os_distro").map(|it| format!("{it} {}", property("os_version").unwrap_or_default()))
}

fn moment(text: &str) -> Option<DateTime<Utc>> {
    DateTime::parse_from_rfc3339(text).ok().map(|it| it.with_timezone(&Utc))
}
