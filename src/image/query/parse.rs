//! From the parameters of a request to a [`ListQuery`].

use crate::image::{
    Visibility,
    query::{Filter, QueryError, Sort, filter::integer, sort},
};

/// What a listing asks for.
#[derive(Clone, Debug, PartialEq)]
pub struct ListQuery {
    /// How many images at most; already within the server's limits. 0 lists nothing.
    pub limit: usize,
    /// The id of the last image of the page before; any text, since it comes from a client.
    pub marker: Option<String>,
    /// The order; it ends in keys that no two images share.
    pub sort: Vec<Sort>,
    /// Which visibilities.
    pub visibility: VisibilityFilter,
    /// Of images that were shared to the caller, those with this answer.
    pub member_status: MemberStatus,
    /// Hidden images, or the others: never both.
    pub hidden: bool,
    /// All of them hold.
    pub filters: Vec<Filter>,
}

/// Bounds of one page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// Without `limit` (`limit_param_default`).
    pub default: usize,
    /// Never more (`api_limit_max`).
    pub max: usize,
}

/// The parameter `visibility`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum VisibilityFilter {
    /// Not given: everything that the caller sees, but not the community images of others.
    Default,
    /// Images of this visibility.
    Only(Visibility),
    /// Everything that the caller sees, with community images.
    All,
}

/// The parameter `member_status`; the API's default is `accepted`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MemberStatus {
    /// Not answered.
    Pending,
    /// Taken.
    Accepted,
    /// Refused.
    Rejected,
    /// Any of them.
    All,
}

/// Bounds the statement; the most that a client of ours sends is a dozen.
const MAX_FILTERS: usize = 64;

// === impl ListQuery ===

impl ListQuery {
    /// Reads the (decoded) parameters of `GET /v2/images`. A parameter that is no column is a filter by a custom
    /// property; of a parameter given twice the last counts, but every `tag` and `sort_key` does.
    ///
    /// # Errors
    /// [`QueryError`], in Glance's words.
    pub fn parse(params: &[(String, String)], limits: Limits) -> Result<Self, QueryError> {
        let last = |name: &str| params.iter().rev().find(|it| it.0 == name).map(|it| it.1.as_str());
        // Of several faults the first one is told, in Glance's order.
        let visibility = last("visibility").map_or(Ok(VisibilityFilter::Default), visibility)?;
        if last("changes-since").is_some_and(|it| !it.is_empty()) {
            return Err(QueryError::ChangesSince);
        }
        let member_status = last("member_status").map_or(Ok(MemberStatus::Accepted), member_status)?;
        let limit = last("limit").map_or(Ok(limits.default), limit)?.min(limits.max);
        Ok(Self {
            limit,
            marker: last("marker").map(str::to_owned),
            sort: sort::parse(params)?,
            visibility,
            member_status,
            hidden: last("os_hidden").map_or(Ok(false), hidden)?,
            filters: filters(params)?,
        })
    }
}

// === impl MemberStatus ===

impl MemberStatus {
    /// The word in the database; none for all.
    pub fn word(self) -> Option<&'static str> {
        match self {
            Self::Pending => Some("pending"),
            Self::Accepted => Some("accepted"),
            Self::Rejected => Some("rejected"),
            Self::All => None,
        }
    }
}

/// The parameter `limit`.
pub(in crate::image) fn limit(text: &str) -> Result<usize, QueryError> {
    match integer(text) {
        Some(number) if number < 0 => Err(QueryError::LimitNegative),
        Some(number) => Ok(usize::try_from(number).unwrap_or(usize::MAX)),
        None => Err(QueryError::LimitNotInteger),
    }
}

fn visibility(text: &str) -> Result<VisibilityFilter, QueryError> {
    match text {
        "all" | "" => Ok(VisibilityFilter::All),
        _ => text.parse().map(VisibilityFilter::Only).map_err(|_| QueryError::Visibility(text.to_owned())),
    }
}

fn member_status(text: &str) -> Result<MemberStatus, QueryError> {
    match text {
        "pending" => Ok(MemberStatus::Pending),
        "accepted" => Ok(MemberStatus::Accepted),
        "rejected" => Ok(MemberStatus::Rejected),
        "all" => Ok(MemberStatus::All),
        _ => Err(QueryError::MemberStatus(text.to_owned())),
    }
}

fn hidden(text: &str) -> Result<bool, QueryError> {
    match text.to_lowercase().as_str() {
        "true" => Ok(true),
        "false" => Ok(false),
        lower => Err(QueryError::Boolean { name: "os_hidden", value: lower.to_owned() }),
    }
}

fn filters(params: &[(String, String)]) -> Result<Vec<Filter>, QueryError> {
    const ELSEWHERE: [&str; 10] = [
        "limit",
        "marker",
        "sort",
        "sort_key",
        "sort_dir",
        "visibility",
        "member_status",
        "os_hidden",
        "changes-since",
        "deleted", // ignored: nobody lists deleted images
    ];
    let mut filters = Vec::new();
    for (index, (name, value)) in params.iter().enumerate() {
        let said_again = || params[index + 1..].iter().any(|it| it.0 == *name);
        match name.as_str() {
            // No image is of no visibility.
            "visibility" if value.is_empty() && !said_again() => filters.push(Filter::Never),
            "tag" => filters.push(Filter::Tag(value.trim().to_owned())),
            other if ELSEWHERE.contains(&other) || said_again() => {}
            other => filters.push(Filter::parse(other, value)?),
        }
        if filters.len() > MAX_FILTERS {
            return Err(QueryError::TooMany(MAX_FILTERS));
        }
    }
    Ok(filters)
}
