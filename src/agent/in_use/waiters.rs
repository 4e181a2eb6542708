//! Who waits for a base that is being made.
//!
//! Nova polls its locks, so the kernel knows of no waiter; but whoever polls has the lock file open all the time.
//! Only processes of nova's user and of root are looked at: a node has few of them. Processes in other PID name spaces,
//! and those that may not be looked into, are not seen.

use crate::agent::base_dir::BaseDir;
use std::{
    collections::{HashMap, HashSet},
    fs,
    os::unix::fs::MetadataExt,
    path::Path,
};

/// Of these bases, the ones whose lock files another process has open. Blocks.
pub fn waited_for(dir: &BaseDir, bases: &[&str], proc: &Path) -> HashSet<String> {
    let locks = dir.instances_path().join("locks");
    let files: HashMap<(u64, u64), &str> = bases
        .iter()
        .filter_map(|base| {
            let meta = fs::symlink_metadata(locks.join(format!("nova-{base}"))).ok()?;
            Some(((meta.dev(), meta.ino()), *base))
        })
        .collect();
    let mut found = HashSet::new();
    let Ok(entries) = fs::read_dir(proc) else { return found };
    let Ok(owner) = dir.instances_path().metadata().map(|it| it.uid()) else { return found };
    let us = std::process::id().to_string();
    for entry in entries.flatten().filter(|_| !files.is_empty()) {
        let name = entry.file_name();
        let is_process = name.as_encoded_bytes().iter().all(u8::is_ascii_digit) && *name != *us;
        if is_process && entry.metadata().is_ok_and(|it| it.uid() == owner || it.uid() == 0) {
            found.extend(open_in(&entry.path(), &files).map(str::to_owned));
        }
    }
    found
}

fn open_in<'a>(process: &Path, files: &'a HashMap<(u64, u64), &'a str>) -> impl Iterator<Item = &'a str> {
    let entries = fs::read_dir(process.join("fd")).into_iter().flatten().flatten();
    entries.filter_map(|entry| {
        let path = entry.path();
        // The same file may have another path for that process; its name is the same.
        let target = path.read_link().ok()?;
        if !target.file_name()?.as_encoded_bytes().starts_with(b"nova-") {
            return None;
        }
        let meta = path.metadata().ok()?;
        files.get(&(meta.dev(), meta.ino())).copied()
    })
}
