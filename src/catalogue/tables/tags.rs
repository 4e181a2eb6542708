//! The table `image_tags`.

use crate::catalogue::tables::names::{ImageTags, time};
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
    for tag in before.difference(after) {
        let mut statement = Query::update();
        statement.table(ImageTags::Table).value(ImageTags::Deleted, true);
        statement.value(ImageTags::DeletedAt, time(now)).value(ImageTags::UpdatedAt, time(now));
        statement.and_where(Expr::col(ImageTags::ImageId).eq(id.as_str()));
        statement.and_where(Expr::col(ImageTags::Value).eq(tag.as_str()));
        statement.and_where(Expr::col(ImageTags::Deleted).eq(false));
        tx.execute(&statement)?;
    }
    for tag in after.difference(before) {
        let mut statement = Query::insert();
        statement.into_table(ImageTags::Table).columns([
            ImageTags::ImageId,
            ImageTags::Value,
            ImageTags::CreatedAt,
            ImageTags::UpdatedAt,
            ImageTags::Deleted,
        ]);
        let (id, tag) = (Expr::val(id.as_str()), Expr::val(tag.as_str()));
        statement.values_panic([id, tag, Expr::val(time(now)), Expr::val(time(now)), false.into()]);
        tx.execute(&statement)?;
    }
    Ok(())
}
