//! The seven verbs of glance-cache-manage: its prompts, its words, its tables.

use super::{CacheVerb, Connection, Node, node::NodeError};
use crate::admin::CachedImage;
use crate::commands::output::{Align, print, print_json, table};
use crate::image::ImageId;
use crate::remote::Clear;
use chrono::{DateTime, SubsecRound, Timelike};
use serde_json::json;
use std::io::{self, BufRead, Write};

/// One verb with its object.
#[derive(Clone, Copy, Debug)]
pub(super) enum Verb<'a> {
    ListCached,
    ListQueued,
    Queue(&'a ImageId),
    Delete(&'a ImageId, Clear),
    Clear(Clear),
}

/// `larder cache` with one of the seven verbs; several ids are done one by one.
pub(super) async fn run(node: &Node, verb: &CacheVerb, options: &Connection) -> anyhow::Result<bool> {
    let (ids, make): (&[String], fn(&ImageId) -> Verb<'_>) = match verb {
        CacheVerb::QueueImage { ids } => (ids, |id| Verb::Queue(id)),
        CacheVerb::DeleteCachedImage { ids } => (ids, |id| Verb::Delete(id, Clear::Cached)),
        CacheVerb::DeleteQueuedImage { ids } => (ids, |id| Verb::Delete(id, Clear::Queued)),
        other => {
            let verb = match other {
                CacheVerb::ListCached => Verb::ListCached,
                CacheVerb::ListQueued => Verb::ListQueued,
                CacheVerb::DeleteAllCachedImages => Verb::Clear(Clear::Cached),
                _ => Verb::Clear(Clear::Queued),
            };
            return Ok(reported(node, verb, options).await);
        }
    };
    // A slip in the last id must not leave the first ones done.
    let ids = ids.iter().map(|id| super::parse_id(id)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut all = true;
    for id in &ids {
        all &= reported(node, make(id), options).await;
    }
    Ok(all)
}

async fn reported(node: &Node, verb: Verb<'_>, options: &Connection) -> bool {
    match perform(node, verb, options).await {
        Ok(()) => true,
        Err(error) => {
            let what = failure(node, &error).unwrap_or_else(|| format!("{:#}", anyhow::Error::from(error)));
            eprintln!("larder: cannot {}: {what}", verb.action());
            false
        }
    }
}

/// Glance's words for the failures that it has words for.
pub(super) fn failure(node: &Node, error: &NodeError) -> Option<String> {
    match node {
        Node::Http { host, .. } if error.is_not_found() => {
            Some(format!("Cache management middleware not enabled on host {host}"))
        }
        _ if error.is_forbidden() => Some("Not authorized to make this request.".to_owned()),
        _ => None,
    }
}

/// Does one verb, after asking unless it only lists or is forced.
pub(super) async fn perform(node: &Node, verb: Verb<'_>, options: &Connection) -> Result<(), NodeError> {
    if let Some(question) = verb.question()
        && !options.force
        && !confirmed(&question, options.json)
    {
        return Ok(());
    }
    let answer = match verb {
        Verb::ListCached => {
            let images = node.cached().await?;
            Answer { json: json!({ "cached_images": images }), text: Some(cached(&images)) }
        }
        Verb::ListQueued => {
            let ids = node.queued().await?;
            Answer { json: json!({ "queued_images": ids }), text: Some(queued(&ids)) }
        }
        Verb::Queue(id) => {
            node.queue(id).await?;
            Answer::said(json!({ "queued": id }), format!("Queued image {id} for caching"), options)
        }
        Verb::Delete(id, what) => {
            node.delete(id, what).await?;
            Answer::said(json!({ "deleted": id }), format!("Deleted {} image {id}", word(what)), options)
        }
        Verb::Clear(what) => {
            let number = node.clear(what).await?;
            Answer::said(json!({ "num_deleted": number }), format!("Deleted {number} {} images", word(what)), options)
        }
    };
    // Standard output being gone is no failure of the verb, which is done.
    let _ = if options.json { print_json(&answer.json) } else { answer.text.map_or(Ok(()), |text| print(&text)) };
    Ok(())
}

struct Answer {
    json: serde_json::Value,
    text: Option<String>,
}

fn word(what: Clear) -> &'static str {
    match what {
        Clear::Cached => "cached",
        Clear::Queued => "queued",
    }
}

/// Asks on the terminal; anything but yes is no, and so is the end of the input.
pub(super) fn confirmed(question: &str, json: bool) -> bool {
    let question = format!("{question} [y/N] ");
    let asked = if json {
        io::stderr().write_all(question.as_bytes())
    } else {
        io::stdout().write_all(question.as_bytes()).and_then(|()| io::stdout().flush())
    };
    let mut answer = String::new();
    let read = asked.and_then(|()| io::stdin().lock().read_line(&mut answer));
    read.is_ok() && ["y", "yes"].contains(&answer.trim_end_matches(['\n', '\r']).to_lowercase().as_str())
}

fn cached(images: &[CachedImage]) -> String {
    if images.is_empty() {
        return "No cached images.".to_owned();
    }
    let columns = [
        ("ID", Align::Centre),
        ("Last Accessed (UTC)", Align::Centre),
        ("Last Modified (UTC)", Align::Centre),
        ("Size", Align::Right),
        ("Hits", Align::Right),
    ];
    let rows: Vec<Vec<String>> = images
        .iter()
        .map(|image| {
            let accessed = if image.last_accessed == 0.0 { "N/A".to_owned() } else { iso(image.last_accessed) };
            let modified = iso(image.last_modified);
            vec![image.image_id.clone(), accessed, modified, image.size.to_string(), image.hits.to_string()]
        })
        .collect();
    format!("Found {} cached images...\n{}", images.len(), table(&columns, &rows))
}

fn queued(ids: &[String]) -> String {
    if ids.is_empty() {
        return "No queued images.".to_owned();
    }
    let rows: Vec<Vec<String>> = ids.iter().map(|id| vec![id.clone()]).collect();
    format!("Found {} queued images...\n{}", ids.len(), table(&[("ID", Align::Centre)], &rows))
}

/// Seconds since the epoch as Python's `isoformat()` writes them: with six digits of a second, or none.
fn iso(seconds: f64) -> String {
    let micros = (seconds * 1e6).round();
    let time = DateTime::from_timestamp_micros(micros as i64).map(|time| time.trunc_subsecs(6));
    match time {
        Some(time) if time.nanosecond() == 0 => time.format("%Y-%m-%dT%H:%M:%S").to_string(),
        Some(time) => time.format("%Y-%m-%dT%H:%M:%S%.6f").to_string(),
        None => "N/A".to_owned(),
    }
}

// === impl Verb ===

impl Verb<'_> {
    /// What could not be done, after "Failed to".
    pub(super) fn action(self) -> &'static str {
        match self {
            Self::ListCached => "show cached images",
            Self::ListQueued => "show queued images",
            Self::Queue(_) => "queue the specified image for caching",
            Self::Delete(_, Clear::Cached) => "delete the specified cached image",
            Self::Delete(_, Clear::Queued) => "delete the specified queued image",
            Self::Clear(Clear::Cached) => "Delete all cached images",
            Self::Clear(Clear::Queued) => "Delete all queued images",
        }
    }

    fn question(self) -> Option<String> {
        match self {
            Self::ListCached | Self::ListQueued => None,
            Self::Queue(id) => Some(format!("Queue image {id} for caching?")),
            Self::Delete(id, what) => Some(format!("Delete {} image {id}?", word(what))),
            Self::Clear(what) => Some(format!("Delete all {} images?", word(what))),
        }
    }
}

// === impl Answer ===

impl Answer {
    /// An answer that is printed only when asked for.
    fn said(json: serde_json::Value, text: String, options: &Connection) -> Self {
        Self { json, text: options.verbose.then_some(text) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_look_as_glances() {
        let image = |id: &str, last_accessed| CachedImage {
            image_id: id.to_owned(),
            last_accessed,
            last_modified: 1_763_630_825.218_573,
            size: 1024,
            hits: 3,
            checksum: None,
        };
        let want = "\
Found 2 cached images...
+--------------------------------------+---------------------+----------------------------+------+------+
|                  ID                  | Last Accessed (UTC) |    Last Modified (UTC)     | Size | Hits |
+--------------------------------------+---------------------+----------------------------+------+------+
| 9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69 |         N/A         | 2025-11-20T09:27:05.218573 | 1024 |    3 |
| 1f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69 | 2025-11-20T09:27:05 | 2025-11-20T09:27:05.218573 | 1024 |    3 |
+--------------------------------------+---------------------+----------------------------+------+------+";
        let images = [
            image("9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69", 0.0),
            image("1f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69", 1_763_630_825.0),
        ];
        assert_eq!(cached(&images), want);
        assert_eq!(queued(&["ab".into()]), "Found 1 queued images...\n+----+\n| ID |\n+----+\n| ab |\n+----+");
        assert_eq!((cached(&[]).as_str(), queued(&[]).as_str()), ("No cached images.", "No queued images."));
    }
}
