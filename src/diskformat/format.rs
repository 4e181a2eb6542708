//! The formats that are told apart.

use std::fmt;

/// What the bytes of an image are.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Format {
    /// Nothing that is known: the bytes are the disk.
    Raw,
    /// QEMU's own format, all versions.
    Qcow2,
    /// QEMU's abandoned format; refused everywhere.
    Qed,
    /// Microsoft Virtual PC, dynamic (a fixed one has its mark at the end only, and counts as raw, as in qemu).
    Vhd,
    /// Hyper-V.
    Vhdx,
    /// VMware, sparse or a text descriptor.
    Vmdk,
    /// VirtualBox.
    Vdi,
    /// ISO 9660 or UDF.
    Iso,
    /// A raw disk with an MBR or GPT partition table.
    Gpt,
    /// An encrypted volume.
    Luks,
    /// Parallels' format, which Virtuozzo calls ploop. Glance takes it for raw; qemu does not.
    Ploop,
    /// Bochs' format. Glance takes it for raw; qemu does not.
    Bochs,
    /// A compressed loop device. Glance takes it for raw; qemu does not.
    Cloop,
}

impl Format {
    /// The name that oslo.utils' format_inspector gives it (or would give it).
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Raw => "raw",
            Self::Qcow2 => "qcow2",
            Self::Qed => "qed",
            Self::Vhd => "vhd",
            Self::Vhdx => "vhdx",
            Self::Vmdk => "vmdk",
            Self::Vdi => "vdi",
            Self::Iso => "iso",
            Self::Gpt => "gpt",
            Self::Luks => "luks",
            Self::Ploop => "ploop",
            Self::Bochs => "bochs",
            Self::Cloop => "cloop",
        }
    }

    /// The name of qemu's driver that reads it.
    pub fn qemu_driver(self) -> &'static str {
        match self {
            Self::Raw | Self::Iso | Self::Gpt => "raw",
            Self::Vhd => "vpc",
            Self::Ploop => "parallels",
            other => other.as_str(),
        }
    }

    /// The `disk_format` to register such an image under in a catalogue.
    pub fn disk_format(self) -> &'static str {
        match self {
            Self::Gpt | Self::Bochs | Self::Cloop => "raw",
            other => other.as_str(),
        }
    }

    /// Whether the file's bytes are the disk's bytes, so that there is nothing to convert.
    pub fn is_raw(self) -> bool {
        matches!(self, Self::Raw | Self::Iso | Self::Gpt)
    }

    /// Whether Glance and Nova have an inspector of this name; a declared format without one cannot be checked.
    pub(super) fn is_inspectable(name: &str) -> bool {
        matches!(name, "raw" | "qcow2" | "vhd" | "vhdx" | "vmdk" | "vdi" | "qed" | "iso" | "gpt" | "luks")
    }

    /// What Glance sees in such bytes.
    pub(super) fn as_glance_sees_it(self) -> Self {
        if Self::is_inspectable(self.as_str()) { self } else { Self::Raw }
    }
}

impl fmt::Display for Format {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}
