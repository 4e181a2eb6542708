//! VMware's VMDK: a sparse file with a descriptor inside, or a descriptor alone, which names other files.
//!
//! Wherever oslo.utils and qemu might read a descriptor differently, it is refused.

use super::{Captured, Format, Found, Problem, bytes};

const MAGIC: &[u8] = b"KDMV";
const SECTOR: u64 = 512;
/// Where the descriptor of a sparse file must stand, as in qemu.
const DESCRIPTOR: usize = 512;
/// Says that the grain directory's place is told at the end of the file.
const AT_END: u64 = u64::MAX;
const TYPE: &str = "createtype=\"";
const LONGEST_TYPE: usize = 63;
/// Bytes of a text that is looked through for the marks of a descriptor.
const TEXT: usize = 512;

/// The header of a sparse extent.
struct Header {
    version: u32,
    sectors: u64,
    descriptor_sector: u64,
    descriptor_sectors: u64,
    grain_directory: u64,
}

impl Header {
    fn parse(bytes: &[u8]) -> Option<Self> {
        bytes.starts_with(MAGIC).then_some(())?;
        Some(Self {
            version: bytes::le32(bytes, 4)?,
            sectors: bytes::le64(bytes, 12)?,
            descriptor_sector: bytes::le64(bytes, 28)?,
            descriptor_sectors: bytes::le64(bytes, 36)?,
            grain_directory: bytes::le64(bytes, 56)?,
        })
    }

    fn is_sane(&self) -> bool {
        matches!(self.version, 1..=3) && self.descriptor_sector.checked_mul(SECTOR) == Some(DESCRIPTOR as u64)
    }
}

/// Where the descriptor ends that the header of a sparse file tells of.
pub(in crate::diskformat) fn descriptor_end(head: &[u8]) -> Option<usize> {
    let header = Header::parse(head).filter(Header::is_sane)?;
    let end = header.descriptor_sectors.saturating_mul(SECTOR).saturating_add(DESCRIPTOR as u64);
    Some(usize::try_from(end).unwrap_or(usize::MAX))
}

/// Whether the end of the file must be seen too.
pub(in crate::diskformat) fn has_footer(head: &[u8]) -> bool {
    Header::parse(head).is_some_and(|it| it.is_sane() && it.grain_directory == AT_END)
}

pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    let head = &captured.head;
    if head.starts_with(MAGIC) {
        return Some(sparse(captured));
    }
    let mut found = Found::new(Format::Vmdk, None);
    if head.starts_with(b"COWD") {
        // Not seen by oslo.utils, but qemu opens it as VMDK.
        found.problems.push(Problem::VmdkType("vmfsSparse".into()));
        return Some(found);
    }
    let text = descriptor_text(head);
    if !is_descriptor(text) {
        return None;
    }
    found.problems.push(Problem::Descriptor("it is a descriptor only, whose data are in other files"));
    Some(found)
}

fn sparse(captured: &Captured) -> Found {
    let mut found = Found::new(Format::Vmdk, None).needs(captured, DESCRIPTOR);
    let Some(header) = Header::parse(&captured.head).filter(Header::is_sane) else {
        found.problems.push(Problem::Descriptor("there is none where it must stand"));
        return found;
    };
    let (area, cut) = descriptor_area(&captured.head, &header);
    if cut {
        found.problems.push(Problem::Incomplete);
    }
    match check_descriptor(area) {
        Ok(kind) => {
            found.virtual_size = header.sectors.checked_mul(SECTOR);
            found.details.adapter_type = adapter_type(area);
            found.vmdk_type = Some(kind);
        }
        Err(problem) => found.problems.push(problem),
    }
    if header.sectors == 0 {
        found.problems.push(Problem::Descriptor("the header has no size, which makes qemu follow the descriptor"));
    }
    if header.grain_directory == AT_END {
        found.problems.extend(check_footer(&captured.tail, &header).err().map(Problem::Footer));
    }
    found
}

/// The descriptor's text up to its padding, and whether some of it is missing.
fn descriptor_area<'a>(head: &'a [u8], header: &Header) -> (&'a [u8], bool) {
    let length = usize::try_from(header.descriptor_sectors.saturating_mul(SECTOR)).unwrap_or(usize::MAX);
    let area = head.get(DESCRIPTOR..).unwrap_or_default();
    let area = &area[..length.min(area.len())];
    let text = descriptor_text(area);
    (text, area.len() < length && text.len() == area.len())
}

fn descriptor_text(area: &[u8]) -> &[u8] {
    area.split(|it| *it == 0).next().unwrap_or_default()
}

/// Whether a text would be taken for a descriptor by oslo.utils (it has a type) or by qemu (it begins with a version).
fn is_descriptor(text: &[u8]) -> bool {
    if text.is_empty() || !text.iter().take(TEXT).all(|it| it.is_ascii_graphic() || it.is_ascii_whitespace()) {
        return false;
    }
    let text = String::from_utf8_lossy(text).to_ascii_lowercase();
    let mut lines = text.lines().map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#'));
    text.contains(TYPE) || lines.next().is_some_and(|it| matches!(it, "version=1" | "version=2" | "version=3"))
}

/// Returns the type, if every line is understood and harmless.
fn check_descriptor(area: &[u8]) -> Result<String, Problem> {
    let text = std::str::from_utf8(area).ok().filter(|it| it.is_ascii() && !it.is_empty());
    let text = text.ok_or(Problem::Descriptor("there is none, or it is not text"))?.to_ascii_lowercase();
    let kind = create_type(&text)?;
    if !matches!(kind, "monolithicsparse" | "streamoptimized") {
        return Err(Problem::VmdkType(kind.to_owned()));
    }
    let mut extents = 0;
    for line in text.split('\n').map(str::trim).filter(|it| !it.is_empty() && !it.starts_with('#')) {
        if line.starts_with("ddb") {
            continue;
        }
        let key = line.split('=').next().unwrap_or_default();
        if line.contains('=') && !key.contains(' ') {
            if key.trim() == "parentfilenamehint" {
                return Err(Problem::BackingFile);
            }
        } else if matches!(line.split(' ').next(), Some("rw" | "rdonly" | "noaccess")) {
            extents += 1;
            if line.contains('/') {
                return Err(Problem::Descriptor("an extent has a path"));
            }
        } else {
            return Err(Problem::Descriptor("it has a line that is not understood"));
        }
    }
    if extents == 0 {
        return Err(Problem::Descriptor("it has no extents"));
    }
    Ok(kind.to_owned())
}

/// The controller that the disk was made for.
fn adapter_type(area: &[u8]) -> Option<String> {
    let text = std::str::from_utf8(area).ok()?.to_ascii_lowercase();
    let value =
        text.lines().find_map(|it| it.trim().strip_prefix("ddb.adaptertype")?.trim_start().strip_prefix('='))?;
    let word = value.trim().trim_matches('"');
    let plain = (1..=LONGEST_TYPE).contains(&word.len()) && word.bytes().all(|it| it.is_ascii_alphanumeric());
    plain.then(|| word.to_owned())
}

/// The one type of a descriptor in lower case. A second one might be the one that qemu believes.
fn create_type(text: &str) -> Result<&str, Problem> {
    let mut after = text.split(TYPE).skip(1);
    let (Some(value), None) = (after.next(), after.next()) else {
        return Err(Problem::Descriptor("it has no type, or several"));
    };
    let kind = value.split_once('"').map(|(kind, _)| kind).filter(|it| it.len() <= LONGEST_TYPE);
    kind.ok_or(Problem::Descriptor("its type has no end"))
}

/// The footer's marker, the footer and the end-of-stream marker, each of 512 bytes.
fn check_footer(tail: &[u8], header: &Header) -> Result<(), &'static str> {
    let [marker, footer, end] = [0, 512, 1024].map(|at| tail.get(at..at + 512).unwrap_or_default());
    let footer = Header::parse(footer).ok_or("there is none")?;
    if footer.version != header.version {
        return Err("its version differs from the header's");
    }
    if (footer.descriptor_sector, footer.descriptor_sectors) != (header.descriptor_sector, header.descriptor_sectors) {
        return Err("it tells of another descriptor than the header");
    }
    if footer.grain_directory == AT_END {
        return Err("it tells of another footer");
    }
    if bytes::le32(marker, 8) != Some(0) || bytes::le32(marker, 12) != Some(3) || marker[16..].iter().any(|it| *it != 0)
    {
        return Err("its marker is invalid");
    }
    if end.len() != 512 || end.iter().any(|it| *it != 0) {
        return Err("the end-of-stream marker is invalid");
    }
    Ok(())
}
