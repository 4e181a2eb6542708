//! What the file is, before anything reads its data (Glance's rules).

use crate::catalogue::{Settings, service::upload::rules};
use crate::diskformat::{Format, Inspection, Rules, inspect as look};
use crate::image::Image;
use std::{fs::File, path::PathBuf};

/// The content must be of the declared format, whatever `require_image_format_match` says, and safe.
///
/// # Errors
/// Why it is not converted.
pub(super) async fn inspect(path: PathBuf, image: &Image, settings: &Settings) -> Result<Inspection, String> {
    let declared = image.disk_format.clone().unwrap_or_default();
    let rules = Rules { require_match: true, ..rules(settings) };
    let read = move || look(&mut File::open(path)?);
    let read = tokio::task::spawn_blocking(read).await.unwrap_or_else(|died| Err(std::io::Error::other(died)));
    let found = read.map_err(|error| {
        tracing::error!(%error, "a file cannot be read for its conversion");
        "image_conversion: the data cannot be read.".to_owned()
    })?;
    // A partitioned disk is a raw one.
    let content = if found.format == Format::Gpt { Format::Raw } else { found.format };
    if content.as_str() != declared {
        return Err(format!("image_conversion: the image is declared as {declared}, but its content is {content}"));
    }
    found.accept_as(&declared, &rules).map_err(|refusal| format!("image_conversion: {refusal}"))?;
    Ok(found)
}
