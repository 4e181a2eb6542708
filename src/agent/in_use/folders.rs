//! Every disk under `instances_path`, whatever its folder is called.
//!
//! Instance folders, `_resize`, `_del`, `snapshots`, and whatever else is there: a disk counts wherever it lies. What
//! nova's `disk.info` says of a format is not asked: a header that names a base counts as use.
//!
//! A file system that is not mounted looks like one without disks: its signs are doubts.

use super::{
    bases::looks_like_base,
    chain::is_missing,
    observe::{Holder, Look},
};
use std::{
    ffi::OsStr,
    fs::{self, Metadata},
    io,
    os::unix::{ffi::OsStrExt, fs::MetadataExt},
    path::Path,
};

/// Instances have one level; Ploop disks and snapshots one or two more.
const DEEPEST: u32 = 6;
/// A hundred thousand instances; more is not a compute node.
const MOST_ENTRIES: u64 = 1_000_000;

pub(super) fn look(look: &mut Look<'_>) {
    let top = look.dir.instances_path().to_owned();
    // Whatever link leads there: a base is not a disk that uses itself.
    if let Ok(meta) = look.dir.path().metadata() {
        look.entered.insert((meta.dev(), meta.ino()));
    }
    folder(look, &top, 0);
    let device = |path: &Path| path.metadata().ok().map(|meta| meta.dev());
    if look.entries == 0 && device(&top) != device(look.dir.path()) {
        look.found.doubt_every(format!(
            "{} is empty, and its base directory is on another file system: are the instances mounted?",
            top.display()
        ));
    }
}

fn folder(look: &mut Look<'_>, path: &Path, depth: u32) {
    let before = match path.metadata() {
        Ok(meta) => meta,
        Err(error) => return failed(look, path, &error),
    };
    if !look.entered.insert((before.dev(), before.ino())) {
        return;
    }
    if depth > DEEPEST {
        return look
            .found
            .doubt_every(format!("{} is more than {DEEPEST} folders deep: not looked into", path.display()));
    }
    let entries = match fs::read_dir(path) {
        Ok(entries) => entries,
        Err(error) => return failed(look, path, &error),
    };
    for entry in entries {
        match entry {
            Ok(entry) if depth == 0 && is_apart(look, &entry.file_name()) => continue,
            Ok(entry) => item(look, &entry, depth),
            Err(error) => return failed(look, path, &error),
        }
        look.entries += 1;
        if look.entries > MOST_ENTRIES {
            let top = look.dir.instances_path().display();
            return look
                .found
                .doubt_every(format!("{top} has more than {MOST_ENTRIES} entries: not all were looked at"));
        }
    }
    // What is renamed while a folder is read may be missed under both names.
    if !path.metadata().is_ok_and(|after| stamp(&after) == stamp(&before)) {
        look.changed = true;
    }
}

fn item(look: &mut Look<'_>, entry: &fs::DirEntry, depth: u32) {
    let path = entry.path();
    if is_no_disk(&entry.file_name()) {
        return;
    }
    // Through links: a disk may lie elsewhere.
    match path.metadata() {
        Ok(meta) if meta.is_dir() => folder(look, &path, depth + 1),
        Ok(meta) if meta.is_file() => {
            look.follow(&path, &Holder::Disk(path.clone()));
            look.note_growth(&path, &meta);
        }
        Ok(_) => {}
        Err(error) if is_missing(&error) && path.is_symlink() => dangling(look, &path),
        Err(error) if error.raw_os_error() == Some(nix::libc::ELOOP) => {}
        Err(error) => failed(look, &path, &error),
    }
}

/// A link whose target is not there: a base counts by its name; anything else could be a disk, or a folder of disks,
/// on a file system that is not mounted.
fn dangling(look: &mut Look<'_>, path: &Path) {
    let bases = look.bases_at(path);
    for base in &bases {
        look.add(base, &Holder::Disk(path.to_owned()), 0);
    }
    let target = path.read_link().unwrap_or_default();
    if bases.is_empty() && !looks_like_base(&target) {
        look.found.doubt_every(format!(
            "{} leads to {}, which is not there: mount its file system, or remove the link",
            path.display(),
            target.display()
        ));
    }
}

fn failed(look: &mut Look<'_>, path: &Path, error: &io::Error) {
    if is_missing(error) {
        look.changed = true;
    } else {
        look.found.doubt_every(format!("cannot look at {}: {error}", path.display()));
    }
}

/// The base directory is looked at by itself, locks are empty files, and of the rest the file system's own folders
/// hold no instances and are closed to all but root.
fn is_apart(look: &Look<'_>, name: &OsStr) -> bool {
    let base = look.dir.settings().subdirectory_name.as_str();
    name == base || ["locks", "lost+found", ".snapshot", ".zfs"].iter().any(|it| name == *it)
}

/// What nova and libvirt put beside disks: text that a guest may write, and the state of a TPM, closed to others.
fn is_no_disk(name: &OsStr) -> bool {
    let is_console = |rest: &[u8]| rest.is_empty() || (rest[0] == b'.' && rest[1..].iter().all(u8::is_ascii_digit));
    ["disk.info", "swtpm", "compute_nodes"].iter().any(|it| name == *it)
        || name.as_bytes().strip_prefix(b"console.log").is_some_and(is_console)
}

fn stamp(meta: &Metadata) -> (u64, u64, i64, i64) {
    (meta.dev(), meta.ino(), meta.mtime(), meta.mtime_nsec())
}
