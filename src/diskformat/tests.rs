//! Tests of recognising and judging. Images that qemu-img makes are looked at in the integration tests.

use super::{Format, Inspection, Inspector, Problem, Refusal, Rules, backing_file, fuzzed, inspect, references};
use proptest::prelude::*;
use std::io::Cursor;

fn look(bytes: &[u8]) -> Inspection {
    let mut inspector = Inspector::new();
    inspector.feed(bytes);
    inspector.finish()
}

fn put(bytes: &mut [u8], at: usize, value: &[u8]) {
    bytes[at..at + value.len()].copy_from_slice(value);
}

/// A qcow2 header of 512 bytes.
fn qcow2(version: u32, backing: u64, features: u64) -> Vec<u8> {
    let mut head = vec![0; 512];
    put(&mut head, 0, b"QFI\xfb");
    put(&mut head, 4, &version.to_be_bytes());
    put(&mut head, 8, &backing.to_be_bytes());
    put(&mut head, 24, &(10_u64 << 30).to_be_bytes());
    put(&mut head, 72, &features.to_be_bytes());
    head
}

/// A disk of 1 MiB with one partition entry.
fn mbr(entry: [u8; 16]) -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    put(&mut disk, 446, &entry);
    put(&mut disk, 510, b"\x55\xaa");
    disk
}

const LINUX: [u8; 16] = [0x80, 1, 1, 0, 0x83, 1, 1, 0, 0, 8, 0, 0, 0, 1, 0, 0];
const PROTECTIVE: [u8; 16] = [0, 0, 2, 0, 0xee, 0xff, 0xff, 0xff, 1, 0, 0, 0, 0xff, 7, 0, 0];

fn iso() -> Vec<u8> {
    let mut disk = vec![0; 1 << 20];
    put(&mut disk, 32768, b"\x01CD001");
    put(&mut disk, 32768 + 80, &300_u32.to_le_bytes());
    put(&mut disk, 32768 + 128, &2048_u16.to_le_bytes());
    disk
}

/// A sparse VMDK with this descriptor.
fn vmdk(descriptor: &str, grain_directory: u64) -> Vec<u8> {
    let mut disk = vec![0; 64 << 10];
    put(&mut disk, 0, b"KDMV\x03\0\0\0");
    put(&mut disk, 12, &2048_u64.to_le_bytes());
    put(&mut disk, 28, &1_u64.to_le_bytes());
    put(&mut disk, 36, &20_u64.to_le_bytes());
    put(&mut disk, 56, &grain_directory.to_le_bytes());
    put(&mut disk, 512, descriptor.as_bytes());
    disk
}

const DESCRIPTOR: &str = "# Disk DescriptorFile\nversion=1\nCID=1234\nparentCID=ffffffff\n\
    createType=\"monolithicSparse\"\nRW 2048 SPARSE \"disk.vmdk\"\nddb.adapterType = \"ide\"\n";

fn vhdx(metadata: u64, item: u32) -> Vec<u8> {
    let mut disk = vec![0; 3 << 20];
    put(&mut disk, 0, b"vhdxfile");
    put(&mut disk, 0x30000, b"regi");
    put(&mut disk, 0x30008, &1_u32.to_le_bytes());
    put(&mut disk, 0x30010, &[0x06, 0xa2, 0x7c, 0x8b, 0x90, 0x47, 0x9a, 0x4b]);
    put(&mut disk, 0x30018, &[0xb8, 0xfe, 0x57, 0x5f, 0x05, 0x0f, 0x88, 0x6e]);
    put(&mut disk, 0x30020, &metadata.to_le_bytes());
    let Some(table) = usize::try_from(metadata).ok().filter(|it| *it < 2 << 20) else { return disk };
    put(&mut disk, table, b"metadata\0\0\x01\0");
    put(&mut disk, table + 32, &[0x24, 0x42, 0xa5, 0x2f, 0x1b, 0xcd, 0x76, 0x48]);
    put(&mut disk, table + 40, &[0xb2, 0x11, 0x5d, 0xbe, 0xd8, 0x3b, 0xf4, 0xb8]);
    put(&mut disk, table + 48, &item.to_le_bytes());
    if let Some(place) = table.checked_add(item as usize).filter(|it| *it < 2 << 20) {
        put(&mut disk, place, &(5_u64 << 30).to_le_bytes());
    }
    disk
}

#[test]
fn raw_is_what_nothing_else_is() {
    for bytes in [&b""[..], b"x", &[0; 4096], &[0xff; 100_000], b"#!/bin/sh\necho a script is no disk descriptor\n"] {
        let found = look(bytes);
        assert_eq!((found.format, found.virtual_size), (Format::Raw, Some(bytes.len() as u64)));
        assert_eq!(found.accept_as("raw", &Rules::default()), Ok(()));
        assert_eq!(found.accept_as("ami", &Rules::default()), Ok(()));
        assert_eq!(found.accept_for_base("raw", &Rules::default()), Ok(()));
        assert!(matches!(found.accept_as("qcow2", &Rules::default()), Err(Refusal::Mismatch { .. })));
        assert!(matches!(found.accept_for_base("qcow2", &Rules::default()), Err(Refusal::Mismatch { .. })));
        let lax = Rules { require_match: false, ..Rules::default() };
        assert_eq!((found.accept_as("qcow2", &lax), found.virtual_size_as("qcow2")), (Ok(()), None));
    }
}

#[test]
fn qcow2_is_judged_by_its_header() {
    let good = look(&qcow2(3, 0, 0b1011));
    assert_eq!((good.format, good.virtual_size, &good.problems[..]), (Format::Qcow2, Some(10 << 30), &[][..]));
    assert_eq!((good.virtual_size_as("qcow2"), good.virtual_size_as("raw")), (Some(10 << 30), Some(512)));
    assert_eq!(look(&qcow2(2, 0, u64::MAX)).problems, []);
    assert_eq!(look(&qcow2(3, 600, 0)).problems, [Problem::BackingFile]);
    assert_eq!(look(&qcow2(3, 0, 4)).problems, [Problem::DataFile]);
    assert_eq!(look(&qcow2(3, 0, 0x18)).problems, [Problem::UnknownFeatures(16)]);
    assert_eq!(look(&qcow2(3, 0, 1 << 63)).problems, [Problem::UnknownFeatures(1 << 63)]);
    assert_eq!(look(&qcow2(1, 0, 0)).problems, [Problem::Version(1)]);
    assert_eq!(look(&qcow2(3, 0, 0)[..100]).problems, [Problem::Incomplete]);
}

#[test]
fn partition_tables_must_be_sane() {
    let problem = |entry| look(&mbr(entry)).problems;
    assert_eq!((problem(LINUX), problem(PROTECTIVE)), (vec![], vec![]));
    let with = |mut entry: [u8; 16], at: usize, value| {
        entry[at] = value;
        entry
    };
    assert_eq!(problem([0; 16]), [Problem::Mbr("no partitions")]);
    assert_eq!(problem(with(LINUX, 0, 0x7f)), [Problem::Mbr("invalid boot flag")]);
    assert!(matches!(problem(with(PROTECTIVE, 2, 1))[..], [Problem::Mbr(_)]));
    assert!(matches!(problem(with(PROTECTIVE, 8, 2))[..], [Problem::Mbr(_)]));
    let mut both = mbr(PROTECTIVE);
    put(&mut both, 462, &LINUX);
    assert!(matches!(look(&both).problems[..], [Problem::Mbr(_)]));
    let mut fat = mbr([0; 16]);
    (fat[0x10], fat[0x15]) = (2, 0xf8);
    assert_eq!(look(&fat).format, Format::Raw);
}

#[test]
fn a_bad_partition_table_may_be_waived_by_a_catalogue_only() {
    let bad = look(&mbr([0; 16]));
    let rules = Rules { gpt_safety_checks_nonfatal: vec!["mbr".into()], ..Rules::default() };
    assert!(matches!(bad.accept_as("raw", &Rules::default()), Err(Refusal::Unsafe { .. })));
    assert_eq!(bad.accept_as("raw", &rules), Ok(()));
    assert!(matches!(bad.accept_for_base("raw", &rules), Err(Refusal::Unsafe { .. })));
    // Glance waives it for kernels, but a content that is recognised must be declared so.
    assert!(matches!(bad.accept_as("aki", &Rules::default()), Err(Refusal::Mismatch { .. })));
    assert_eq!(bad.accept_for_base("aki", &Rules::default()), Ok(()));
}

#[test]
fn a_bootable_iso_may_have_partitions_and_nothing_else_may_be_two_things() {
    let mut both = iso();
    put(&mut both, 446, &LINUX);
    put(&mut both, 510, b"\x55\xaa");
    let found = look(&both);
    assert_eq!((found.format, &found.formats[..]), (Format::Iso, &[Format::Iso, Format::Gpt][..]));
    assert_eq!(found.virtual_size_as("iso"), Some(300 * 2048));
    assert_eq!(found.accept_as("iso", &Rules::default()), Ok(()));
    assert_eq!(found.accept_for_base("iso", &Rules::default()), Ok(()));
    put(&mut both, 0, &qcow2(3, 0, 0)[..400]);
    let found = look(&both);
    let several = Err(Refusal::Several { formats: vec![Format::Qcow2, Format::Iso, Format::Gpt] });
    for declared in ["raw", "qcow2", "iso"] {
        assert_eq!(found.accept_as(declared, &Rules::default()), several);
        assert_eq!(found.accept_for_base(declared, &Rules::default()), several);
    }
}

#[test]
fn a_vmdk_must_not_lead_elsewhere() {
    let good = look(&vmdk(DESCRIPTOR, 0));
    assert_eq!((good.format, good.virtual_size, &good.problems[..]), (Format::Vmdk, Some(1 << 20), &[][..]));
    assert_eq!(good.accept_as("vmdk", &Rules::default()), Ok(()));
    let only = Rules { vmdk_allowed_types: vec!["streamOptimized".into()], ..Rules::default() };
    assert!(matches!(good.accept_as("vmdk", &only), Err(Refusal::VmdkType { .. })));
    for (from, to) in [
        ("monolithicSparse", "monolithicFlat"),
        ("createType", "createKind"),
        ("\"monolithicSparse\"", "\"monolithicSparse\"\nCREATETYPE=\"monolithicFlat\""),
        ("disk.vmdk", "/etc/passwd"),
        ("RW 2048", "XX 2048"),
        ("RW 2048 SPARSE \"disk.vmdk\"\n", ""),
        ("CID=1234", "parentFileNameHint=\"other.vmdk\""),
        ("CID=1234", "CID=\u{e9}"),
    ] {
        let bad = look(&vmdk(&DESCRIPTOR.replacen(from, to, 1), 0));
        assert_eq!((bad.format, bad.problems.len()), (Format::Vmdk, 1), "{to}");
        assert!(matches!(bad.accept_as("vmdk", &Rules::default()), Err(Refusal::Unsafe { .. })), "{to}");
        assert!(matches!(bad.accept_as("raw", &Rules::default()), Err(Refusal::Unsafe { .. })), "{to}");
    }
    let mut sizeless = vmdk(DESCRIPTOR, 0);
    put(&mut sizeless, 12, &[0; 8]);
    assert_eq!(look(&sizeless).problems.len(), 1);
    assert_eq!(look(DESCRIPTOR.as_bytes()).problems.len(), 1);
    assert_eq!(look(b"version=1\nwithout a type").format, Format::Vmdk);
}

#[test]
fn a_footer_must_agree_with_the_header() {
    let with_footer = |change: &dyn Fn(&mut [u8])| {
        let mut disk = vmdk(&DESCRIPTOR.replace("monolithicSparse", "streamOptimized"), u64::MAX);
        let mut tail = vec![0; 1536];
        put(&mut tail, 0, &[2, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 3]);
        put(&mut tail, 512, &disk[..512]);
        put(&mut tail, 512 + 56, &40_u64.to_le_bytes());
        change(&mut tail);
        disk.extend(tail);
        look(&disk).problems
    };
    assert_eq!(with_footer(&|_| {}), []);
    for at in [8, 12, 100, 512, 516, 540, 548, 1024, 1535] {
        assert_eq!(with_footer(&|tail| tail[at] ^= 1).len(), 1, "byte {at}");
    }
    assert_eq!(with_footer(&|tail| tail[568..576].fill(0xff)).len(), 1);
}

#[test]
fn the_size_of_a_vhdx_is_three_pointers_deep() {
    for (metadata, item) in [(1 << 20, 65536), (1 << 20, 4096), (300_001, 200_000)] {
        let found = look(&vhdx(metadata, item));
        assert_eq!((found.format, found.virtual_size, &found.problems[..]), (Format::Vhdx, Some(5 << 30), &[][..]));
    }
    for (metadata, item) in [(100, 65536), (1 << 20, u32::MAX), (u64::MAX, 0), (u64::MAX - 7, u32::MAX)] {
        assert_eq!(look(&vhdx(metadata, item)).problems, [Problem::Incomplete], "{metadata} {item}");
    }
}

#[test]
fn marks_and_sizes() {
    let mut vdi = vec![0; 512];
    put(&mut vdi, 0x40, &0xbeda_107f_u32.to_le_bytes());
    put(&mut vdi, 0x170, &7_u64.to_le_bytes());
    let mut vhd = vec![0; 512];
    put(&mut vhd, 0, b"conectix");
    put(&mut vhd, 40, &7_u64.to_be_bytes());
    let mut ploop = vec![0; 512];
    put(&mut ploop, 0, b"WithouFreSpacExt");
    put(&mut ploop, 36, &7_u64.to_le_bytes());
    let mut luks = vec![0; 1024];
    put(&mut luks, 0, b"LUKS\xba\xbe\0\x01");
    put(&mut luks, 104, &1_u32.to_be_bytes());
    for (bytes, format, size) in [
        (vdi, Format::Vdi, 7),
        (vhd, Format::Vhd, 7),
        (ploop, Format::Ploop, 7 * 512),
        (luks.clone(), Format::Luks, 512),
    ] {
        let found = look(&bytes);
        assert_eq!((found.format, found.virtual_size, found.problems), (format, Some(size), vec![]));
    }
    luks[7] = 2;
    assert_eq!(look(&luks).problems, [Problem::LuksVersion(2)]);
    assert_eq!(look(b"QED\0").problems, [Problem::Banned]);
    assert!(look(b"Bochs Virtual HD Image").accept_for_base("raw", &Rules::default()).is_err());
}

#[test]
fn refusals_are_told_in_words() {
    let text = look(&qcow2(3, 600, 4)).accept_as("qcow2", &Rules::default()).unwrap_err().to_string();
    assert_eq!(text, "the qcow2 image is not safe to use: it has a backing file; its data are in an external file");
    let text = look(b"").accept_as("qcow2", &Rules::default()).unwrap_err().to_string();
    assert_eq!(text, "the image is declared as qcow2, but its content is raw");
    let text = look(b"").accept_for_base("ploop", &Rules::default()).unwrap_err().to_string();
    assert_eq!(text, "disk_format ploop is not one that Nova boots from");
}

/// Images with some of their interesting bytes changed.
fn mutants() -> impl Strategy<Value = Vec<u8>> {
    let seeds = prop_oneof![
        Just(qcow2(3, 0, 0)),
        Just(mbr(LINUX)),
        Just(iso()),
        Just(vmdk(DESCRIPTOR, u64::MAX)),
        Just(DESCRIPTOR.as_bytes().to_vec()),
        Just(vhdx(1 << 20, 65536)),
        Just(vhdx(300_001, 4)),
        Just([b"QED\0".as_slice(), &[1; 100]].concat()),
    ];
    let edit = (prop_oneof![0_usize..600, 0x30000_usize..0x30100, 1_usize << 20..(1 << 20) + 100], any::<[u8; 4]>());
    (seeds, proptest::collection::vec(edit, 0..4), 0_usize..4 << 20).prop_map(|(mut bytes, edits, cut)| {
        for (at, value) in edits {
            if at + 4 <= bytes.len() {
                put(&mut bytes, at, &value);
            }
        }
        bytes.truncate(cut.max(1000));
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 128, ..ProptestConfig::default() })]

    #[test]
    fn chunks_do_not_matter(bytes in mutants(), sizes in proptest::collection::vec(1_usize..200_000, 1..20)) {
        let whole = look(&bytes);
        let (mut inspector, mut settled) = (Inspector::new(), None);
        let mut rest = &bytes[..];
        for size in sizes.iter().cycle() {
            let (chunk, tail) = rest.split_at(rest.len().min(*size));
            inspector.feed(chunk);
            if inspector.settled() && settled.is_none() {
                settled = Some(inspector.clone().finish_at(bytes.len() as u64));
            }
            rest = tail;
            if rest.is_empty() {
                break;
            }
        }
        prop_assert_eq!(&inspector.finish(), &whole);
        prop_assert_eq!(settled.unwrap_or_else(|| whole.clone()), whole.clone());
        prop_assert_eq!(inspect(&mut Cursor::new(&bytes)).unwrap(), whole);
    }

    #[test]
    fn little_is_held(bytes in mutants()) {
        let mut inspector = Inspector::new();
        for chunk in bytes.chunks(50_000) {
            inspector.feed(chunk);
            prop_assert!(inspector.held() <= 512 << 10);
        }
    }

    #[test]
    fn no_header_makes_it_panic(bytes in mutants()) {
        let _ = references(&mut Cursor::new(&bytes));
        let backing = backing_file(&mut Cursor::new(&bytes));
        if let Ok(Some(backing)) = backing {
            let _ = backing.resolve("/a/disk".as_ref());
        }
    }
}

/// Inputs that the fuzzer found worth keeping, some of which were findings once.
#[test]
fn what_the_fuzzer_found_holds() {
    let corpus = concat!(env!("CARGO_MANIFEST_DIR"), "/fuzz/corpus/inspector");
    let inputs: Vec<_> =
        std::fs::read_dir(corpus).unwrap().map(|it| std::fs::read(it.unwrap().path()).unwrap()).collect();
    assert!(inputs.len() > 20, "{}", inputs.len());
    inputs.iter().for_each(|it| fuzzed::check(it));
}
