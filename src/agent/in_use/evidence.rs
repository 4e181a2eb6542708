//! What was found out.

use crate::agent::base_dir::BaseFile;
use chrono::{DateTime, TimeDelta, Utc};
use std::{collections::HashMap, fmt, path::PathBuf};

/// A file that was written this recently may still be growing: nova fetches kernels and copies from other hosts
/// straight to their final name.
const QUIET: TimeDelta = TimeDelta::seconds(60);

/// So many signs of use for one base, and so many doubts, are kept; a thousand more would say no more.
const ENOUGH: usize = 200;

/// Everything found out at one time.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct InUse {
    /// By name of the file in the base directory; a base that is not here has no known use.
    pub by_base: HashMap<String, Vec<Evidence>>,
    /// What could not be seen, and what that keeps.
    pub doubts: Vec<Doubt>,
    /// Worth knowing, but of no influence.
    pub notes: Vec<String>,
    /// Bytes that the instances' disks on the base directory's file system may yet take: what their guests see of them,
    /// less the blocks that they have. With `preallocate_images = space` they have them all.
    pub disk_growth: u64,
}

/// One sign that a file of the base directory is in use.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Evidence {
    /// A disk in the instances folder stands on it, `depth` steps down its chain (1: named by the disk itself).
    Backing {
        /// The disk.
        disk: PathBuf,
        /// Steps.
        depth: u32,
    },
    /// The file is a disk itself: a hard or symbolic link.
    Same {
        /// The other name.
        disk: PathBuf,
    },
    /// Another file of the base directory stands on it.
    Base {
        /// That file's name.
        name: String,
    },
    /// A libvirt domain names it, or a disk that stands on it.
    Domain {
        /// The domain's definition.
        definition: PathBuf,
    },
    /// A process has it open.
    Open {
        /// Process id.
        pid: u32,
        /// Its name.
        command: String,
        /// Whether for writing.
        writing: bool,
    },
    /// A process that we may not look into was started with its path, or with that of a disk that stands on it.
    Named {
        /// Process id.
        pid: u32,
        /// Its name.
        command: String,
    },
    /// Nova, or this agent, holds its lock.
    Locked,
}

/// Something that could not be seen.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Doubt {
    /// What it keeps.
    pub about: About,
    /// A sentence that names what could not be seen, why, and what to do.
    pub why: String,
}

/// Which files a doubt keeps.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum About {
    /// All of them.
    Every,
    /// One, by name.
    One(String),
}

// === impl InUse ===

impl InUse {
    /// The evidence that a base is in use.
    pub fn evidence(&self, base: &str) -> &[Evidence] {
        self.by_base.get(base).map_or(&[], Vec::as_slice)
    }

    /// The first doubt that keeps this base.
    pub fn doubt(&self, base: &str) -> Option<&Doubt> {
        self.doubts.iter().find(|doubt| match &doubt.about {
            About::Every => true,
            About::One(name) => name == base,
        })
    }

    /// Whether an instance uses it now, so that its last use is now.
    pub fn is_active(&self, base: &str) -> bool {
        self.evidence(base).iter().any(Evidence::is_by_instance)
    }

    /// Whether nobody is still writing it, as far as one can tell: it has been quiet for a minute and nobody has it
    /// open for writing. What nova fetches by itself is adopted only then.
    pub fn is_settled(&self, file: &BaseFile, now: DateTime<Utc>) -> bool {
        let quiet = now.signed_duration_since(file.mtime).abs() >= QUIET;
        quiet && !self.evidence(&file.name).iter().any(|it| matches!(it, Evidence::Open { writing: true, .. }))
    }

    pub(super) fn add(&mut self, base: &str, evidence: Evidence) {
        let known = self.by_base.entry(base.to_owned()).or_default();
        if known.len() < ENOUGH && !known.contains(&evidence) {
            known.push(evidence);
        }
    }

    pub(super) fn doubt_every(&mut self, why: String) {
        let doubt = Doubt { about: About::Every, why };
        if self.doubts.len() < ENOUGH && !self.doubts.contains(&doubt) {
            self.doubts.push(doubt);
        }
    }

    pub(super) fn doubt_one(&mut self, base: &str, why: String) {
        self.doubts.push(Doubt { about: About::One(base.to_owned()), why });
    }

    pub(super) fn note(&mut self, note: String) {
        if self.notes.len() < ENOUGH && !self.notes.contains(&note) {
            self.notes.push(note);
        }
    }
}

// === impl Evidence ===

impl Evidence {
    /// Whether an instance's disk or a domain stands on it; descriptors, locks and old bases move no mtime.
    pub fn is_by_instance(&self) -> bool {
        matches!(self, Self::Backing { .. } | Self::Same { .. } | Self::Domain { .. })
    }
}

impl fmt::Display for Evidence {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Backing { disk, depth: 1 } => write!(f, "{} names it as backing file", disk.display()),
            Self::Backing { disk, depth } => write!(f, "{} stands on it, {depth} backing files down", disk.display()),
            Self::Same { disk } => write!(f, "{} is the same file", disk.display()),
            Self::Base { name } => write!(f, "{name} in the base directory stands on it"),
            Self::Domain { definition } => write!(f, "the domain {} uses it", definition.display()),
            Self::Open { pid, command, writing: false } => write!(f, "process {pid} ({command}) has it open"),
            Self::Open { pid, command, writing: true } => write!(f, "process {pid} ({command}) is writing it"),
            Self::Named { pid, command } => {
                write!(f, "process {pid} ({command}) was started with it, or with a disk that stands on it")
            }
            Self::Locked => f.write_str("its lock is held"),
        }
    }
}
