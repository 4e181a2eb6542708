//! Files, folders and environment, laid over each other.

use super::{
    ConfigError,
    file::{self, Assignment},
};
use std::{
    collections::HashMap,
    ffi::OsString,
    fmt,
    path::{Path, PathBuf},
};

/// Glance's file, and the one where its options of imports stand.
const GLANCE: &str = "glance-api.conf";
const GLANCE_IMPORTS: &str = "glance-image-import.conf";

/// Where a value stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Origin {
    /// A file.
    File(PathBuf),
    /// A variable of the environment.
    Environment(String),
}

/// Where to look for values.
#[derive(Clone, Debug, Default)]
pub struct Sources {
    /// Files; a later one wins. One that is not there is an error.
    pub files: Vec<PathBuf>,
    /// Files that may be absent, read before `files`.
    pub optional_files: Vec<PathBuf>,
    /// Folders of `*.conf`, read by name after the files.
    pub dirs: Vec<PathBuf>,
    /// `OS_<GROUP>__<OPTION>`, which win over files.
    pub environment: HashMap<String, String>,
}

/// Everything that was found, in the order in which it was read.
#[derive(Clone, Debug, Default)]
pub(super) struct Found {
    assignments: Vec<(Assignment, Origin)>,
    environment: HashMap<String, String>,
    /// The files that were read.
    pub(super) files: Vec<PathBuf>,
}

// === impl Sources ===

impl Sources {
    /// What the command line names, and Glance's file of imports beside a glance-api.conf; with neither files nor folders, `default` and `default.d` if they are there.
    pub fn new(files: &[PathBuf], dirs: &[PathBuf], default: &Path) -> Self {
        let mut sources = Self { files: files.to_vec(), dirs: dirs.to_vec(), ..Self::default() };
        // Glance reads the second file of its own by itself, and first.
        let glances = files.iter().filter(|it| it.file_name().is_some_and(|it| it == GLANCE));
        sources.optional_files.extend(glances.map(|it| it.with_file_name(GLANCE_IMPORTS)));
        if files.is_empty() && dirs.is_empty() {
            sources.optional_files.push(default.to_owned());
            let folder = default.with_extension("conf.d");
            if folder.is_dir() {
                sources.dirs.push(folder);
            }
        }
        sources
    }

    /// The same with these variables; those of other forms are left out.
    #[must_use]
    pub fn with_environment(mut self, variables: impl IntoIterator<Item = (OsString, OsString)>) -> Self {
        let ours = |(name, value): (OsString, OsString)| {
            let (name, value) = (name.into_string().ok()?, value.into_string().ok()?);
            (name.starts_with("OS_") && name.contains("__")).then_some((name, value))
        };
        self.environment = variables.into_iter().filter_map(ours).collect();
        self
    }

    pub(super) fn gather(&self) -> Result<Found, ConfigError> {
        let mut found = Found { environment: self.environment.clone(), ..Found::default() };
        for path in &self.optional_files {
            found.add(path)?;
        }
        for path in &self.files {
            if !found.add(path)? {
                return Err(ConfigError::Missing { path: path.clone() });
            }
        }
        for dir in &self.dirs {
            for path in conf_files(dir)? {
                found.add(&path)?;
            }
        }
        Ok(found)
    }
}

fn conf_files(dir: &Path) -> Result<Vec<PathBuf>, ConfigError> {
    let failed = |source| ConfigError::Folder { path: dir.to_owned(), source };
    let mut files = Vec::new();
    for entry in dir.read_dir().map_err(failed)? {
        let path = entry.map_err(failed)?.path();
        let hidden = path.file_name().is_some_and(|name| name.as_encoded_bytes().starts_with(b"."));
        if !hidden && path.extension().is_some_and(|it| it == "conf") {
            files.push(path);
        }
    }
    files.sort();
    Ok(files)
}

// === impl Found ===

impl Found {
    /// False when the file is not there.
    fn add(&mut self, path: &Path) -> Result<bool, ConfigError> {
        let Some(assignments) = file::read(path)? else { return Ok(false) };
        self.files.push(path.to_owned());
        self.assignments.extend(assignments.into_iter().map(|it| (it, Origin::File(path.to_owned()))));
        Ok(true)
    }

    /// The names of sections that begin like this, in the order in which they were read, as they are written first.
    #[cfg(feature = "agent")]
    pub(super) fn sections(&self, prefix: &str) -> Vec<String> {
        let mut names: Vec<String> = Vec::new();
        for (it, _) in &self.assignments {
            let begins = it.section.get(..prefix.len()).is_some_and(|it| it.eq_ignore_ascii_case(prefix));
            // What stands behind is a name of the operator's own, in which case counts.
            if begins && !names.contains(&it.section) {
                names.push(it.section.clone());
            }
        }
        names
    }

    /// Takes a section out, under another name.
    #[cfg(feature = "agent")]
    pub(super) fn take_section(&mut self, section: &str, name: &str) -> Self {
        let all = std::mem::take(&mut self.assignments).into_iter();
        let (taken, rest): (Vec<_>, Vec<_>) = all.partition(|(it, _)| it.section == section);
        self.assignments = rest;
        let renamed = taken.into_iter().map(|(it, origin)| (Assignment { section: name.to_owned(), ..it }, origin));
        Self { assignments: renamed.collect(), ..Self::default() }
    }

    /// Both together.
    #[cfg(feature = "agent")]
    pub(super) fn with(&self, other: &Self) -> Self {
        let mut both = self.clone();
        both.assignments.extend(other.assignments.iter().cloned());
        both
    }

    /// The same, where a section goes by another name, in place of the section that has it.
    #[cfg(feature = "catalogue")]
    pub(super) fn with_section_as(mut self, section: &str, name: &str) -> Self {
        self.assignments.retain(|(it, _)| !same_section(&it.section, name));
        for (it, _) in &mut self.assignments {
            if same_section(&it.section, section) {
                name.clone_into(&mut it.section);
            }
        }
        self
    }

    /// The same, where each of `sections` has these options from the section that its `auth_section` names, if it names
    /// one (keystoneauth's rule).
    #[cfg(feature = "catalogue")]
    pub(super) fn with_auth_sections(mut self, sections: &[&str], options: &[&str]) -> Self {
        let is_login =
            |section: &str, it: &Assignment| same_section(&it.section, section) && options.contains(&&*it.key);
        let named: Vec<(&str, String)> = sections
            .iter()
            .filter_map(|section| {
                let value = self.values(section, "auth_section").last()?.0.trim().to_owned();
                (!value.is_empty() && !same_section(&value, section)).then_some((*section, value))
            })
            .collect();
        let before = self.assignments.clone();
        for (section, from) in &named {
            self.assignments.retain(|(it, _)| !is_login(section, it));
            let taken = before.iter().filter(|(it, _)| is_login(from, it)).cloned();
            self.assignments
                .extend(taken.map(|(it, origin)| (Assignment { section: (*section).to_owned(), ..it }, origin)));
            for key in options.iter().map(|it| it.to_uppercase()) {
                let name = |section: &str| format!("OS_{}__{key}", section.to_uppercase());
                match self.environment.get(&name(from)).cloned() {
                    Some(value) => self.environment.insert(name(section), value),
                    None => self.environment.remove(&name(section)),
                };
            }
        }
        // Else they would be unknown there.
        let elsewhere = |it: &str| !sections.iter().any(|section| same_section(section, it));
        for (_, from) in named.iter().filter(|(_, from)| elsewhere(from)) {
            self.assignments.retain(|(it, _)| !is_login(from, it));
        }
        self
    }

    /// All values of an option, the one that wins last; the environment's alone when it has one.
    pub(super) fn values(&self, section: &str, key: &str) -> Vec<(&str, Origin)> {
        let name = format!("OS_{}__{}", section.to_uppercase(), key.to_uppercase());
        if let Some(value) = self.environment.get(&name) {
            return vec![(value, Origin::Environment(name))];
        }
        let same = self.assignments.iter().filter(|(it, _)| same_section(&it.section, section) && it.key == key);
        same.map(|(it, origin)| (it.value.as_str(), origin.clone())).collect()
    }

    /// Each section and key that a file sets, with the file, each once.
    pub(super) fn keys(&self) -> Vec<(&str, &str, &Origin)> {
        let mut keys: Vec<(&str, &str, &Origin)> = Vec::new();
        let mut seen = std::collections::HashSet::new();
        for (it, origin) in &self.assignments {
            if seen.insert((it.section.as_str(), it.key.as_str())) {
                keys.push((&it.section, &it.key, origin));
            }
        }
        keys
    }
}

/// Names of sections match in any case, but for `DEFAULT` (oslo's rule).
pub(super) fn same_section(a: &str, b: &str) -> bool {
    a == b || (a != "DEFAULT" && b != "DEFAULT" && a.eq_ignore_ascii_case(b))
}

// === impl Origin ===

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "{}", path.display()),
            Self::Environment(name) => write!(f, "environment variable {name}"),
        }
    }
}
