//! The queue: by priority, and within one first come, first served.

use super::{Index, IndexError};
use crate::admin::Priority;
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use rusqlite::Row;

/// An image that was asked for and is not there yet.
#[derive(Clone, Debug, PartialEq)]
pub struct Queued {
    /// The image.
    pub id: ImageId,
    /// When it was asked for.
    pub since: DateTime<Utc>,
    /// Who comes first.
    pub priority: Priority,
    /// How often it has failed since.
    pub attempts: u32,
    /// Not before this moment; none for at once.
    pub retry_at: Option<DateTime<Utc>>,
    /// What happened last.
    pub last_error: Option<String>,
    /// Only rules ask for it.
    pub for_rules: bool,
}

/// The longest queue; beyond it an image is refused with the reason.
pub const LONGEST_QUEUE: u64 = 10_000;

// === impl Index ===

impl Index {
    /// The queue, in its order.
    ///
    /// # Errors
    /// [`IndexError`], as all calls.
    pub async fn queue(&self) -> Result<Vec<Queued>, IndexError> {
        self.call("read the queue", |connection| {
            let mut statement = connection.prepare_cached(
                "SELECT image_id, queued_at, attempts, retry_at, last_error, priority, for_rules FROM queue
                 ORDER BY priority DESC, position",
            )?;
            let rows = statement.query_map([], queued)?;
            // A row whose id is none cannot be ours; it is passed over.
            rows.filter_map(Result::transpose).collect()
        })
        .await
    }

    /// Puts an image at the end of its priority; false when it was queued already: then its next try is at once, and
    /// a priority that is given becomes its own, and it stays when rules ask for it no more.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn enqueue(
        &self,
        id: &ImageId,
        priority: Option<Priority>,
        now: DateTime<Utc>,
    ) -> Result<bool, IndexError> {
        let (id, priority) = (id.clone(), priority.map(i32::from));
        self.call("queue an image", move |connection| {
            let transaction = connection.transaction()?;
            let added = transaction.execute(
                "INSERT OR IGNORE INTO queue (image_id, queued_at, priority) VALUES (?1, ?2, coalesce(?3, 0))",
                (id.as_str(), now.timestamp_millis(), priority),
            )?;
            if added == 0 {
                let again = "UPDATE queue SET retry_at = NULL, priority = coalesce(?2, priority), for_rules = 0
                             WHERE image_id = ?1";
                transaction.execute(again, (id.as_str(), priority))?;
            }
            transaction.commit()?;
            Ok(added == 1)
        })
        .await
    }

    /// Takes an image out; false when it was not in.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn dequeue(&self, id: &ImageId) -> Result<bool, IndexError> {
        let id = id.clone();
        self.call("take an image out of the queue", move |connection| {
            Ok(connection.execute("DELETE FROM queue WHERE image_id = ?1", [id.as_str()])? == 1)
        })
        .await
    }

    /// Empties the queue; how many were in it.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn clear_queue(&self) -> Result<u64, IndexError> {
        self.call("empty the queue", |connection| Ok(connection.execute("DELETE FROM queue", [])? as u64)).await
    }

    /// Notes a failure; nothing happens when the image was taken out meanwhile.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn failed(&self, id: &ImageId, why: String, retry_at: DateTime<Utc>) -> Result<(), IndexError> {
        let id = id.clone();
        self.call("note a failure", move |connection| {
            let statement =
                "UPDATE queue SET attempts = attempts + 1, last_error = ?2, retry_at = ?3 WHERE image_id = ?1";
            connection.execute(statement, (id.as_str(), why, retry_at.timestamp_millis())).map(drop)
        })
        .await
    }
}

fn queued(row: &Row<'_>) -> rusqlite::Result<Option<Queued>> {
    let Ok(id) = row.get::<_, String>(0)?.parse() else { return Ok(None) };
    Ok(Some(Queued {
        id,
        since: moment(row.get(1)?),
        attempts: u32::try_from(row.get::<_, i64>(2)?).unwrap_or(u32::MAX),
        retry_at: row.get::<_, Option<i64>>(3)?.map(moment),
        last_error: row.get(4)?,
        priority: row.get::<_, i32>(5)?.clamp(-100, 100).try_into().unwrap_or_default(),
        for_rules: row.get(6)?,
    }))
}

/// Milliseconds since the epoch; a value outside of the calendar is the epoch.
pub(super) fn moment(millis: i64) -> DateTime<Utc> {
    DateTime::from_timestamp_millis(millis).unwrap_or(DateTime::UNIX_EPOCH)
}
