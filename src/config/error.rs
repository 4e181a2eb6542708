//! What can be wrong with a configuration.

use super::Origin;
#[cfg(feature = "catalogue")]
use crate::store::BUILT;
use std::{fmt, io, path::PathBuf};

/// The configuration can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ConfigError {
    /// A file that was asked for is not there.
    #[error("{}: there is no such configuration file", path.display())]
    Missing {
        /// The file.
        path: PathBuf,
    },
    /// A file can't be read.
    #[error("{}: cannot read this configuration file", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A folder given by `--config-dir` can't be read.
    #[error("{}: cannot read this configuration folder", path.display())]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A line is none of an INI file.
    #[error("{}: line {line}: {what}", path.display())]
    Parse {
        /// The file.
        path: PathBuf,
        /// Counted from 1.
        line: usize,
        /// What is wrong with it.
        what: String,
    },
    /// A section's login can't be used.
    #[error("section [{section}] is no login")]
    Login {
        /// The section.
        section: &'static str,
        /// Why.
        source: super::LoginError,
    },
    /// A broker's address makes no sense.
    #[cfg(feature = "catalogue")]
    #[error("[{section}] transport_url cannot be used")]
    Transport {
        /// The section.
        section: &'static str,
        /// Why.
        source: crate::messaging::InvalidTransport,
    },
    /// An option in it has a wrong value.
    #[cfg(feature = "catalogue")]
    #[error("[{section}] transport_url: its option {name} has a value that it does not take")]
    TransportOption {
        /// The section.
        section: &'static str,
        /// The option.
        name: String,
    },
    /// Several stores, and none is the default.
    #[error("[DEFAULT] enabled_backends names several stores: name the one to use in [glance_store] default_backend")]
    NoDefaultBackend,
    /// The default store is not among the stores.
    #[error("[glance_store] default_backend = {id}: [DEFAULT] enabled_backends has no such store")]
    NoSuchBackend {
        /// The store.
        id: String,
    },
    /// The default store is not one that this version writes to.
    #[cfg(feature = "catalogue")]
    #[error(
        "[glance_store] default_backend = {id}: the store is of type {kind}; this version writes to stores of type {}", BUILT.iter().filter(|it| **it != "http").copied().collect::<Vec<_>>().join(", ")
    )]
    DefaultBackendKind {
        /// The store.
        id: String,
        /// Its type.
        kind: String,
    },
    /// Glance's names for its own.
    #[error("[DEFAULT] enabled_backends: {id}: no id of a store begins with os_glance_")]
    ReservedBackend {
        /// The store.
        id: String,
    },
    /// There is no such kind of store.
    #[cfg(feature = "catalogue")]
    #[error(
        "[DEFAULT] enabled_backends: store {id} is of type {kind}; there are file, http, rbd, swift, s3, cinder and vmware, and this version has {}", BUILT.join(", ")
    )]
    BackendKind {
        /// The store.
        id: String,
        /// Its type.
        kind: String,
    },
    /// Values that their options do not take.
    #[error("{0}")]
    Invalid(Problems),
}

/// All bad values of a configuration.
#[derive(Debug)]
pub struct Problems(pub Vec<Problem>);

/// One bad value.
#[derive(Debug)]
pub struct Problem {
    /// Where it stands.
    pub origin: Origin,
    /// Its section.
    pub section: String,
    /// Its key.
    pub key: String,
    /// The value as it was read; the option's own words when it is a secret.
    pub value: String,
    /// What the option takes, and what more is known.
    pub why: String,
}

// === impl Problems ===

impl fmt::Display for Problems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.as_slice() {
            [only] => write!(f, "{only}"),
            many => {
                write!(f, "{} values are wrong:", many.len())?;
                many.iter().try_for_each(|problem| write!(f, "\n  {problem}"))
            }
        }
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: [{}] {} = '{}': {}", self.origin, self.section, self.key, self.value, self.why)
    }
}
