//! The parameters of lists.

use crate::image::metadef::{Listing, SortKey};
use crate::wire::WireError;

/// The parameters of a list of namespaces; there is always a limit.
///
/// # Errors
/// [`WireError`] for what makes no sense.
pub fn namespaces_query(params: &[(String, String)], default: usize, most: usize) -> Result<Listing, WireError> {
    let mut listing = common(params, &["public", "private"])?;
    listing.limit = Some(limit(params, 0)?.unwrap_or(default).min(most));
    listing.sort = match first(params, "sort_key").unwrap_or("created_at") {
        "namespace" => SortKey::Name,
        "display_name" => SortKey::DisplayName,
        "description" => SortKey::Description,
        "visibility" => SortKey::Visibility,
        "protected" => SortKey::Protected,
        "owner" => SortKey::Owner,
        other => by_time(other)?,
    };
    listing.is_public = last(params, "visibility").filter(|it| !it.is_empty()).map(|it| it == "public");
    listing.resource_types = last(params, "resource_types").map(|it| it.split(',').map(str::to_owned).collect());
    Ok(listing)
}

/// The parameters of a list of tags.
///
/// # Errors
/// [`WireError`] for what makes no sense.
pub fn tags_query(params: &[(String, String)]) -> Result<Listing, WireError> {
    let mut listing = common(params, &["public", "private", "shared"])?;
    listing.limit = limit(params, 0)?;
    listing.sort = match first(params, "sort_key").unwrap_or("created_at") {
        "name" => SortKey::Name,
        other => by_time(other)?,
    };
    Ok(listing)
}

/// The parameters of a list of objects are checked and have no effect (Glance's behaviour).
///
/// # Errors
/// [`WireError`] for what makes no sense.
pub fn objects_query(params: &[(String, String)]) -> Result<(), WireError> {
    common(params, &["public", "private", "shared"])?;
    limit(params, 1).map(drop)
}

fn common(params: &[(String, String)], visibilities: &[&str]) -> Result<Listing, WireError> {
    let direction = first(params, "sort_dir").unwrap_or("desc");
    if !["asc", "desc"].contains(&direction) {
        return Err(invalid("Invalid sort direction", direction));
    }
    match last(params, "visibility") {
        Some(it) if !it.is_empty() && !visibilities.contains(&it) => {
            return Err(invalid("Invalid visibility value", it));
        }
        _ => {}
    }
    let marker = first(params, "marker").filter(|it| !it.is_empty()).map(str::to_owned);
    Ok(Listing { marker, descending: direction == "desc", ..Listing::default() })
}

/// An empty one counts as none.
fn limit(params: &[(String, String)], least: i64) -> Result<Option<usize>, WireError> {
    let Some(text) = first(params, "limit").filter(|it| !it.is_empty()) else { return Ok(None) };
    let Ok(number) = text.trim().parse::<i64>() else {
        return Err(WireError::Invalid("limit param must be an integer".to_owned()));
    };
    if number < least {
        return Err(WireError::Invalid("limit param must be positive".to_owned()));
    }
    Ok(Some(usize::try_from(number).unwrap_or(usize::MAX)))
}

fn by_time(key: &str) -> Result<SortKey, WireError> {
    match key {
        "created_at" | "id" => Ok(SortKey::Created),
        "updated_at" => Ok(SortKey::Updated),
        other => Err(invalid("Invalid sort key", other)),
    }
}

fn invalid(what: &str, value: &str) -> WireError {
    WireError::Invalid(format!("{what}: {}", value.chars().take(80).collect::<String>()))
}

/// Of a repeated parameter that orders or cuts the list the first one counts (Glance's behaviour).
fn first<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().find(|it| it.0 == name).map(|it| it.1.as_str())
}

/// Of a repeated filter the last one counts (Glance's behaviour).
fn last<'a>(params: &'a [(String, String)], name: &str) -> Option<&'a str> {
    params.iter().rev().find(|it| it.0 == name).map(|it| it.1.as_str())
}
