//! One look at everything.

use super::{Evidence, InUse, Memory, bases::Bases, chain::Header, domains, folders, processes};
use crate::agent::base_dir::{BaseDir, BaseFile, Kind};
use std::{
    collections::{HashMap, HashSet},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// A folder that changes while it is read may hide something that was renamed; then all is looked at once more.
const ROUNDS: u32 = 4;

/// What one look gathers.
pub(super) struct Look<'a> {
    pub(super) dir: &'a BaseDir,
    pub(super) bases: Bases<'a>,
    /// The base directory's file system.
    pub(super) device: Option<u64>,
    pub(super) found: InUse,
    /// Something vanished or appeared while it was being looked at.
    pub(super) changed: bool,
    /// Folders that were entered, so that links between them end.
    pub(super) entered: HashSet<(u64, u64)>,
    /// Headers that were read: thousands of disks stand on a few bases.
    pub(super) headers: HashMap<(u64, u64), Header>,
    /// Bytes that the disks on the base directory's file system may yet take, by device and inode.
    pub(super) growth: HashMap<(u64, u64), u64>,
    /// Directory entries that were looked at.
    pub(super) entries: u64,
}

/// On whose behalf a chain of backing files is followed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Holder {
    /// A disk in the instances folder.
    Disk(PathBuf),
    /// A libvirt domain's definition.
    Domain(PathBuf),
    /// A process that was started with the disk: its id and name.
    Process(u32, String),
}

/// Looks for everything that uses a file of the base directory. Blocks on the disk.
///
/// `files` is a scan of the same directory. Never fails: what cannot be seen is a doubt in the answer.
pub fn observe(dir: &BaseDir, files: &[BaseFile]) -> InUse {
    let mut found = instances(dir, files, &mut Memory::default());
    look_at_locks(dir, files, &mut found);
    found
}

/// The same for somebody who holds nova's locks of those that matter, and looks again and again: locks are not looked
/// at, nor are headers of bases that are in `memory`.
pub fn observe_for(dir: &BaseDir, files: &[BaseFile], memory: &mut Memory) -> InUse {
    instances(dir, files, memory)
}

fn instances(dir: &BaseDir, files: &[BaseFile], memory: &mut Memory) -> InUse {
    let mut look = Look {
        dir,
        bases: Bases::new(files),
        device: dir.path().metadata().ok().map(|meta| meta.dev()),
        found: InUse::default(),
        changed: false,
        entered: HashSet::new(),
        headers: HashMap::new(),
        growth: HashMap::new(),
        entries: 0,
    };
    for round in 1..=ROUNDS {
        look.changed = false;
        look.entered.clear();
        look.headers.clear();
        look.growth.clear();
        look.entries = 0;
        folders::look(&mut look);
        if !look.changed {
            break;
        }
        if round == ROUNDS {
            let path = dir.instances_path().display();
            look.found.doubt_every(format!("{path} kept changing while it was looked at; the next pass looks again"));
        }
    }
    look.found.disk_growth = look.growth.values().fold(0, |sum, it| sum.saturating_add(*it));
    look_at_bases(&mut look, files, memory);
    domains::look(&mut look);
    processes::look(Path::new("/proc"), &mut look);
    look.found
}

/// A base may stand on another one (resized copies of old releases, foreign files).
fn look_at_bases(look: &mut Look<'_>, files: &[BaseFile], memory: &mut Memory) {
    for file in files.iter().filter(|file| file.kind.is_base() || file.kind == Kind::Other) {
        let path = look.dir.path().join(&file.name);
        let header = memory.of(file).unwrap_or_else(|| {
            let read = look.header(&path);
            memory.keep(file, &read);
            read
        });
        match header {
            Header::Names(names, _) => {
                for name in names.iter() {
                    let hits = look.bases_at(name);
                    for hit in hits.into_iter().filter(|hit| *hit != file.name) {
                        look.found.add(hit, Evidence::Base { name: file.name.clone() });
                    }
                }
            }
            // If an instance stands on this file, following its chain has made it a doubt; else nothing can.
            Header::Unreadable(why) => look.found.note(format!("the base {}: {why}", path.display())),
            Header::Missing => {}
        }
    }
}

fn look_at_locks(dir: &BaseDir, files: &[BaseFile], found: &mut InUse) {
    for file in files.iter().filter(|file| file.kind.is_base() || matches!(file.kind, Kind::Part { .. })) {
        match dir.is_locked(file.lock_name()) {
            Ok(true) => found.add(&file.name, Evidence::Locked),
            Ok(false) => {}
            Err(error) => found.doubt_one(&file.name, format!("cannot look at its lock: {error}")),
        }
    }
}

// === impl Look ===

impl<'a> Look<'a> {
    pub(super) fn add(&mut self, base: &str, holder: &Holder, depth: u32) {
        let evidence = match holder {
            Holder::Disk(disk) if depth == 0 => Evidence::Same { disk: disk.clone() },
            Holder::Disk(disk) => Evidence::Backing { disk: disk.clone(), depth },
            Holder::Domain(definition) => Evidence::Domain { definition: definition.clone() },
            Holder::Process(pid, command) => Evidence::Named { pid: *pid, command: command.clone() },
        };
        self.found.add(base, evidence);
    }

    /// The bases that a path means: by name, and by what is really there.
    pub(super) fn bases_at(&self, path: &Path) -> Vec<&'a str> {
        let mut hits: Vec<&str> = self.bases.named(path).into_iter().collect();
        if let Ok(meta) = path.metadata() {
            hits.extend(self.bases.of_inode((meta.dev(), meta.ino())));
        }
        if path.is_symlink() {
            let target = path.canonicalize().or_else(|_| path.read_link());
            hits.extend(target.ok().and_then(|target| self.bases.named(&target)));
        }
        hits.sort_unstable();
        hits.dedup();
        hits
    }
}
