//! The node's place in the fleet: its session, the rules it was given, and the work that it has taken over.

use super::{Index, IndexError, queue::moment};
use crate::image::ImageId;
use crate::wire::fleet::{Action, JobId, Outcome};
use chrono::{DateTime, Utc};
use rusqlite::{OptionalExtension, Row};

/// A text that is kept under a name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fact {
    /// The session of the last registration.
    Session,
    /// The secret of this index, by which a registration whose answer was lost is known again.
    Instance,
    /// The rules that the catalogue gave last, as JSON.
    Rules,
    /// Images that were found gone all at once, and when, as JSON.
    Suspects,
    /// What rules have found at the catalogue, as JSON.
    Found,
}

/// Work that was taken over: one image of one job.
#[derive(Clone, Debug, PartialEq)]
pub struct Taken {
    /// The job.
    pub job: JobId,
    /// The image.
    pub image: ImageId,
    /// What is to be done.
    pub action: Action,
    /// From -100 to 100, the greatest first.
    pub priority: i32,
    /// When it was begun; it is begun again after a crash, and that does no harm.
    pub begun_at: Option<DateTime<Utc>>,
    /// What is wanted was so already when it was begun.
    pub existed: bool,
    /// How often fetching the image had failed by then.
    pub attempts: u32,
    /// What became of it, if something did.
    pub outcome: Option<Outcome>,
    /// Why it failed.
    pub why: Option<String>,
    /// The catalogue has heard of the outcome.
    pub told: bool,
    /// Nothing else will come of it.
    pub closed: bool,
}

const COLUMNS: &str = "job, image_id, action, priority, begun_at, existed, attempts, outcome, why, told, closed";

const OUTCOMES: [(Outcome, &str); 3] =
    [(Outcome::Done, "done"), (Outcome::Existing, "existing"), (Outcome::Failed, "failed")];

// === impl Fact ===

impl Fact {
    fn as_str(self) -> &'static str {
        match self {
            Self::Session => "session",
            Self::Instance => "instance",
            Self::Rules => "rules",
            Self::Suspects => "suspects",
            Self::Found => "found",
        }
    }
}

// === impl Index ===

impl Index {
    /// What is kept under this name.
    ///
    /// # Errors
    /// [`IndexError`], as all calls.
    pub async fn fact(&self, fact: Fact) -> Result<Option<String>, IndexError> {
        self.call("read what is known of the fleet", move |connection| {
            let statement = "SELECT value FROM fleet WHERE key = ?1";
            connection.query_row(statement, [fact.as_str()], |row| row.get(0)).optional()
        })
        .await
    }

    /// Keeps a text under this name, or forgets it.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn set_fact(&self, fact: Fact, value: Option<String>) -> Result<(), IndexError> {
        self.call("note what is known of the fleet", move |connection| {
            match value {
                Some(value) => {
                    let statement = "INSERT INTO fleet (key, value) VALUES (?1, ?2)
                                     ON CONFLICT (key) DO UPDATE SET value = excluded.value";
                    connection.execute(statement, (fact.as_str(), value))
                }
                None => connection.execute("DELETE FROM fleet WHERE key = ?1", [fact.as_str()]),
            }
            .map(drop)
        })
        .await
    }

    /// All work that was taken over and whose outcome the catalogue has not heard, or may still change.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn work(&self) -> Result<Vec<Taken>, IndexError> {
        self.call("read the fleet's work", |connection| {
            let mut statement = connection.prepare_cached(&format!("SELECT {COLUMNS} FROM work"))?;
            let rows = statement.query_map([], taken)?;
            // A row that is none of ours is passed over.
            rows.filter_map(Result::transpose).collect()
        })
        .await
    }

    /// Writes work down, new or changed, and forgets other work, in one step.
    ///
    /// # Errors
    /// [`IndexError`]
    pub async fn put_work(&self, put: Vec<Taken>, forget: Vec<(JobId, ImageId)>) -> Result<(), IndexError> {
        self.call("note the fleet's work", move |connection| {
            let transaction = connection.transaction()?;
            put.iter().try_for_each(|it| write(&transaction, it))?;
            for (job, image) in &forget {
                let statement = "DELETE FROM work WHERE job = ?1 AND image_id = ?2";
                transaction.prepare_cached(statement)?.execute((job.as_str(), image.as_str()))?;
            }
            transaction.commit()
        })
        .await
    }
}

fn write(connection: &rusqlite::Connection, it: &Taken) -> rusqlite::Result<()> {
    let outcome = it.outcome.and_then(|outcome| OUTCOMES.iter().find(|it| it.0 == outcome)).map(|it| it.1);
    let parameters = rusqlite::params![
        it.job.as_str(),
        it.image.as_str(),
        it.action.as_str(),
        it.priority,
        it.begun_at.map(|it| it.timestamp_millis()),
        it.existed,
        it.attempts,
        outcome,
        it.why,
        it.told,
        it.closed,
    ];
    let statement =
        format!("INSERT OR REPLACE INTO work ({COLUMNS}) VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)");
    connection.prepare_cached(&statement)?.execute(parameters).map(drop)
}

fn taken(row: &Row<'_>) -> rusqlite::Result<Option<Taken>> {
    let (job, image, action): (String, String, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
    let action = Action::ALL.into_iter().find(|it| it.as_str() == action);
    let (Ok(job), Ok(image), Some(action)) = (job.parse(), image.parse(), action) else { return Ok(None) };
    let outcome: Option<String> = row.get(7)?;
    Ok(Some(Taken {
        job,
        image,
        action,
        priority: row.get(3)?,
        begun_at: row.get::<_, Option<i64>>(4)?.map(moment),
        existed: row.get(5)?,
        attempts: row.get(6)?,
        outcome: outcome.and_then(|word| OUTCOMES.iter().find(|it| it.1 == word)).map(|it| it.0),
        why: row.get(8)?,
        told: row.get(9)?,
        closed: row.get(10)?,
    }))
}
