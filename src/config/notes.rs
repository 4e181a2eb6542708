//! What an operator should hear about a configuration that can be used as it is.

use super::{
    Origin,
    options::Described,
    sources::{Found, same_section},
};
use std::fmt;

/// A remark about a configuration.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Note {
    /// No program of this family has such an option.
    Unknown {
        /// Where it stands.
        origin: Origin,
        /// `[section] key`.
        name: String,
        /// The nearest name that there is.
        meant: Option<String>,
    },
    /// Glance has these options; Larder does not use them.
    Unused {
        /// `[section] key` of each.
        names: Vec<String>,
    },
    /// Glance does something by this option that would be missed.
    Missed {
        /// Where it stands.
        origin: Origin,
        /// `[section] key`.
        name: String,
        /// What is so in its place.
        instead: String,
    },
    /// The option has a new name.
    Renamed {
        /// Where it stands.
        origin: Origin,
        /// As it is written there.
        old: String,
        /// What to write.
        new: String,
    },
}

/// Options of Glance and its libraries.
const GLANCE: &str = include_str!("glance_options.txt");

/// Options of Glance whose effect operators would miss: values that mean none, and what is so in place of it.
const MISSED: [(&str, &str, &[&str], &str); 5] = [
    ("DEFAULT", "cert_file", &[], "requests are plain HTTP: put a proxy with the certificate in front"),
    ("DEFAULT", "log_file", &[], LOG),
    ("DEFAULT", "log_dir", &[], LOG),
    ("DEFAULT", "use_syslog", &["false"], LOG),
    ("paste_deploy", "config_file", &[], "filters of the site's own in its pipelines do not run"),
];

const LOG: &str = "the log goes to the journal under systemd, and to standard error otherwise";

/// What was found and belongs to no option; Glance's other options are not unknown when `glance` is true.
pub(super) fn unknown(found: &Found, described: &[Described], glance: bool) -> Vec<Note> {
    let (mut notes, mut unused) = (Vec::new(), Vec::new());
    for (section, key, origin) in found.keys() {
        if described.iter().any(|it| it.is_called(section, key)) {
            continue;
        }
        let name = format!("[{section}] {key}");
        if let Some(instead) = missed(found, section, key).filter(|_| glance) {
            notes.push(Note::Missed { origin: origin.clone(), name, instead: instead.to_owned() });
        } else if glance && is_glance(section, key) {
            unused.push(name);
        } else {
            notes.push(Note::Unknown { origin: origin.clone(), name, meant: nearest(section, key, described) });
        }
    }
    if !unused.is_empty() {
        notes.push(Note::Unused { names: unused });
    }
    notes
}

/// Forgets remarks about options that the store `id` of `enabled_backends` has taken from its own section.
#[cfg(feature = "catalogue")]
pub(super) fn of_backend(notes: &mut Vec<Note>, id: &str, taken: &[Described]) {
    let is_taken = |name: &String| taken.iter().any(|it| same_section(name, &format!("[{id}] {}", it.key)));
    for note in notes.iter_mut() {
        if let Note::Unused { names } = note {
            names.retain(|it| !is_taken(it));
        }
    }
    notes.retain(|it| !matches!(it, Note::Unused { names } if names.is_empty()));
}

/// What is so in place of what the option asks for.
fn missed(found: &Found, section: &str, key: &str) -> Option<&'static str> {
    let (.., harmless, instead) = MISSED.iter().find(|it| same_section(it.0, section) && it.1 == key)?;
    let asks =
        |value: &str| !value.trim().is_empty() && !harmless.iter().any(|it| it.eq_ignore_ascii_case(value.trim()));
    found.values(section, key).iter().any(|it| asks(it.0)).then_some(*instead)
}

/// Whether the list has this option; a section that the list does not have may be a store's, with a store's options.
fn is_glance(section: &str, key: &str) -> bool {
    let has = |wanted: &str| {
        let (mut inside, mut known) = (false, false);
        for line in GLANCE.lines().filter(|line| !line.starts_with('#')) {
            match line.strip_prefix('[').and_then(|rest| rest.strip_suffix(']')) {
                Some(name) => inside = same_section(name, wanted),
                None if inside => {
                    known = true;
                    if line == "*" || line.split(' ').any(|name| name == key) {
                        return Some(true);
                    }
                }
                None => {}
            }
        }
        known.then_some(false)
    };
    has(section).unwrap_or_else(|| ["store_description", "weight"].contains(&key) || has("glance_store") == Some(true))
}

/// The name of the option that differs least, if it is near enough to have been meant.
fn nearest(section: &str, key: &str, described: &[Described]) -> Option<String> {
    let near = |it: &&Described| {
        let away = distance(key, it.key);
        let same = same_section(it.section, section);
        // The right key in the wrong section is a common slip.
        (away <= 1 + key.len() / 4 && (same || away == 0)).then_some((away, !same))
    };
    let best = described.iter().filter(|it| near(it).is_some()).min_by_key(near)?;
    Some(format!("[{}] {}", best.section, best.key))
}

/// Levenshtein's.
fn distance(a: &str, b: &str) -> usize {
    let b: Vec<char> = b.chars().collect();
    let mut row: Vec<usize> = (0..=b.len()).collect();
    for (i, from) in a.chars().enumerate() {
        let mut diagonal = i;
        row[0] = i + 1;
        for (j, to) in b.iter().enumerate() {
            let replaced = diagonal + usize::from(from != *to);
            diagonal = row[j + 1];
            row[j + 1] = replaced.min(row[j] + 1).min(diagonal + 1);
        }
    }
    row[b.len()]
}

// === impl Note ===

impl Note {
    /// The same about a section of another name.
    #[cfg(feature = "agent")]
    pub(super) fn in_section(self, section: &str, name: &str) -> Self {
        let (from, to) = (format!("[{section}]"), format!("[{name}]"));
        match self {
            Self::Unknown { origin, name, meant } => Self::Unknown {
                origin,
                name: name.replacen(&from, &to, 1),
                meant: meant.map(|it| it.replacen(&from, &to, 1)),
            },
            other => other,
        }
    }

    /// Whether it is worth a warning, rather than a line for those who look for it.
    pub fn is_warning(&self) -> bool {
        !matches!(self, Self::Unused { .. })
    }
}

impl fmt::Display for Note {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unknown { origin, name, meant: Some(meant) } => {
                write!(f, "{origin}: there is no option {name}; is {meant} meant? It is passed over")
            }
            Self::Unknown { origin, name, meant: None } => {
                write!(f, "{origin}: there is no option {name}; it is passed over")
            }
            Self::Unused { names } => {
                write!(f, "{} options of Glance are set that Larder does not use: {}", names.len(), names.join(", "))
            }
            Self::Missed { origin, name, instead } => {
                write!(f, "{origin}: {name} is not used by this version: {instead}")
            }
            Self::Renamed { origin, old, new } => write!(f, "{origin}: {old} is called {new} now; its value is used"),
        }
    }
}

// === impl Described ===

impl Described {
    fn is_called(&self, section: &str, key: &str) -> bool {
        let former = |name: &&str| {
            let (its_section, its_key) = name.split_once('/').unwrap_or((self.section, name));
            same_section(its_section, section) && its_key == key
        };
        (same_section(self.section, section) && self.key == key) || self.former.iter().any(former)
    }
}
