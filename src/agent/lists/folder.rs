//! The folder of the lists.

use super::{FileId, Label};
use crate::base::{
    chain,
    pieces::{Begun, ListError, Pieces},
};
use std::{
    collections::HashSet,
    fs, io,
    path::{Path, PathBuf},
};

/// The folder of the lists; all methods block on the disk.
#[derive(Clone, Debug)]
pub struct Lists {
    folder: PathBuf,
}

const BASE: &str = ".base";
const FETCH: &str = ".fetch";

// === impl Lists ===

impl Lists {
    /// In this folder, which is made when it is not there.
    ///
    /// # Errors
    /// What the system says.
    pub fn open(folder: PathBuf) -> io::Result<Self> {
        fs::create_dir_all(&folder)?;
        Ok(Self { folder })
    }

    /// Where the journal of the download for a base is.
    pub fn journal(&self, base: &str) -> PathBuf {
        self.folder.join(format!("{base}{FETCH}"))
    }

    fn list(&self, base: &str) -> PathBuf {
        self.folder.join(format!("{base}{BASE}"))
    }

    /// The list of a base, if it is of this file; a damaged one is said, and as good as none.
    ///
    /// # Errors
    /// When the folder cannot be read.
    pub fn load(&self, base: &str, file: FileId) -> Result<Option<(Pieces, Label)>, ListError> {
        let found = match Pieces::load(&self.list(base)) {
            Err(error @ ListError::Damaged { .. }) => {
                tracing::warn!(base.file = base, "{}; it is made again from the base", chain(&error));
                None
            }
            found => found?,
        };
        let found = found.and_then(|(pieces, label)| Some((pieces, Label::decode(&label)?)));
        Ok(found.filter(|(_, label)| label.file == file))
    }

    /// Keeps the list of a base.
    ///
    /// # Errors
    /// What the system says; what was there before is still there then.
    pub fn save(&self, base: &str, pieces: &Pieces, label: &Label) -> io::Result<()> {
        pieces.save(&self.list(base), &label.encode())
    }

    /// Drops the list of a base that is gone.
    pub fn remove(&self, base: &str) {
        remove(&self.list(base));
    }

    /// Drops the journal of a download that is over.
    pub fn remove_journal(&self, base: &str) {
        remove(&self.journal(base));
    }

    /// Whether a download for this base can be gone on with, as far as its journal tells.
    pub fn has_begun(&self, base: &str) -> bool {
        Begun::load(&self.journal(base)).ok().flatten().is_some_and(|it| !it.chains.is_empty())
    }

    /// Names of the bases that have a list.
    ///
    /// # Errors
    /// What the system says.
    pub fn bases(&self) -> io::Result<HashSet<String>> {
        let mut names = HashSet::new();
        for entry in fs::read_dir(&self.folder)? {
            let name = entry?.file_name();
            names.extend(name.to_str().and_then(|it| it.strip_suffix(BASE)).map(str::to_owned));
        }
        Ok(names)
    }

    /// Drops what belongs to none of these bases, nor to any of these downloads.
    ///
    /// # Errors
    /// What the system says.
    pub fn sweep(&self, bases: &HashSet<String>, downloads: &HashSet<String>) -> io::Result<()> {
        for entry in fs::read_dir(&self.folder)? {
            let entry = entry?;
            let name = entry.file_name();
            let name = name.to_str().unwrap_or_default();
            let wanted = match (name.strip_suffix(BASE), name.strip_suffix(FETCH)) {
                (Some(base), _) => bases.contains(base),
                (None, Some(base)) => downloads.contains(base),
                (None, None) => false,
            };
            if !wanted {
                remove(&entry.path());
            }
        }
        Ok(())
    }
}

fn remove(path: &Path) {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            tracing::warn!(path = %path.display(), %error, "cannot remove a piece list");
        }
        _ => {}
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::agent::lists::Trust;
    use crate::base::pieces::{Journal, PieceHasher};
    use chrono::Utc;

    #[test]
    fn lists_are_of_one_file_and_go_with_it() {
        let dir = tempfile::tempdir().unwrap();
        let lists = Lists::open(dir.path().join("pieces")).unwrap();
        let file = |name: &str| {
            fs::write(dir.path().join(name), name).unwrap();
            FileId::from(&dir.path().join(name).metadata().unwrap())
        };
        let (one, other) = (file("one"), file("other"));
        let label = Label { file: one, trust: Trust::FirstSeen, signed_by: None, made_at: Utc::now() };
        let mut hasher = PieceHasher::default();
        hasher.update(b"one");
        let pieces = hasher.finish();
        assert!(lists.load("x", one).unwrap().is_none());
        lists.save("x", &pieces, &label).unwrap();
        assert_eq!(lists.load("x", one).unwrap(), Some((pieces.clone(), label.clone())));
        assert!(lists.load("x", other).unwrap().is_none(), "another file under the same name");
        lists.save("y", &pieces, &label).unwrap();
        Journal::create(&lists.journal("x"), b"", &[[1; 32]]).unwrap();
        Journal::create(&lists.journal("z"), b"", &[]).unwrap();
        fs::write(dir.path().join("pieces/.x.base.new"), "cut").unwrap();
        assert!(lists.has_begun("x") && !lists.has_begun("z") && !lists.has_begun("w"));
        lists.sweep(&HashSet::from(["x".to_owned()]), &HashSet::from(["x".to_owned()])).unwrap();
        assert_eq!(lists.bases().unwrap(), HashSet::from(["x".to_owned()]));
        assert_eq!(fs::read_dir(dir.path().join("pieces")).unwrap().count(), 2);
        // A damaged list is none.
        fs::write(dir.path().join("pieces/x.base"), "?").unwrap();
        assert!(lists.load("x", one).unwrap().is_none());
        lists.remove("x");
        lists.remove("x");
        lists.remove_journal("x");
        assert_eq!(fs::read_dir(dir.path().join("pieces")).unwrap().count(), 0);
    }
}
