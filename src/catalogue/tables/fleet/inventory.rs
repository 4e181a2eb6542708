//! The table `larder_node_images`: which node holds which image.

use super::{
    clock,
    names::{
        LarderNodeImages::{
            self, ChangedAt, Digest, DoneBytes, ImageId as Image, Node, Pinned, SizeBytes, State, Table, Why,
        },
        LarderNodes,
    },
    nodes, odd,
};
use crate::db::{DbError, Row, Tx};
use crate::image::ImageId;
use crate::wire::fleet::{HeldImage, HeldState, Holder, ImageChange, NodeName};
use sea_query::{Expr, ExprTrait, OnConflict, Order, Query, SelectStatement};

/// Rows written or deleted by one statement.
const AT_ONCE: usize = 100;

const COLUMNS: [LarderNodeImages; 8] = [Image, State, SizeBytes, DoneBytes, Pinned, Digest, Why, ChangedAt];

/// Takes over what has changed on a node.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn change(tx: &Tx<'_>, node: &NodeName, changes: &[ImageChange]) -> Result<(), DbError> {
    let (there, gone): (Vec<_>, Vec<_>) = changes.iter().partition(|it| it.state.is_some());
    for part in gone.chunks(AT_ONCE) {
        let mut statement = Query::delete();
        statement.from_table(Table).and_where(Expr::col(Node).eq(node.as_str()));
        statement.and_where(Expr::col(Image).is_in(part.iter().map(|it| it.image.as_str())));
        tx.execute(&statement)?;
    }
    for part in there.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(Table).columns(COLUMNS.into_iter().chain([Node]));
        for it in part {
            statement.values_panic([
                Expr::val(it.image.as_str()),
                Expr::val(it.state.map(word)),
                Expr::val(it.size),
                Expr::val(it.done),
                Expr::val(it.pinned),
                Expr::val(it.digest.as_deref()),
                Expr::val(it.why.as_deref()),
                clock::seconds(tx),
                Expr::val(node.as_str()),
            ]);
        }
        let new = COLUMNS.into_iter().skip(1);
        statement.on_conflict(OnConflict::columns([Image, Node]).update_columns(new).to_owned());
        tx.execute(&statement)?;
    }
    Ok(())
}

/// Forgets all that a node holds.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn forget(tx: &Tx<'_>, node: &NodeName) -> Result<(), DbError> {
    let mut statement = Query::delete();
    statement.from_table(Table).and_where(Expr::col(Node).eq(node.as_str()));
    tx.execute(&statement).map(drop)
}

/// A page of what a node holds, in the order of the images.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn of_node(
    tx: &Tx<'_>,
    node: &NodeName,
    after: Option<&ImageId>,
    most: u64,
) -> Result<Vec<HeldImage>, DbError> {
    let mut query = select();
    query.and_where(Expr::col((Table, Node)).eq(node.as_str()));
    if let Some(after) = after {
        query.and_where(Expr::col((Table, Image)).gt(after.as_str()));
    }
    query.order_by((Table, Image), Order::Asc).limit(most);
    tx.select(&query)?.iter().map(read).collect()
}

/// A page of the nodes that hold an image, in the order of their names.
///
/// # Errors
/// [`DbError`] of the statement.
pub(crate) fn holders(
    tx: &Tx<'_>,
    image: &ImageId,
    after: Option<&NodeName>,
    most: u64,
    patience: u64,
) -> Result<Vec<Holder>, DbError> {
    let mut query = select();
    query.columns([LarderNodes::Name, LarderNodes::BeatAt, LarderNodes::Address].map(|it| (LarderNodes::Table, it)));
    query.expr(clock::seconds(tx));
    let on = Expr::col((LarderNodes::Table, LarderNodes::Name)).equals((Table, Node));
    query.inner_join(LarderNodes::Table, on);
    query.and_where(Expr::col((Table, Image)).eq(image.as_str()));
    if let Some(after) = after {
        query.and_where(Expr::col((Table, Node)).gt(after.as_str()));
    }
    query.order_by((Table, Node), Order::Asc).limit(most);
    let rows = tx.select(&query)?;
    rows.iter()
        .map(|row| {
            let node: String = row.get(8)?;
            Ok(Holder {
                node: node.parse().map_err(|_| odd(8, node, "a node's name"))?,
                node_state: nodes::state(row.get(9)?, row.get(11)?, patience),
                address: row.get(10)?,
                held: read(row)?,
            })
        })
        .collect()
}

fn select() -> SelectStatement {
    let mut query = Query::select();
    query.columns(COLUMNS.map(|it| (Table, it))).from(Table);
    query
}

fn read(row: &Row) -> Result<HeldImage, DbError> {
    let (image, state): (String, String) = (row.get(0)?, row.get(1)?);
    Ok(HeldImage {
        image: image.parse().map_err(|_| odd(0, image, "an image id"))?,
        state: STATES
            .into_iter()
            .find(|it| word(*it) == state)
            .ok_or_else(|| odd(1, state, "the state of an image"))?,
        size: row.get(2)?,
        done: row.get(3)?,
        pinned: row.get(4)?,
        digest: row.get(5)?,
        why: row.get(6)?,
        changed_at: clock::time(row.get(7)?),
    })
}

const STATES: [HeldState; 4] = [HeldState::Cached, HeldState::Queued, HeldState::Fetching, HeldState::Failed];

fn word(state: HeldState) -> &'static str {
    match state {
        HeldState::Cached => "cached",
        HeldState::Queued => "queued",
        HeldState::Fetching => "fetching",
        HeldState::Failed => "failed",
    }
}
