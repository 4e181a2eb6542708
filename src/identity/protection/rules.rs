//! Who may do what to which property.

use crate::identity::{
    Caller,
    policy::{Enforcer, NoTarget},
    protection::{ProtectionError, ini},
};
use fancy_regex::{Regex, RegexBuilder};
use std::{fs, path::PathBuf};

/// Most steps of a match; more is no match, which protects.
const MAX_STEPS: usize = 100_000;

/// `property_protection_file` and `property_protection_rule_format`.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// None: no property is protected.
    pub property_protection_file: Option<PathBuf>,
    /// What the file's values are.
    pub property_protection_rule_format: Format,
}

/// What the values of a protection file are.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Format {
    /// Comma-separated roles.
    #[default]
    Roles,
    /// The name of one policy rule.
    Policies,
}

/// What is done to a property.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Action {
    /// It is new on the image.
    Create,
    /// It is shown.
    Read,
    /// It gets another value.
    Update,
    /// It is taken away.
    Delete,
}

/// The rules of a file; without a file, everything is allowed.
#[derive(Debug, Default)]
pub struct Protections {
    /// None: nothing is protected.
    sections: Option<Vec<Section>>,
}

#[derive(Debug)]
struct Section {
    pattern: Regex,
    /// In the order of [`ACTIONS`].
    who: [Who; 4],
}

#[derive(Debug)]
enum Who {
    Everybody,
    Nobody,
    /// In lower case.
    Roles(Vec<String>),
    /// As `[pattern] action = rule` of the policy.
    Rule(String),
}

const ACTIONS: [(Action, &str); 4] =
    [(Action::Create, "create"), (Action::Read, "read"), (Action::Update, "update"), (Action::Delete, "delete")];

// === impl Format ===

impl std::str::FromStr for Format {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_lowercase().as_str() {
            "roles" => Ok(Self::Roles),
            "policies" => Ok(Self::Policies),
            _ => Err(format!("'{text}' is no rule format: it is roles or policies")),
        }
    }
}

// === impl Protections ===

impl Protections {
    /// Reads the file, if there is one. Blocks.
    pub fn open(settings: &Settings) -> Result<Self, ProtectionError> {
        let Some(path) = &settings.property_protection_file else { return Ok(Self::default()) };
        let text = fs::read_to_string(path).map_err(|source| ProtectionError::Read { path: path.clone(), source })?;
        Self::parse(&text, settings.property_protection_rule_format)
    }

    /// Reads the text of a file.
    pub fn parse(text: &str, format: Format) -> Result<Self, ProtectionError> {
        let sections = ini::read(text)?;
        // First of all, so that no pattern of the file hides it.
        let open = || [const { Who::Everybody }; 4];
        let mut all = vec![Section { pattern: compile("os_glance.*")?, who: open() }];
        for (name, options) in sections {
            if !name.starts_with("os_glance") {
                all.push(section(&name, &options, format)?);
            }
        }
        Ok(Self { sections: Some(all) })
    }

    /// True when no property is protected: callers can save the question.
    pub fn is_empty(&self) -> bool {
        self.sections.is_none()
    }

    /// The rules of the policy that the file names, and that are not there: for those the policy's default rule holds.
    pub fn unknown_rules(&self, enforcer: &Enforcer) -> Vec<&str> {
        let rules = enforcer.rules();
        let named = self.sections.iter().flatten().flat_map(|it| &it.who);
        let mut unknown: Vec<&str> = named
            .filter_map(|it| if let Who::Rule(rule) = it { Some(rule.as_str()) } else { None })
            .filter(|it| !rules.contains(it))
            .collect();
        unknown.sort_unstable();
        unknown.dedup();
        unknown
    }

    /// Whether `caller` may do it to the property of this name.
    pub fn allow(&self, property: &str, action: Action, caller: &Caller, enforcer: &Enforcer) -> bool {
        let Some(sections) = &self.sections else { return true };
        // A match that takes too long counts as one that nobody may pass.
        let mut found = sections.iter().map(|it| (it, it.pattern.is_match(property)));
        let section = match found.find(|(_, matches)| !matches!(matches, Ok(false))) {
            Some((section, Ok(_))) => section,
            Some((_, Err(_))) | None => return false,
        };
        let who = ACTIONS.iter().position(|(it, _)| *it == action).and_then(|at| section.who.get(at));
        match who {
            Some(Who::Everybody) => true,
            Some(Who::Nobody) | None => false,
            Some(Who::Roles(roles)) => {
                roles.iter().any(|it| caller.roles.contains(it) || caller.service_roles().contains(it))
            }
            Some(Who::Rule(rule)) => enforcer.allows(rule, &NoTarget, caller),
        }
    }
}

fn section(name: &str, options: &[(String, String)], format: Format) -> Result<Section, ProtectionError> {
    let mut who = [const { Who::Nobody }; 4];
    for (slot, (_, action)) in who.iter_mut().zip(ACTIONS) {
        let missing = || ProtectionError::Missing { section: name.to_owned(), action };
        let value = options.iter().find(|(it, _)| it == action).map(|(_, value)| value).ok_or_else(missing)?;
        let wrong = |what| ProtectionError::Value { section: name.to_owned(), action, value: value.clone(), what };
        *slot = match format {
            Format::Roles => roles(value).map_err(wrong)?,
            Format::Policies => rule(value).map_err(wrong)?,
        };
    }
    Ok(Section { pattern: compile(name)?, who })
}

fn roles(value: &str) -> Result<Who, &'static str> {
    let roles: Vec<String> = value.split(',').map(|it| it.trim().to_lowercase()).collect();
    let has = |it: &str| roles.iter().any(|role| role == it);
    match (has("@"), has("!")) {
        (true, true) => Err("@ (everybody) and ! (nobody) exclude each other"),
        (true, false) => Ok(Who::Everybody),
        (false, true) => Ok(Who::Nobody),
        (false, false) => Ok(Who::Roles(roles.into_iter().filter(|it| !it.is_empty()).collect())),
    }
}

fn rule(value: &str) -> Result<Who, &'static str> {
    match value {
        "" | "!" => Ok(Who::Nobody),
        "@" => Ok(Who::Everybody),
        it if it.contains(',') => Err("it takes one policy rule; combine rules in the policy file"),
        it => Ok(Who::Rule(it.to_owned())),
    }
}

fn compile(pattern: &str) -> Result<Regex, ProtectionError> {
    let failed = |e| ProtectionError::Pattern { section: pattern.to_owned(), source: Box::new(e) };
    RegexBuilder::new(pattern).backtrack_limit(MAX_STEPS).build().map_err(failed)
}
