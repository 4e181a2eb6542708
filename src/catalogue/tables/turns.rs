//! The table `larder_turns`: on a Galera cluster, what keeps two nodes from changing the same thing at the same time.
//!
//! A lock of a row holds on one node. Two transactions that write the same row on two nodes do not both commit; so
//! whoever is about to read an image in order to change it, or what hangs on it, first writes a row that belongs to it.

use crate::catalogue::tables::names::LarderTurns;
use crate::db::{DbError, Tx};
use sea_query::{Expr, ExprTrait, OnConflict, Query};

/// How many rows there are; things share them, and seldom meet.
const SLOTS: u32 = 4096;

/// Makes that of all transactions that took the turn of this thing at the same time one commits, and the others run
/// again. Nothing to do where locks do that, or in a transaction that does not write.
///
/// # Errors
/// [`DbError`] of the statement.
pub(super) fn take(tx: &Tx<'_>, thing: &str) -> Result<(), DbError> {
    use LarderTurns::{Slot, Table, Turn};
    if !tx.writes() || !tx.is_in_cluster() {
        return Ok(());
    }
    let mut statement = Query::insert();
    statement.into_table(Table).columns([Slot, Turn]).values_panic([slot(thing).into(), 0.into()]);
    statement.on_conflict(OnConflict::column(Slot).value(Turn, Expr::col(Turn).add(1)).to_owned());
    tx.execute(&statement).map(drop)
}

/// The same in every process (FNV-1a).
fn slot(thing: &str) -> u32 {
    thing.bytes().fold(0x811c_9dc5_u32, |hash, byte| (hash ^ u32::from(byte)).wrapping_mul(0x0100_0193)) % SLOTS
}
