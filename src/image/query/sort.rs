//! The order of a listing.

use crate::image::query::QueryError;
use std::str::FromStr;

/// What images are sorted by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum SortKey {
    Name,
    Status,
    ContainerFormat,
    DiskFormat,
    Size,
    Id,
    CreatedAt,
    UpdatedAt,
}

/// One key with its direction.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sort {
    /// The key.
    pub key: SortKey,
    /// The greatest first.
    pub descending: bool,
}

/// Bounds the statement: no client needs a key twice.
const MAX_KEYS: usize = 8;

// === impl SortKey ===

impl SortKey {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Name,
        Self::Status,
        Self::ContainerFormat,
        Self::DiskFormat,
        Self::Size,
        Self::Id,
        Self::CreatedAt,
        Self::UpdatedAt,
    ];

    /// The name of the parameter and the column.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Name => "name",
            Self::Status => "status",
            Self::ContainerFormat => "container_format",
            Self::DiskFormat => "disk_format",
            Self::Size => "size",
            Self::Id => "id",
            Self::CreatedAt => "created_at",
            Self::UpdatedAt => "updated_at",
        }
    }
}

impl FromStr for SortKey {
    type Err = QueryError;

    fn from_str(text: &str) -> Result<Self, QueryError> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| QueryError::SortKey(text.to_owned()))
    }
}

/// The order that the parameters ask for; `created_at` and `id` come last, so that no two images stand on one place.
pub(super) fn parse(params: &[(String, String)]) -> Result<Vec<Sort>, QueryError> {
    let all = |name: &str| params.iter().filter(|it| it.0 == name).map(|it| it.1.trim()).collect::<Vec<_>>();
    let (sort, keys, dirs) = (all("sort"), all("sort_key"), all("sort_dir"));
    let (mut sorts, default) = if sort.is_empty() {
        classic(&keys, &dirs)?
    } else if keys.is_empty() && dirs.is_empty() {
        let sorts = uniform(sort[0])?;
        let one = if let [one] = sorts[..] { one.descending } else { true };
        (sorts, one)
    } else {
        return Err(QueryError::SortMixed);
    };
    if sorts.len() > MAX_KEYS {
        return Err(QueryError::SortTooMany(MAX_KEYS));
    }
    for key in [SortKey::CreatedAt, SortKey::Id] {
        if !sorts.iter().any(|it| it.key == key) {
            sorts.push(Sort { key, descending: default });
        }
    }
    Ok(sorts)
}

/// `name:asc,size`
fn uniform(text: &str) -> Result<Vec<Sort>, QueryError> {
    text.split(',')
        .map(|part| {
            let (key, direction) = part.split_once(':').unwrap_or((part, ""));
            let descending = if direction.is_empty() { true } else { is_descending(direction.trim())? };
            Ok(Sort { key: key.trim().parse()?, descending })
        })
        .collect()
}

/// `sort_key=name&sort_dir=asc…`: no direction, one for all keys, or one for each. A single one counts for the keys
/// that are added at the end too, in either form (Glance's behaviour).
fn classic(keys: &[&str], dirs: &[&str]) -> Result<(Vec<Sort>, bool), QueryError> {
    let keys = keys.iter().map(|it| it.parse()).collect::<Result<Vec<SortKey>, _>>()?;
    let dirs = dirs.iter().map(|it| is_descending(it)).collect::<Result<Vec<_>, _>>()?;
    if dirs.len() > 1 && dirs.len() != keys.len() {
        return Err(QueryError::SortCount);
    }
    let keys = if keys.is_empty() { vec![SortKey::CreatedAt] } else { keys };
    let one = if dirs.len() == 1 { dirs[0] } else { true };
    let sorts = keys
        .iter()
        .enumerate()
        .map(|(index, &key)| Sort { key, descending: if dirs.len() > 1 { dirs[index] } else { one } })
        .collect();
    Ok((sorts, one))
}

fn is_descending(text: &str) -> Result<bool, QueryError> {
    match text {
        "asc" => Ok(false),
        "desc" => Ok(true),
        _ => Err(QueryError::SortDirection(text.to_owned())),
    }
}
