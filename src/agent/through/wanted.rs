//! What the data of an image must be.

use crate::agent::plan::fetch::digest;
use crate::base::digest::Algorithm;
use crate::wire::image::RemoteImage;

/// The data of an image, as the catalogue describes it to whoever asks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Wanted {
    pub(super) size: u64,
    /// In lower-case hex.
    pub(super) hash: (Algorithm, String),
    /// Its md5, where the record has one.
    pub(super) checksum: Option<String>,
    pub(super) disk_format: Option<String>,
}

// === impl Wanted ===

impl Wanted {
    /// None when there is nothing to tell the data by, or none of it.
    pub(super) fn of(image: &RemoteImage) -> Option<Self> {
        let size = image.size.filter(|it| *it > 0)?;
        Some(Self {
            size,
            hash: digest(image)?,
            checksum: image.checksum.clone(),
            disk_format: image.disk_format.clone(),
        })
    }

    /// Whether it is the same data.
    pub(super) fn is_same(&self, other: &Self) -> bool {
        (self.size, &self.hash) == (other.size, &other.hash)
    }
}
