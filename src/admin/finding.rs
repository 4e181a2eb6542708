//! What `larder agent check` found on a node.

use serde::Serialize;
use std::fmt;

/// How bad it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Level {
    /// As it should be.
    Ok,
    /// It works, but not as well or as safely as it could.
    Warning,
    /// Starts of instances fail, files are lost or nothing is cached.
    Error,
}

/// One thing that was looked at.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finding {
    /// How bad it is.
    pub level: Level,
    /// What was looked at, such as `pruning`.
    pub topic: &'static str,
    /// What is the case.
    pub found: String,
    /// What to do about it; none when there is nothing to do.
    pub remedy: Option<String>,
}

// === impl Level ===

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Error => "error",
        })
    }
}

// === impl Finding ===

impl Finding {
    /// As it should be.
    pub fn ok(topic: &'static str, found: impl Into<String>) -> Self {
        Self { level: Level::Ok, topic, found: found.into(), remedy: None }
    }

    /// It works, but `remedy` makes it better.
    pub fn warning(topic: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Warning, topic, found: found.into(), remedy: Some(remedy.into()) }
    }

    /// It does not work until `remedy` is done.
    pub fn error(topic: &'static str, found: impl Into<String>, remedy: impl Into<String>) -> Self {
        Self { level: Level::Error, topic, found: found.into(), remedy: Some(remedy.into()) }
    }
}
