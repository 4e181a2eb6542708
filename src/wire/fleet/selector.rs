//! Labels of nodes, and what selects nodes by them.

use crate::wire::fleet::InvalidDocument;
use serde::{Deserialize, Serialize};
use std::{collections::BTreeMap, fmt, str::FromStr};

/// The most labels of a node, and of a selector.
const MAX_LABELS: usize = 32;

/// The most characters of a label's name or value.
const MAX_TEXT: usize = 63;

/// What an operator says of a node: `site=x`, `rack=r1`, `aggregate=gpu`. Names and values are up to 63 letters, digits,
/// `.`, `_`, `-`, `/` and `:`; case counts; up to 32 of them.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "BTreeMap<String, String>", into = "BTreeMap<String, String>")]
pub struct Labels(BTreeMap<String, String>);

/// Which nodes: those that have all of these labels. Written `site=x,rack=r1`; the empty one selects every node.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Selector(BTreeMap<String, String>);

/// The text is no label, or there are too many.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum InvalidLabel {
    /// Not `name=value`.
    #[error("'{0}' is not a label: it takes NAME=VALUE, such as site=x")]
    NotPair(String),
    /// A character that may not stand there.
    #[error("'{0}' is not a label's name or value: it takes 1 to 63 letters, digits, '.', '_', '-', '/' and ':'")]
    Text(String),
    /// The same name again.
    #[error("the label '{0}' is given twice")]
    Twice(String),
    /// Too many of them.
    #[error("there are {0} labels, and {MAX_LABELS} is the most")]
    TooMany(usize),
}

// === impl Labels ===

impl Labels {
    /// Labels of these pairs.
    ///
    /// # Errors
    /// [`InvalidLabel`].
    pub fn new(labels: BTreeMap<String, String>) -> Result<Self, InvalidLabel> {
        check(&labels).map(|()| Self(labels))
    }

    /// The pairs in the order of their names.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The value of a label.
    pub fn get(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(String::as_str)
    }
}

impl TryFrom<BTreeMap<String, String>> for Labels {
    type Error = InvalidLabel;

    fn try_from(labels: BTreeMap<String, String>) -> Result<Self, InvalidLabel> {
        Self::new(labels)
    }
}

impl From<Labels> for BTreeMap<String, String> {
    fn from(labels: Labels) -> Self {
        labels.0
    }
}

impl FromStr for Labels {
    type Err = InvalidLabel;

    /// `site=x,rack=r1`; the empty text is no labels.
    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        pairs(text).map(Self)
    }
}

impl fmt::Display for Labels {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(&self.0, f)
    }
}

// === impl Selector ===

impl Selector {
    /// Whether a node with these labels is selected.
    pub fn matches(&self, labels: &Labels) -> bool {
        self.0.iter().all(|(name, value)| labels.get(name) == Some(value))
    }

    /// Whether it selects every node.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// The labels that a node must have.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &str)> {
        self.0.iter().map(|(name, value)| (name.as_str(), value.as_str()))
    }

    /// The same, if it selects by at least one label.
    ///
    /// # Errors
    /// [`InvalidDocument`].
    pub fn not_empty(self) -> Result<Self, InvalidDocument> {
        if self.is_empty() {
            return Err(InvalidDocument("The selector is empty: name a label, or ask for all nodes.".to_owned()));
        }
        Ok(self)
    }
}

impl FromStr for Selector {
    type Err = InvalidLabel;

    fn from_str(text: &str) -> Result<Self, InvalidLabel> {
        pairs(text).map(Self)
    }
}

impl TryFrom<String> for Selector {
    type Error = InvalidLabel;

    fn try_from(text: String) -> Result<Self, InvalidLabel> {
        text.parse()
    }
}

impl From<Selector> for String {
    fn from(selector: Selector) -> Self {
        selector.to_string()
    }
}

impl fmt::Display for Selector {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write(&self.0, f)
    }
}

fn pairs(text: &str) -> Result<BTreeMap<String, String>, InvalidLabel> {
    let mut labels = BTreeMap::new();
    let text = text.trim();
    let parts = text.split(',').map(str::trim).filter(|_| !text.is_empty());
    for part in parts {
        let (name, value) = part.split_once('=').ok_or_else(|| InvalidLabel::NotPair(short(part)))?;
        let (name, value) = (name.trim(), value.trim());
        if labels.insert(name.to_owned(), value.to_owned()).is_some() {
            return Err(InvalidLabel::Twice(short(name)));
        }
    }
    check(&labels)?;
    Ok(labels)
}

fn check(labels: &BTreeMap<String, String>) -> Result<(), InvalidLabel> {
    if labels.len() > MAX_LABELS {
        return Err(InvalidLabel::TooMany(labels.len()));
    }
    let may_stand = |it: u8| it.is_ascii_alphanumeric() || matches!(it, b'.' | b'_' | b'-' | b'/' | b':');
    let wrong = |text: &&String| text.is_empty() || text.len() > MAX_TEXT || !text.bytes().all(may_stand);
    match labels.iter().flat_map(|(name, value)| [name, value]).find(wrong) {
        Some(text) => Err(InvalidLabel::Text(short(text))),
        None => Ok(()),
    }
}

fn write(labels: &BTreeMap<String, String>, f: &mut fmt::Formatter<'_>) -> fmt::Result {
    for (at, (name, value)) in labels.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        write!(f, "{comma}{name}={value}")?;
    }
    Ok(())
}

fn short(text: &str) -> String {
    text.chars().take(80).collect()
}
