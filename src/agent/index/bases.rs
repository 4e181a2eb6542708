//! Which image each base is of.

use super::{Index, IndexError, queue::moment};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row};

/// A base that is there, and what is known of its image.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    /// The file's name: 40 hex digits.
    pub base: String,
    /// The image; none until somebody says whose name hashes to this.
    pub id: Option<ImageId>,
    /// The image's name at the centre.
    pub name: Option<String>,
    /// Its `disk_format` at the centre.
    pub disk_format: Option<String>,
    /// Its md5.
    pub checksum: Option<String>,
    /// The algorithm of `hash_value`.
    pub hash_algorithm: Option<String>,
    /// Its `os_hash_value` (or md5); verified when `origin` is [`Origin::Fetched`].
    pub hash_value: Option<String>,
    /// Who brought it.
    pub origin: Origin,
    /// When it was published or found.
    pub since: DateTime<Utc>,
    /// How often it was found in use anew.
    pub hits: u64,
    /// When it was last found in use.
    pub last_used: Option<DateTime<Utc>>,
    /// Since when the catalogue has its image no more, as far as it was asked: then it cannot be fetched again.
    pub gone_at: Option<DateTime<Utc>>,
    /// When its bytes were last read and compared, and what came of it; none when it has no piece list yet.
    pub verified: Option<Verified>,
}

/// The bytes of a base were read and compared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Verified {
    /// When.
    pub at: DateTime<Utc>,
    /// With what.
    pub how: How,
    /// What is wrong with it, if anything.
    pub damage: Option<String>,
    /// The BLAKE3 of its bytes, in hex: the root of its piece list. None when they are damaged, or were compared by a
    /// program that did not note it.
    pub blake3: Option<String>,
}

/// What the bytes of a base were compared with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// With the image's hash, when this agent fetched it.
    Fetched,
    /// With the image's hash, by reading what nova had fetched.
    Catalogue,
    /// With nothing: they were read for the first time, and noted.
    FirstSeen,
    /// With its piece list.
    Scrubbed,
}

/// Who brought a base.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Origin {
    /// This agent, which verified it.
    Fetched,
    /// Nova, or an agent whose index is lost; not verified here.
    Adopted,
}

const COLUMNS: &str = "base, image_id, name, disk_format, checksum, hash_algorithm, hash_value, origin, since, hits, last_used, \
     gone_at, verified_at, verified_how, damage, blake3";

// === impl Known ===

impl Known {
    /// A file that was found.
    pub fn adopted(base: String, now: DateTime<Utc>) -> Self {
        Self {
            base,
            id: None,
            name: None,
            disk_format: None,
            checksum: None,
            hash_algorithm: None,
            hash_value: None,
            origin: Origin::Adopted,
            since: now,
            hits: 0,
            last_used: None,
            gone_at: None,
            verified: None,
        }
    }
}

// === impl How ===

impl How {
    const ALL: [Self; 4] = [Self::Fetched, Self::Catalogue, Self::FirstSeen, Self::Scrubbed];

    /// One word, for the index and for JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Catalogue => "catalogue",
            Self::FirstSeen => "first_seen",
            Self::Scrubbed => "scrubbed",
        }
    }
}

// === impl Origin ===

impl Origin {
    fn as_str(self) -> &'static str {
        match self {
            Self::Fetched => "fetched",
            Self::Adopted => "adopted",
        }
    }
}

// === impl Index ===

impl Index {
    /// All of them, by name.
    ///
    /// # Errors
    /// [`IndexError`], as all calls.
    pub async fn bases(&self) -> Result<Vec<Known>, IndexError> {
        self.call("read the bases", |connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM bases ORDER BY base"))?;
            let rows = statement.query_map([], known)?;
            rows.collect()
        })
        .await
    }

    /// One of them, by name.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn base(&self, base: String) -> Result<Option<Known>, IndexError> {
        self.call("read a base", move |connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM bases WHERE base = ?1"))?;
            statement.query_row([base], known).optional()
        })
        .await
    }

    /// Notes a base that is there now and takes its image out of the queue, in one step. Hits are kept.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn arrived(&self, it: Known) -> Result<(), IndexError> {
        self.call("note a base", move |connection| {
            let transaction = connection.transaction()?;
            put(&transaction, &it)?;
            if let Some(id) = &it.id {
                transaction.execute("DELETE FROM queue WHERE image_id = ?1", [id.as_str()])?;
            }
            transaction.commit()
        })
        .await
    }

    /// Notes bases that were found, or what was found out about them.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn note(&self, these: Vec<Known>) -> Result<(), IndexError> {
        self.call("note bases", move |connection| {
            let transaction = connection.transaction()?;
            these.iter().try_for_each(|it| put(&transaction, it))?;
            transaction.commit()
        })
        .await
    }

    /// Notes which images the catalogue has no more, and which it has (again).
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn at_centre(
        &self,
        gone: Vec<ImageId>,
        there: Vec<ImageId>,
        now: DateTime<Utc>,
    ) -> Result<(), IndexError> {
        self.call("note what the catalogue has", move |connection| {
            let transaction = connection.transaction()?;
            for id in &gone {
                let statement = "UPDATE bases SET gone_at = coalesce(gone_at, ?2) WHERE image_id = ?1";
                transaction.prepare_cached(statement)?.execute((id.as_str(), now.timestamp_millis()))?;
            }
            for id in &there {
                let statement = "UPDATE bases SET gone_at = NULL WHERE image_id = ?1 AND gone_at IS NOT NULL";
                transaction.prepare_cached(statement)?.execute([id.as_str()])?;
            }
            transaction.commit()
        })
        .await
    }

    /// Forgets bases whose files are gone.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn forget(&self, names: Vec<String>) -> Result<(), IndexError> {
        self.call("forget bases", move |connection| {
            let transaction = connection.transaction()?;
            for name in &names {
                transaction.execute("DELETE FROM bases WHERE base = ?1", [name])?;
            }
            transaction.commit()
        })
        .await
    }

    /// Notes what reading a base has shown; nothing happens when it is not known any more.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn verified(&self, base: String, it: Verified) -> Result<(), IndexError> {
        self.call("note that a base was verified", move |connection| {
            let statement = "UPDATE bases SET verified_at = ?2, verified_how = ?3, damage = ?4, blake3 = ?5
                             WHERE base = ?1";
            connection
                .prepare_cached(statement)?
                .execute((base, it.at.timestamp_millis(), it.how.as_str(), it.damage, it.blake3))
                .map(drop)
        })
        .await
    }

    /// Notes that these are in use now, and counts those that are so anew.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn used(&self, active: Vec<String>, anew: Vec<String>, now: DateTime<Utc>) -> Result<(), IndexError> {
        self.call("note uses", move |connection| {
            let transaction = connection.transaction()?;
            for name in &active {
                let statement = "UPDATE bases SET last_used = ?2 WHERE base = ?1";
                transaction.prepare_cached(statement)?.execute((name, now.timestamp_millis()))?;
            }
            for name in &anew {
                transaction.prepare_cached("UPDATE bases SET hits = hits + 1 WHERE base = ?1")?.execute([name])?;
            }
            transaction.commit()
        })
        .await
    }

    /// No last use is later than `now`, no next try later than `latest`: a clock that was ahead has left what is.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn nothing_is_ahead(&self, now: DateTime<Utc>, latest: DateTime<Utc>) -> Result<(), IndexError> {
        self.call("correct times that are ahead of the clock", move |connection| {
            let transaction = connection.transaction()?;
            let statement = "UPDATE bases SET last_used = ?1 WHERE last_used > ?1";
            transaction.execute(statement, [now.timestamp_millis()])?;
            transaction.execute("UPDATE queue SET retry_at = ?1 WHERE retry_at > ?1", [latest.timestamp_millis()])?;
            transaction.commit()
        })
        .await
    }
}

/// Inserts, or fills in what is new; a verified base stays one, hits and the first date are kept.
fn put(connection: &rusqlite::Connection, it: &Known) -> rusqlite::Result<()> {
    let statement = format!(
        "INSERT INTO bases ({COLUMNS})
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15, ?16)
         ON CONFLICT (base) DO UPDATE SET
             image_id = coalesce(excluded.image_id, image_id), name = coalesce(excluded.name, name),
             disk_format = coalesce(excluded.disk_format, disk_format),
             checksum = coalesce(excluded.checksum, checksum),
             hash_algorithm = coalesce(excluded.hash_algorithm, hash_algorithm),
             hash_value = coalesce(excluded.hash_value, hash_value),
             origin = CASE WHEN excluded.origin = 'fetched' THEN 'fetched' ELSE origin END,
             damage = CASE WHEN excluded.verified_at IS NULL THEN damage ELSE excluded.damage END,
             blake3 = CASE WHEN excluded.verified_at IS NULL THEN blake3 ELSE excluded.blake3 END,
             verified_how = coalesce(excluded.verified_how, verified_how),
             verified_at = coalesce(excluded.verified_at, verified_at)"
    );
    let parameters = rusqlite::params![
        it.base,
        it.id.as_ref().map(ImageId::as_str),
        it.name,
        it.disk_format,
        it.checksum,
        it.hash_algorithm,
        it.hash_value,
        it.origin.as_str(),
        it.since.timestamp_millis(),
        i64::try_from(it.hits).unwrap_or(i64::MAX),
        it.last_used.map(|it| it.timestamp_millis()),
        it.gone_at.map(|it| it.timestamp_millis()),
        it.verified.as_ref().map(|it| it.at.timestamp_millis()),
        it.verified.as_ref().map(|it| it.how.as_str()),
        it.verified.as_ref().and_then(|it| it.damage.as_ref()),
        it.verified.as_ref().and_then(|it| it.blake3.as_ref()),
    ];
    connection.prepare_cached(&statement)?.execute(parameters).map(drop)
}

fn known(row: &Row<'_>) -> rusqlite::Result<Known> {
    Ok(Known {
        base: row.get(0)?,
        id: row.get::<_, Option<String>>(1)?.and_then(|it| it.parse().ok()),
        name: row.get(2)?,
        disk_format: row.get(3)?,
        checksum: row.get(4)?,
        hash_algorithm: row.get(5)?,
        hash_value: row.get(6)?,
        origin: if row.get::<_, String>(7)? == "fetched" { Origin::Fetched } else { Origin::Adopted },
        since: moment(row.get(8)?),
        hits: u64::try_from(row.get::<_, i64>(9)?).unwrap_or(0),
        last_used: row.get::<_, Option<i64>>(10)?.map(moment),
        gone_at: row.get::<_, Option<i64>>(11)?.map(moment),
        verified: verified(row)?,
    })
}

fn verified(row: &Row<'_>) -> rusqlite::Result<Option<Verified>> {
    let (at, how) = (row.get::<_, Option<i64>>(12)?, row.get::<_, Option<String>>(13)?);
    let how = how.and_then(|how| How::ALL.into_iter().find(|it| it.as_str() == how));
    let (damage, blake3) = (row.get(14)?, row.get(15)?);
    Ok(at.zip(how).map(|(at, how)| Verified { at: moment(at), how, damage, blake3 }))
}
