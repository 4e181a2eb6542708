//! `schema-image.json`, found where Glance finds it: beside the configuration, or in /etc/glance.

use crate::wire::schemas::{Pattern, SiteProperties};
use fancy_regex::RegexBuilder;
use std::{
    fs, io,
    path::{Path, PathBuf},
    sync::Arc,
};

/// Steps that matching one value may take; what takes more does not match.
const MAX_STEPS: usize = 100_000;

/// The file cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum SchemaFileError {
    /// It is there, and cannot be read.
    #[error("the schema of custom properties {path} cannot be read", path = path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What it says makes no sense.
    #[error("the schema of custom properties {path} makes no sense: {why}", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

/// The first one in these folders; without any the properties that Glance ships. Blocks.
pub(super) fn read(folders: &[PathBuf]) -> Result<SiteProperties, SchemaFileError> {
    let found = folders.iter().map(|it| it.join("schema-image.json")).find(|it| it.exists());
    let Some(path) = found else { return Ok(SiteProperties::default()) };
    parse(&path)
}

fn parse(path: &Path) -> Result<SiteProperties, SchemaFileError> {
    let text = fs::read_to_string(path).map_err(|source| SchemaFileError::Read { path: path.to_owned(), source })?;
    let content = |why| SchemaFileError::Content { path: path.to_owned(), why };
    let site = SiteProperties::parse(&text, compile).map_err(content)?;
    for (property, keyword) in site.unchecked() {
        tracing::warn!(file = %path.display(), property, "\"{keyword}\" is shown in the schema, and not checked");
    }
    Ok(site)
}

fn compile(pattern: &str) -> Result<Pattern, String> {
    let regex = RegexBuilder::new(pattern).backtrack_limit(MAX_STEPS).build().map_err(|e| e.to_string())?;
    Ok(Arc::new(move |text| regex.is_match(text).unwrap_or(false)))
}
