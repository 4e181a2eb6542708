//! The forms in which qemu writes the name of a file.

use serde_json::Value;
use std::{
    ffi::OsStr,
    os::unix::ffi::OsStrExt,
    path::{Path, PathBuf},
};

/// Levels of drivers in a `json:` name that are followed down to the file.
const DEEPEST: usize = 8;

/// A name that does not mean a file on this machine, or not for sure.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Unresolvable {
    /// nbd, rbd, http, …
    #[error("the name {name:?} is of protocol {protocol}")]
    Protocol {
        /// The name, cut to something printable.
        name: String,
        /// What stands before the colon.
        protocol: String,
    },
    /// Not JSON, or JSON that names no file.
    #[error("the name {name:?} does not tell a file")]
    Json {
        /// The name, cut to something printable.
        name: String,
    },
    /// Empty.
    #[error("the name is empty")]
    Empty,
}

/// The path that `name`, written in the header of the disk at `disk`, means.
pub(super) fn resolve(name: &[u8], disk: &Path) -> Result<PathBuf, Unresolvable> {
    if let Some(json) = name.strip_prefix(b"json:") {
        let value: Value = serde_json::from_slice(json).map_err(|_| Unresolvable::Json { name: printable(name) })?;
        let file = file_of(&value, DEEPEST).ok_or_else(|| Unresolvable::Json { name: printable(name) })?;
        return beside(strip_file(file.as_bytes()), disk);
    }
    let path = strip_file(name);
    if path.len() == name.len()
        && let Some(protocol) = protocol(name)
    {
        return Err(Unresolvable::Protocol { name: printable(name), protocol });
    }
    beside(path, disk)
}

/// qemu takes what stands before a colon for a protocol, unless a slash comes first.
fn protocol(name: &[u8]) -> Option<String> {
    let end = name.iter().position(|it| matches!(it, b':' | b'/'))?;
    (name[end] == b':').then(|| printable(&name[..end]))
}

fn strip_file(name: &[u8]) -> &[u8] {
    name.strip_prefix(b"file:").unwrap_or(name)
}

fn beside(path: &[u8], disk: &Path) -> Result<PathBuf, Unresolvable> {
    if path.is_empty() {
        return Err(Unresolvable::Empty);
    }
    let path = Path::new(OsStr::from_bytes(path));
    Ok(disk.parent().unwrap_or(Path::new("")).join(path))
}

/// The file name in `{"driver": "qcow2", "file": {"driver": "file", "filename": "/x"}}` or `{"file.filename": "/x"}`.
fn file_of(value: &Value, depth: usize) -> Option<&str> {
    let map = value.as_object().filter(|_| depth > 0)?;
    let is_file = |driver: Option<&Value>| driver.is_none_or(|it| it == "file" || it == "host_device");
    if let Some(inner) = map.get("file") {
        return file_of(inner, depth - 1);
    }
    if let Some(name) = map.get("file.filename") {
        return name.as_str().filter(|_| is_file(map.get("file.driver")));
    }
    let name = map.get("filename")?.as_str().filter(|it| protocol(strip_file(it.as_bytes())).is_none());
    name.filter(|_| is_file(map.get("driver")))
}

fn printable(name: &[u8]) -> String {
    String::from_utf8_lossy(name).chars().filter(|it| !it.is_control()).take(200).collect()
}
