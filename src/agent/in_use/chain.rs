//! Down a disk's chain of backing files, by the headers.

use super::{
    bases::looks_like_base,
    observe::{Holder, Look},
};
use crate::base::chain;
use crate::diskformat::{References, backing::Unresolvable, references};
use nix::sys::statfs::{DEBUGFS_MAGIC, PROC_SUPER_MAGIC, SYSFS_MAGIC, TRACEFS_MAGIC, fstatfs};
use std::{
    collections::HashSet,
    fs::{File, Metadata, OpenOptions},
    io::{self, Read, Seek},
    os::unix::fs::{MetadataExt, OpenOptionsExt},
    path::{Path, PathBuf},
    sync::Arc,
};

/// Nobody has longer chains; qemu gives up soon after.
const DEEPEST: u32 = 64;
/// A guest may write what it likes to the start of a raw disk, such as the names of very many files.
const MOST_FILES: usize = 2000;
/// `disk.info` has a line per disk.
const LONGEST_INFO: u64 = 64 << 10;
/// Bytes of `st_blocks`' unit.
const BLOCK: u64 = 512;

/// What a file's header says.
#[derive(Clone, Debug)]
pub(super) enum Header {
    /// The paths of the files that it stands on, none for a raw file; and the bytes that a guest sees, where it says so.
    Names(Arc<[PathBuf]>, Option<u64>),
    /// It cannot be told: why.
    Unreadable(String),
    /// There is no such file.
    Missing,
}

// === impl Header ===

impl Header {
    /// That of a raw file.
    fn nothing() -> Self {
        Self::Names(Arc::from([]), None)
    }
}

// === impl Look ===

impl Look<'_> {
    /// Follows everything that the file at `top` stands on, and notes each base on the way as used by `holder`.
    ///
    /// What cannot be followed could lead to any base: a doubt that keeps all of them, unless nova has noted that the
    /// disk is raw. Then its guest wrote that header, and nothing ever follows it.
    pub(super) fn follow(&mut self, top: &Path, holder: &Holder) {
        match self.walk(top, holder) {
            Ok(()) => {}
            Err(why) if is_raw_to_nova(top) => {
                self.found
                    .note(format!("{top}: raw to nova, so its header is its guest's: {why}", top = top.display()));
            }
            Err(why) => self.found.doubt_every(format!("{}: {why}", top.display())),
        }
    }

    /// The first thing that cannot be followed is the answer; what can be is followed nevertheless.
    fn walk(&mut self, top: &Path, holder: &Holder) -> Result<(), String> {
        let mut outcome = Ok(());
        let mut doubt = |why: String| {
            if outcome.is_ok() {
                outcome = Err(why);
            }
        };
        let mut todo = vec![(top.to_owned(), 0)];
        let mut seen = HashSet::new();
        while let Some((path, depth)) = todo.pop() {
            let bases = self.bases_at(&path);
            for &base in &bases {
                self.add(base, holder, depth);
                // Another host may know it by another path; here it is this file.
                let here = self.dir.path().join(base);
                if here != path && seen.insert(here.clone()) {
                    todo.push((here, depth));
                }
            }
            if depth > DEEPEST || seen.len() > MOST_FILES {
                doubt(format!("it has more than {DEEPEST} backing files, or names more than {MOST_FILES} files"));
                break;
            }
            match self.header(&path) {
                Header::Names(names, _) => {
                    let new = names.iter().filter(|name| seen.insert((*name).clone()));
                    todo.extend(new.map(|name| (name.clone(), depth + 1)));
                }
                Header::Missing if depth == 0 => self.changed = true,
                // A base that is gone cannot be lost; any other file may come back with its file system.
                Header::Missing if !bases.is_empty() || looks_like_base(&path) => {}
                Header::Missing => {
                    doubt(format!(
                        "it stands on {}, which is not there; bring it back or remove the disk",
                        path.display()
                    ));
                }
                Header::Unreadable(why) if depth == 0 => doubt(why),
                Header::Unreadable(why) => doubt(format!("it stands on {}: {why}", path.display())),
            }
        }
        outcome
    }

    /// Notes how much the file at `disk` may still grow, if it is on the base directory's file system. The answer to
    /// [`Self::header`] is in memory by now.
    pub(super) fn note_growth(&mut self, disk: &Path, meta: &Metadata) {
        if Some(meta.dev()) != self.device {
            return;
        }
        let size = match self.header(disk) {
            Header::Names(_, size) => size.unwrap_or(meta.len()),
            Header::Unreadable(_) | Header::Missing => return,
        };
        self.growth.insert((meta.dev(), meta.ino()), size.saturating_sub(meta.blocks().saturating_mul(BLOCK)));
    }

    /// What the header of a file says, from memory if it was read in this look.
    pub(super) fn header(&mut self, path: &Path) -> Header {
        let meta = match path.metadata() {
            Ok(meta) => meta,
            Err(error) if is_missing(&error) => return Header::Missing,
            Err(error) => return Header::Unreadable(format!("cannot be looked at: {error}")),
        };
        // Pipes, terminals and devices: nova makes no overlays in them, and reading a dead one waits for ever.
        if !meta.is_file() {
            return Header::nothing();
        }
        let inode = (meta.dev(), meta.ino());
        if let Some(known) = self.headers.get(&inode) {
            return known.clone();
        }
        let (header, anywhere) = read(path);
        if anywhere {
            self.headers.insert(inode, header.clone());
        }
        header
    }
}

/// The header, and whether it says the same whatever path the file was reached by.
fn read(path: &Path) -> (Header, bool) {
    let flags = nix::libc::O_NONBLOCK | nix::libc::O_NOCTTY;
    let mut file = match OpenOptions::new().read(true).custom_flags(flags).open(path) {
        Ok(file) => file,
        Err(error) if is_missing(&error) => return (Header::Missing, false),
        Err(error) => return (Header::Unreadable(format!("cannot be opened: {error}")), true),
    };
    // A name may lead anywhere, and reading there may do more than read.
    if is_of_the_kernel(&file) {
        return (Header::nothing(), false);
    }
    match starts_with_zero(&mut file) {
        Ok(true) => return (Header::nothing(), true),
        Ok(false) => {}
        Err(error) => return (Header::Unreadable(format!("cannot be read: {error}")), true),
    }
    match references(&mut file) {
        Ok(references) => names(&references, path),
        Err(error) => (Header::Unreadable(chain(&error).to_string()), true),
    }
}

fn is_of_the_kernel(file: &File) -> bool {
    fstatfs(file)
        .is_ok_and(|it| [PROC_SUPER_MAGIC, SYSFS_MAGIC, DEBUGFS_MAGIC, TRACEFS_MAGIC].contains(&it.filesystem_type()))
}

/// Whether nova's `disk.info` beside the disk says so. It names disks by path; folders are renamed, files are not.
fn is_raw_to_nova(disk: &Path) -> bool {
    let read = || -> Option<bool> {
        let mut text = Vec::new();
        File::open(disk.with_file_name("disk.info")).ok()?.take(LONGEST_INFO).read_to_end(&mut text).ok()?;
        let formats: serde_json::Map<String, serde_json::Value> = serde_json::from_slice(&text).ok()?;
        let mut of_disk = formats.iter().filter(|(path, _)| Path::new(path).file_name() == disk.file_name()).peekable();
        of_disk.peek()?;
        Some(of_disk.all(|(_, format)| format == "raw"))
    };
    read().unwrap_or(false)
}

/// No format that names other files begins with a zero (nor is empty); most raw disks do, and need no second read.
fn starts_with_zero(file: &mut File) -> io::Result<bool> {
    let mut first = [0];
    let read = file.read(&mut first)?;
    file.rewind()?;
    Ok(read == 0 || first == [0])
}

fn names(references: &References, path: &Path) -> (Header, bool) {
    let mut names = Vec::new();
    let mut anywhere = true;
    for reference in references.backing.iter().chain(&references.data) {
        match reference.resolve(path) {
            Ok(name) => {
                anywhere &= reference.name.starts_with(b"/") || reference.name.starts_with(b"file:/");
                names.push(name);
            }
            // On another machine, or in no file: no base of ours.
            Err(Unresolvable::Protocol { .. }) => {}
            Err(error) => return (Header::Unreadable(error.to_string()), true),
        }
    }
    (Header::Names(names.into(), references.virtual_size), anywhere)
}

pub(super) fn is_missing(error: &io::Error) -> bool {
    matches!(error.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}
