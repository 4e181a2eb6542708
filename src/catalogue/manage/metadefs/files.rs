//! Where definitions come from.

use crate::catalogue::manage::{
    ManageError,
    metadefs::{definition::Definition, standard},
};
use std::{
    fmt, fs, io,
    path::{Path, PathBuf},
};

/// Where definitions come from.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Source {
    /// A file, or the `*.json` files of a folder.
    Path(PathBuf),
    /// The standard definitions, which are part of the program.
    Standard {
        /// The configured folder, in whose stead they are taken.
        instead_of: Option<PathBuf>,
    },
}

/// One file.
#[derive(Clone, Debug)]
pub(super) enum File {
    Path(PathBuf),
    Standard(&'static str, &'static str),
}

// === impl Source ===

impl Source {
    /// What was asked for; else the configured folder, if there are files in it; else the standard definitions. Blocks.
    ///
    /// # Errors
    /// [`ManageError::File`]: the configured folder is there and cannot be read.
    pub fn choose(asked: Option<&Path>, configured: &Path) -> Result<Self, ManageError> {
        if let Some(path) = asked {
            return Ok(Self::Path(path.to_owned()));
        }
        match list(configured) {
            Ok(files) if !files.is_empty() => Ok(Self::Path(configured.to_owned())),
            Err(error) if error.kind() != io::ErrorKind::NotFound => Err(cannot_read(configured, error)),
            _ => Ok(Self::Standard { instead_of: Some(configured.to_owned()) }),
        }
    }

    /// Its files, in the order of their names; blocks.
    pub(super) fn files(&self) -> Result<Vec<File>, ManageError> {
        match self {
            Self::Standard { .. } => Ok(standard::FILES.iter().map(|it| File::Standard(it.0, it.1)).collect()),
            Self::Path(path) => {
                let files = list(path).map_err(|source| cannot_read(path, source))?;
                if files.is_empty() {
                    return Err(ManageError::Empty(path.clone()));
                }
                Ok(files.into_iter().map(File::Path).collect())
            }
        }
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => write!(f, "the definitions in {}", path.display()),
            Self::Standard { instead_of: None } => f.write_str("the standard definitions"),
            Self::Standard { instead_of: Some(path) } => {
                write!(f, "the standard definitions, as there are no *.json files in {}", path.display())
            }
        }
    }
}

// === impl File ===

impl File {
    /// What is in it; blocks.
    pub(super) fn read(&self) -> Result<Definition, String> {
        match self {
            Self::Path(path) => Definition::read(path),
            Self::Standard(_, text) => Definition::parse(text.as_bytes()),
        }
    }
}

impl fmt::Display for File {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Path(path) => path.display().fmt(f),
            Self::Standard(name, _) => f.write_str(name),
        }
    }
}

fn cannot_read(path: &Path, source: io::Error) -> ManageError {
    ManageError::File { step: "read", path: path.to_owned(), source }
}

fn list(path: &Path) -> io::Result<Vec<PathBuf>> {
    if fs::metadata(path)?.is_file() {
        return Ok(vec![path.to_owned()]);
    }
    let mut files = Vec::new();
    for entry in fs::read_dir(path)? {
        let file = entry?.path();
        if file.extension().is_some_and(|it| it == "json") && file.is_file() {
            files.push(file);
        }
    }
    files.sort();
    Ok(files)
}
