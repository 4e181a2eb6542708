//! Why a protection file is not usable.

use std::{io, path::PathBuf};

/// A property protection file with a mistake; a server does not start with one.
#[derive(Debug, thiserror::Error)]
pub enum ProtectionError {
    /// The file cannot be read.
    #[error("cannot read the property protection file {}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// The system's words.
        source: io::Error,
    },
    /// A line that is none of an INI file.
    #[error("the property protection file: line {line}: {what}")]
    Line {
        /// Counted from 1.
        line: usize,
        /// In words.
        what: String,
    },
    /// The name of a section is no regular expression.
    #[error("the property protection file: section [{section}] is not a regular expression")]
    Pattern {
        /// The section.
        section: String,
        /// Where and why.
        source: Box<fancy_regex::Error>,
    },
    /// A section does not say who may do one of the four.
    #[error("the property protection file: section [{section}] lacks '{action} ='")]
    Missing {
        /// The section.
        section: String,
        /// `create`, `read`, `update` or `delete`.
        action: &'static str,
    },
    /// What stands behind the `=` makes no sense.
    #[error("the property protection file: [{section}] {action} = {value}: {what}")]
    Value {
        /// The section.
        section: String,
        /// `create`, `read`, `update` or `delete`.
        action: &'static str,
        /// As written.
        value: String,
        /// In words.
        what: &'static str,
    },
}
