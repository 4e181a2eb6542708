//! How far an import is, store by store.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteImage};
use anyhow::bail;
use serde_json::Value;
use std::time::Duration;

const PERIOD: Duration = Duration::from_millis(500);

/// What was told last.
#[derive(Default)]
struct Told {
    waiting: Vec<String>,
    message: String,
}

/// Waits for the end of the image's import, and tells on standard error how far it is.
///
/// # Errors
/// It failed, and why; the catalogue does not answer.
pub(super) async fn follow(catalogue: &Catalogue, id: &ImageId, quiet: bool) -> anyhow::Result<()> {
    let mut told = Told::default();
    loop {
        let image = catalogue.image(id).await?;
        let task = catalogue.last_task(id).await?;
        if !quiet {
            told.tell(&image, task.as_ref().and_then(|it| it.message.as_deref()).unwrap_or_default());
        }
        // An import that had nothing to do has no task.
        let Some(task) = task else { return Ok(()) };
        match task.status.as_str() {
            "success" => {
                let failed = list(&image, "os_glance_failed_import");
                if !failed.is_empty() {
                    eprintln!("larder: image {id} is not in {}", failed.join(", "));
                }
                return Ok(());
            }
            "failure" => bail!("image {id} is not imported: {}", task.message.unwrap_or_default()),
            _ => tokio::time::sleep(PERIOD).await,
        }
    }
}

// === impl Told ===

impl Told {
    /// What is new: stores that are done, and how much was copied.
    fn tell(&mut self, image: &RemoteImage, message: &str) {
        let (waiting, failed) = (list(image, "os_glance_importing_to_stores"), list(image, "os_glance_failed_import"));
        for store in self.waiting.iter().filter(|it| !waiting.contains(it)) {
            eprintln!("{store}: {}", if failed.contains(store) { "failed" } else { "done" });
        }
        if !message.is_empty() && message != self.message {
            let to = if waiting.is_empty() { String::new() } else { format!(" to {}", waiting.join(", ")) };
            eprintln!("importing{to}: {message}");
        }
        *self = Self { waiting, message: message.to_owned() };
    }
}

fn list(image: &RemoteImage, name: &str) -> Vec<String> {
    let text = image.extra.get(name).and_then(Value::as_str).unwrap_or_default();
    text.split(',').filter(|it| !it.is_empty()).map(str::to_owned).collect()
}
