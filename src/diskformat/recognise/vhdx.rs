//! Hyper-V's VHDX: the disk's size stands three pointers deep.

use super::{Captured, Format, Found, Problem, bytes};

/// Bytes kept of the metadata region: its header and 2047 entries.
pub(in crate::diskformat) const METADATA: usize = 64 * 1024;
const REGION_TABLE: usize = 192 * 1024;
const ENTRY: usize = 32;
const MOST_ENTRIES: usize = 2047;
/// 8B7CA206-4790-4B9A-B8FE-575F050F886E as Microsoft writes GUIDs.
const METADATA_REGION: [u8; 16] =
    [0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b, 0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e];
/// 2FA54224-CD1B-4876-B211-5DBED83BF4B8.
const VIRTUAL_DISK_SIZE: [u8; 16] =
    [0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48, 0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8];

pub(in crate::diskformat) fn matches(head: &[u8]) -> bool {
    head.starts_with(b"vhdxfile")
}

/// Where the metadata region begins, if the region table tells.
pub(in crate::diskformat) fn metadata_offset(head: &[u8]) -> Option<u64> {
    let table = head.get(REGION_TABLE..).filter(|it| matches(head) && it.starts_with(b"regi"))?;
    let count = bytes::le32(table, 8)? as usize;
    let entry = entries(table, 16, count)?.find(|it| it.starts_with(&METADATA_REGION))?;
    bytes::le64(entry, 16)
}

/// Where the disk's size stands, from the beginning of the metadata region.
pub(in crate::diskformat) fn size_offset(metadata: &[u8]) -> Option<u64> {
    metadata.starts_with(b"metadata").then_some(())?;
    let count = usize::from(bytes::le16(metadata, 10)?);
    let entry = entries(metadata, ENTRY, count)?.find(|it| it.starts_with(&VIRTUAL_DISK_SIZE))?;
    bytes::le32(entry, 16).map(u64::from)
}

fn entries(table: &[u8], first: usize, count: usize) -> Option<impl Iterator<Item = &[u8]>> {
    (count <= MOST_ENTRIES).then(|| table.get(first..).unwrap_or_default().chunks_exact(ENTRY).take(count))
}

/// Unlike oslo.utils, an image whose size cannot be found is not fit for use.
pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    matches(&captured.head).then_some(())?;
    let inside = || {
        let metadata = captured.metadata.as_deref()?;
        bytes::le64(metadata, usize::try_from(size_offset(metadata)?).ok()?)
    };
    let size = captured.vhdx_size.as_deref().and_then(|it| bytes::le64(it, 0)).or_else(inside);
    let mut found = Found::new(Format::Vhdx, size);
    if size.is_none() {
        found.problems.push(Problem::Incomplete);
    }
    Some(found)
}
