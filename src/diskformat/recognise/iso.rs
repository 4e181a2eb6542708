//! ISO 9660 and UDF.

use super::{Captured, Format, Found, bytes};

/// Behind the system area, which belongs to boot loaders.
const DESCRIPTOR: usize = 32 * 1024;
const LENGTH: usize = 2 * 1024;

pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    let descriptor = captured.head.get(DESCRIPTOR..DESCRIPTOR + LENGTH)?;
    matches!(&descriptor[1..6], b"CD001" | b"NSR02" | b"NSR03").then_some(())?;
    let mut found = Found::new(Format::Iso, virtual_size(descriptor));
    found.details.volume_id = volume_id(descriptor);
    Some(found)
}

/// 32 characters of a primary volume descriptor, filled up with spaces.
fn volume_id(descriptor: &[u8]) -> Option<String> {
    (descriptor[0] == 1 && descriptor.get(1..6) == Some(b"CD001")).then_some(())?;
    let text = std::str::from_utf8(descriptor.get(40..72)?).ok()?.trim_end_matches([' ', '\0']);
    let printable = text.chars().all(|it| it.is_ascii_graphic() || it == ' ');
    (printable && !text.is_empty()).then(|| text.to_owned())
}

/// Blocks × block size, of a primary volume descriptor.
fn virtual_size(descriptor: &[u8]) -> Option<u64> {
    (descriptor[0] == 1).then_some(())?;
    Some(u64::from(bytes::le32(descriptor, 80)?) * u64::from(bytes::le16(descriptor, 128)?))
}
