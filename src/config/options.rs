//! One list of options for reading, for the sample file and for the test of the shipped files.
//!
//! A program's visitor names each option with its field; [`Options`] walks along and describes or fills it.

use super::{
    Note,
    error::{Problem, Problems},
    sources::{Found, Origin, same_section},
    substitute::substitute,
    value::{As, Kind, Refused, Value},
};
use std::collections::HashMap;

/// What a visitor is called with.
pub(super) struct Options<'a> {
    section: &'static str,
    reading: Option<Reading<'a>>,
    described: Vec<Described>,
    problems: Vec<Problem>,
    notes: Vec<Note>,
}

/// One option as it was bound.
#[derive(Clone, Debug)]
pub(super) struct Described {
    pub(super) section: &'static str,
    pub(super) key: &'static str,
    /// Names by which older releases knew it: `section/key`, or a key of the same section.
    pub(super) former: &'static [&'static str],
    pub(super) help: &'static str,
    pub(super) takes: String,
    /// The field's values before anything was read.
    pub(super) default: Vec<String>,
}

struct Reading<'a> {
    found: &'a Found,
    defaults: &'a HashMap<(&'static str, &'static str), String>,
}

/// What a program's options do with its settings.
pub(super) type Visitor<S> = fn(&mut Options<'_>, &mut S);

/// Lists the options with the values that `settings` has now.
pub(super) fn describe<S>(visit: Visitor<S>, settings: &mut S) -> Vec<Described> {
    let mut options = Options::new(None);
    visit(&mut options, settings);
    options.described
}

/// Fills `settings` with what was found.
///
/// # Errors
/// All values that are wrong, together; the fields of the right ones are set.
pub(super) fn read<S>(
    visit: Visitor<S>,
    settings: &mut S,
    found: &Found,
) -> Result<(Vec<Described>, Vec<Note>), Problems> {
    let described = describe(visit, settings);
    let defaults = described.iter().filter_map(|it| Some(((it.section, it.key), it.default.last()?.clone()))).collect();
    let mut options = Options::new(Some(Reading { found, defaults: &defaults }));
    visit(&mut options, settings);
    if options.problems.is_empty() { Ok((described, options.notes)) } else { Err(Problems(options.problems)) }
}

// === impl Options ===

impl<'a> Options<'a> {
    fn new(reading: Option<Reading<'a>>) -> Self {
        Self { section: "DEFAULT", reading, described: Vec::new(), problems: Vec::new(), notes: Vec::new() }
    }

    /// The options that follow are of this section.
    pub(super) fn section(&mut self, name: &'static str) {
        self.section = name;
    }

    /// One option: its key, its field, and what it is for.
    pub(super) fn bind(&mut self, key: &'static str, field: &mut dyn Value, help: &'static str) {
        self.bind_renamed(key, &[], field, help);
    }

    /// One option whose field has no form of its own.
    pub(super) fn bind_as<T>(&mut self, key: &'static str, field: &mut T, kind: Kind<T>, help: &'static str) {
        self.bind_renamed(key, &[], &mut As(field, kind), help);
    }

    /// One option that older releases knew by other names: `section/key`, or a key of the same section.
    pub(super) fn bind_renamed(
        &mut self,
        key: &'static str,
        former: &'static [&'static str],
        field: &mut dyn Value,
        help: &'static str,
    ) {
        let (section, takes, default) = (self.section, field.takes(), field.write());
        self.described.push(Described { section, key, former, help, takes, default });
        let Some(reading) = &self.reading else { return };
        let mut values = reading.found.values(section, key);
        for name in former {
            if values.is_empty() {
                let (old_section, old_key) = name.split_once('/').unwrap_or((section, name));
                values = reading.found.values(old_section, old_key);
                if let Some((_, origin)) = values.last() {
                    self.notes.push(Note::Renamed {
                        origin: origin.clone(),
                        old: format!("[{old_section}] {old_key}"),
                        new: format!("[{section}] {key}"),
                    });
                }
            }
        }
        if let Err(problem) = fill(reading, (section, key), &values, field) {
            self.problems.push(*problem);
        }
    }
}

fn fill(
    reading: &Reading<'_>,
    (section, key): (&str, &str),
    values: &[(&str, Origin)],
    field: &mut dyn Value,
) -> Result<(), Box<Problem>> {
    let Some((written, origin)) = values.last() else { return Ok(()) };
    let (takes, secret) = (field.takes(), field.is_secret());
    let lookup = |section: &str, key: &str| reading.value_of(section, key);
    let resolved: Result<Vec<String>, Refused> = values
        .iter()
        .map(|(value, _)| substitute(value, section, &lookup).map_err(|error| Refused(Some(error.to_string()))))
        .collect();
    resolved.and_then(|values| field.read(&values)).map_err(|Refused(why)| {
        Box::new(Problem {
            origin: origin.clone(),
            section: section.to_owned(),
            key: key.to_owned(),
            value: if secret { "***".to_owned() } else { shortened(written) },
            why: why.map_or_else(|| format!("it takes {takes}"), |why| format!("{why}; it takes {takes}")),
        })
    })
}

/// The value for a message: one line, not too long.
fn shortened(value: &str) -> String {
    let line: String = value.chars().map(|c| if c.is_control() { ' ' } else { c }).take(120).collect();
    if line.len() < value.len() { format!("{line}…") } else { line }
}

// === impl Reading ===

impl Reading<'_> {
    /// What `$key` stands for: the winning value, else the option's default.
    fn value_of(&self, section: &str, key: &str) -> Option<String> {
        let found = self.found.values(section, key).pop().map(|(value, _)| value.to_owned());
        found.or_else(|| {
            let mut defaults = self.defaults.iter();
            defaults.find(|((its, name), _)| same_section(its, section) && *name == key).map(|(_, value)| value.clone())
        })
    }
}
