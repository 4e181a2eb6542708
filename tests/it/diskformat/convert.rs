//! Conversions, compared by `qemu-img compare`.

use super::{image, qemu_img, raw};
use crate::support::{LARDER, disks::same, have, output, skip, text};
use larder::diskformat::{
    Format,
    convert::{ConvertError, Converted, Settings, to_raw},
};
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
    process::Command,
    sync::Mutex,
};
use tokio_util::sync::CancellationToken;

const SIZE: u64 = 24 << 20;

fn settings() -> Settings {
    Settings { worker: Some(LARDER.into()), ..Settings::default() }
}

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Runtime::new().unwrap().block_on(work)
}

/// Converts; what is at the target afterwards must be the whole or nothing.
fn convert_with(source: &Path, format: Format, settings: &Settings) -> (PathBuf, Result<Converted, ConvertError>) {
    let target = source.with_file_name("target.raw");
    let seen = Mutex::new(Vec::new());
    let progress = |done, total| seen.lock().unwrap().push((done, total));
    let result = block_on(to_raw(source, format, &target, settings, progress, CancellationToken::new()));
    assert_eq!(result.is_ok(), target.exists(), "{result:?}");
    let seen = seen.into_inner().unwrap();
    assert!(seen.iter().all(|(done, total)| done <= total), "{seen:?}");
    (target, result)
}

fn convert(source: &Path, format: Format) -> (PathBuf, Result<Converted, ConvertError>) {
    convert_with(source, format, &settings())
}

#[test]
fn the_result_is_what_a_guest_sees() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    for size in [SIZE, 512, (8 << 20) + 512, (2 << 20) - 512] {
        let raw = raw(dir.path(), size);
        let mut kinds: Vec<_> = [512, 4096, 65536, 1 << 21]
            .iter()
            .flat_map(|cluster| [false, true].map(|it| ("qcow2", it, format!("cluster_size={cluster}"), Format::Qcow2)))
            .collect();
        for (format, compress, options, ours) in [
            ("qcow2", false, "compat=0.10", Format::Qcow2),
            ("qcow2", false, "lazy_refcounts=on", Format::Qcow2),
            ("qcow2", false, "preallocation=metadata", Format::Qcow2),
            ("qcow2", true, "compression_type=zstd", Format::Qcow2),
            ("qcow2", false, "extended_l2=on", Format::Qcow2),
            ("vmdk", false, "", Format::Vmdk),
            ("vmdk", false, "subformat=streamOptimized", Format::Vmdk),
            ("vdi", false, "", Format::Vdi),
            ("vhdx", false, "", Format::Vhdx),
            ("vpc", false, "force_size=on", Format::Vhd),
        ] {
            // The others round up to their own units.
            if ours == Format::Qcow2 || size == SIZE {
                kinds.push((format, compress, options.into(), ours));
            }
        }
        for (format, compress, options, ours) in kinds {
            let source = image(&raw, format, compress, &options);
            let (target, result) = convert(&source, ours);
            let what = format!("{size} {format} {compress} {options}");
            let converted = result.unwrap_or_else(|error| panic!("{what}: {error:?}"));
            assert_eq!(converted.virtual_size, size, "{what}");
            assert!(same((&source, format), (&target, "raw")), "{what}");
            assert!(fs::read(&raw).unwrap() == fs::read(&target).unwrap(), "{what}");
            let most = fs::metadata(&raw).unwrap().blocks() * 512 + (1 << 20);
            assert!(converted.allocated <= most, "{what}: {} of {most} bytes", converted.allocated);
        }
    }
}

#[test]
fn what_stands_on_others_or_is_not_whole_is_refused() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = raw(dir.path(), SIZE);
    let at = |name: &str| dir.path().join(name);
    qemu_img(&["create", "-q", "-f", "qcow2", "-F", "raw", "-b"], &[&raw, &at("overlay")]);
    let data = format!("data_file={}", at("data").display());
    qemu_img(&["create", "-q", "-f", "qcow2", "-o", &data], &[&at("outside"), Path::new("1M")]);
    let secret = ["--object", "secret,id=key,data=larder", "-o"];
    let luks = ["encrypt.format=luks,encrypt.key-secret=key,encrypt.iter-time=10", "key-secret=key,iter-time=10"];
    for (format, options) in [("qcow2", luks[0]), ("luks", luks[1])] {
        let args = ["create", "-q", "-f", format, secret[0], secret[1], secret[2], options];
        qemu_img(&args, &[&at(&format!("secret-{format}")), Path::new("1M")]);
    }
    let whole = image(&raw, "qcow2", false, "");
    let cut = |name: &str, keep: u64| {
        fs::copy(&whole, at(name)).unwrap();
        File::options().write(true).open(at(name)).unwrap().set_len(keep).unwrap();
        at(name)
    };
    let length = fs::metadata(&whole).unwrap().len();
    for (source, format) in [
        (at("overlay"), Format::Qcow2),
        (at("outside"), Format::Qcow2),
        (at("secret-qcow2"), Format::Qcow2),
        (at("secret-luks"), Format::Luks),
        (image(&raw, "qed", false, ""), Format::Qed),
        (raw.clone(), Format::Raw),
        (raw.clone(), Format::Qcow2),
        (image(&raw, "vmdk", false, "subformat=monolithicFlat"), Format::Vmdk),
        (cut("head", 300), Format::Qcow2),
        (cut("first-table", 0x3_0008), Format::Qcow2),
        (cut("second-table", 0x4_0000), Format::Qcow2),
    ] {
        let (_, result) = convert(&source, format);
        let error = result.unwrap_err();
        let refused = matches!(&error, ConvertError::Refused { .. } | ConvertError::References(_));
        assert!(refused && error.is_permanent(), "{}: {error:?}", source.display());
    }
    for keep in [length / 2, length - (2 << 16)] {
        let (_, result) = convert(&cut("data", keep), Format::Qcow2);
        let error = result.unwrap_err();
        assert!(error.to_string().contains("the image is cut"), "{keep}: {error}");
    }
}

#[test]
fn a_lie_about_the_size_is_refused_before_anything_is_written() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = image(&raw(dir.path(), SIZE), "qcow2", false, "");
    let file = File::options().write(true).open(&source).unwrap();
    for size in [u64::MAX, 1 << 62, 17 << 40] {
        file.write_all_at(&size.to_be_bytes(), 24).unwrap();
        let (_, result) = convert(&source, Format::Qcow2);
        assert!(matches!(result, Err(ConvertError::TooLarge { limit, .. }) if limit == 16 << 40), "{result:?}");
    }
    // Within the limit, but the tables do not reach so far.
    file.write_all_at(&(4_u64 << 40).to_be_bytes(), 24).unwrap();
    let (_, result) = convert(&source, Format::Qcow2);
    assert!(matches!(result, Err(ConvertError::Refused { .. })), "{result:?}");
}

#[test]
fn a_disk_that_holds_an_image_is_refused_after_conversion() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let inner = image(&raw(dir.path(), 2 << 20), "qcow2", false, "");
    let outer = image(&inner, "qcow2", true, "");
    let (_, result) = convert(&outer, Format::Qcow2);
    assert!(matches!(result, Err(ConvertError::BadResult { found: Format::Qcow2 })), "{result:?}");
}

#[test]
fn limits_end_a_conversion_with_words() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let raw = raw(dir.path(), SIZE);
    let zstd = image(&raw, "qcow2", true, "compression_type=zstd");
    let missing = Settings { qemu_img: Some("/nonexistent/qemu-img".into()), ..settings() };
    let (_, result) = convert_with(&zstd, Format::Qcow2, &missing);
    let words = result.unwrap_err().to_string();
    assert_eq!(words, "the qcow2 image needs qemu-img (it is compressed with zstd), which is not installed");

    let plain = image(&raw, "qcow2", false, "");
    let missing = Settings { worker: Some("/nonexistent/larder".into()), ..settings() };
    let (_, result) = convert_with(&plain, Format::Qcow2, &missing);
    assert!(matches!(result, Err(ConvertError::Start { .. })), "{result:?}");

    let greedy = Settings { keep_free: u64::MAX, ..settings() };
    for source in [&plain, &zstd] {
        let (_, result) = convert_with(source, Format::Qcow2, &greedy);
        assert!(matches!(result, Err(ConvertError::NoRoom { .. })), "{result:?}");
    }

    let narrow = Settings { memory_limit: 24 << 20, ..settings() };
    let (_, result) = convert_with(&zstd, Format::Qcow2, &narrow);
    assert!(matches!(result, Err(ConvertError::Failed { .. })), "{result:?}");

    let idle = Settings { idle: true, threads: 1, ..settings() };
    for source in [&plain, &zstd] {
        convert_with(source, Format::Qcow2, &idle).1.unwrap();
    }
}

#[test]
fn a_cancelled_or_dropped_conversion_leaves_nothing() {
    if !have(&["qemu-img"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let source = image(&raw(dir.path(), 200 << 20), "qcow2", true, "");
    let (target, settings) = (dir.path().join("target.raw"), settings());
    for _ in 0..10 {
        let cancel = CancellationToken::new();
        let stop = cancel.clone();
        let work = to_raw(&source, Format::Qcow2, &target, &settings, move |_, _| stop.cancel(), cancel);
        let result = block_on(work);
        // It may have been done before the first word of progress was heard.
        assert!(matches!(result, Err(ConvertError::Cancelled) | Ok(_)), "{result:?}");
        assert_eq!(result.is_ok(), target.exists());
    }
    let _ = fs::remove_file(&target);
    block_on(async {
        let work = to_raw(&source, Format::Qcow2, &target, &settings, |_, _| {}, CancellationToken::new());
        let _ = tokio::time::timeout(std::time::Duration::from_millis(5), work).await.is_ok_and(|it| it.is_ok());
    });
    assert!(!target.exists() || fs::metadata(&target).unwrap().len() == 200 << 20);
}

#[test]
fn the_child_sees_nothing_but_its_image() {
    if !have(&["sh", "cat"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let at = |name: &str| dir.path().join(name);
    fs::write(at("secret"), "the secret").unwrap();
    fs::write(at("source"), "the source").unwrap();
    fs::write(at("target"), "").unwrap();
    fs::create_dir(at("bin")).unwrap();
    let script = format!(
        "#!/bin/sh\ncat {0}/secret\necho x >{0}/elsewhere\necho new >{0}/target\ncat {0}/source\ncat {0}/target\ncat {0}/bin/closed\nperl -MSocket -e 'print socket(my $s, AF_INET, SOCK_DGRAM, 0) ? \"a socket\" : \"denied: $!\"'",
        dir.path().display()
    );
    fs::write(at("bin/qemu-img"), script).unwrap();
    fs::set_permissions(at("bin/qemu-img"), PermissionsExt::from_mode(0o755)).unwrap();
    // Open to nobody but those who may override it, such as root.
    fs::write(at("bin/closed"), "the privileged").unwrap();
    fs::set_permissions(at("bin/closed"), PermissionsExt::from_mode(0o000)).unwrap();
    let parent = std::process::id().to_string();
    let mut worker = Command::new(LARDER);
    worker.args(["convert-worker", "--virtual-size=1", "--memory=1000000000", "--cpu-seconds=60", "--driver=raw"]);
    worker.args(["--parent", &parent, "--qemu-img"]).args([at("bin/qemu-img"), at("source"), at("target")]);
    let said = text(&output(&mut worker).stdout);
    assert!(said.contains("the source") && said.contains("new"), "{said}");
    assert!(!said.contains("the privileged"), "{said}");
    assert!(said.contains("no sockets") && !said.contains("a socket"), "{said}");
    if said.contains("jail none") {
        skip("this kernel has no Landlock");
        return;
    }
    assert!(!said.contains("the secret") && !at("elsewhere").exists(), "{said}");
}
