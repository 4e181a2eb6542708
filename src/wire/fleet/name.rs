//! Names: of nodes, rules and jobs.

use serde::{Deserialize, Serialize};
use std::{fmt, str::FromStr};

/// The most characters of a node's name, which is a host's.
const MAX_NODE: usize = 253;

/// The most characters of a rule's name.
const MAX_RULE: usize = 64;

/// A node's name, in lower case: host names do not know case, and some databases do not either.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct NodeName(String);

/// A rule's name; case counts.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RuleName(String);

/// A job's id, a UUID in lower case.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct JobId(String);

/// The text is no such name.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{text}' is not {wanted}")]
pub struct InvalidName {
    /// What was given, cut to 80 characters.
    pub text: String,
    /// What it should have been.
    pub wanted: &'static str,
}

const A_NODE: &str =
    "a node's name: it takes up to 253 letters, digits, '.', '_' and '-', and begins with a letter or digit";
const A_RULE: &str =
    "a rule's name: it takes up to 64 letters, digits, '.', '_' and '-', and begins with a letter or digit";
const A_JOB: &str = "a job's id: it takes a UUID such as 9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69";

impl InvalidName {
    fn new(text: &str, wanted: &'static str) -> Self {
        Self { text: text.chars().take(80).collect(), wanted }
    }
}

fn is_word(text: &str, most: usize) -> bool {
    let may_stand = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-');
    text.len() <= most
        && text.bytes().all(may_stand)
        && text.bytes().next().is_some_and(|it| it.is_ascii_alphanumeric())
}

macro_rules! text {
    ($name:ident) => {
        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<String> for $name {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                text.parse()
            }
        }

        impl From<$name> for String {
            fn from(name: $name) -> Self {
                name.0
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }
    };
}

text!(NodeName);
text!(RuleName);
text!(JobId);

// === impl NodeName ===

impl FromStr for NodeName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let fits = is_word(text, MAX_NODE);
        if fits { Ok(Self(text.to_ascii_lowercase())) } else { Err(InvalidName::new(text, A_NODE)) }
    }
}

// === impl RuleName ===

impl FromStr for RuleName {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        if is_word(text, MAX_RULE) { Ok(Self(text.to_owned())) } else { Err(InvalidName::new(text, A_RULE)) }
    }
}

// === impl JobId ===

impl JobId {
    /// The id of 128 random bits.
    pub fn from_random(bits: u128) -> Self {
        Self(uuid::Builder::from_random_bytes(bits.to_be_bytes()).into_uuid().to_string())
    }
}

impl FromStr for JobId {
    type Err = InvalidName;

    fn from_str(text: &str) -> Result<Self, InvalidName> {
        let plain = if text.len() == 36 { uuid::Uuid::try_parse(text).ok() } else { None };
        plain.map(|it| Self(it.to_string())).ok_or_else(|| InvalidName::new(text, A_JOB))
    }
}
