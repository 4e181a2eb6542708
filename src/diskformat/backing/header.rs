//! The headers of qcow2, qed and vmdk, as far as they name other files.

use super::{Backing, BackingError, Format, References, bytes};
use std::io::{self, Read, Seek, SeekFrom};

/// qemu allows 1023 for a backing file; a little more is refused, not cut.
const LONGEST_NAME: u64 = 1023;
const MOST_EXTENSIONS: usize = 64;
const LONGEST_DESCRIPTOR: u64 = 512 * 1024;
const QCOW2_BACKING_FORMAT: u32 = 0xe279_2aca;
const QCOW2_DATA_FILE: u32 = 0x4441_5441;
const SECTOR: u64 = 512;

pub(super) fn read<F: Read + Seek>(file: &mut F) -> Result<References, BackingError> {
    let head = bytes_at(file, 0, SECTOR)?;
    if head.starts_with(b"QFI\xfb") {
        qcow2(file, &head)
    } else if head.starts_with(b"QED\0") {
        qed(file, &head)
    } else if head.starts_with(b"KDMV") {
        let sector = bytes::le64(&head, 28).ok_or_else(|| damaged(Format::Vmdk, "it is cut"))?;
        let sectors = bytes::le64(&head, 36).ok_or_else(|| damaged(Format::Vmdk, "it is cut"))?;
        let length = sectors.saturating_mul(SECTOR).min(LONGEST_DESCRIPTOR);
        let text = bytes_at(file, sector.saturating_mul(SECTOR), length)?;
        Ok(vmdk(&text, false))
    } else if head.starts_with(b"COWD") {
        Err(damaged(Format::Vmdk, "its type is not known here"))
    } else if head.iter().take_while(|it| **it != 0).all(|it| it.is_ascii_graphic() || it.is_ascii_whitespace()) {
        let text = bytes_at(file, 0, LONGEST_DESCRIPTOR)?;
        let is_descriptor = String::from_utf8_lossy(&text).to_ascii_lowercase().contains("createtype=\"");
        Ok(if is_descriptor { vmdk(&text, true) } else { nothing(Format::Raw) })
    } else {
        Ok(nothing(Format::Raw))
    }
}

fn qcow2<F: Read + Seek>(file: &mut F, head: &[u8]) -> Result<References, BackingError> {
    let cut = || damaged(Format::Qcow2, "it is cut");
    let version = bytes::be32(head, 4).ok_or_else(cut)?;
    let offset = bytes::be64(head, 8).ok_or_else(cut)?;
    let length = u64::from(bytes::be32(head, 16).ok_or_else(cut)?);
    let mut found = References { virtual_size: bytes::be64(head, 24), ..nothing(Format::Qcow2) };
    if offset != 0 {
        found.backing = Some(Backing { name: name_at(file, Format::Qcow2, offset, length)?, format: None });
    }
    let features = match version {
        1 | 2 => 0,
        3 => bytes::be64(head, 72).ok_or_else(cut)?,
        _ => return Err(damaged(Format::Qcow2, "its version is not known")),
    };
    let has_data_file = features & (1 << 2) != 0;
    if version > 1 && (found.backing.is_some() || has_data_file) {
        let start = if version == 2 { 72 } else { u64::from(bytes::be32(head, 100).ok_or_else(cut)?) };
        extensions(file, start, &mut found)?;
    }
    if has_data_file && found.data.is_empty() {
        return Err(damaged(Format::Qcow2, "it has an external data file without a name"));
    }
    if !has_data_file {
        found.data.clear();
    }
    Ok(found)
}

/// Walks the header extensions for the backing file's format and the data file's name.
fn extensions<F: Read + Seek>(file: &mut F, start: u64, found: &mut References) -> Result<(), BackingError> {
    let mut at = start;
    for _ in 0..MOST_EXTENSIONS {
        let head = bytes_at(file, at, 8)?;
        let (Some(kind), Some(length)) = (bytes::be32(&head, 0), bytes::be32(&head, 4)) else { return Ok(()) };
        let (from, length) = (at.saturating_add(8), u64::from(length));
        match kind {
            0 => return Ok(()),
            QCOW2_BACKING_FORMAT => {
                let name = name_at(file, Format::Qcow2, from, length)?;
                if let Some(backing) = &mut found.backing {
                    backing.format = Some(String::from_utf8_lossy(&name).into_owned());
                }
            }
            QCOW2_DATA_FILE => {
                let name = name_at(file, Format::Qcow2, from, length)?;
                found.data.push(Backing { name, format: Some("raw".into()) });
            }
            _ => {}
        }
        at = from.saturating_add(length.next_multiple_of(8));
    }
    Err(damaged(Format::Qcow2, "it has too many extensions"))
}

fn qed<F: Read + Seek>(file: &mut F, head: &[u8]) -> Result<References, BackingError> {
    let cut = || damaged(Format::Qed, "it is cut");
    let features = bytes::le64(head, 16).ok_or_else(cut)?;
    let offset = u64::from(bytes::le32(head, 56).ok_or_else(cut)?);
    let length = u64::from(bytes::le32(head, 60).ok_or_else(cut)?);
    let mut found = nothing(Format::Qed);
    if features & 1 != 0 {
        let format = (features & 4 != 0).then(|| "raw".into());
        found.backing = Some(Backing { name: name_at(file, Format::Qed, offset, length)?, format });
    }
    Ok(found)
}

/// The parent and, for a descriptor that stands alone, the extents.
fn vmdk(text: &[u8], alone: bool) -> References {
    let mut found = nothing(Format::Vmdk);
    let text = text.split(|it| *it == 0).next().unwrap_or_default();
    for line in text.split(|it| *it == b'\n') {
        let quoted = || line.split(|it| *it == b'"').nth(1).filter(|it| !it.is_empty()).map(<[u8]>::to_vec);
        let start = line.trim_ascii_start().to_ascii_lowercase();
        if start.starts_with(b"parentfilenamehint") {
            found.backing = quoted().map(|name| Backing { name, format: Some("vmdk".into()) });
        } else if alone && (start.starts_with(b"rw ") || start.starts_with(b"rdonly ")) {
            found.data.extend(quoted().map(|name| Backing { name, format: None }));
        }
    }
    found
}

fn nothing(format: Format) -> References {
    References { format, virtual_size: None, backing: None, data: Vec::new() }
}

fn damaged(format: Format, what: &'static str) -> BackingError {
    BackingError::Damaged { format, what }
}

fn name_at<F: Read + Seek>(file: &mut F, format: Format, at: u64, length: u64) -> Result<Vec<u8>, BackingError> {
    if length == 0 || length > LONGEST_NAME {
        return Err(damaged(format, "a file name in it is empty or too long"));
    }
    let name = bytes_at(file, at, length)?;
    if (name.len() as u64) < length || name.contains(&0) {
        return Err(damaged(format, "a file name in it is cut"));
    }
    Ok(name)
}

fn bytes_at<F: Read + Seek>(file: &mut F, at: u64, length: u64) -> Result<Vec<u8>, BackingError> {
    let mut bytes = Vec::new();
    // No file reaches there, and the system would refuse to look.
    if i64::try_from(at).is_err() {
        return Ok(bytes);
    }
    let mut read = || -> io::Result<()> {
        file.seek(SeekFrom::Start(at))?;
        file.take(length).read_to_end(&mut bytes).map(drop)
    };
    read().map_err(BackingError::Read)?;
    Ok(bytes)
}
