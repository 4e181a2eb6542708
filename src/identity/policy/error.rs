//! Why there are no rules, or not the new ones.

use crate::identity::policy::SyntaxError;
use std::{error::Error, io, path::PathBuf};

/// A policy file is not usable.
#[derive(Debug, thiserror::Error)]
pub enum PolicyError {
    /// The folder's names cannot be read.
    #[error("cannot list the policy folder {}", path.display())]
    List {
        /// The folder.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// The file cannot be read.
    #[error("cannot read the policy file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// It is larger than any policy file.
    #[error("the policy file {} has more than {limit} bytes", path.display())]
    TooLarge {
        /// The file.
        path: PathBuf,
        /// In bytes.
        limit: u64,
    },
    /// It is not YAML, or not a mapping of names to rules.
    #[error("the policy file {} is not a mapping of rule names to rules", path.display())]
    Yaml {
        /// The file.
        path: PathBuf,
        /// With line and column.
        source: Box<dyn Error + Send + Sync>,
    },
    /// A rule makes no sense.
    #[error("{}:{line}: rule '{rule}'", path.display())]
    Rule {
        /// The file.
        path: PathBuf,
        /// Where the rule's text begins, from 1.
        line: u64,
        /// The rule's name.
        rule: String,
        /// What is wrong in it.
        source: SyntaxError,
    },
    /// Rules refer to each other in a circle.
    #[error(
        "these policy rules refer to each other in a circle, through too many others, or to one that makes no sense: {}",
        rules.join(", ")
    )]
    Circle {
        /// Their names, and those of the rules that need them.
        rules: Vec<String>,
    },
}
