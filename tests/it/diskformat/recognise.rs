//! What the inspector says of them.

use super::{image, qemu_img, raw};
use crate::support::have;
use larder::diskformat::{Details, Format, Inspection, Inspector, Problem, Refusal, Rules, inspect};
use std::{fs, path::Path};

const SIZE: u64 = 24 << 20;

/// Inspects a file by seeking and as a stream: both must say the same.
fn look(path: &Path) -> Inspection {
    let found = inspect(&mut fs::File::open(path).unwrap()).unwrap();
    for chunk in [1 << 20, 65_536, 4093, 512] {
        let mut inspector = Inspector::new();
        fs::read(path).unwrap().chunks(chunk).for_each(|it| inspector.feed(it));
        assert_eq!(inspector.finish(), found, "{} in chunks of {chunk}", path.display());
    }
    found
}

#[test]
fn every_format_that_qemu_img_makes() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = raw(dir.path(), SIZE);
    // Format of qemu-img, its options, ours, whether a base may be made of it.
    for (format, compress, options, expected, base) in [
        ("qcow2", false, "compat=0.10", Format::Qcow2, true),
        ("qcow2", false, "", Format::Qcow2, true),
        ("qcow2", true, "", Format::Qcow2, true),
        ("qcow2", true, "compression_type=zstd", Format::Qcow2, true),
        ("vmdk", false, "", Format::Vmdk, true),
        ("vmdk", false, "subformat=streamOptimized", Format::Vmdk, true),
        ("vdi", false, "", Format::Vdi, true),
        ("vhdx", false, "", Format::Vhdx, true),
        ("vpc", false, "force_size=on", Format::Vhd, false),
        ("parallels", false, "", Format::Ploop, false),
    ] {
        let found = look(&image(&raw, format, compress, options));
        let what = format!("{format} {compress} {options}: {found:?}");
        assert_eq!((found.format, found.formats.len(), found.virtual_size), (expected, 1, Some(SIZE)), "{what}");
        let declared = expected.disk_format();
        assert_eq!(found.accept_as(declared, &Rules::default()), Ok(()), "{what}");
        assert_eq!(found.accept_for_base(declared, &Rules::default()).is_ok(), base, "{what}");
        // Whatever is declared raw is taken by a catalogue, and by no node.
        assert_eq!(found.accept_as("raw", &Rules::default()), Ok(()), "{what}");
        assert!(found.accept_for_base("raw", &Rules::default()).is_err(), "{what}");
    }
}

#[test]
fn what_may_lead_elsewhere_is_refused() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = raw(dir.path(), SIZE);
    let overlay = dir.path().join("overlay");
    qemu_img(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b"], &[&raw, &overlay]);
    let outside = dir.path().join("outside");
    let data = dir.path().join("data.raw");
    let option = format!("data_file={}", data.display());
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", &option], &[&outside, Path::new("1M")]);
    for (path, format, problem) in [
        (overlay, "qcow2", Problem::BackingFile),
        (outside, "qcow2", Problem::DataFile),
        (image(&raw, "qcow2", false, "extended_l2=on"), "qcow2", Problem::UnknownFeatures(16)),
        (image(&raw, "qed", false, ""), "qed", Problem::Banned),
        (
            image(&raw, "vmdk", false, "subformat=monolithicFlat"),
            "vmdk",
            Problem::Descriptor("it is a descriptor only, whose data are in other files"),
        ),
        (
            image(&raw, "vmdk", false, "subformat=twoGbMaxExtentSparse"),
            "vmdk",
            Problem::Descriptor("it is a descriptor only, whose data are in other files"),
        ),
    ] {
        let found = look(&path);
        let refusal = Err(Refusal::Unsafe { found: found.format, problems: vec![problem] });
        for declared in [format, "raw"] {
            assert_eq!(found.accept_as(declared, &Rules::default()), refusal, "{declared} {}", path.display());
        }
        assert_eq!(found.accept_for_base(format, &Rules::default()), refusal, "{}", path.display());
    }
}

#[test]
fn luks_is_known_by_its_mark() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("luks");
    let secret = ["--object", "secret,id=key,data=larder", "-o", "key-secret=key,iter-time=10"];
    qemu_img(&["create", "-q", "-f", "luks", secret[0], secret[1], secret[2], secret[3]], &[&path, Path::new("1M")]);
    let found = look(&path);
    assert_eq!((found.format, found.virtual_size), (Format::Luks, Some(1 << 20)));
    assert_eq!(found.accept_as("luks", &Rules::default()), Ok(()));
}

#[test]
fn what_headers_tell_besides() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = raw(dir.path(), SIZE);
    let qcow2 = |cluster_size, compression| Details {
        cluster_size: Some(cluster_size),
        compression: Some(compression),
        ..Details::default()
    };
    let vmdk = |adapter: &str| Details { adapter_type: Some(adapter.into()), ..Details::default() };
    for (format, options, expected) in [
        ("qcow2", "", qcow2(65_536, "zlib")),
        ("qcow2", "compat=0.10", qcow2(65_536, "zlib")),
        ("qcow2", "cluster_size=1M,compression_type=zstd", qcow2(1 << 20, "zstd")),
        ("vmdk", "", vmdk("ide")),
        ("vmdk", "subformat=streamOptimized,adapter_type=lsilogic", vmdk("lsilogic")),
        ("vdi", "", Details::default()),
    ] {
        assert_eq!(look(&image(&raw, format, false, options)).details, expected, "{format} {options}");
    }
}
