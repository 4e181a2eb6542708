//! Policy files: which there are, whether they changed, what they say.

use crate::identity::policy::{Check, PolicyError, Settings, parse_value};
use serde_json::Value as Json;
use serde_saphyr::{DuplicateKeyPolicy, Spanned};
use std::{
    collections::BTreeMap,
    fs, io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
};

/// Largest policy file, bytes.
const MAX_FILE: u64 = 1 << 20;

/// Most files of one folder.
const MAX_FILES: usize = 1000;

/// The files as they stood: the same again means that nothing changed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Snapshot(Vec<(PathBuf, Stamp)>);

#[derive(Clone, Debug, PartialEq, Eq)]
struct Stamp {
    modified: (i64, i64),
    size: u64,
    inode: u64,
}

/// What the files say.
#[derive(Debug, Default)]
pub(super) struct FileRules {
    pub(super) checks: BTreeMap<String, Check>,
    /// Rules that make no sense; they deny.
    pub(super) problems: Vec<PolicyError>,
}

// === impl Snapshot ===

impl Snapshot {
    /// Which files there are now, in the order in which they count. Blocks.
    pub(super) fn take(settings: &Settings) -> Result<Self, PolicyError> {
        let mut files = Vec::new();
        let find = |name: &Path| {
            let candidates = settings.directories.iter().map(|it| it.join(name));
            if name.is_absolute() { Some(name.to_owned()) } else { candidates.into_iter().find(|it| it.exists()) }
        };
        if let Some(path) = find(&settings.policy_file) {
            add(path, &mut files)?;
        }
        for directory in settings.policy_dirs.iter().filter_map(|it| find(it)) {
            for path in names(&directory)? {
                add(path, &mut files)?;
            }
        }
        Ok(Self(files))
    }

    /// Reads all files; a later one's rules replace an earlier one's. Blocks.
    pub(super) fn read(&self) -> Result<FileRules, PolicyError> {
        let mut all = FileRules::default();
        for (path, _) in &self.0 {
            read(path, &mut all)?;
        }
        Ok(all)
    }

    /// What an operator should hear of files that are not there, or that stand there for nothing.
    pub(super) fn remark(&self, settings: &Settings) -> Option<String> {
        let wanted = &settings.policy_file;
        let is_there = self.paths().any(|it| if wanted.is_absolute() { it == wanted } else { it.ends_with(wanted) });
        if is_there {
            return None;
        }
        // Releases of Glance before 2025.2 took it where there was no policy.yaml.
        let folders = wanted
            .parent()
            .filter(|_| wanted.is_absolute())
            .into_iter()
            .chain(settings.directories.iter().map(PathBuf::as_path));
        if let Some(old) = folders.map(|it| it.join("policy.json")).find(|it| it.is_file()) {
            return Some(format!(
                "{} is not read: name it in [oslo_policy] policy_file, or make it {}; until then the shipped rules hold",
                old.display(),
                wanted.display()
            ));
        }
        let usual = Settings::default().policy_file;
        (*wanted != usual).then(|| format!("there is no policy file {}: the shipped rules hold", wanted.display()))
    }

    pub(super) fn paths(&self) -> impl Iterator<Item = &Path> {
        self.0.iter().map(|(path, _)| path.as_path())
    }
}

/// A file that is not there is no error.
fn add(path: PathBuf, files: &mut Vec<(PathBuf, Stamp)>) -> Result<(), PolicyError> {
    match fs::metadata(&path) {
        Ok(it) if it.is_dir() => Ok(()),
        Ok(it) => {
            let stamp = Stamp { modified: (it.mtime(), it.mtime_nsec()), size: it.len(), inode: it.ino() };
            files.push((path, stamp));
            Ok(())
        }
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(()),
        Err(source) => Err(PolicyError::Read { path, source }),
    }
}

/// What stands in a folder, sorted; hidden files do not count.
fn names(directory: &Path) -> Result<Vec<PathBuf>, PolicyError> {
    let failed = |source| PolicyError::List { path: directory.to_owned(), source };
    let entries = match fs::read_dir(directory) {
        Ok(entries) => entries,
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Vec::new()),
        Err(e) => return Err(failed(e)),
    };
    let mut names = Vec::new();
    for entry in entries {
        let name = entry.map_err(failed)?.file_name();
        if !name.to_string_lossy().starts_with('.') {
            names.push(directory.join(name));
        }
        if names.len() > MAX_FILES {
            return Err(failed(io::Error::other(format!("it holds more than {MAX_FILES} files"))));
        }
    }
    names.sort();
    Ok(names)
}

fn read(path: &Path, all: &mut FileRules) -> Result<(), PolicyError> {
    let failed = |source| PolicyError::Read { path: path.to_owned(), source };
    if fs::metadata(path).map_err(failed)?.len() > MAX_FILE {
        return Err(PolicyError::TooLarge { path: path.to_owned(), limit: MAX_FILE });
    }
    let text = fs::read_to_string(path).map_err(failed)?;
    let options = serde_saphyr::options! { duplicate_keys: DuplicateKeyPolicy::LastWins, with_snippet: false };
    let rules: Option<BTreeMap<String, Spanned<Json>>> = serde_saphyr::from_str_with_options(&text, options)
        .map_err(|e| PolicyError::Yaml { path: path.to_owned(), source: Box::new(e) })?;
    for (rule, value) in rules.unwrap_or_default() {
        let parsed = parse_value(&value.value);
        if let Some(source) = parsed.problem {
            let line = value.referenced.line();
            all.problems.push(PolicyError::Rule { path: path.to_owned(), line, rule: rule.clone(), source });
        }
        all.checks.insert(rule, parsed.check);
    }
    Ok(())
}
