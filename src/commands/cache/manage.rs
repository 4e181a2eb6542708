//! glance-cache-manage's own rules: any number of words after the verb, its messages on standard output, exit 0 or 1.

use super::{
    Connection, ManageCli, Node,
    args::MANAGE_COMMANDS,
    verbs::{Verb, failure, perform},
};
use crate::image::ImageId;
use crate::remote::Clear;
use clap::CommandFactory;
use std::time::Instant;

/// What one verb does, and what its help says.
struct Entry {
    name: &'static str,
    usage: &'static str,
    help: &'static str,
}

const ENTRIES: [Entry; 8] = [
    Entry { name: "help", usage: "help <command>", help: "Print help specific to a command" },
    Entry { name: "list-cached", usage: "list-cached [options]", help: "List all images currently cached." },
    Entry {
        name: "list-queued",
        usage: "list-queued [options]",
        help: "List all images currently queued for caching.",
    },
    Entry { name: "queue-image", usage: "queue-image <IMAGE_ID> [options]", help: "Queues an image for caching." },
    Entry {
        name: "delete-cached-image",
        usage: "delete-cached-image <IMAGE_ID> [options]",
        help: "Deletes an image from the cache.",
    },
    Entry {
        name: "delete-all-cached-images",
        usage: "delete-all-cached-images [options]",
        help: "Remove all images from the cache.",
    },
    Entry {
        name: "delete-queued-image",
        usage: "delete-queued-image <IMAGE_ID> [options]",
        help: "Deletes an image from the cache queue.",
    },
    Entry {
        name: "delete-all-queued-images",
        usage: "delete-all-queued-images [options]",
        help: "Remove all images from the cache queue.",
    },
];

/// Does what glance-cache-manage would; `node` leads to whom `--host` names, or to this node's agent.
///
/// # Errors
/// When there is no way to the node.
pub async fn manage(cli: ManageCli, node: impl FnOnce(&Connection) -> anyhow::Result<Node>) -> anyhow::Result<bool> {
    let words: Vec<&str> = cli.command.iter().map(String::as_str).collect();
    let Some((name, rest)) = words.split_first() else { return Ok(false) };
    if *name == "help" {
        return Ok(help(rest));
    }
    if !is_known(name) {
        return Ok(false);
    }
    let start = Instant::now();
    let done = run(name, rest, &cli.connection, node).await?;
    if cli.connection.verbose && !cli.connection.json {
        println!("Completed in {:.4} sec.", start.elapsed().as_secs_f64());
    }
    Ok(done)
}

async fn run(
    name: &str,
    rest: &[&str],
    options: &Connection,
    node: impl FnOnce(&Connection) -> anyhow::Result<Node>,
) -> anyhow::Result<bool> {
    let id;
    let verb = match name {
        "list-cached" => Verb::ListCached,
        "list-queued" => Verb::ListQueued,
        "delete-all-cached-images" => Verb::Clear(Clear::Cached),
        "delete-all-queued-images" => Verb::Clear(Clear::Queued),
        _ => {
            id = match one_id(name, rest) {
                Ok(id) => id,
                Err(message) => {
                    println!("{message}");
                    return Ok(false);
                }
            };
            match name {
                "queue-image" => Verb::Queue(&id),
                "delete-cached-image" => Verb::Delete(&id, Clear::Cached),
                _ => Verb::Delete(&id, Clear::Queued),
            }
        }
    };
    let node = node(options)?;
    let Err(error) = perform(&node, verb, options).await else { return Ok(true) };
    match failure(&node, &error) {
        Some(message) => println!("{message}"),
        None => println!("Failed to {}. Got error:\n{:#}", verb.action(), anyhow::Error::from(error)),
    }
    Ok(false)
}

/// The one id that the verb takes, in any of the forms that Python's `uuid.UUID` reads.
fn one_id(name: &str, rest: &[&str]) -> Result<ImageId, String> {
    let [text] = rest else {
        return Err(format!(
            "Please specify the ID of the image you wish for command '{name}' from the cache as the first and only argument."
        ));
    };
    let id = uuid::Uuid::try_parse(text).ok().and_then(|id| id.to_string().parse().ok());
    id.ok_or_else(|| format!("Image ID '{text}' is not a valid UUID."))
}

fn help(rest: &[&str]) -> bool {
    let Some(name) = rest.first() else {
        let _ = ManageCli::command().print_help();
        return true;
    };
    match ENTRIES.iter().find(|entry| entry.name == *name) {
        Some(entry) => {
            println!("glance-cache-manage {}\n\n    {}\n", entry.usage, entry.help);
            true
        }
        None => is_known(name),
    }
}

/// Says so when there is no such verb.
fn is_known(name: &str) -> bool {
    let known = ENTRIES.iter().any(|entry| entry.name == name);
    if !known {
        println!("\nError: \"{name}\" is not a valid command.\n\n{MANAGE_COMMANDS}");
        eprintln!("Unknown command: {name}");
    }
    known
}
