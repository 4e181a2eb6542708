//! `[rule:NAME]` of the agent: prefetch rules of this node's own, in the words of the centre's.

use super::{
    Note,
    error::{Problem, Problems},
    notes::unknown,
    options::{Described, Options, describe, read},
    sources::Found,
    value::{BYTES, Kind, Refused, parsed_or_unset},
};
use crate::image::Visibility;
use crate::runtime::schedule::Schedule;
use crate::wire::fleet::{ImageMatch, InvalidLabel, Rule, RuleName, Selector, Window};
use std::collections::BTreeMap;

/// What the section's name begins with.
const PREFIX: &str = "rule:";
/// The section in the sample, and in the list of options.
const SECTION: &str = "rule:NAME";
/// The most rules of a file.
const MOST: usize = 100;

/// A rule, while its options are read.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Draft {
    tags: Vec<String>,
    properties: BTreeMap<String, String>,
    name: Option<String>,
    visibility: Option<Visibility>,
    owner: Option<String>,
    newest: u32,
    most_used: u32,
    nodes: Selector,
    window_opens: Option<Schedule>,
    window_lasts: u64,
    budget: u64,
    priority: i32,
    pin: bool,
}

const COUNT: Kind<u32> = Kind {
    takes: "a whole number from 1 to 10000; 0 for all of them",
    read: |text| text.trim().parse().ok().filter(|it| *it <= 10_000).ok_or_else(Refused::default),
    write: |value| Some(value.to_string()),
};

const LASTS: Kind<u64> = Kind {
    takes: "seconds, from 60 to 604800",
    read: |text| text.trim().parse().ok().filter(|it| (60..=604_800).contains(it)).ok_or_else(Refused::default),
    write: |value| Some(value.to_string()),
};

const PRIORITY: Kind<i32> = Kind {
    takes: "a whole number from -100 to 100",
    read: |text| text.trim().parse().ok().filter(|it| (-100..=100).contains(it)).ok_or_else(Refused::default),
    write: |value| Some(value.to_string()),
};

/// As the commands write it, and as oslo's dict.
const NODES: Kind<Selector> = Kind {
    takes: "labels such as site=berlin,rack=r7; empty for every node",
    read: |text| {
        let pair = |it: &str| if it.contains('=') { it.to_owned() } else { it.replacen(':', "=", 1) };
        let pairs: Vec<String> = text.split(',').map(pair).collect();
        pairs.join(",").parse().map_err(|error: InvalidLabel| Refused(Some(error.to_string())))
    },
    write: |selector| Some(selector.to_string()),
};

const VISIBILITY: Kind<Option<Visibility>> = Kind {
    takes: "public, private, shared or community",
    read: |text| match text.trim() {
        "" => Ok(None),
        word => word.parse().map(Some).map_err(|_| Refused::default()),
    },
    write: |value| value.map(|it| it.as_str().to_owned()),
};

fn visit(options: &mut Options<'_>, it: &mut Draft) {
    options.section(SECTION);
    options.bind(
        "tags",
        &mut it.tags,
        "A section [rule:NAME] for each rule of this node's own; it takes the place of the centre's rule of that name. \
         Its images are fetched without being asked for, and kept; it needs at least one condition. Images carry all of these tags.",
    );
    options.bind("properties", &mut it.properties, "They have all of these properties, with these values.");
    options.bind("name", &mut it.name, "Their name is like this: * stands for any text, ? for one character.");
    options.bind_as("visibility", &mut it.visibility, VISIBILITY, "They have this visibility.");
    options.bind("owner", &mut it.owner, "They belong to this project (its id).");
    options.bind_as(
        "newest",
        &mut it.newest,
        COUNT,
        "Of these, the newest so many of each family: the properties os_distro and os_version together.",
    );
    options.bind_as(
        "most_used",
        &mut it.most_used,
        COUNT,
        "Of these, the so many that instances of this node use most lately.",
    );
    options.bind_as(
        "nodes",
        &mut it.nodes,
        NODES,
        "The rule counts on nodes with all of these labels ([fleet] labels).",
    );
    options.bind_as(
        "window_opens",
        &mut it.window_opens,
        parsed_or_unset("five fields as in crontab, such as 0 1 * * *; empty for always"),
        "They are fetched only within a window that opens then. In UTC, or in local time with schedule_local_time.",
    );
    options.bind_as(
        "window_lasts",
        &mut it.window_lasts,
        LASTS,
        "How long it stays open; what is under way at its end is finished.",
    );
    options.bind_as(
        "budget",
        &mut it.budget,
        BYTES,
        "The most bytes of data of all images of this rule; what does not fit is left out. 0 for no limit.",
    );
    options.bind_as("priority", &mut it.priority, PRIORITY, "Images of greater priority come first.");
    options.bind(
        "pin",
        &mut it.pin,
        "Never remove them while the rule finds them, and remove others for their room. Otherwise they are fetched only \
         while there is room (cache_low_watermark, cache_evict_until_free), and go when room is needed.",
    );
}

/// The options of a rule, for the sample.
pub(super) fn described() -> Vec<Described> {
    describe(visit, &mut Draft::default())
}

/// Takes the rules out of what was found.
///
/// # Errors
/// All values that are wrong, with their sections.
pub(super) fn take(found: &mut Found) -> Result<(Vec<Rule>, Vec<Note>), Problems> {
    let (mut rules, mut notes, mut problems) = (Vec::new(), Vec::new(), Vec::new());
    for section in found.sections(PREFIX) {
        let only = found.take_section(&section, SECTION);
        match rule(&section, &found.with(&only)) {
            Ok(rule) => rules.extend(rule),
            Err(wrong) => {
                problems.extend(wrong.0.into_iter().map(|it| Problem {
                    section: if it.section == SECTION { section.clone() } else { it.section },
                    ..it
                }))
            }
        }
        notes.extend(unknown(&only, &described(), false).into_iter().map(|it| it.in_section(SECTION, &section)));
        if rules.len() > MOST {
            problems.extend(problem(&section, &only, format!("there are more than {MOST} rules, which is the most")));
            break;
        }
    }
    if problems.is_empty() { Ok((rules, notes)) } else { Err(Problems(problems)) }
}

fn rule(section: &str, found: &Found) -> Result<Option<Rule>, Problems> {
    let mut draft = Draft::default();
    read(visit, &mut draft, found)?;
    let name = section.get(PREFIX.len()..).unwrap_or_default();
    // The sample's, with every option at its default, is none.
    if section == SECTION && draft == Draft::default() {
        return Ok(None);
    }
    let refused = |why: String| Problems(problem(section, found, why).into_iter().collect());
    let name: RuleName = name.parse().map_err(|error: crate::wire::fleet::InvalidName| refused(error.to_string()))?;
    let rule = draft.into_rule(name);
    rule.check().map_err(|error| refused(error.to_string()))?;
    Ok(Some(rule))
}

/// A problem of the section as a whole, told at its first option.
fn problem(section: &str, found: &Found, why: String) -> Option<Problem> {
    let (_, key, _) = found.keys().into_iter().find(|(it, ..)| *it == SECTION)?;
    let (value, origin) = found.values(SECTION, key).pop()?;
    let value: String = value.chars().take(120).collect();
    Some(Problem { origin, section: section.to_owned(), key: key.to_owned(), value, why })
}

// === impl Draft ===

impl Default for Draft {
    fn default() -> Self {
        Self {
            tags: Vec::new(),
            properties: BTreeMap::new(),
            name: None,
            visibility: None,
            owner: None,
            newest: 0,
            most_used: 0,
            nodes: Selector::default(),
            window_opens: None,
            window_lasts: 3600,
            budget: 0,
            priority: 0,
            pin: false,
        }
    }
}

impl Draft {
    fn into_rule(self, name: RuleName) -> Rule {
        let count = |it: u32| Some(it).filter(|it| *it > 0);
        let lasts = self.window_lasts;
        Rule {
            name: Some(name),
            images: ImageMatch {
                tags: self.tags.into_iter().collect(),
                properties: self.properties,
                name: self.name,
                visibility: self.visibility,
                owner: self.owner,
                newest: count(self.newest),
                most_used: count(self.most_used),
            },
            nodes: self.nodes,
            window: self.window_opens.map(|opens| Window { opens, lasts }),
            budget: Some(self.budget).filter(|it| *it > 0),
            priority: self.priority,
            pin: self.pin,
        }
    }
}
