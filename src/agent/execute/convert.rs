//! From the image as it came to the file that becomes the base.

use super::{
    fetch::{FetchError, Work},
    staged::Staged,
};
use crate::agent::plan::fetch::Order;
use crate::diskformat::{self, Inspection, Rules, convert};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::atomic::{AtomicU64, Ordering},
};

/// What a verified file is, if it may become a base.
pub(super) async fn inspect(file: &Path, order: &Order, rules: &Rules) -> Result<Inspection, FetchError> {
    let path = file.to_owned();
    let read = tokio::task::spawn_blocking(move || File::open(path).and_then(|mut it| diskformat::inspect(&mut it)));
    let read = read.await.unwrap_or_else(|died| Err(io::Error::other(died)));
    let inspection = read
        .map_err(|source| FetchError::Convert(convert::ConvertError::ReadSource { path: file.to_owned(), source }))?;
    inspection.accept_for_base(&order.disk_format, rules).map_err(FetchError::Content)?;
    Ok(inspection)
}

/// A conversion that is to be done.
pub(super) struct Conversion<'a> {
    pub(super) settings: &'a convert::Settings,
    pub(super) work: &'a Work<'a>,
}

// === impl Conversion ===

impl Conversion<'_> {
    /// Makes `source` raw at `target`.
    pub(super) async fn run(
        self,
        source: &Path,
        inspection: &Inspection,
        target: PathBuf,
    ) -> Result<Staged, FetchError> {
        let Self { settings, work: Work { place, room, cancel, .. } } = self;
        // From here on the file is there, whoever stops.
        let raw = Staged::at(target);
        place.converting(0, inspection.virtual_size.unwrap_or(0));
        let before = AtomicU64::new(0);
        let progress = |done, total| {
            place.converting(done, total);
            let new = done.saturating_sub(before.fetch_max(done, Ordering::Relaxed));
            room.landed(new);
        };
        let converted =
            convert::to_raw(source, inspection.format, raw.path(), settings, progress, (*cancel).clone()).await;
        match converted {
            Ok(_) => Ok(raw),
            Err(error) => {
                raw.discard().await;
                Err(FetchError::Convert(error))
            }
        }
    }
}
