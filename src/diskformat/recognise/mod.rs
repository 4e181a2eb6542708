//! Tells what captured bytes are: one file per format that needs more than a look.
//!
//! Each rule is oslo.utils' (`imageutils/format_inspector.py`) unless its comment says otherwise.

mod gpt;
mod iso;
mod luks;
mod qcow2;
mod simple;
pub(super) mod vhdx;
pub(super) mod vmdk;

use super::{Details, Format, Inspection, Problem, bytes};

/// What an inspector kept of an image.
pub(super) struct Captured {
    pub(super) head: Vec<u8>,
    pub(super) tail: Vec<u8>,
    /// A VHDX's metadata table, from its first byte.
    pub(super) metadata: Option<Vec<u8>>,
    /// The eight bytes of a VHDX's disk size.
    pub(super) vhdx_size: Option<Vec<u8>>,
    pub(super) size: u64,
}

/// A format that matched.
pub(super) struct Found {
    pub(super) format: Format,
    pub(super) virtual_size: Option<u64>,
    pub(super) vmdk_type: Option<String>,
    pub(super) problems: Vec<Problem>,
    pub(super) details: Details,
}

impl Found {
    fn new(format: Format, virtual_size: Option<u64>) -> Self {
        Self { format, virtual_size, vmdk_type: None, problems: Vec::new(), details: Details::default() }
    }

    /// Adds `Incomplete` when the file is shorter than its header must be.
    fn needs(mut self, captured: &Captured, bytes: usize) -> Self {
        if captured.head.len() < bytes {
            self.problems.push(Problem::Incomplete);
        }
        self
    }
}

/// The inspectors, outermost first: what stands at the front of a file decides how a reader takes it.
const ALL: &[fn(&Captured) -> Option<Found>] = &[
    qcow2::recognise,
    simple::qed,
    simple::vhd,
    vhdx::recognise,
    vmdk::recognise,
    simple::vdi,
    luks::recognise,
    simple::ploop,
    simple::bochs,
    simple::cloop,
    iso::recognise,
    gpt::recognise,
];

/// Runs every inspector; raw is what remains.
pub(super) fn all(captured: &Captured) -> Inspection {
    let mut found: Vec<Found> = ALL.iter().filter_map(|it| it(captured)).collect();
    let formats: Vec<Format> = found.iter().map(|it| it.format).collect();
    let size = captured.size;
    let first = if found.is_empty() { Found::new(Format::Raw, Some(size)) } else { found.swap_remove(0) };
    let formats = if formats.is_empty() { vec![first.format] } else { formats };
    let Found { format, virtual_size, vmdk_type, problems, details } = first;
    Inspection { format, formats, virtual_size, size, vmdk_type, problems, details }
}
