//! The table `larder_jobs`.

use super::{
    clock,
    names::LarderJobs::{
        self, Action as Verb, CreatedAt, Ended, ExpiresAt, Id, Images, Priority, Table, Targets as Nodes, UserId,
    },
    nodes::json,
    odd,
};
use crate::db::{DbError, Row, Tx};
use crate::wire::fleet::{Action, Counts, Job, JobId, JobState, NewJob};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement};

const COLUMNS: [LarderJobs; 9] = [Id, Verb, Images, Nodes, Priority, UserId, CreatedAt, ExpiresAt, Ended];

/// How a job was ended before all its nodes were through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    /// Somebody did not want it any more.
    Cancelled,
    /// Some nodes did not come to it in time.
    Expired,
    /// Its time is over, and every node had got its work.
    Closed,
}

/// Writes a new job that lives for so many seconds.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn insert(tx: &Tx<'_>, id: &JobId, new: &NewJob, user: Option<&str>, lifetime: u64) -> Result<(), DbError> {
    let mut statement = Query::insert();
    statement.into_table(Table);
    statement.columns([Id, Verb, Images, Nodes, Priority, UserId, CreatedAt, ExpiresAt]);
    statement.values_panic([
        Expr::val(id.as_str()),
        Expr::val(new.action.as_str()),
        Expr::val(json(&new.images)?),
        Expr::val(json(&new.nodes)?),
        Expr::val(new.priority),
        Expr::val(user),
        clock::seconds(tx),
        clock::seconds(tx).add(lifetime),
    ]);
    tx.execute(&statement).map(drop)
}

/// One job, its counts as yet empty.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, id: &JobId) -> Result<Option<Job>, DbError> {
    let mut query = select();
    query.and_where(Expr::col(Id).eq(id.as_str()));
    tx.select_to_change(&mut query)?.map(|row| read(&row)).transpose()
}

/// A page of jobs, the newest first, their counts as yet empty.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn page(tx: &Tx<'_>, after: Option<&Job>, most: u64) -> Result<Vec<Job>, DbError> {
    let mut query = select();
    if let Some(after) = after {
        let at = after.created_at.timestamp();
        let same = Expr::col(CreatedAt).eq(at).and(Expr::col(Id).lt(after.id.as_str()));
        query.and_where(Expr::col(CreatedAt).lt(at).or(same));
    }
    query.order_by(CreatedAt, Order::Desc).order_by(Id, Order::Desc).limit(most);
    tx.select(&query)?.iter().map(read).collect()
}

/// Notes how a job was ended.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn end(tx: &Tx<'_>, id: &JobId, end: End) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(Ended, end.as_str()).and_where(Expr::col(Id).eq(id.as_str()));
    tx.execute(&statement).map(drop)
}

/// Jobs whose time is over and that were not ended.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn overdue(tx: &Tx<'_>, most: u64) -> Result<Vec<JobId>, DbError> {
    let mut query = Query::select();
    query.column(Id).from(Table).and_where(Expr::col(Ended).is_null());
    query.and_where(Expr::col(ExpiresAt).lt(clock::seconds(tx))).limit(most);
    tx.select(&query)?.iter().map(id_of).collect()
}

/// Jobs whose time was over more than `kept` seconds ago.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn stale(tx: &Tx<'_>, kept: u64, most: u64) -> Result<Vec<JobId>, DbError> {
    let mut query = Query::select();
    query.column(Id).from(Table).and_where(Expr::col(ExpiresAt).lt(clock::seconds(tx).sub(kept)));
    query.limit(most);
    tx.select(&query)?.iter().map(id_of).collect()
}

/// Removes a job.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn delete(tx: &Tx<'_>, id: &JobId) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(Id).eq(id.as_str()));
    tx.execute(&statement).map(drop)
}

/// The job with what became of it so far.
pub(crate) fn counted(job: Job, counts: Counts) -> Job {
    let state = match job.state {
        JobState::Running if counts.open() == 0 => JobState::Done,
        other => other,
    };
    Job { state, counts, ..job }
}

fn select() -> SelectStatement {
    let mut query = Query::select();
    query.columns(COLUMNS).from(Table);
    query
}

fn id_of(row: &Row) -> Result<JobId, DbError> {
    let id: String = row.get(0)?;
    id.parse().map_err(|_| odd(0, id, "a job's id"))
}

fn read(row: &Row) -> Result<Job, DbError> {
    let (action, images, nodes): (String, String, String) = (row.get(1)?, row.get(2)?, row.get(3)?);
    let ended: Option<String> = row.get(8)?;
    Ok(Job {
        id: id_of(row)?,
        // What is closed is told by its counts.
        state: match ended.as_deref() {
            Some("cancelled") => JobState::Cancelled,
            Some("expired") => JobState::Expired,
            _ => JobState::Running,
        },
        action: self::action(&action).ok_or_else(|| odd(1, action, "an action"))?,
        images: serde_json::from_str(&images).map_err(|_| odd(2, images, "image ids"))?,
        nodes: serde_json::from_str(&nodes).map_err(|_| odd(3, nodes, "the nodes of a job"))?,
        priority: row.get(4)?,
        user: row.get(5)?,
        created_at: clock::time(row.get(6)?),
        expires_at: clock::time(row.get(7)?),
        counts: Counts::default(),
    })
}

/// The action of this word.
pub(super) fn action(word: &str) -> Option<Action> {
    Action::ALL.into_iter().find(|it| it.as_str() == word)
}

// === impl End ===

impl End {
    fn as_str(self) -> &'static str {
        match self {
            Self::Cancelled => "cancelled",
            Self::Expired => "expired",
            Self::Closed => "closed",
        }
    }
}
