//! `larder cache queue`, `pin` and `unpin`: what a node should have.

use super::status::by_rules;
use crate::admin::{Client, Priority};
use crate::commands::output::{print, print_json};
use crate::image::ImageId;
use serde_json::json;

/// What is wished for an image.
#[derive(Clone, Copy, Debug)]
pub(super) enum Wish {
    Queue(Priority),
    Pin,
    Unpin,
}

/// Does it for each id; false when one failed and was reported.
pub(super) async fn run(client: &Client, ids: &[String], wish: Wish, json: bool) -> anyhow::Result<bool> {
    // A slip in the last id must not leave the first ones done.
    let ids = ids.iter().map(|id| super::parse_id(id)).collect::<anyhow::Result<Vec<_>>>()?;
    let mut done = Vec::with_capacity(ids.len());
    for id in &ids {
        let result = match wish {
            Wish::Queue(priority) => client.queue_with(id, priority).await,
            Wish::Pin => client.pin(id).await,
            Wish::Unpin => client.unpin(id).await,
        };
        match result {
            Ok(()) if json => done.push(id),
            Ok(()) => {
                done.push(id);
                print(&format!("{}{}", wish.said(id), still_held(client, id, wish).await))?;
            }
            Err(error) => eprintln!("larder: cannot {} image {id}: {:#}", wish.word(), anyhow::Error::from(error)),
        }
    }
    if json {
        print_json(&wish.as_json(&done))?;
    }
    Ok(done.len() == ids.len())
}

/// An image that an operator lets go may be held by a rule.
async fn still_held(client: &Client, id: &ImageId, wish: Wish) -> String {
    if !matches!(wish, Wish::Unpin) {
        return String::new();
    }
    let held = client.status().await.ok();
    let image = held.and_then(|it| it.images.into_iter().find(|it| it.id.as_ref() == Some(id) && it.pinned_by_rule));
    image.map_or_else(String::new, |it| format!("; {} holds it still", by_rules(&it.rules)))
}

// === impl Wish ===

impl Wish {
    fn word(self) -> &'static str {
        match self {
            Self::Queue(_) => "queue",
            Self::Pin => "pin",
            Self::Unpin => "unpin",
        }
    }

    fn said(self, id: &ImageId) -> String {
        match self {
            Self::Queue(priority) if priority.is_normal() => format!("Queued image {id}"),
            Self::Queue(priority) => format!("Queued image {id} with priority {priority}"),
            Self::Pin => format!("Pinned image {id}"),
            Self::Unpin => format!("Unpinned image {id}"),
        }
    }

    fn as_json(self, done: &[&ImageId]) -> serde_json::Value {
        match self {
            Self::Queue(priority) => json!({ "queued": done, "priority": priority }),
            Self::Pin => json!({ "pinned": done }),
            Self::Unpin => json!({ "unpinned": done }),
        }
    }
}
