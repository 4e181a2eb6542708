//! A rule as a tree.

use crate::identity::policy::{
    Attributes, Credentials,
    remote::{Answers, Question, Remote},
    template::Template,
};
use std::fmt;

/// What must hold for a request to be allowed. Prints as the policy language writes it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Check {
    /// `@`: everybody.
    True,
    /// `!`: nobody.
    False,
    /// Not understood: whatever it stands in denies.
    Refused,
    /// `not x`
    Not(Box<Check>),
    /// `(x and y)`
    And(Vec<Check>),
    /// `(x or y)`
    Or(Vec<Check>),
    /// `rule:x`, `role:x`, `x:y`.
    Leaf(Leaf),
}

/// A check without checks in it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Leaf(pub(super) LeafKind);

#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LeafKind {
    /// `at` is its place among the rules: none before they are put together, or when there is no such rule.
    Rule {
        name: String,
        at: Option<usize>,
    },
    Role(Template),
    /// `http:…`, `https:…`: the URL that is asked.
    Remote(Template),
    /// `'literal':…`; as written, and its value as Python prints it.
    Literal {
        written: String,
        value: String,
        template: Template,
    },
    /// `a.b:…`: an attribute of the credentials.
    Credential {
        key: String,
        path: Vec<String>,
        template: Template,
    },
}

/// A question to the rules.
pub(super) struct Asking<'a, T: ?Sized, C: ?Sized> {
    /// Those that [`LeafKind::Rule`] points into; they have no circles.
    pub(super) rules: &'a [Check],
    /// The rule that was asked for.
    pub(super) rule: &'a str,
    pub(super) target: &'a T,
    pub(super) credentials: &'a C,
    /// None: remote checks deny.
    pub(super) remote: Option<(&'a Remote, &'a Answers)>,
}

// === impl Check ===

impl Check {
    pub(super) fn holds<T, C>(&self, asked: &Asking<'_, T, C>) -> bool
    where
        T: Attributes + ?Sized,
        C: Credentials + ?Sized,
    {
        match self {
            Self::True => true,
            Self::False | Self::Refused => false,
            Self::Not(check) => !check.holds(asked),
            Self::And(checks) => checks.iter().all(|it| it.holds(asked)),
            Self::Or(checks) => checks.iter().any(|it| it.holds(asked)),
            Self::Leaf(Leaf(leaf)) => leaf.holds(asked),
        }
    }

    /// Whether a part of it was not understood.
    pub(super) fn is_refused(&self) -> bool {
        match self {
            Self::Refused => true,
            Self::Not(check) => check.is_refused(),
            Self::And(checks) | Self::Or(checks) => checks.iter().any(Self::is_refused),
            Self::True | Self::False | Self::Leaf(_) => false,
        }
    }

    /// Calls `see` with every `rule:` in it.
    pub(super) fn references<'a>(&'a mut self, see: &mut dyn FnMut(&'a str, &'a mut Option<usize>)) {
        match self {
            Self::True | Self::False | Self::Refused => {}
            Self::Not(check) => check.references(see),
            Self::And(checks) | Self::Or(checks) => checks.iter_mut().for_each(|it| it.references(see)),
            Self::Leaf(Leaf(LeafKind::Rule { name, at })) => see(name, at),
            Self::Leaf(_) => {}
        }
    }
}

// === impl LeafKind ===

impl LeafKind {
    fn holds<T, C>(&self, asked: &Asking<'_, T, C>) -> bool
    where
        T: Attributes + ?Sized,
        C: Credentials + ?Sized,
    {
        let (target, credentials) = (asked.target, asked.credentials);
        match self {
            Self::Rule { at, .. } => at.and_then(|it| asked.rules.get(it)).is_some_and(|it| it.holds(asked)),
            Self::Role(Template::Fixed(role)) => credentials.has_role(role),
            Self::Role(template) => template.fill(target).is_some_and(|it| credentials.has_role(&it.to_lowercase())),
            Self::Remote(url) => asked.remote.zip(url.fill(target)).is_some_and(|((remote, answers), url)| {
                let question = Question {
                    url: url.into_owned(),
                    rule: serde_json::Value::from(asked.rule).to_string(),
                    target: target.all().to_string(),
                    credentials: credentials.all().to_string(),
                };
                remote.allows(question, answers)
            }),
            Self::Literal { value, template, .. } => template.fill(target).is_some_and(|it| it == value.as_str()),
            Self::Credential { key, path, template } => template
                .fill(target)
                .is_some_and(|expected| credentials.get(key).is_some_and(|it| it.holds(path, &expected))),
        }
    }
}

impl fmt::Display for Check {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let joined = |f: &mut fmt::Formatter<'_>, checks: &[Check], word: &str| {
            f.write_str("(")?;
            for (index, check) in checks.iter().enumerate() {
                write!(f, "{}{check}", if index == 0 { "" } else { word })?;
            }
            f.write_str(")")
        };
        match self {
            Self::True => f.write_str("@"),
            Self::False | Self::Refused => f.write_str("!"),
            Self::Not(check) => write!(f, "not {check}"),
            Self::And(checks) => joined(f, checks, " and "),
            Self::Or(checks) => joined(f, checks, " or "),
            Self::Leaf(Leaf(leaf)) => match leaf {
                LeafKind::Rule { name, .. } => write!(f, "rule:{name}"),
                LeafKind::Role(template) => write!(f, "role:{template}"),
                LeafKind::Remote(template) => write!(f, "{template}"),
                LeafKind::Literal { written, template, .. } => write!(f, "{written}:{template}"),
                LeafKind::Credential { key, path, template } => {
                    f.write_str(key)?;
                    path.iter().try_for_each(|it| write!(f, ".{it}"))?;
                    write!(f, ":{template}")
                }
            },
        }
    }
}
