//! `filesystem_store_metadata_file`: which folder of the store is mounted where on compute nodes. Nova's direct access to
//! files finds an image by what is noted of its location: the id of a mount and its mount point.

use crate::store::{OpenError, file::locate::path_of};
use serde_json::{Map, Value};
use std::{fs, io::Read, path::Path};

/// A larger file is none of mounts.
const LARGEST: u64 = 1 << 20;

/// The mounts; mostly none.
#[derive(Debug, Default)]
pub(super) struct Mounts {
    file: String,
    all: Vec<Map<String, Value>>,
}

// === impl Mounts ===

impl Mounts {
    /// Reads `{"id": …, "mountpoint": …}` or a list of such.
    pub(super) fn read(file: Option<&Path>) -> Result<Self, OpenError> {
        let Some(path) = file else { return Ok(Self::default()) };
        let refused = |what: String| OpenError::Metadata { path: path.to_owned(), what };
        let mut text = String::new();
        let opened = fs::File::open(path).and_then(|it| it.take(LARGEST + 1).read_to_string(&mut text));
        opened.map_err(|error| refused(format!("it cannot be read: {error}")))?;
        if text.len() as u64 > LARGEST {
            return Err(refused("it is larger than 1 MiB".to_owned()));
        }
        let json: Value = serde_json::from_str(&text).map_err(|error| refused(format!("it is no JSON: {error}")))?;
        let found = match json {
            Value::Array(several) => several,
            one => vec![one],
        };
        let mount = |it: Value| match it {
            Value::Object(it) if ["id", "mountpoint"].iter().all(|key| it.get(*key).is_some_and(Value::is_string)) => {
                Ok(it)
            }
            _ => Err(refused(r#"it takes {"id": "…", "mountpoint": "…"}, or a list of such"#.to_owned())),
        };
        let all = found.into_iter().map(mount).collect::<Result<_, _>>()?;
        Ok(Self { file: path.display().to_string(), all })
    }

    /// The mount that the file of this URL is on; nothing when there is none, and the log says so.
    pub(super) fn of(&self, url: &str) -> Map<String, Value> {
        if self.all.is_empty() {
            return Map::new();
        }
        let path = path_of(url).map(Path::new);
        let holds = |it: &&Map<String, Value>| {
            let point = it.get("mountpoint").and_then(Value::as_str);
            path.zip(point).is_some_and(|(path, point)| path.starts_with(point))
        };
        // The innermost.
        let length = |it: &&Map<String, Value>| it.get("mountpoint").and_then(Value::as_str).map(str::len);
        let found = self.all.iter().filter(holds).max_by_key(length).cloned();
        found.unwrap_or_else(|| {
            tracing::error!(url, file = self.file, "no mount of filesystem_store_metadata_file holds this data");
            Map::new()
        })
    }
}
