//! The files of the base directory, found by name and by inode.

use crate::agent::base_dir::{BaseFile, Kind};
use std::{collections::HashMap, path::Path};

pub(super) struct Bases<'a> {
    by_name: HashMap<&'a str, &'a BaseFile>,
    by_inode: HashMap<(u64, u64), Vec<&'a str>>,
}

// === impl Bases ===

impl<'a> Bases<'a> {
    pub(super) fn new(files: &'a [BaseFile]) -> Self {
        let mut bases =
            Self { by_name: HashMap::with_capacity(files.len()), by_inode: HashMap::with_capacity(files.len()) };
        for file in files.iter().filter(|file| !matches!(file.kind, Kind::Link)) {
            bases.by_name.insert(&file.name, file);
            bases.by_inode.entry(file.inode).or_default().push(&file.name);
        }
        bases
    }

    /// The file of this name, in whatever folder the path says it is: instances_path may be mounted elsewhere for
    /// whoever wrote the path, and nova compares by name too.
    pub(super) fn named(&self, path: &Path) -> Option<&'a str> {
        self.token(path.file_name()?.to_str()?)
    }

    pub(super) fn token(&self, name: &str) -> Option<&'a str> {
        self.by_name.get(name).map(|file| file.name.as_str())
    }

    /// The names of this very file.
    pub(super) fn of_inode(&self, inode: (u64, u64)) -> &[&'a str] {
        self.by_inode.get(&inode).map_or(&[], Vec::as_slice)
    }
}

/// Whether the path ends in a name that nova gives to bases.
pub(super) fn looks_like_base(path: &Path) -> bool {
    path.file_name().and_then(|name| name.to_str()).is_some_and(|name| Kind::of(name).is_base())
}
