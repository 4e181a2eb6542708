//! Nova's registry of the hosts that use `instances_path` (nova.virt.storage_users): `{"host": seconds since 1970}`.
//!
//! Nova's image cache manager counts the instances of hosts that were seen within a day. Nova-compute writes itself at each
//! pass of its manager; a host whose manager is off would be forgotten, and the others' managers would take its bases for unused.

use crate::agent::base_dir::{BaseDir, LockError};
use crate::agent::seat::replace;
use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use std::{io, ops::Range, path::PathBuf, time::Duration};
use tokio_util::sync::CancellationToken;

/// The file, in `instances_path`.
const FILE: &str = "compute_nodes";
/// Its lock, as a name that nova's locks begin with: `locks/nova-storage-registry-lock`.
const LOCK: &str = "storage-registry-lock";
/// The registry of a thousand hosts has 40 kB.
const LARGEST: u64 = 1 << 20;
/// Nova holds it for milliseconds.
const PATIENCE: Duration = Duration::from_secs(10);

/// The registry stays as it was.
#[derive(Debug, thiserror::Error)]
pub(super) enum RegistryError {
    /// Its lock was not got.
    #[error("cannot lock nova's registry of hosts")]
    Lock(#[source] LockError),
    /// It is not what nova writes.
    #[error("nova's registry of hosts {path} cannot be understood ({why}); remove it, and nova-compute makes it anew", path = path.display())]
    Content {
        /// The file.
        path: PathBuf,
        /// Why.
        why: String,
    },
    /// Reading or writing failed.
    #[error("cannot read or write nova's registry of hosts {path}", path = path.display())]
    File {
        /// The file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

/// Enters `hosts` as seen at `now`, under nova's lock.
pub(super) async fn enter(
    dir: &BaseDir,
    hosts: &[String],
    now: DateTime<Utc>,
    cancel: &CancellationToken,
) -> Result<(), RegistryError> {
    let _lock = dir.lock(LOCK, PATIENCE, cancel).await.map_err(RegistryError::Lock)?;
    let path = dir.instances_path().join(FILE);
    let failed = |source| RegistryError::File { path: path.clone(), source };
    let mut text = match std::fs::metadata(&path) {
        Ok(meta) if meta.len() > LARGEST => {
            return Err(RegistryError::Content { path, why: "it is too large".to_owned() });
        }
        Ok(_) => std::fs::read_to_string(&path).map_err(failed)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => "{}".to_owned(),
        Err(error) => return Err(failed(error)),
    };
    for host in hosts {
        text = splice(&text, host, now).map_err(|why| RegistryError::Content { path: path.clone(), why })?;
    }
    replace(&path, text.as_bytes(), Some(dir.owner())).map_err(failed)
}

/// The registry with `host` seen at `now`; all else is as it was, byte for byte.
pub(super) fn splice(text: &str, host: &str, now: DateTime<Utc>) -> Result<String, String> {
    let all: Map<String, Value> = serde_json::from_str(text).map_err(|error| error.to_string())?;
    if let Some((name, _)) = all.iter().find(|(_, value)| !value.is_number()) {
        return Err(format!("{name} has no number"));
    }
    let seen = format!("{:.6}", now.timestamp_micros() as f64 / 1e6);
    let mut text = text.to_owned();
    match spans(&text).into_iter().rev().find(|(name, _)| name == host) {
        Some((_, span)) => text.replace_range(span, &seen),
        None => {
            let end = text.rfind('}').ok_or("it does not end")?;
            let comma = if all.is_empty() { "" } else { ", " };
            text.insert_str(end, &format!("{comma}{}: {seen}", Value::from(host)));
        }
    }
    Ok(text)
}

/// Where the numbers stand in a JSON object of numbers, each with its name.
fn spans(text: &str) -> Vec<(String, Range<usize>)> {
    let mut spans = Vec::new();
    let mut at = 0;
    while let Some(name) = text[at..].find('"').map(|it| at + it) {
        let Some(end) = string_end(text, name) else { break };
        let Some(colon) = text[end..].find(':').map(|it| end + it + 1) else { break };
        let begin = colon + (text[colon..].len() - text[colon..].trim_start().len());
        let length = text[begin..].find([',', '}']).unwrap_or(text.len() - begin);
        let number = text[begin..begin + length].trim_end();
        spans.push((serde_json::from_str(&text[name..end]).unwrap_or_default(), begin..begin + number.len()));
        at = begin + length;
    }
    spans
}

/// Behind the closing quote of the string that begins at `from`.
fn string_end(text: &str, from: usize) -> Option<usize> {
    let mut escaped = false;
    let end = text[from + 1..].bytes().position(|it| {
        let ends = it == b'"' && !escaped;
        escaped = it == b'\\' && !escaped;
        ends
    })?;
    Some(from + 1 + end + 1)
}
