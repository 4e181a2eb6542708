//! The table `larder_changes`: what happened, written in the transaction in which it happens.
//!
//! Transactions end in another order than their rows were numbered in, and on a cluster the numbers are each node's own.
//! So a row gets its place in the feed (`seq`) only when it can be seen, from whoever wants to read: one transaction at a
//! time, which holds the counter of the feed, numbers what has no place yet, in the order of the rows. A place is never
//! given below one that anybody has read.

use super::{
    clock,
    counters::{self, Counter},
    names::LarderChanges::{Event as Kind, HappenedAt, Id, ImageId as Image, JobId as Job, Node, Seq, Table},
    odd,
};
use crate::db::{DbError, Row, Tx};
use crate::image::ImageId;
use crate::wire::fleet::{Change, Event, JobId, NodeName};
use sea_query::{Expr, ExprTrait, Order, Query};

/// Places given in one transaction.
const AT_ONCE: u64 = 500;

/// Writes down what happens to an image.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn image(tx: &Tx<'_>, event: Event, image: &str) -> Result<(), DbError> {
    insert(tx, event, [(Image, image)].as_slice())
}

/// Writes down that a job has work, for one node or for several.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn work(tx: &Tx<'_>, job: &JobId, node: Option<&NodeName>) -> Result<(), DbError> {
    let job = (Job, job.as_str());
    match node {
        Some(node) => insert(tx, Event::Work, &[job, (Node, node.as_str())]),
        None => insert(tx, Event::Work, &[job]),
    }
}

/// Writes down that the rules change.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn rules(tx: &Tx<'_>) -> Result<(), DbError> {
    insert(tx, Event::Rules, &[])
}

fn insert(tx: &Tx<'_>, event: Event, about: &[(super::names::LarderChanges, &str)]) -> Result<(), DbError> {
    let mut statement = Query::insert();
    statement.into_table(Table).columns([Kind, HappenedAt].into_iter().chain(about.iter().map(|it| it.0)));
    let values = [Expr::val(event.as_str()), clock::seconds(tx)];
    statement.values_panic(values.into_iter().chain(about.iter().map(|it| Expr::val(it.1))));
    tx.execute(&statement).map(drop)
}

/// Whether there are changes without a place.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn has_unplaced(tx: &Tx<'_>) -> Result<bool, DbError> {
    let mut query = Query::select();
    query.column(Id).from(Table).and_where(Expr::col(Seq).is_null()).limit(1);
    Ok(tx.select_one(&query)?.is_some())
}

/// Gives places to changes that have none, a bounded number of them; false when there were none. Within a transaction that
/// writes.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn place(tx: &Tx<'_>) -> Result<bool, DbError> {
    let last = counters::hold(tx, Counter::Feed)?;
    let mut query = Query::select();
    query.column(Id).from(Table).and_where(Expr::col(Seq).is_null()).order_by(Id, Order::Asc).limit(AT_ONCE);
    let rows: Vec<i64> = tx.select(&query)?.iter().map(|row| row.get(0)).collect::<Result<_, _>>()?;
    let (Some(first), Some(end)) = (rows.first(), rows.last()) else { return Ok(false) };
    let shift = i64::try_from(last).unwrap_or(i64::MAX).saturating_add(1).saturating_sub(*first);
    let end = u64::try_from(end.saturating_add(shift)).unwrap_or(last);
    // By their keys: a row in between that is not committed yet holds nobody up.
    let mut statement = Query::update();
    statement.table(Table).value(Seq, Expr::col(Id).add(shift)).and_where(Expr::col(Id).is_in(rows));
    tx.execute(&statement)?;
    counters::set(tx, Counter::Feed, end)?;
    Ok(true)
}

/// The changes after a place, in their order.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn after(tx: &Tx<'_>, since: u64, most: u64) -> Result<Vec<Change>, DbError> {
    let mut query = Query::select();
    query.columns([Seq, Kind, HappenedAt, Image, Job, Node]).from(Table);
    query.and_where(Expr::col(Seq).gt(since)).order_by(Seq, Order::Asc).limit(most);
    tx.select(&query)?.iter().map(read).collect()
}

/// Removes what is older than `age` seconds, and all but the last `most`.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn prune(tx: &Tx<'_>, age: u64, most: u64) -> Result<u64, DbError> {
    let pruned = counters::hold(tx, Counter::Pruned)?;
    let last = counters::get(tx, Counter::Feed)?;
    let mut query = Query::select();
    query.expr(Expr::col(Seq).max()).from(Table);
    query.and_where(Expr::col(HappenedAt).lt(clock::seconds(tx).sub(age)));
    let old = tx.select_one(&query)?.map_or(Ok(None), |row| row.get::<Option<u64>>(0))?.unwrap_or(0);
    let end = Ord::max(old, last.saturating_sub(most));
    if end <= pruned {
        return Ok(0);
    }
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(Seq).lte(end));
    let gone = tx.execute(&statement)?;
    counters::set(tx, Counter::Pruned, end)?;
    Ok(gone)
}

fn read(row: &Row) -> Result<Change, DbError> {
    let word: String = row.get(1)?;
    let image = row.get::<Option<String>>(3)?.map(|it| it.parse::<ImageId>().map_err(|_| odd(3, it, "an image id")));
    let job = row.get::<Option<String>>(4)?.map(|it| it.parse::<JobId>().map_err(|_| odd(4, it, "a job's id")));
    let node = row.get::<Option<String>>(5)?.map(|it| it.parse::<NodeName>().map_err(|_| odd(5, it, "a node")));
    Ok(Change {
        sequence: row.get(0)?,
        event: Event::find(&word).ok_or_else(|| odd(1, word, "an event"))?,
        at: clock::time(row.get(2)?),
        image: image.transpose()?,
        job: job.transpose()?,
        node: node.transpose()?,
    })
}
