//! QEMU's qcow2, and its version 1.

use super::{Captured, Format, Found, Problem, bytes};

const MAGIC: &[u8] = b"QFI\xfb";
/// Bit 2 of the incompatible features: the data are in another file.
const DATA_FILE: u64 = 1 << 2;
/// Bit 3: the header has a byte for the type of compression.
const COMPRESSION_TYPE: u64 = 1 << 3;
/// Sizes of clusters that there are, as powers of two.
const CLUSTER_BITS: std::ops::RangeInclusive<u32> = 9..=21;
/// Dirty, corrupt, data file, compression type. Bit 4, extended L2 entries, is refused by Glance and Nova.
const KNOWN: u64 = 0b1111;

pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    let head = &captured.head;
    head.starts_with(MAGIC).then_some(())?;
    let mut found = Found::new(Format::Qcow2, bytes::be64(head, 24)).needs(captured, 512);
    if bytes::be64(head, 8).unwrap_or(0) != 0 {
        found.problems.push(Problem::BackingFile);
    }
    let features = bytes::be64(head, 72).unwrap_or(0);
    match bytes::be32(head, 4).unwrap_or(0) {
        // Version 2 has no features: extensions may stand there, which is why nothing is read.
        2 => {}
        3 => found.problems.extend(feature_problems(features)),
        version => found.problems.push(Problem::Version(version)),
    }
    found.details.cluster_size = bytes::be32(head, 20).filter(|it| CLUSTER_BITS.contains(it)).map(|it| 1 << it);
    found.details.compression = compression(head);
    Some(found)
}

/// The header says it where it is not zlib.
fn compression(head: &[u8]) -> Option<&'static str> {
    let says = bytes::be32(head, 4) == Some(3) && bytes::be64(head, 72).is_some_and(|it| it & COMPRESSION_TYPE != 0);
    match head.get(104).filter(|_| says) {
        None | Some(0) => Some("zlib"),
        Some(1) => Some("zstd"),
        Some(_) => None,
    }
}

fn feature_problems(features: u64) -> impl Iterator<Item = Problem> {
    let data_file = (features & DATA_FILE != 0).then_some(Problem::DataFile);
    let unknown = (features & !KNOWN != 0).then_some(Problem::UnknownFeatures(features & !KNOWN));
    data_file.into_iter().chain(unknown)
}
