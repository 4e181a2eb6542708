//! The content of one file.

use crate::base::chain;
use crate::image::metadef::Properties;
use serde::{Deserialize, Serialize};
use std::{fs, path::Path};

/// Bytes of a file of definitions; the greatest known one has 30 thousand.
const MAX_FILE: u64 = 16 << 20;

/// Characters of a name: what the columns hold.
const MAX_NAME: usize = 80;

/// A namespace with all that is in it.
#[derive(Debug, Deserialize, Serialize)]
pub(super) struct Definition {
    pub(super) namespace: String,
    pub(super) display_name: Option<String>,
    pub(super) description: Option<String>,
    pub(super) visibility: Option<String>,
    pub(super) protected: Option<bool>,
    /// Files that are written do not say it: it is a project of one cloud.
    #[serde(skip_serializing)]
    pub(super) owner: Option<String>,
    pub(super) resource_type_associations: Option<Vec<OfType>>,
    pub(super) properties: Option<Properties>,
    pub(super) objects: Option<Vec<OfObject>>,
    pub(super) tags: Option<Vec<OfTag>>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct OfType {
    pub(super) name: String,
    pub(super) prefix: Option<String>,
    pub(super) properties_target: Option<String>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct OfObject {
    pub(super) name: String,
    pub(super) description: Option<String>,
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) required: Vec<String>,
    pub(super) properties: Option<Properties>,
}

#[derive(Debug, Deserialize, Serialize)]
pub(super) struct OfTag {
    pub(super) name: String,
}

// === impl Definition ===

impl Definition {
    /// A file's; blocks.
    ///
    /// # Errors
    /// Why it cannot be taken, in words.
    pub(super) fn read(path: &Path) -> Result<Self, String> {
        let size = fs::metadata(path).map_err(|it| it.to_string())?.len();
        if size > MAX_FILE {
            return Err(format!("it has more than {MAX_FILE} bytes"));
        }
        Self::parse(&fs::read(path).map_err(|it| it.to_string())?)
    }

    /// Of a text.
    ///
    /// # Errors
    /// Why it cannot be taken, in words.
    pub(super) fn parse(text: &[u8]) -> Result<Self, String> {
        let found: Self = serde_json::from_slice(text).map_err(|it| chain(&it).to_string())?;
        if let Some(long) = found.names().into_iter().find(|it| it.chars().count() > MAX_NAME) {
            let start: String = long.chars().take(40).collect();
            return Err(format!("the name '{start}...' has more than {MAX_NAME} characters"));
        }
        Ok(found)
    }

    /// All that goes into columns of a name's length.
    fn names(&self) -> Vec<&String> {
        let mut names = vec![&self.namespace];
        names.extend(&self.display_name);
        for one in self.resource_type_associations.iter().flatten() {
            names.push(&one.name);
            names.extend(one.prefix.iter().chain(&one.properties_target));
        }
        names.extend(self.objects.iter().flatten().map(|it| &it.name));
        names.extend(self.tags.iter().flatten().map(|it| &it.name));
        names.extend(self.properties.iter().flatten().map(|it| it.0));
        names
    }
}
