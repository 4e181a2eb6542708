//! From the image as it came to the file that becomes the base.

use super::{fetch::FetchError, progress::Place, staged::Staged};
use crate::agent::plan::fetch::{Order, Reservation};
use crate::diskformat::{self, Inspection, Rules, convert};
use std::{
    fs::File,
    io,
    path::{Path, PathBuf},
    sync::{
        Mutex, PoisonError,
        atomic::{AtomicU64, Ordering},
    },
};
use tokio_util::sync::CancellationToken;

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
    pub(super) place: &'a Place,
    pub(super) room: &'a mut Reservation,
    pub(super) cancel: &'a CancellationToken,
}

// === impl Conversion ===

impl Conversion<'_> {
    /// Makes `source` raw at `target`; the source goes.
    pub(super) async fn run(
        self,
        source: Staged,
        inspection: &Inspection,
        target: PathBuf,
    ) -> Result<Staged, FetchError> {
        let Self { settings, place, room, cancel } = self;
        // From here on the file is there, whoever stops.
        let raw = Staged::at(target);
        place.converting(0, inspection.virtual_size.unwrap_or(0));
        let (before, room) = (AtomicU64::new(0), Mutex::new(room));
        let progress = |done, total| {
            place.converting(done, total);
            let new = done.saturating_sub(before.fetch_max(done, Ordering::Relaxed));
            room.lock().unwrap_or_else(PoisonError::into_inner).written(new);
        };
        let converted =
            convert::to_raw(source.path(), inspection.format, raw.path(), settings, progress, cancel.clone()).await;
        source.discard().await;
        match converted {
            Ok(_) => Ok(raw),
            Err(error) => {
                raw.discard().await;
                Err(FetchError::Convert(error))
            }
        }
    }
}
