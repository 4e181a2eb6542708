//! From the image as it came to the file that becomes the base.

use super::{
    fetch::{FetchError, Work},
    staged::Staged,
};
use crate::agent::plan::fetch::{Order, Reservation};
use crate::diskformat::{self, Inspection, Rules, convert};
use std::{
    fs::File,
    io,
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    time::Duration,
};
use tokio::time::sleep;

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
    /// Bytes on disk that it was promised.
    pub(super) promised: u64,
}

/// It failed.
pub(super) struct Failed {
    pub(super) error: FetchError,
    /// It took much more than it was promised: the file system keeps no holes.
    pub(super) overran: bool,
}

/// How often it is looked what the raw file takes.
const EVERY: Duration = Duration::from_millis(250);
/// Beyond what was promised it may take an eighth of that, and so much: file systems differ in how they keep account.
const SLACK: u64 = 64 << 20;

// === impl Conversion ===

impl Conversion<'_> {
    /// Makes `source` raw at `target`.
    pub(super) async fn run(self, source: &Path, inspection: &Inspection, target: PathBuf) -> Result<Staged, Failed> {
        let Self { settings, work: Work { place, room, cancel, .. }, promised } = self;
        // From here on the file is there, whoever stops.
        let raw = Staged::at(target);
        place.converting(0, inspection.virtual_size.unwrap_or(0));
        let progress = |done, total| place.converting(done, total);
        let end = cancel.child_token();
        let most = promised.saturating_add(promised / 8).saturating_add(SLACK);
        let (converted, overran) = {
            let conversion = convert::to_raw(source, inspection.format, raw.path(), settings, progress, end.clone());
            tokio::pin!(conversion);
            tokio::select! {
                converted = &mut conversion => (converted, false),
                () = meter(raw.path(), room, most) => {
                    end.cancel();
                    (conversion.await, true)
                }
            }
        };
        match converted {
            Ok(_) => Ok(raw),
            Err(error) => {
                let full = convert::ConvertError::NoRoom { path: raw.path().to_owned() };
                raw.discard().await;
                let error = if overran && !cancel.is_cancelled() { full } else { error };
                Err(Failed { error: FetchError::Convert(error), overran })
            }
        }
    }
}

/// What was promised becomes what the file takes on disk. Ends when that is more than `most`.
async fn meter(path: &Path, room: &Reservation, most: u64) {
    let mut before = 0;
    loop {
        sleep(EVERY).await;
        let path = path.to_owned();
        let look = tokio::task::spawn_blocking(move || path.symlink_metadata().map_or(0, |it| it.blocks() * 512));
        let now = look.await.unwrap_or(0);
        room.landed(now.saturating_sub(before));
        before = now.max(before);
        if now > most {
            return;
        }
    }
}
