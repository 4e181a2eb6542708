//! The table `image_properties`.

use crate::catalogue::tables::names::{ImageProperties, time};
use crate::db::{DbError, Tx};
use crate::image::ImageId;
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query};
use std::collections::BTreeMap;

/// Writes what differs between two sets of properties. The row of a deleted property is used again, since a name may
/// stand only once on an image, deleted or not.
///
/// # Errors
/// [`DbError`] of the statements.
pub(super) fn save(
    tx: &Tx<'_>,
    id: &ImageId,
    before: &BTreeMap<String, Option<String>>,
    after: &BTreeMap<String, Option<String>>,
    now: DateTime<Utc>,
) -> Result<(), DbError> {
    for name in before.keys().filter(|it| !after.contains_key(*it)) {
        let mut statement = Query::update();
        statement.table(ImageProperties::Table).value(ImageProperties::Deleted, true);
        statement.value(ImageProperties::DeletedAt, time(now)).value(ImageProperties::UpdatedAt, time(now));
        statement.and_where(Expr::col(ImageProperties::ImageId).eq(id.as_str()));
        statement.and_where(Expr::col(ImageProperties::Name).eq(name.as_str()));
        tx.execute(&statement)?;
    }
    for (name, value) in after.iter().filter(|it| before.get(it.0) != Some(it.1)) {
        let mut statement = Query::update();
        statement.table(ImageProperties::Table).value(ImageProperties::Value, value.as_deref());
        statement.value(ImageProperties::Deleted, false).value(ImageProperties::DeletedAt, None::<String>);
        statement.value(ImageProperties::UpdatedAt, time(now));
        statement.and_where(Expr::col(ImageProperties::ImageId).eq(id.as_str()));
        statement.and_where(Expr::col(ImageProperties::Name).eq(name.as_str()));
        if tx.execute(&statement)? > 0 {
            continue;
        }
        let mut statement = Query::insert();
        statement.into_table(ImageProperties::Table).columns([
            ImageProperties::ImageId,
            ImageProperties::Name,
            ImageProperties::Value,
            ImageProperties::CreatedAt,
            ImageProperties::UpdatedAt,
            ImageProperties::Deleted,
        ]);
        let value = Expr::val(value.as_deref());
        let (id, name) = (Expr::val(id.as_str()), Expr::val(name.as_str()));
        statement.values_panic([id, name, value, Expr::val(time(now)), Expr::val(time(now)), false.into()]);
        tx.execute(&statement)?;
    }
    Ok(())
}
