//! Whether an image is what it is declared to be, and safe.

use super::{Format, Inspection, Problem};
use std::collections::BTreeSet;

/// What a site allows.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Rules {
    /// The VMDK types that may be used (`vmdk_allowed_types`); others than these two are never safe.
    pub vmdk_allowed_types: Vec<String>,
    /// Names of checks of partition tables that only warn (`gpt_safety_checks_nonfatal`).
    pub gpt_safety_checks_nonfatal: Vec<String>,
    /// Whether the content must be of the declared format (`require_image_format_match`).
    pub require_match: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            vmdk_allowed_types: vec!["streamOptimized".into(), "monolithicSparse".into()],
            gpt_safety_checks_nonfatal: Vec::new(),
            require_match: true,
        }
    }
}

/// Why an image is not taken.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// One format hides in another.
    #[error("the content looks like several formats at once ({})", names(.formats))]
    Several {
        /// All that matched.
        formats: Vec<Format>,
    },
    /// The content is something else.
    #[error("the image is declared as {declared}, but its content is {found}")]
    Mismatch {
        /// The image's `disk_format`.
        declared: String,
        /// What the content is.
        found: Format,
    },
    /// The content is broken, or would make a reader open other files.
    #[error("the {found} image is not safe to use: {}", sentences(.problems))]
    Unsafe {
        /// What the content is.
        found: Format,
        /// All that is wrong with it.
        problems: Vec<Problem>,
    },
    /// A VMDK of a type that this site does not allow.
    #[error("VMDK type {found} is not among the allowed types ({})", .allowed.join(", "))]
    VmdkType {
        /// The type, in lower case.
        found: String,
        /// `vmdk_allowed_types`.
        allowed: Vec<String>,
    },
    /// Nova has no use for the declared format.
    #[error("disk_format {declared} is not one that Nova boots from")]
    NotBootable {
        /// The image's `disk_format`.
        declared: String,
    },
}

impl Inspection {
    /// Judges an upload of an image declared as `disk_format` as Glance does for container format `bare`.
    ///
    /// An image declared raw may be anything that is safe; formats that cannot be inspected (ami, aki, ari, ploop)
    /// may hold anything unknown. (Glance's behaviour.)
    pub fn accept_as(&self, disk_format: &str, rules: &Rules) -> Result<(), Refusal> {
        let seen: BTreeSet<Format> = self.formats.iter().map(|it| it.as_glance_sees_it()).collect();
        let matched = match self.single(&seen) {
            Ok(found) => self.match_for_glance(found, disk_format).map(|()| found),
            Err(refusal) => Err(refusal),
        };
        let found = match matched {
            Ok(found) => found,
            Err(_) if !rules.require_match => return Ok(()),
            Err(refusal) => return Err(refusal),
        };
        if found != self.format {
            return Ok(());
        }
        let is_fatal = |it: &&Problem| {
            let check = it.check();
            let waived = rules.gpt_safety_checks_nonfatal.iter().any(|name| name == check) || is_kernel(disk_format);
            let unknown = matches!(it, Problem::Incomplete) && !rules.require_match;
            !(unknown || waived && matches!(it, Problem::Mbr(_)))
        };
        self.refuse_problems(self.problems.iter().filter(is_fatal).cloned().collect())?;
        self.check_vmdk_type(rules)
    }

    /// Judges an image declared as `disk_format` as Nova does before it makes a base of it (OSSA-2024-001).
    ///
    /// Stricter than a catalogue: the content must be of the declared format (a raw disk may have a partition table),
    /// and nothing may be left that qemu would take for another format than the inspector. A raw content needs no
    /// conversion; see [`Format::is_raw`]. What a conversion made must be inspected again.
    pub fn accept_for_base(&self, disk_format: &str, rules: &Rules) -> Result<(), Refusal> {
        let anything = matches!(disk_format, "ami" | "aki" | "ari");
        if !anything && !Format::is_inspectable(disk_format) {
            return Err(Refusal::NotBootable { declared: disk_format.into() });
        }
        let found = self.single(&self.formats.iter().copied().collect())?;
        let matches = match found {
            // Nova's inspector and qemu call these by different names, so that Nova refuses them.
            Format::Vhd | Format::Ploop | Format::Bochs | Format::Cloop => false,
            Format::Gpt if disk_format == "raw" => true,
            _ => anything || found.as_str() == disk_format,
        };
        if !matches {
            return Err(Refusal::Mismatch { declared: disk_format.into(), found });
        }
        let waived = |it: &&Problem| !(matches!(it, Problem::Mbr(_)) && is_kernel(disk_format));
        self.refuse_problems(self.problems.iter().filter(waived).cloned().collect())?;
        self.check_vmdk_type(rules)
    }

    /// The one format; a bootable ISO may have a partition table.
    fn single(&self, seen: &BTreeSet<Format>) -> Result<Format, Refusal> {
        let mut rest = seen.iter().copied().filter(|it| *it != Format::Raw);
        match (rest.next(), rest.next(), rest.next()) {
            (None, ..) => Ok(Format::Raw),
            (Some(only), None, _) => Ok(only),
            (Some(Format::Iso), Some(Format::Gpt), None) => Ok(Format::Iso),
            _ => Err(Refusal::Several { formats: self.formats.clone() }),
        }
    }

    fn match_for_glance(&self, found: Format, declared: &str) -> Result<(), Refusal> {
        let unknown = found == Format::Raw && !Format::is_inspectable(declared);
        if declared == "raw" || unknown || found.as_str() == declared {
            return Ok(());
        }
        Err(Refusal::Mismatch { declared: declared.into(), found: self.format })
    }

    fn refuse_problems(&self, problems: Vec<Problem>) -> Result<(), Refusal> {
        if problems.is_empty() { Ok(()) } else { Err(Refusal::Unsafe { found: self.format, problems }) }
    }

    fn check_vmdk_type(&self, rules: &Rules) -> Result<(), Refusal> {
        match &self.vmdk_type {
            Some(found) if !rules.vmdk_allowed_types.iter().any(|it| it.eq_ignore_ascii_case(found)) => {
                Err(Refusal::VmdkType { found: found.clone(), allowed: rules.vmdk_allowed_types.clone() })
            }
            _ => Ok(()),
        }
    }
}

/// Kernels and ramdisks may bear a boot sector's mark without being a disk. (Glance's behaviour.)
fn is_kernel(disk_format: &str) -> bool {
    matches!(disk_format, "aki" | "ari")
}

fn names(formats: &[Format]) -> String {
    formats.iter().map(|it| it.as_str()).collect::<Vec<_>>().join(", ")
}

fn sentences(problems: &[Problem]) -> String {
    problems.iter().map(ToString::to_string).collect::<Vec<_>>().join("; ")
}
