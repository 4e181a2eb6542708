//! LUKS; nobody opens version 2 here, not even qemu.

use super::{Captured, Format, Found, Problem, bytes};

pub(super) fn recognise(captured: &Captured) -> Option<Found> {
    let head = &captured.head;
    head.starts_with(b"LUKS\xba\xbe").then_some(())?;
    let payload = u64::from(bytes::be32(head, 104).unwrap_or(0)) * 512;
    let mut found = Found::new(Format::Luks, captured.size.checked_sub(payload)).needs(captured, 592);
    match bytes::be16(head, 6) {
        Some(1) => {}
        version => found.problems.push(Problem::LuksVersion(version.unwrap_or(0))),
    }
    Some(found)
}
