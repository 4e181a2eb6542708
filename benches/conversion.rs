//! A zlib-compressed qcow2 made raw, against `qemu-img convert -W`.

use crate::{
    report::{best, rate},
    support::{LARDER, disks, have, run},
};
use larder::diskformat::{Format, convert};
use std::{fs, path::Path, process::Command};
use tokio_util::sync::CancellationToken;

pub(crate) fn bench(dir: &Path) {
    if !have(&disks::TOOLS) {
        return;
    }
    // Programs and libraries, as in a guest's image; links only where they lead, as mkfs copies them.
    let tree = dir.join("tree");
    std::fs::create_dir(&tree).unwrap();
    for part in ["/usr/bin", "/usr/sbin"] {
        run(Command::new("cp").args(["-r", "-P", part]).arg(&tree));
    }
    let used = run(Command::new("du").args(["-sm"]).arg(&tree));
    let mib: u64 = used.split_whitespace().next().unwrap().parse().unwrap();
    let raw = disks::of_tree(dir, "disk", mib * 5 / 4 + 64, &tree);
    std::fs::remove_dir_all(&tree).unwrap();
    let zlib = disks::qcow2(&raw, true);
    let bytes = std::os::unix::fs::MetadataExt::blocks(&fs::metadata(&raw).unwrap()) * 512;
    let target = dir.join("converted.raw");
    let limit = best(2, || {
        let _ = fs::remove_file(&target);
        run(Command::new("qemu-img").args(["convert", "-W", "-f", "qcow2", "-O", "raw"]).arg(&zlib).arg(&target));
    });
    let settings = convert::Settings { worker: Some(LARDER.into()), ..convert::Settings::default() };
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let ours = best(2, || {
        let _ = fs::remove_file(&target);
        let work = convert::to_raw(&zlib, Format::Qcow2, &target, &settings, |_, _| {}, CancellationToken::new());
        runtime.block_on(work).unwrap();
    });
    assert!(disks::same((&raw, "raw"), (&target, "raw")));
    rate(&format!("conversion of a zlib qcow2, {} MiB (qemu-img -W)", bytes >> 20), bytes, ours, limit, 1.0);
}
