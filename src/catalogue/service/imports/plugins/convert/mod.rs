//! `image_conversion`: disks are stored in one format (`[image_conversion] output_format`).
//!
//! It needs a file: what is not staged is written beside the staged data first. What the file is was told before, and is
//! looked at by us before anything reads its data; qemu-img is told what it is, and what it made is looked at again. It
//! runs in a child process that reads this file and writes that one, and can do nothing else.

mod error;
mod inspect;
mod room;

pub(in crate::catalogue::service::imports) use room::Reserved;

use super::{
    Changes,
    scratch::{Held, Scratch},
};
use crate::base::{chain, digest::Algorithm};
use crate::catalogue::{
    service::{
        Service,
        imports::{run::told as ingest_failure, source::Source},
    },
    tables::imports,
};
use crate::diskformat::{
    Format, Inspection,
    convert::{self, Output},
};
use crate::image::Image;
use crate::store;
use error::told;
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

/// Bytes that stay free in the staging folder.
const KEEP_FREE: u64 = 128 << 20;

/// What became of the data.
pub(super) struct Converted {
    pub(super) source: Source,
    pub(super) scratch: Option<Scratch>,
    /// What it was before.
    pub(super) before: Inspection,
}

impl Service {
    /// Makes the data one of `output_format`, unless it is, or is an ISO.
    ///
    /// # Errors
    /// Why not, for the task.
    pub(super) async fn convert(
        &self,
        (image, row): (&Image, &imports::Import),
        source: Source,
        scratch: Option<Scratch>,
        changes: &mut Changes,
    ) -> Result<Converted, String> {
        let settings = self.settings();
        let output = settings.plugins.conversion.output_format;
        let cap = self.cap(image, 1).await.map_err(|it| it.to_string())?;
        let (mut source, mut scratch) = (source, scratch);
        if source.file.is_none() {
            let place = match scratch.take() {
                Some(scratch) => scratch,
                None => self.scratch(row).await.map_err(|it| failed(&*it))?,
            };
            source = spool(&place, image, source, (cap, settings.hashing_algorithm)).await?;
            scratch = Some(place);
        }
        let Some(path) = source.file.clone() else { return Err("image_conversion: there is no file".to_owned()) };
        let before = inspect::inspect(path.clone(), image, &settings).await?;
        let format = before.format;
        if format == Format::Iso {
            return Ok(Converted { source, scratch, before });
        }
        if output.is(format) {
            changes.note_disk(&before);
            return Ok(Converted { source, scratch, before });
        }
        let place = match scratch {
            Some(scratch) => scratch,
            None => self.scratch(row).await.map_err(|it| failed(&*it))?,
        };
        let held = self.make(&place, &path, (before.clone(), output), cap).await?;
        let source = held.source(&image.id).await.map_err(|it| failed(&it))?;
        changes.become_(output.as_str(), "bare");
        Ok(Converted { source, scratch: Some(place), before })
    }

    /// The file of the other format.
    async fn make(
        &self,
        place: &Scratch,
        from: &Path,
        (before, output): (Inspection, Output),
        cap: u64,
    ) -> Result<Held, String> {
        const NAME: &str = "converted";
        let settings = self.settings().plugins.conversion.clone();
        let _turn = self.desk().conversions.acquire().await;
        let store = place.store(NAME).map_err(|it| failed(&*it))?;
        let folder = self.staging().await.map_err(|it| it.to_string())?;
        let _room = folder.reserve(from.to_owned(), before.clone()).await?;
        // Other formats leave out what is empty: how large the file is will be seen.
        let limit = if output == Output::Raw { cap } else { self.settings().image_size_cap };
        let limits = convert::Settings {
            qemu_img: settings.qemu_img.clone(),
            memory_limit: settings.memory_limit,
            cpu_limit: settings.cpu_limit,
            time_limit: Some(settings.time_limit),
            virtual_size_limit: limit,
            keep_free: KEEP_FREE,
            ..convert::Settings::default()
        };
        let target: PathBuf = place.path(NAME);
        let (never, silent) = (CancellationToken::new(), |_, _| {});
        let made = convert::convert(from, (before.format, output), &target, &limits, silent, never).await;
        let made = made.map_err(|error| {
            tracing::warn!(error = %chain(&error), "an image is not converted");
            told(error, &[from, &target])
        })?;
        tracing::info!(from = %before.format, to = %output, size = made.virtual_size, "image converted");
        Ok(place.held(store, NAME, made.virtual_size))
    }
}

/// Writes the data into a file.
async fn spool(
    place: &Scratch,
    image: &Image,
    source: Source,
    (size_cap, hash): (u64, Algorithm),
) -> Result<Source, String> {
    const NAME: &str = "spooled";
    let store = place.store(NAME).map_err(|it| failed(&*it))?;
    let limits = store::Limits { size_cap, expected: source.size, hash, also: None };
    let kept = store::keep(source.body, &*store, &image.id, limits).await;
    let (size, data) = kept.map_err(ingest_failure)?;
    data.commit().await.map_err(|it| failed(&it))?;
    place.held(store, NAME, size).source(&image.id).await.map_err(|it| failed(&it))
}

/// The server's own fault: the log has the rest.
fn failed(error: &(dyn std::error::Error + 'static)) -> String {
    tracing::error!(error = %chain(error), "the staging folder cannot be used for a conversion");
    "image_conversion: the staging folder cannot be used now.".to_owned()
}
