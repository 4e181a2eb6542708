//! The tables `larder_nodes` and `larder_node_labels`.

use super::{
    clock,
    names::{LarderNodeLabels, LarderNodes, LarderNodes::Table},
    odd,
};
use crate::db::{DbError, Row, Tx};
use crate::wire::fleet::{Heartbeat, Labels, Node, NodeName, NodeState, Registration, Selector, Summary};
use sea_query::{Expr, ExprTrait, Order, Query, SelectStatement, UpdateStatement};

const COLUMNS: [LarderNodes; 17] = [
    LarderNodes::Name,
    LarderNodes::Labels,
    LarderNodes::Address,
    LarderNodes::Version,
    LarderNodes::BootId,
    LarderNodes::RegisteredAt,
    LarderNodes::BeatAt,
    LarderNodes::RulesVersion,
    LarderNodes::UsedBytes,
    LarderNodes::FreeBytes,
    LarderNodes::TotalBytes,
    LarderNodes::DiskGrowthBytes,
    LarderNodes::HeldCount,
    LarderNodes::QueuedCount,
    LarderNodes::FetchingCount,
    LarderNodes::FailedCount,
    LarderNodes::PinnedCount,
];

/// The columns of [`Summary::figures`], in their order.
const FIGURES: [LarderNodes; 9] = [
    LarderNodes::UsedBytes,
    LarderNodes::FreeBytes,
    LarderNodes::TotalBytes,
    LarderNodes::DiskGrowthBytes,
    LarderNodes::HeldCount,
    LarderNodes::QueuedCount,
    LarderNodes::FetchingCount,
    LarderNodes::FailedCount,
    LarderNodes::PinnedCount,
];

/// How a node and its agent stand with each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Session {
    /// SHA-256 of the session's secret, in hex.
    pub(crate) hash: String,
    /// The last beat that was done.
    pub(crate) beat: u64,
    /// A whole inventory has begun in this session.
    pub(crate) ready: bool,
    /// It has given a sign of life lately.
    pub(crate) alive: bool,
}

/// The session of a node; nobody else changes it until the end of the transaction. Silence of `patience` seconds ends it.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn session(tx: &Tx<'_>, name: &NodeName, patience: u64) -> Result<Option<Session>, DbError> {
    let mut query = Query::select();
    query.columns([LarderNodes::SessionHash, LarderNodes::Beat, LarderNodes::Ready, LarderNodes::BeatAt]);
    query.expr(clock::seconds(tx)).from(Table).and_where(Expr::col(LarderNodes::Name).eq(name.as_str()));
    let Some(row) = tx.select_to_change(&mut query)? else { return Ok(None) };
    let (beat_at, now): (i64, i64) = (row.get(3)?, row.get(4)?);
    Ok(Some(Session { hash: row.get(0)?, beat: row.get(1)?, ready: row.get(2)?, alive: is_up(beat_at, now, patience) }))
}

/// Enters a node with a new session.
///
/// # Errors
/// [`DbError`] of the statements; the transaction runs again when another one has just entered it.
pub(crate) fn enter(tx: &Tx<'_>, name: &NodeName, it: &Registration, hash: &str, is_new: bool) -> Result<(), DbError> {
    let labels = json(&it.labels)?;
    let now = || clock::seconds(tx);
    let pairs: [(LarderNodes, Expr); 11] = [
        (LarderNodes::SessionHash, Expr::val(hash)),
        (LarderNodes::Beat, Expr::val(0_i64)),
        (LarderNodes::Ready, Expr::val(false)),
        (LarderNodes::Notice, Expr::val(true)),
        (LarderNodes::BeatAt, now()),
        (LarderNodes::RegisteredAt, now()),
        (LarderNodes::Labels, Expr::val(labels.as_str())),
        (LarderNodes::Address, Expr::val(it.address.as_deref())),
        (LarderNodes::Version, Expr::val(it.version.as_str())),
        (LarderNodes::BootId, Expr::val(it.boot_id.as_str())),
        (LarderNodes::RulesVersion, Expr::val(0_i64)),
    ];
    if is_new {
        let mut statement = Query::insert();
        let figures = FIGURES.map(|it| (it, Expr::val(0_i64)));
        let pairs = [(LarderNodes::Name, Expr::val(name.as_str()))].into_iter().chain(pairs).chain(figures);
        let (columns, values): (Vec<_>, Vec<_>) = pairs.unzip();
        statement.into_table(Table).columns(columns).values_panic(values);
        match tx.execute(&statement) {
            Err(DbError::Duplicate) => return Err(tx.conflict()),
            other => other.map(drop)?,
        }
    } else {
        let mut statement = Query::update();
        statement.table(Table).values(pairs).and_where(Expr::col(LarderNodes::Name).eq(name.as_str()));
        tx.execute(&statement)?;
    }
    label(tx, name, &it.labels)
}

fn label(tx: &Tx<'_>, name: &NodeName, labels: &Labels) -> Result<(), DbError> {
    unlabel(tx, name)?;
    let mut statement = Query::insert();
    statement.into_table(LarderNodeLabels::Table);
    statement.columns([LarderNodeLabels::Label, LarderNodeLabels::Value, LarderNodeLabels::Node]);
    let mut any = false;
    for (label, value) in labels.iter() {
        statement.values_panic([Expr::val(label), Expr::val(value), Expr::val(name.as_str())]);
        any = true;
    }
    if any { tx.execute(&statement).map(drop) } else { Ok(()) }
}

fn unlabel(tx: &Tx<'_>, name: &NodeName) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(LarderNodeLabels::Table).and_where(Expr::col(LarderNodeLabels::Node).eq(name.as_str()));
    tx.execute(&statement).map(drop)
}

/// Notes a beat that brings nothing and gets nothing, if that is all there is to it: the node has nothing to be told. One
/// statement; false when nothing was done.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn quick_beat(tx: &Tx<'_>, name: &NodeName, beat: &Heartbeat, hash: &str) -> Result<bool, DbError> {
    let mut statement = noted(tx, name, beat);
    statement.and_where(Expr::col(LarderNodes::SessionHash).eq(hash));
    statement.and_where(Expr::col(LarderNodes::Beat).eq(beat.sequence.saturating_sub(1)));
    statement.and_where(Expr::col(LarderNodes::Ready).eq(true)).and_where(Expr::col(LarderNodes::Notice).eq(false));
    statement.and_where(Expr::col(LarderNodes::RulesVersion).eq(beat.rules_version));
    Ok(tx.execute(&statement)? > 0)
}

/// Notes a beat, and whether the next one has more to do than to be noted.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn beat(tx: &Tx<'_>, name: &NodeName, beat: &Heartbeat, notice: bool) -> Result<(), DbError> {
    let mut statement = noted(tx, name, beat);
    statement.value(LarderNodes::RulesVersion, beat.rules_version).value(LarderNodes::Notice, notice);
    if beat.full {
        statement.value(LarderNodes::Ready, true);
    }
    tx.execute(&statement).map(drop)
}

/// Notes that the node lives, and nothing else.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn touch(tx: &Tx<'_>, name: &NodeName) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(LarderNodes::BeatAt, clock::seconds(tx));
    statement.and_where(Expr::col(LarderNodes::Name).eq(name.as_str()));
    tx.execute(&statement).map(drop)
}

fn noted(tx: &Tx<'_>, name: &NodeName, beat: &Heartbeat) -> UpdateStatement {
    let mut statement = Query::update();
    statement.table(Table).value(LarderNodes::Beat, beat.sequence);
    statement.value(LarderNodes::BeatAt, clock::seconds(tx));
    if let Some(summary) = beat.summary {
        statement.values(FIGURES.into_iter().zip(summary.figures()).map(|(column, it)| (column, Expr::val(it))));
    }
    statement.and_where(Expr::col(LarderNodes::Name).eq(name.as_str()));
    statement
}

/// Has the next beats of these nodes looked at: there is something for them.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn give_notice(tx: &Tx<'_>, among: Option<SelectStatement>) -> Result<(), DbError> {
    let mut statement = Query::update();
    statement.table(Table).value(LarderNodes::Notice, true);
    if let Some(names) = among {
        statement.and_where(Expr::col(LarderNodes::Name).in_subquery(names));
    }
    tx.execute(&statement).map(drop)
}

/// One node.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn find(tx: &Tx<'_>, name: &NodeName, patience: u64) -> Result<Option<Node>, DbError> {
    let mut query = select(tx);
    query.and_where(Expr::col(LarderNodes::Name).eq(name.as_str()));
    tx.select_one(&query)?.map(|row| read(&row, patience)).transpose()
}

/// A page of nodes in the order of their names.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn page(
    tx: &Tx<'_>,
    selector: &Selector,
    after: Option<&NodeName>,
    most: u64,
    patience: u64,
) -> Result<Vec<Node>, DbError> {
    let mut query = select(tx);
    select_by(&mut query, selector);
    if let Some(after) = after {
        query.and_where(Expr::col((Table, LarderNodes::Name)).gt(after.as_str()));
    }
    query.order_by((Table, LarderNodes::Name), Order::Asc).limit(most);
    tx.select(&query)?.iter().map(|row| read(row, patience)).collect()
}

/// Those of `names` that are there.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn known(tx: &Tx<'_>, names: &[NodeName]) -> Result<Vec<String>, DbError> {
    let mut query = Query::select();
    query.column(LarderNodes::Name).from(Table);
    query.and_where(Expr::col(LarderNodes::Name).is_in(names.iter().map(NodeName::as_str)));
    tx.select(&query)?.iter().map(|row| row.get(0)).collect()
}

/// How many nodes there are with these labels.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn count(tx: &Tx<'_>, selector: &Selector) -> Result<u64, DbError> {
    let mut query = Query::select();
    query.expr(Expr::col((Table, LarderNodes::Name)).count()).from(Table);
    select_by(&mut query, selector);
    tx.select_one(&query)?.map_or(Ok(0), |row| row.get(0))
}

/// Narrows a query on the nodes to those with these labels.
pub(super) fn select_by(query: &mut SelectStatement, selector: &Selector) {
    for (label, value) in selector.iter() {
        let mut labelled = Query::select();
        labelled.column(LarderNodeLabels::Node).from(LarderNodeLabels::Table);
        labelled.and_where(Expr::col(LarderNodeLabels::Label).eq(label));
        labelled.and_where(Expr::col(LarderNodeLabels::Value).eq(value));
        query.and_where(Expr::col((Table, LarderNodes::Name)).in_subquery(labelled));
    }
}

/// Forgets a node; false when there is none.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn delete(tx: &Tx<'_>, name: &NodeName) -> Result<bool, DbError> {
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(LarderNodes::Name).eq(name.as_str()));
    let there = tx.execute(&statement)? > 0;
    unlabel(tx, name)?;
    Ok(there)
}

/// Up or down, for a beat at this time.
pub(super) fn state(beat_at: i64, now: i64, patience: u64) -> NodeState {
    if is_up(beat_at, now, patience) { NodeState::Up } else { NodeState::Down }
}

fn is_up(beat_at: i64, now: i64, patience: u64) -> bool {
    now.saturating_sub(beat_at) <= i64::try_from(patience).unwrap_or(i64::MAX)
}

fn select(tx: &Tx<'_>) -> SelectStatement {
    let mut query = Query::select();
    query.columns(COLUMNS.map(|it| (Table, it))).expr(clock::seconds(tx)).from(Table);
    query
}

fn read(row: &Row, patience: u64) -> Result<Node, DbError> {
    let name: String = row.get(0)?;
    let labels: String = row.get(1)?;
    let beat_at = row.get(6)?;
    Ok(Node {
        state: state(beat_at, row.get(17)?, patience),
        name: name.parse().map_err(|_| odd(0, name, "a node's name"))?,
        labels: serde_json::from_str(&labels).map_err(|_| odd(1, labels, "labels"))?,
        address: row.get(2)?,
        version: row.get(3)?,
        boot_id: row.get(4)?,
        registered_at: clock::time(row.get(5)?),
        seen_at: clock::time(beat_at),
        rules_version: row.get(7)?,
        summary: Summary {
            used: row.get(8)?,
            free: row.get(9)?,
            total: row.get(10)?,
            disk_growth: row.get(11)?,
            held: row.get(12)?,
            queued: row.get(13)?,
            fetching: row.get(14)?,
            failed: row.get(15)?,
            pinned: row.get(16)?,
        },
    })
}

/// A document as a column holds it.
pub(super) fn json(document: &impl serde::Serialize) -> Result<String, DbError> {
    serde_json::to_string(document).map_err(|error| odd(0, error, "a document"))
}
