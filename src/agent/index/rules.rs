//! What prefetch rules need: what they have queued, and how much each base was used.

use super::{Index, IndexError, queue::moment};
use crate::admin::Priority;
use crate::agent::desired::rules::{Changes, Use, Uses};
use crate::image::ImageId;
use chrono::{DateTime, Utc};

// === impl Index ===

impl Index {
    /// Queues images that only rules ask for; those that are queued for rules already get the priority, and what an
    /// operator has queued stays as it is. `drop`: images that rules ask for no more are taken out, unless an operator
    /// has queued them. All in one step.
    ///
    /// # Errors
    /// [`IndexError`], as all calls.
    pub async fn queue_for_rules(
        &self,
        put: Vec<(ImageId, Priority)>,
        drop: Vec<ImageId>,
        now: DateTime<Utc>,
    ) -> Result<(), IndexError> {
        self.call("queue what rules ask for", move |connection| {
            let transaction = connection.transaction()?;
            for (id, priority) in &put {
                let statement = "INSERT INTO queue (image_id, queued_at, priority, for_rules) VALUES (?1, ?2, ?3, 1)
                                 ON CONFLICT (image_id) DO UPDATE SET priority = excluded.priority WHERE for_rules = 1";
                let row = (id.as_str(), now.timestamp_millis(), i32::from(*priority));
                transaction.prepare_cached(statement)?.execute(row)?;
            }
            for id in &drop {
                let statement = "DELETE FROM queue WHERE image_id = ?1 AND for_rules = 1";
                transaction.prepare_cached(statement)?.execute([id.as_str()])?;
            }
            transaction.commit()
        })
        .await
    }

    /// How much each base was used, and by whom.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn uses(&self) -> Result<Uses, IndexError> {
        self.call("read how much bases were used", |connection| {
            let mut statement = connection.prepare("SELECT base, score, at FROM uses")?;
            let bases = statement
                .query_map([], |row| Ok((row.get(0)?, Use { score: row.get(1)?, at: moment(row.get(2)?) })))?;
            let bases = bases.collect::<rusqlite::Result<_>>()?;
            let mut statement = connection.prepare("SELECT base, instance, seen FROM users")?;
            let users = statement.query_map([], |row| Ok(((row.get(0)?, row.get(1)?), moment(row.get(2)?))))?;
            Ok(Uses { bases, users: users.collect::<rusqlite::Result<_>>()? })
        })
        .await
    }

    /// Notes what has changed about that.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn note_uses(&self, it: Changes) -> Result<(), IndexError> {
        self.call("note how much bases are used", move |connection| {
            let transaction = connection.transaction()?;
            for (base, used) in &it.bases {
                let statement = "INSERT OR REPLACE INTO uses (base, score, at) VALUES (?1, ?2, ?3)";
                transaction.prepare_cached(statement)?.execute((base, used.score, used.at.timestamp_millis()))?;
            }
            for ((base, instance), seen) in &it.users {
                let statement = "INSERT OR REPLACE INTO users (base, instance, seen) VALUES (?1, ?2, ?3)";
                transaction.prepare_cached(statement)?.execute((base, instance, seen.timestamp_millis()))?;
            }
            for base in &it.forgotten {
                transaction.prepare_cached("DELETE FROM uses WHERE base = ?1")?.execute([base])?;
            }
            for (base, instance) in &it.left {
                let statement = "DELETE FROM users WHERE base = ?1 AND instance = ?2";
                transaction.prepare_cached(statement)?.execute((base, instance))?;
            }
            transaction.commit()
        })
        .await
    }
}
