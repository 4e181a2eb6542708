//! ISO 9660 and UDF.

use super::{Captured, Format, Found, bytes};

/// Behind the system area, which belongs to boot loaders.
const DESCRIPTOR: usize = 32 * 1024;
const LENGTH: usize = 2 * 1024;

pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    let descriptor = captured.head.get(DESCRIPTOR..DESCRIPTOR + LENGTH)?;
    matches!(&descriptor[1..6], b"CD001" | b"NSR02" | b"NSR03").then_some(())?;
    Some(Found::new(Format::Iso, virtual_size(descriptor)))
}

/// Blocks × block size, of a primary volume descriptor.
fn virtual_size(descriptor: &[u8]) -> Option<u64> {
    (descriptor[0] == 1).then_some(())?;
    Some(u64::from(bytes::le32(descriptor, 80)?) * u64::from(bytes::le16(descriptor, 128)?))
}
