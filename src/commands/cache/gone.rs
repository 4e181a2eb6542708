//! `larder cache confirm-gone`: what the catalogue misses is really gone.

use super::{Connection, verbs::confirmed};
use crate::admin::Client;
use crate::commands::output::{print, print_json};
use crate::image::ImageId;
use serde_json::json;

/// For these images, or all that are doubted; false when one failed and was reported.
pub(super) async fn run(client: &Client, ids: &[String], options: &Connection) -> anyhow::Result<bool> {
    // A slip in the last id must not leave the first ones done.
    let mut ids = ids.iter().map(|id| super::parse_id(id)).collect::<anyhow::Result<Vec<_>>>()?;
    if ids.is_empty() {
        ids = client.status().await?.last_check.map_or_else(Vec::new, |it| it.held);
    }
    let mut done = Vec::with_capacity(ids.len());
    if ids.is_empty() && !options.json {
        print("There is nothing to confirm: the catalogue misses no image, or so few that it is believed.")?;
    } else if !ids.is_empty() && !options.force && !confirmed(&question(&ids), options.json) {
        return Ok(true);
    }
    for id in &ids {
        match client.confirm_gone(id).await {
            Ok(()) => {
                done.push(id);
                if !options.json {
                    print(&format!("Confirmed that image {id} is gone; its base goes when nothing uses it"))?;
                }
            }
            Err(error) => eprintln!("larder: cannot confirm image {id}: {:#}", anyhow::Error::from(error)),
        }
    }
    if options.json {
        print_json(&json!({ "confirmed": done }))?;
    }
    Ok(done.len() == ids.len())
}

fn question(ids: &[ImageId]) -> String {
    let list: Vec<String> = ids.iter().map(|it| format!("  {it}\n")).collect();
    let them = if ids.len() == 1 { "this image" } else { "these images" };
    format!(
        "{}The catalogue misses {them}, and bases that go cannot be fetched again. Are they really gone?",
        list.concat()
    )
}
