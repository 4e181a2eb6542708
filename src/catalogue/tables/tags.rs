//! The table `image_tags`.

use crate::catalogue::tables::{
    children::AT_ONCE,
    names::{ImageTags, same_as_any, time},
};
use crate::db::{DbError, Tx};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query};
use std::collections::BTreeSet;

/// Writes what differs between two sets of tags.
///
/// # Errors
/// [`DbError`] of the statements.
pub(super) fn save(
    tx: &Tx<'_>,
    id: &ImageId,
    before: &BTreeSet<String>,
    after: &BTreeSet<String>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    let gone: Vec<&str> = before.difference(after).map(String::as_str).collect();
    for part in gone.chunks(AT_ONCE) {
        let mut statement = Query::update();
        statement.table(ImageTags::Table).value(ImageTags::Deleted, true);
        statement.value(ImageTags::DeletedAt, time(now)).value(ImageTags::UpdatedAt, time(now));
        statement.and_where(Expr::col(ImageTags::ImageId).eq(id.as_str()));
        statement.and_where(same_as_any(tx.dialect(), ImageTags::Value, part));
        statement.and_where(Expr::col(ImageTags::Deleted).eq(false));
        tx.execute(&statement)?;
    }
    let new: Vec<&String> = after.difference(before).collect();
    for part in new.chunks(AT_ONCE) {
        let mut statement = Query::insert();
        statement.into_table(ImageTags::Table).columns([
            ImageTags::ImageId,
            ImageTags::Value,
            ImageTags::CreatedAt,
            ImageTags::UpdatedAt,
            ImageTags::Deleted,
        ]);
        for tag in part {
            let (id, tag) = (Expr::val(id.as_str()), Expr::val(tag.as_str()));
            statement.values_panic([id, tag, Expr::val(time(now)), Expr::val(time(now)), false.into()]);
        }
        tx.execute(&statement)?;
    }
    Ok(())
}
