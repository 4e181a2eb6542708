//! All that hangs on images: properties, tags, locations, members.

use crate::catalogue::tables::{
    LocationCipher, locations, members,
    names::{ImageLocations, ImageMembers, ImageProperties, ImageTags, alive, time},
};
use crate::db::{DbError, Tx};
use crate::image::{Image, ImageId};
use chrono::{DateTime, Utc};
use sea_query::{Expr, ExprTrait, Query};
use std::collections::HashMap;

/// Images that one statement asks for.
pub(super) const AT_ONCE: usize = 500;

/// Reads properties, tags and locations of all the images: three statements, however many images.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn fill(tx: &Tx<'_>, cipher: &LocationCipher, images: &mut [Image]) -> Result<(), DbError> {
    for part in images.chunks_mut(AT_ONCE) {
        fill_part(tx, cipher, part)?;
    }
    Ok(())
}

fn fill_part(tx: &Tx<'_>, cipher: &LocationCipher, images: &mut [Image]) -> Result<(), DbError> {
    let ids = || padded(images);
    let mut query = Query::select();
    query.columns([ImageProperties::ImageId, ImageProperties::Name, ImageProperties::Value]);
    query.from(ImageProperties::Table).and_where(Expr::col(ImageProperties::ImageId).is_in(ids()));
    query.and_where(alive(ImageProperties::Deleted));
    let properties = tx.select(&query)?;

    let mut query = Query::select();
    query.columns([ImageTags::ImageId, ImageTags::Value]).from(ImageTags::Table);
    query.and_where(Expr::col(ImageTags::ImageId).is_in(ids())).and_where(alive(ImageTags::Deleted));
    let tags = tx.select(&query)?;

    let mut query = Query::select();
    query.columns([ImageLocations::ImageId, ImageLocations::Value, ImageLocations::MetaData]);
    query.from(ImageLocations::Table).and_where(Expr::col(ImageLocations::ImageId).is_in(ids()));
    query.and_where(alive(ImageLocations::Deleted));
    query.and_where(Expr::col(ImageLocations::Status).eq("active"));
    query.order_by(ImageLocations::Id, sea_query::Order::Asc);
    let places = tx.select(&query)?;

    let mut by_id: HashMap<String, &mut Image> = images.iter_mut().map(|it| (it.id.as_str().to_owned(), it)).collect();
    for row in properties {
        if let Some(image) = by_id.get_mut(&row.get::<String>(0)?) {
            image.properties.insert(row.get(1)?, row.get(2)?);
        }
    }
    for row in tags {
        if let Some(image) = by_id.get_mut(&row.get::<String>(0)?) {
            image.tags.insert(row.get(1)?);
        }
    }
    for row in places {
        if let Some(image) = by_id.get_mut(&row.get::<String>(0)?) {
            image.locations.push(locations::location(cipher, row.get(1)?, row.get(2)?));
        }
    }
    Ok(())
}

/// The images' ids, the last one so often that there are a power of two: few lengths are few different statements, which
/// servers and connections keep prepared.
fn padded(images: &[Image]) -> Vec<String> {
    let ids = images.iter().map(|it| it.id.as_str().to_owned());
    let last = images.last().map(|it| it.id.as_str().to_owned());
    ids.chain(last.into_iter().cycle()).take(images.len().next_power_of_two()).collect()
}

/// Deletes, softly, all that hangs on an image.
pub(super) fn delete_all(tx: &Tx<'_>, id: &ImageId, now: DateTime<Utc>) -> Result<(), DbError> {
    macro_rules! delete_from {
        ($table:ident $(, $column:ident = $value:expr)*) => {{
            let mut statement = Query::update();
            statement.table($table::Table).value($table::Deleted, true).value($table::DeletedAt, time(now));
            $(statement.value($table::$column, $value);)*
            statement.and_where(Expr::col($table::ImageId).eq(id.as_str()));
            statement.and_where(Expr::col($table::Deleted).eq(false));
            tx.execute(&statement)?;
        }};
    }
    delete_from!(ImageLocations, Status = "pending_delete", UpdatedAt = time(now));
    delete_from!(ImageProperties);
    delete_from!(ImageTags);
    members::single(tx, id)?;
    delete_from!(ImageMembers);
    Ok(())
}
