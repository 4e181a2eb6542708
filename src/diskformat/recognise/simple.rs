//! Formats of which a mark and a size are all there is to see.

use super::{Captured, Format, Found, Problem, bytes};

const SECTOR: u64 = 512;

pub(super) fn qed(captured: &Captured) -> Option<Found> {
    captured.head.starts_with(b"QED\0").then_some(())?;
    let mut found = Found::new(Format::Qed, bytes::le64(&captured.head, 48));
    found.problems.push(Problem::Banned);
    Some(found)
}

pub(super) fn vhd(captured: &Captured) -> Option<Found> {
    captured.head.starts_with(b"conectix").then_some(())?;
    Some(Found::new(Format::Vhd, bytes::be64(&captured.head, 40)).needs(captured, 512))
}

pub(super) fn vdi(captured: &Captured) -> Option<Found> {
    let head = &captured.head;
    (head.len() >= 512 && bytes::le32(head, 0x40) == Some(0xbeda_107f)).then_some(())?;
    Some(Found::new(Format::Vdi, bytes::le64(head, 0x170)))
}

/// Parallels' two marks; the older one has a size of 32 bits.
pub(super) fn ploop(captured: &Captured) -> Option<Found> {
    let head = &captured.head;
    let sectors = if head.starts_with(b"WithoutFreeSpace") {
        bytes::le32(head, 36).map(u64::from)
    } else if head.starts_with(b"WithouFreSpacExt") {
        bytes::le64(head, 36)
    } else {
        return None;
    };
    Some(Found::new(Format::Ploop, sectors.and_then(|it| it.checked_mul(SECTOR))).needs(captured, 64))
}

pub(super) fn bochs(captured: &Captured) -> Option<Found> {
    captured.head.starts_with(b"Bochs Virtual HD Image").then(|| Found::new(Format::Bochs, None))
}

pub(super) fn cloop(captured: &Captured) -> Option<Found> {
    let mark = b"#!/bin/sh\n#V2.0 Format\nmodprobe cloop file=$0";
    captured.head.starts_with(mark).then(|| Found::new(Format::Cloop, None))
}
