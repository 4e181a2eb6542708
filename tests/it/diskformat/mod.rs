//! Images made by the real qemu-img.

#[cfg(feature = "agent")]
mod convert;
mod recognise;
mod stands_on;

use crate::support::{disks::noise, run};
use std::{
    fs::File,
    os::unix::fs::FileExt,
    path::{Path, PathBuf},
    process::Command,
};

/// A raw disk of `size` bytes with a little noise, text and holes, as a disk has.
fn raw(dir: &Path, size: u64) -> PathBuf {
    let path = dir.join("disk.raw");
    noise(&path, 300_000.min(size), size);
    let file = File::options().write(true).open(&path).unwrap();
    file.set_len(size).unwrap();
    if size > 4 << 20 {
        // Data amid a hole, not on a block's boundary; a block of it that compresses well.
        file.write_all_at(&b"larder ".repeat(30_000), (2 << 20) + 777).unwrap();
        file.write_all_at(b"the end", size - 7).unwrap();
    }
    path
}

fn qemu_img(args: &[&str], paths: &[&Path]) {
    run(Command::new("qemu-img").args(args).args(paths));
}

/// Converts a raw disk with `qemu-img convert -O FORMAT [-c] [-o OPTIONS]`.
fn image(raw: &Path, format: &str, compress: bool, options: &str) -> PathBuf {
    let target = raw.with_file_name(format!("{format}-{compress}-{}", options.replace([',', '='], "-")));
    let mut args = vec!["convert", "-f", "raw", "-O", format];
    if compress {
        args.push("-c");
    }
    if !options.is_empty() {
        args.extend(["-o", options]);
    }
    qemu_img(&args, &[raw, &target]);
    target
}
