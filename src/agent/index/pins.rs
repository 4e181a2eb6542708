//! Images that stay on this node.

use super::{Index, IndexError};
use crate::image::ImageId;
use chrono::{DateTime, Utc};

/// The most pins; beyond it one is refused with the reason.
pub const MOST_PINS: usize = 10_000;

// === impl Index ===

impl Index {
    /// The pinned images.
    ///
    /// # Errors
    /// [`IndexError`], as all calls.
    pub async fn pins(&self) -> Result<Vec<ImageId>, IndexError> {
        self.call("read the pins", |connection| {
            let mut statement = connection.prepare_cached("SELECT image_id FROM pins ORDER BY pinned_at, image_id")?;
            let rows = statement.query_map([], |row| row.get::<_, String>(0))?;
            // A row whose id is none cannot be ours; it is passed over.
            rows.filter_map(|it| it.map(|text| text.parse().ok()).transpose()).collect()
        })
        .await
    }

    /// Pins an image; false when it was pinned already.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn pin(&self, id: &ImageId, now: DateTime<Utc>) -> Result<bool, IndexError> {
        let id = id.clone();
        self.call("pin an image", move |connection| {
            let statement = "INSERT OR IGNORE INTO pins (image_id, pinned_at) VALUES (?1, ?2)";
            Ok(connection.execute(statement, (id.as_str(), now.timestamp_millis()))? == 1)
        })
        .await
    }

    /// Ends that; false when it was not pinned.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn unpin(&self, id: &ImageId) -> Result<bool, IndexError> {
        let id = id.clone();
        self.call("unpin an image", move |connection| {
            Ok(connection.execute("DELETE FROM pins WHERE image_id = ?1", [id.as_str()])? == 1)
        })
        .await
    }
}
