//! The node's disk as nova and others use it, and what each disk stands on, as the model remembers it.

use super::{
    centre::{Centre, data},
    qcow2::Template,
};
use crate::agent::in_use::Lease;
use crate::base::ofd_lock::OfdLock;
use crate::image::ImageId;
use chrono::{DateTime, TimeDelta, Utc};
use std::{
    collections::BTreeMap,
    fs::{self, File, FileTimes},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

/// A file of `_base` at one time.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Seen {
    pub(super) inode: u64,
    pub(super) mtime: DateTime<Utc>,
}

pub(super) type Listing = BTreeMap<String, Seen>;

pub(super) struct Host {
    pub(super) dir: PathBuf,
    pub(super) template: Template,
    pub(super) centre: Centre,
    pub(super) now: DateTime<Utc>,
    /// Every disk there is, by its path, and the bases that it stands on, each with its inode.
    pub(super) disks: BTreeMap<PathBuf, Vec<(String, u64)>>,
    /// Bases that stand on others: removed when nothing uses them, but first.
    pub(super) resized: BTreeMap<String, String>,
    pub(super) open: Vec<(File, String)>,
    pub(super) locked: Vec<(OfdLock, String)>,
    /// Disks whose headers are cut: whatever they stand on may be any base.
    pub(super) unreadable: Vec<PathBuf>,
    /// Files that others put into `_base`.
    pub(super) foreign: Vec<String>,
    /// Whether the file system tells who has a file open.
    pub(super) leases: bool,
    stamp: i64,
}

/// Whoever holds a lock lets go of it within this time.
const PATIENCE: Duration = Duration::from_secs(120);
/// What is stamped with a later time was stamped by the machine's clock, not by the one of the test.
const MACHINE: i64 = 1_600_000_000;

// === impl Host ===

impl Host {
    pub(super) fn new(dir: PathBuf, template: Template, now: DateTime<Utc>) -> Self {
        for folder in ["instances/_base", "instances/locks", "qemu", "elsewhere"] {
            fs::create_dir_all(dir.join(folder)).unwrap();
        }
        let leases = tells_of_openers(&dir);
        Self {
            dir,
            template,
            centre: Centre::start(),
            now,
            disks: BTreeMap::new(),
            resized: BTreeMap::new(),
            open: Vec::new(),
            locked: Vec::new(),
            unreadable: Vec::new(),
            foreign: Vec::new(),
            leases,
            stamp: 0,
        }
    }

    pub(super) fn base(&self, name: &str) -> PathBuf {
        self.dir.join("instances/_base").join(name)
    }

    pub(super) fn instance(&self, folder: &str) -> PathBuf {
        self.dir.join("instances").join(folder)
    }

    /// What is in `_base` now, but for the agent's own.
    pub(super) fn listing(&self) -> Listing {
        let mut listing = Listing::new();
        for entry in fs::read_dir(self.base("")).unwrap() {
            let entry = entry.unwrap();
            let name = entry.file_name().into_string().unwrap();
            let Ok(meta) = entry.metadata() else { continue };
            if !name.starts_with(".larder") {
                let mtime = DateTime::from_timestamp(meta.mtime(), u32::try_from(meta.mtime_nsec()).unwrap()).unwrap();
                listing.insert(name, Seen { inode: meta.ino(), mtime });
            }
        }
        listing
    }

    /// Files that the machine's clock has stamped get the time of the test's.
    pub(super) fn restamp(&mut self) {
        for (name, seen) in self.listing() {
            if seen.mtime.timestamp() > MACHINE {
                // It may go at any moment.
                let _ = self.stamp_file(&name, self.now);
            }
        }
    }

    /// Sets an mtime; no two are the same, as on a clock of nanoseconds.
    pub(super) fn stamp_file(&mut self, name: &str, at: DateTime<Utc>) -> std::io::Result<()> {
        self.stamp += 1;
        let at = at + TimeDelta::nanoseconds(self.stamp % 1_000_000);
        File::options().write(true).open(self.base(name))?.set_times(FileTimes::new().set_modified(at.into()))
    }

    /// Nova's lock of a base.
    pub(super) fn lock(&self, base: &str) -> OfdLock {
        let (began, path) = (Instant::now(), self.dir.join("instances/locks").join(format!("nova-{base}")));
        loop {
            if let Some(lock) = OfdLock::try_lock(&path, None).unwrap() {
                return lock;
            }
            assert!(began.elapsed() < PATIENCE, "the lock of {base} is held for ever");
            std::thread::sleep(Duration::from_micros(200));
        }
    }

    /// As nova brings an image: under its lock, first as a part, unless it is there. False when nobody has the image.
    pub(super) fn fetch(&mut self, id: &ImageId) -> bool {
        let name = id.base_name();
        loop {
            if !self.base(&name).exists() {
                if !self.centre.has(id) {
                    return false;
                }
                self.make(&name, &data(id));
            }
            // It may have gone since; then nova begins anew.
            if self.stamp_file(&name, self.now).is_ok() {
                return true;
            }
        }
    }

    /// A base comes under its lock.
    pub(super) fn make(&mut self, name: &str, bytes: &[u8]) {
        let _lock = self.lock(name);
        let part = self.base(&format!("{name}.part"));
        fs::write(&part, bytes).unwrap();
        fs::rename(part, self.base(name)).unwrap();
        self.stamp_file(name, self.now).unwrap();
    }

    /// A file that nova makes here when it is needed: a swap disk, an ephemeral, a resized copy.
    pub(super) fn made_here(&mut self, name: &str, bytes: &[u8]) {
        loop {
            if !self.base(name).exists() {
                self.make(name, bytes);
            }
            if self.stamp_file(name, self.now).is_ok() {
                return;
            }
        }
    }

    /// An overlay on a base that was touched just now, under the base's lock as nova does it. The agent may not have
    /// removed it in between.
    pub(super) fn overlay(&mut self, disk: &Path, base: &str) {
        let _lock = self.lock(base);
        let mut bases = Vec::new();
        let mut next = Some(base.to_owned());
        while let Some(name) = next {
            let meta = self.base(&name).metadata();
            let meta = meta.unwrap_or_else(|_| panic!("{name} went after nova had touched it, before its overlay"));
            next = self.resized.get(&name).cloned();
            bases.push((name, meta.ino()));
        }
        fs::create_dir_all(disk.parent().unwrap()).unwrap();
        fs::write(disk, self.template.on(&self.base(base))).unwrap();
        self.disks.insert(disk.to_owned(), bases);
    }

    /// Renames an instance's folder, with all that is in it.
    pub(super) fn rename(&mut self, from: &str, to: &str) {
        let (from, to) = (self.instance(from), self.instance(to));
        fs::rename(&from, &to).unwrap();
        let moved: Vec<PathBuf> = self.disks.keys().filter(|it| it.starts_with(&from)).cloned().collect();
        for old in moved {
            let bases = self.disks.remove(&old).unwrap();
            self.disks.insert(to.join(old.strip_prefix(&from).unwrap()), bases);
        }
        for it in &mut self.unreadable {
            if let Ok(rest) = it.strip_prefix(&from) {
                *it = to.join(rest);
            }
        }
    }

    pub(super) fn remove_folder(&mut self, folder: &str) {
        let path = self.instance(folder);
        fs::remove_dir_all(&path).unwrap();
        self.disks.retain(|disk, _| !disk.starts_with(&path));
        self.unreadable.retain(|disk| !disk.starts_with(&path));
    }

    pub(super) fn remove_disk(&mut self, disk: &Path) {
        fs::remove_file(disk).unwrap();
        self.disks.remove(disk);
    }

    /// The folders of instances, whatever they are called.
    pub(super) fn folders(&self) -> Vec<String> {
        let entries = fs::read_dir(self.dir.join("instances")).unwrap().map(|it| it.unwrap().file_name());
        let mut names: Vec<String> = entries.map(|it| it.into_string().unwrap()).collect();
        names.retain(|it| it != "_base" && it != "locks");
        names.sort();
        names
    }
}

fn tells_of_openers(dir: &Path) -> bool {
    let path = dir.join("open");
    let open = File::create_new(&path).unwrap();
    let meta = open.metadata().unwrap();
    let told = matches!(Lease::ask(&path, (meta.dev(), meta.ino())), Lease::Open);
    fs::remove_file(path).unwrap();
    told
}
