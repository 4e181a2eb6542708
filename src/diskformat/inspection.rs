//! What an inspector found.

use super::Format;

/// What the bytes of an image are, and what is wrong with them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inspection {
    /// The format. Where several matched, the outermost that a reader would take first; see `formats`.
    pub format: Format,
    /// Every format that matched. More than one is refused, but for a bootable ISO (`iso` and `gpt`).
    pub formats: Vec<Format>,
    /// The bytes that a guest sees, where the header tells.
    pub virtual_size: Option<u64>,
    /// The bytes of the file.
    pub size: u64,
    /// The `createType` of a VMDK, in lower case.
    pub vmdk_type: Option<String>,
    /// What is unsafe or broken about it in that format.
    pub problems: Vec<Problem>,
    /// What else its header tells.
    pub details: Details,
}

/// What headers tell that no reader needs, but people and hypervisors like to know.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Details {
    /// Bytes of a qcow2's clusters.
    pub cluster_size: Option<u64>,
    /// How a qcow2's clusters are compressed, where they are: `zlib` or `zstd`.
    pub compression: Option<&'static str>,
    /// The `ddb.adapterType` of a VMDK, in lower case.
    pub adapter_type: Option<String>,
    /// The name of an ISO's volume; printable, and not empty.
    pub volume_id: Option<String>,
}

impl Inspection {
    /// The `virtual_size` that Glance records for an image declared as `disk_format`: what the header says when the
    /// declaration is right, the file's size for anything declared raw, else nothing.
    pub fn virtual_size_as(&self, disk_format: &str) -> Option<u64> {
        let size = if disk_format == "raw" {
            Some(self.size)
        } else if disk_format == self.format.as_str() {
            self.virtual_size
        } else {
            None
        };
        size.filter(|it| *it > 0)
    }
}

/// Something unsafe or broken about an image.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Problem {
    /// It stands on another file.
    #[error("it has a backing file")]
    BackingFile,
    /// Its data are in another file.
    #[error("its data are in an external file")]
    DataFile,
    /// A qcow2 feature that readers may not know.
    #[error("it uses qcow2 features that are not supported (bits {0:#x})")]
    UnknownFeatures(u64),
    /// qcow2 version 1, or one from the future.
    #[error("qcow2 version {0} is not supported")]
    Version(u32),
    /// A format that nobody should use.
    #[error("the format is not allowed")]
    Banned,
    /// A VMDK descriptor that is not understood, word for word, or that names other files.
    #[error("its VMDK descriptor is not acceptable: {0}")]
    Descriptor(&'static str),
    /// A VMDK `createType` that is not allowed at all; the word is cut to something printable.
    #[error("VMDK type {0:?} is not supported")]
    VmdkType(String),
    /// A streamOptimized footer that disagrees with the header.
    #[error("its VMDK footer is not acceptable: {0}")]
    Footer(&'static str),
    /// A partition table that does not make sense.
    #[error("its partition table is not sane: {0}")]
    Mbr(&'static str),
    /// LUKS2 or rubbish.
    #[error("LUKS version {0} is not supported")]
    LuksVersion(u16),
    /// The file ends, or points backwards, before everything needed was seen.
    #[error("its header is incomplete or damaged")]
    Incomplete,
}

impl Problem {
    /// The name of the safety check in oslo.utils, as operators write it in `gpt_safety_checks_nonfatal`.
    pub fn check(&self) -> &'static str {
        match self {
            Self::BackingFile => "backing_file",
            Self::DataFile => "data_file",
            Self::UnknownFeatures(_) | Self::Version(_) => "unknown_features",
            Self::Banned => "banned",
            Self::Descriptor(_) | Self::VmdkType(_) => "descriptor",
            Self::Footer(_) => "footer",
            Self::Mbr(_) => "mbr",
            Self::LuksVersion(_) => "version",
            Self::Incomplete => "incomplete",
        }
    }
}
