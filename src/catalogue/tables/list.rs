//! A page of images: four statements, however many images, and on MySQL one for each property and tag that is asked for.

use crate::catalogue::tables::{
    LocationCipher, children, images,
    names::{ImageMembers, ImageProperties, ImageTags, Images, alive, same, same_as_any, time},
};
use crate::db::{DbError, Dialect, Tx};
use crate::identity::Caller;
use crate::image::{
    Image, ListQuery, Visibility,
    query::{Comparison, Filter, NumberField, Sort, SortKey, TextField, TimeField, VisibilityFilter},
};
use sea_query::{Condition, Expr, ExprTrait, Func, IntoColumnRef, NullOrdering, Order, Query, SelectStatement, Value};

/// Images after `marker`, with all that hangs on them, and how many rows the page had: rows that make no sense are
/// left out and logged.
///
/// # Errors
/// [`DbError`] of the statements.
pub(crate) fn page(
    tx: &Tx<'_>,
    cipher: &LocationCipher,
    caller: &Caller,
    query: &ListQuery,
    marker: Option<&Image>,
) -> Result<(Vec<Image>, usize), DbError> {
    let few = few(tx, &query.filters)?;
    if few.as_ref().is_some_and(Vec::is_empty) {
        return Ok((Vec::new(), 0));
    }
    let mut select = statement(tx.dialect(), caller, query, marker);
    if let Some(mut ids) = few {
        // Few lengths are few different statements.
        ids.resize(ids.len().next_power_of_two(), ids[0].clone());
        select.and_where(col(Images::Id).is_in(ids));
    }
    let rows = tx.select(&select)?;
    let mut found = Vec::with_capacity(rows.len());
    for row in &rows {
        match images::read(row) {
            Ok(image) => found.push(image),
            Err(error) => tracing::warn!(%error, "a row of the table images makes no sense"),
        }
    }
    children::fill(tx, cipher, &mut found)?;
    Ok((found, rows.len()))
}

/// The images that a property or a tag leaves, if they are few. No index leads from a value to its images, and MySQL
/// does not know how rare a value is: it would look at each image, newest first, until the page is full, and at all of
/// them for a value that few have. To read the values one after the other, once, is faster by far; of a value that many
/// have the first ones are enough to know that. (PostgreSQL keeps count of values.)
fn few(tx: &Tx<'_>, filters: &[Filter]) -> Result<Option<Vec<String>>, DbError> {
    /// What is few.
    const FEW: usize = 1000;
    /// How many values are read for at the most.
    const LOOKS: usize = 4;
    if tx.dialect() != Dialect::Mysql {
        return Ok(None);
    }
    let holders = filters.iter().filter_map(|filter| match filter {
        Filter::Tag(tag) => Some(tagged(tx.dialect(), tag).column(ImageTags::ImageId).to_owned()),
        Filter::Property { name, value } => {
            Some(having(tx.dialect(), name, value).column(ImageProperties::ImageId).to_owned())
        }
        _ => None,
    });
    for mut holders in holders.take(LOOKS) {
        let rows = tx.select(holders.limit(FEW as u64 + 1))?;
        if rows.len() <= FEW {
            return rows.iter().map(|row| row.get(0)).collect::<Result<_, _>>().map(Some);
        }
    }
    Ok(None)
}

/// The tags that are this one, as yet without columns.
fn tagged(dialect: Dialect, tag: &str) -> SelectStatement {
    use ImageTags::{Deleted, Table, Value};
    let mut tags = Query::select();
    tags.from(Table).and_where(same(dialect, (Table, Value), tag)).and_where(alive((Table, Deleted)));
    tags
}

/// The properties of this name and value, as yet without columns.
fn having(dialect: Dialect, name: &str, value: &str) -> SelectStatement {
    use ImageProperties::{Deleted, Name, Table, Value};
    let mut properties = Query::select();
    properties.from(Table).and_where(same(dialect, (Table, Name), name));
    properties.and_where(same(dialect, (Table, Value), value)).and_where(alive((Table, Deleted)));
    properties
}

/// That there is such a row of the image.
fn exists(mut rows: SelectStatement, of: impl IntoColumnRef) -> Expr {
    rows.expr(Expr::val(1)).and_where(Expr::col(of).equals((Images::Table, Images::Id)));
    Expr::exists(rows)
}

pub(super) fn statement(
    dialect: Dialect,
    caller: &Caller,
    query: &ListQuery,
    marker: Option<&Image>,
) -> SelectStatement {
    let mut select = images::select();
    // Columns in which most rows have one value are not looked up by their index: the index of the sort key gives the
    // order for free, and the first page is found at its end.
    select.and_where(alive((Images::Table, Images::Deleted)));
    select.and_where(unindexed(Images::OsHidden).eq(query.hidden));
    select.and_where(col(Images::Status).ne("killed"));
    select.cond_where(visible(dialect, caller, query));
    for filter in &query.filters {
        select.and_where(condition(dialect, filter));
    }
    if let Some(marker) = marker {
        select.cond_where(after(marker, &query.sort));
    }
    for sort in &query.sort {
        let order = if sort.descending { Order::Desc } else { Order::Asc };
        // Nothing is less than anything, on every database. On MySQL that is so of itself, and to say it costs the index.
        if is_nullable(sort.key) && dialect != Dialect::Mysql {
            let nulls = if sort.descending { NullOrdering::Last } else { NullOrdering::First };
            select.order_by_with_nulls((Images::Table, column(sort.key)), order, nulls);
        } else {
            select.order_by((Images::Table, column(sort.key)), order);
        }
    }
    select.limit(query.limit as u64);
    select
}

/// What the caller may see, cut to the visibility that was asked for.
fn visible(dialect: Dialect, caller: &Caller, query: &ListQuery) -> Condition {
    let mine = |project: &str| same(dialect, (Images::Table, Images::Owner), project);
    let is = |visibility: Visibility| unindexed(Images::Visibility).eq(visibility.as_str());
    let mut all = Condition::all();
    if !caller.is_admin {
        let mut any = Condition::any().add(is(Visibility::Public)).add(is(Visibility::Community));
        if let Some(project) = &caller.project {
            any = any.add(mine(project)).add(is(Visibility::Shared).and(shared_to(dialect, project, query)));
        }
        all = all.add(any);
    }
    match (query.visibility, &caller.project) {
        (VisibilityFilter::All, _) => all,
        (VisibilityFilter::Only(visibility), _) => all.add(is(visibility)),
        // Community images of others are listed only when asked for, to admins, too (Glance's behaviour).
        (VisibilityFilter::Default, None) => all.add(unindexed(Images::Visibility).ne(Visibility::Community.as_str())),
        (VisibilityFilter::Default, Some(project)) => {
            all.add(mine(project).or(unindexed(Images::Visibility).ne(Visibility::Community.as_str())))
        }
    }
}

fn shared_to(dialect: Dialect, project: &str, query: &ListQuery) -> Expr {
    let mut members = Query::select();
    members.expr(Expr::val(1)).from(ImageMembers::Table);
    members.and_where(Expr::col((ImageMembers::Table, ImageMembers::ImageId)).equals((Images::Table, Images::Id)));
    members.and_where(same(dialect, (ImageMembers::Table, ImageMembers::Member), project));
    members.and_where(alive((ImageMembers::Table, ImageMembers::Deleted)));
    if let Some(word) = query.member_status.word() {
        members.and_where(Expr::col((ImageMembers::Table, ImageMembers::Status)).eq(word));
    }
    Expr::exists(members)
}

fn condition(dialect: Dialect, filter: &Filter) -> Expr {
    match filter {
        Filter::Text { field, any_of } => {
            let column = match field {
                TextField::Name => Images::Name,
                TextField::Id => Images::Id,
                TextField::Status => Images::Status,
                TextField::ContainerFormat => Images::ContainerFormat,
                TextField::DiskFormat => Images::DiskFormat,
                TextField::Checksum => Images::Checksum,
                TextField::Owner => Images::Owner,
                TextField::HashAlgo => Images::OsHashAlgo,
                TextField::HashValue => Images::OsHashValue,
            };
            same_as_any(dialect, (Images::Table, column), &any_of.iter().map(String::as_str).collect::<Vec<_>>())
        }
        Filter::Time { field, is, than } => {
            let column = match field {
                TimeField::CreatedAt => Images::CreatedAt,
                TimeField::UpdatedAt => Images::UpdatedAt,
            };
            compare(col(column), *is, time(*than))
        }
        Filter::Number { field, is, than } => {
            let column = match field {
                NumberField::Size => Images::Size,
                NumberField::VirtualSize => Images::VirtualSize,
                NumberField::MinDisk => Images::MinDisk,
                NumberField::MinRam => Images::MinRam,
            };
            compare(col(column), *is, (*than).into())
        }
        Filter::Protected(it) => col(Images::Protected).eq(*it),
        Filter::Never => Expr::val(1).eq(0),
        Filter::Tag(tag) => exists(tagged(dialect, tag), (ImageTags::Table, ImageTags::ImageId)),
        Filter::Property { name, value } => {
            exists(having(dialect, name, value), (ImageProperties::Table, ImageProperties::ImageId))
        }
    }
}

fn compare(left: Expr, is: Comparison, right: Value) -> Expr {
    let right = Expr::val(right);
    match is {
        Comparison::Equal => left.eq(right),
        Comparison::NotEqual => left.ne(right),
        Comparison::Greater => left.gt(right),
        Comparison::GreaterOrEqual => left.gte(right),
        Comparison::Less => left.lt(right),
        Comparison::LessOrEqual => left.lte(right),
    }
}

/// Everything that stands after the marker:
/// `(k1 beyond m1) or (k1 = m1 and k2 beyond m2) or …`, and, so that an index can be entered at the right place,
/// `k1 at or beyond m1`.
fn after(marker: &Image, sort: &[Sort]) -> Condition {
    let mut any = Condition::any();
    for (index, last) in sort.iter().enumerate() {
        let mut all = Condition::all();
        for key in &sort[..index] {
            all = all.add(equal(marker, *key));
        }
        any = any.add(all.add(beyond(marker, *last)));
    }
    let mut all = Condition::all();
    if let Some(first) = sort.first().filter(|it| !is_nullable(it.key)) {
        let value = marker_value(marker, first.key);
        let is = if first.descending { Comparison::LessOrEqual } else { Comparison::GreaterOrEqual };
        all = all.add(compare(col(column(first.key)), is, value.unwrap_or(Value::String(None))));
    }
    all.add(any)
}

fn equal(marker: &Image, sort: Sort) -> Expr {
    match marker_value(marker, sort.key) {
        Some(value) => col(column(sort.key)).eq(Expr::val(value)),
        None => col(column(sort.key)).is_null(),
    }
}

/// Nothing counts as less than anything.
fn beyond(marker: &Image, sort: Sort) -> Expr {
    let column = || col(column(sort.key));
    match (marker_value(marker, sort.key), sort.descending) {
        (Some(value), false) => column().gt(Expr::val(value)),
        (Some(value), true) if is_nullable(sort.key) => column().lt(Expr::val(value)).or(column().is_null()),
        (Some(value), true) => column().lt(Expr::val(value)),
        (None, false) => column().is_not_null(),
        (None, true) => Expr::val(1).eq(0),
    }
}

fn marker_value(marker: &Image, key: SortKey) -> Option<Value> {
    match key {
        SortKey::Name => marker.name.as_deref().map(Into::into),
        SortKey::Status => Some(marker.status.as_str().into()),
        SortKey::ContainerFormat => marker.container_format.as_deref().map(Into::into),
        SortKey::DiskFormat => marker.disk_format.as_deref().map(Into::into),
        SortKey::Size => marker.size.map(Into::into),
        SortKey::Id => Some(marker.id.as_str().into()),
        SortKey::CreatedAt => Some(time(marker.created_at)),
        SortKey::UpdatedAt => Some(time(marker.updated_at)),
    }
}

fn is_nullable(key: SortKey) -> bool {
    matches!(key, SortKey::Name | SortKey::ContainerFormat | SortKey::DiskFormat | SortKey::Size)
}

fn column(key: SortKey) -> Images {
    match key {
        SortKey::Name => Images::Name,
        SortKey::Status => Images::Status,
        SortKey::ContainerFormat => Images::ContainerFormat,
        SortKey::DiskFormat => Images::DiskFormat,
        SortKey::Size => Images::Size,
        SortKey::Id => Images::Id,
        SortKey::CreatedAt => Images::CreatedAt,
        SortKey::UpdatedAt => Images::UpdatedAt,
    }
}

fn col(column: Images) -> Expr {
    Expr::col((Images::Table, column))
}

/// A column, so written that no index is looked up for it.
fn unindexed(column: Images) -> Expr {
    let default = if matches!(column, Images::Visibility) { Expr::val("shared") } else { Expr::val(false) };
    Func::coalesce([col(column), default]).into()
}
