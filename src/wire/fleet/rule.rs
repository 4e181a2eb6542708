//! Prefetch rules: which images nodes are to have without being asked.

use crate::image::Visibility;
use crate::runtime::schedule::{InvalidSchedule, Schedule};
use crate::wire::fleet::{InvalidDocument, RuleName, Selector, job::check_priority};
use crate::wire::image::RemoteImage;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use std::collections::{BTreeMap, BTreeSet};
use wildmatch::WildMatch;

/// The most conditions of one kind.
const MAX_CONDITIONS: usize = 32;

/// The most characters of a text in a condition.
const MAX_TEXT: usize = 255;

/// The most images that `newest` and `most_used` may ask for.
const MAX_COUNT: u32 = 10_000;

/// The longest window, seconds: a week.
const MAX_WINDOW: u64 = 7 * 86_400;

/// Nodes that `nodes` selects keep the images that `match` finds.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Rule {
    /// Its name; in a `PUT` it may be left out, since the path says it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<RuleName>,
    /// Which images.
    #[serde(rename = "match")]
    pub images: ImageMatch,
    /// Which nodes; left out, all.
    #[serde(default)]
    pub nodes: Selector,
    /// When they may be fetched; left out, always.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub window: Option<Window>,
    /// The most bytes of data that a node fetches and keeps for this rule: images are taken in their order (the newest, or
    /// the most used, first), and one that does not fit in what is left is passed over. Left out, as many as there is room
    /// for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub budget: Option<u64>,
    /// From -100 to 100, the greatest first.
    #[serde(default)]
    pub priority: i32,
    /// What it finds is never removed while it finds it, and makes room for itself. Otherwise it is fetched only while there is
    /// room, is not pruned by its age, and goes when others need its room.
    #[serde(default)]
    pub pin: bool,
}

/// Which images a rule finds: active ones that the agent sees and that meet every condition; at least one is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct ImageMatch {
    /// They carry all of these tags.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub tags: BTreeSet<String>,
    /// They have all of these properties, with these values.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub properties: BTreeMap<String, String>,
    /// Their name is like this: `*` stands for any text, `?` for one character; case counts.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// They have this visibility.
    #[serde(default, skip_serializing_if = "Option::is_none", with = "visibility")]
    pub visibility: Option<Visibility>,
    /// They belong to this project (its id).
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub owner: Option<String>,
    /// Of those that meet the conditions above, the newest so many of each family (the properties `os_distro` and
    /// `os_version` together), by `created_at`; images without `os_distro` are of no family, and not found.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub newest: Option<u32>,
    /// Of those that meet the conditions above, the so many that this node has used most lately.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub most_used: Option<u32>,
}

/// A span of time that comes again and again.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Window {
    /// When it opens: a cron expression of five fields, in the agent's time (`schedule_local_time`).
    #[serde(with = "schedule")]
    pub opens: Schedule,
    /// How long it stays open, seconds: 60 to 604800. What is under way at its end is finished.
    pub lasts: u64,
}

/// The rules that hold.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct RuleSet {
    /// Grows with every change of any rule.
    pub version: u64,
    /// In the order of their names.
    pub rules: Vec<Rule>,
}

/// The rule makes no sense.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidRule {
    /// It would fetch everything.
    #[error(
        "a rule needs at least one condition in 'match': tags, properties, name, visibility, owner, newest or most_used"
    )]
    NoCondition,
    /// A value is too long, too large, or too often there.
    #[error("{0}")]
    Limit(String),
    /// The cron expression.
    #[error(transparent)]
    Schedule(#[from] InvalidSchedule),
}

// === impl Rule ===

impl Rule {
    /// What deserialising does not check.
    ///
    /// # Errors
    /// [`InvalidRule`].
    pub fn check(&self) -> Result<(), InvalidRule> {
        self.images.check()?;
        check_priority(self.priority).map_err(|InvalidDocument(words)| InvalidRule::Limit(words))?;
        if let Some(window) = self.window.as_ref().filter(|it| !(60..=MAX_WINDOW).contains(&it.lasts)) {
            return Err(InvalidRule::Limit(format!("a window lasts 60 to {MAX_WINDOW} seconds, not {}", window.lasts)));
        }
        if self.budget == Some(0) {
            return Err(InvalidRule::Limit(
                "a budget of 0 bytes would fetch nothing: leave it out, or delete the rule".to_owned(),
            ));
        }
        Ok(())
    }
}

// === impl ImageMatch ===

impl ImageMatch {
    /// Whether an image meets the conditions that look at nothing but its record: all but `newest` and `most_used`.
    pub fn meets(&self, image: &RemoteImage) -> bool {
        let property = |name: &str| image.extra.get(name).and_then(Value::as_str);
        self.tags.iter().all(|it| image.tags.contains(it))
            && self.properties.iter().all(|(name, value)| property(name) == Some(value))
            && self
                .name
                .as_deref()
                .is_none_or(|it| WildMatch::new(it).matches(image.name.as_deref().unwrap_or_default()))
            && self.visibility.is_none_or(|it| image.visibility.as_deref() == Some(it.as_str()))
            && (self.owner.is_none() || self.owner == image.owner)
    }

    fn check(&self) -> Result<(), InvalidRule> {
        if *self == Self::default() {
            return Err(InvalidRule::NoCondition);
        }
        for (what, count) in [("tags", self.tags.len()), ("properties", self.properties.len())] {
            if count > MAX_CONDITIONS {
                return Err(InvalidRule::Limit(format!("{what}: {count} are too many, {MAX_CONDITIONS} is the most")));
            }
        }
        let pairs = self.properties.iter().flat_map(|(name, value)| [name, value]);
        let mut texts = self.tags.iter().chain(pairs).chain(&self.name).chain(&self.owner);
        if texts.any(|it| it.is_empty() || it.chars().count() > MAX_TEXT) {
            return Err(InvalidRule::Limit(format!(
                "a text in 'match' is empty, or longer than {MAX_TEXT} characters"
            )));
        }
        for (what, count) in [("newest", self.newest), ("most_used", self.most_used)] {
            if let Some(count) = count.filter(|it| !(1..=MAX_COUNT).contains(it)) {
                return Err(InvalidRule::Limit(format!("{what} is 1 to {MAX_COUNT}, not {count}")));
            }
        }
        Ok(())
    }
}

mod schedule {
    use crate::runtime::schedule::Schedule;
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    pub(super) fn serialize<S: Serializer>(schedule: &Schedule, to: S) -> Result<S::Ok, S::Error> {
        to.collect_str(schedule)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Schedule, D::Error> {
        String::deserialize(from)?.parse().map_err(D::Error::custom)
    }
}

mod visibility {
    use crate::image::Visibility;
    use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error};

    #[expect(clippy::ref_option, reason = "serde asks for this form")]
    pub(super) fn serialize<S: Serializer>(value: &Option<Visibility>, to: S) -> Result<S::Ok, S::Error> {
        value.map(Visibility::as_str).serialize(to)
    }

    pub(super) fn deserialize<'de, D: Deserializer<'de>>(from: D) -> Result<Option<Visibility>, D::Error> {
        let text = Option::<String>::deserialize(from)?;
        text.map(|it| it.parse().map_err(D::Error::custom)).transpose()
    }
}
