//! Real disk images: a partition with a file system that holds real files, made from a file tree.

use super::run;
use std::{
    fs::{self, File},
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

/// Tools that [`partitioned`] and [`qcow2`] need.
pub(crate) const TOOLS: [&str; 2] = ["qemu-img", "mkfs.ext4"];

/// `dir/NAME.raw`: an MBR with one bootable Linux partition at 1 MiB, holding an ext4 of `mib` MiB with a copy of
/// some of this project's sources and `mib / 4` MiB of noise, so that it neither compresses nor dedups away; the rest is holes.
pub(crate) fn partitioned(dir: &Path, name: &str, mib: u64) -> PathBuf {
    let tree = dir.join(format!("{name}.tree"));
    fs::create_dir_all(&tree).unwrap();
    run(Command::new("cp").args(["-r", concat!(env!("CARGO_MANIFEST_DIR"), "/src/agent")]).arg(&tree));
    noise(&tree.join("noise"), mib * 1024 * 1024 / 4, name.len() as u64);
    let image = of_tree(dir, name, mib, &tree);
    fs::remove_dir_all(&tree).unwrap();
    image
}

/// Likewise, with a copy of `tree`.
pub(crate) fn of_tree(dir: &Path, name: &str, mib: u64, tree: &Path) -> PathBuf {
    let image = dir.join(format!("{name}.raw"));
    let file = File::create(&image).unwrap();
    let start = 1 << 20;
    file.set_len(start + (mib << 20)).unwrap();
    let mut mbr = [0_u8; 512];
    // One entry: bootable, CHS of both ends "use LBA", type 83, first sector, count (the classic table at 446).
    mbr[446..462].copy_from_slice(&[0x80, 0xfe, 0xff, 0xff, 0x83, 0xfe, 0xff, 0xff, 0, 8, 0, 0, 0, 0, 0, 0]);
    mbr[458..462].copy_from_slice(&u32::try_from((mib << 20) / 512).unwrap().to_le_bytes());
    mbr[510..].copy_from_slice(&[0x55, 0xaa]);
    file.write_all_at(&mbr, 0).unwrap();
    let blocks = format!("{}k", mib << 10);
    run(Command::new("mkfs.ext4").args(["-q", "-F", "-E", "offset=1048576", "-d"]).arg(tree).arg(&image).arg(blocks));
    image
}

/// `dir/NAME.qcow2` of a raw image; `compress` with zlib.
pub(crate) fn qcow2(raw: &Path, compress: bool) -> PathBuf {
    let target = raw.with_extension("qcow2");
    let mut convert = Command::new("qemu-img");
    convert.args(["convert", "-f", "raw", "-O", "qcow2"]);
    if compress {
        convert.arg("-c");
    }
    run(convert.arg(raw).arg(&target));
    target
}

/// Fills a file with `len` bytes that no compressor likes, the same for the same seed.
pub(crate) fn noise(path: &Path, len: u64, seed: u64) {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut bytes = Vec::with_capacity(usize::try_from(len).unwrap());
    while (bytes.len() as u64) < len {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        bytes.extend_from_slice(&state.to_le_bytes());
    }
    bytes.truncate(usize::try_from(len).unwrap());
    fs::write(path, bytes).unwrap();
}

/// True when both have the same content as a guest sees it.
pub(crate) fn same(one: (&Path, &str), two: (&Path, &str)) -> bool {
    Command::new("qemu-img")
        .args(["compare", "-f", one.1, "-F", two.1])
        .args([one.0, two.0])
        .output()
        .unwrap()
        .status
        .success()
}
