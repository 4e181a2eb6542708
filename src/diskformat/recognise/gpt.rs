//! A raw disk with a partition table: MBR, or the protective MBR of a GPT.

use super::{Captured, Format, Found, Problem, bytes};

const TABLE: usize = 446;
const ENTRY: usize = 16;
/// The type of the one entry of a protective MBR.
const PROTECTIVE: u8 = 0xee;

pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    let sector = captured.head.get(..512)?;
    (bytes::le16(sector, 510) == Some(0xaa55) && !is_fat(sector)).then_some(())?;
    let mut found = Found::new(Format::Gpt, Some(captured.size));
    found.problems.extend(problem(sector).map(Problem::Mbr));
    Some(found)
}

/// A FAT file system's boot sector bears the same signature: two FATs on a fixed disk.
fn is_fat(sector: &[u8]) -> bool {
    sector[0x10] == 2 && sector[0x15] == 0xf8
}

fn problem(sector: &[u8]) -> Option<&'static str> {
    let mut used = Vec::new();
    let mut protective = false;
    for (index, entry) in sector[TABLE..510].chunks_exact(ENTRY).enumerate() {
        if !matches!(entry[0], 0x00 | 0x80) {
            return Some("invalid boot flag");
        }
        if entry[4] != 0 {
            used.push(index);
        }
        if entry[4] == PROTECTIVE {
            protective = true;
            if entry[1..4] != [0, 2, 0] {
                return Some("the GPT's protective entry has an invalid start (CHS)");
            }
            if bytes::le32(entry, 8) != Some(1) {
                return Some("the GPT's protective entry has an invalid start (LBA)");
            }
        }
    }
    if protective && used != [0] {
        return Some("a GPT's protective MBR has other partitions");
    }
    used.is_empty().then_some("no partitions")
}
