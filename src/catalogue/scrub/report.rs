//! What a pass did, in words and as JSON.

use crate::base::ByteSize;
use chrono::{DateTime, Utc};
use serde::Serialize;
use std::fmt;

/// Images that a report lists at the most; the counts are of all of them.
pub(super) const LISTED: usize = 10_000;

/// What a pass did, or would do.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Report {
    /// Nothing was done.
    pub dry_run: bool,
    /// Images whose data is gone (or would go) by this pass.
    pub scrubbed: u64,
    /// Their bytes.
    pub bytes: u64,
    /// Images that still have data.
    pub failed: u64,
    /// Images that have not been deleted for `scrub_time` yet.
    pub waiting: u64,
    /// A signal ended the pass before it had looked at all images.
    pub stopped: bool,
    /// The images of `scrubbed`, ten thousand at the most.
    pub images: Vec<Scrubbed>,
    /// Why some failed, ten thousand at the most.
    pub failures: Vec<Failure>,
}

/// An image whose data is gone, or would go.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Scrubbed {
    /// Its id.
    pub id: String,
    /// When it was deleted.
    pub deleted_at: Option<DateTime<Utc>>,
    /// Bytes of its data.
    pub size: Option<u64>,
    /// Places that its data was at.
    pub locations: usize,
}

/// Data that could not be removed.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Failure {
    /// The image.
    pub image: String,
    /// The row of `image_locations`; none when the image itself could not be worked on.
    pub location: Option<i64>,
    /// Why.
    pub why: String,
}

// === impl Report ===

impl Report {
    /// Whether there was nothing to do.
    pub fn is_idle(&self) -> bool {
        self.scrubbed == 0 && self.failed == 0
    }

    pub(super) fn done(&mut self, image: Scrubbed) {
        self.scrubbed += 1;
        self.bytes = self.bytes.saturating_add(image.size.unwrap_or(0));
        if self.images.len() < LISTED {
            self.images.push(image);
        }
    }

    pub(super) fn failed(&mut self, failures: Vec<Failure>) {
        self.failed += 1;
        let room = LISTED.saturating_sub(self.failures.len());
        self.failures.extend(failures.into_iter().take(room));
    }
}

impl fmt::Display for Report {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.dry_run {
            for image in &self.images {
                let Scrubbed { id, locations, .. } = image;
                let when = image.deleted_at.map_or("at some time".to_owned(), |it| it.format("%F %T UTC").to_string());
                let size = image.size.map_or("unknown size".to_owned(), |it| ByteSize(it).to_string());
                writeln!(f, "would scrub {id}: deleted {when}, {size}, {locations} location(s)")?;
            }
        }
        let verb = if self.dry_run { "would be scrubbed" } else { "scrubbed" };
        write!(f, "{} image(s) {verb} ({})", self.scrubbed, ByteSize(self.bytes))?;
        write!(f, ", {} failed, {} not due yet", self.failed, self.waiting)?;
        if self.stopped { f.write_str("; stopped before the end") } else { Ok(()) }
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.location {
            Some(row) => write!(f, "image {}, location {row}: {}", self.image, self.why),
            None => write!(f, "image {}: {}", self.image, self.why),
        }
    }
}
