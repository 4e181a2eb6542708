//! What is wrong with a listing's parameters; the words are Glance's.

/// A parameter that a listing refuses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum QueryError {
    /// `limit` is no number.
    #[error("limit param must be an integer")]
    LimitNotInteger,
    /// `limit` is below zero.
    #[error("limit param must be positive")]
    LimitNegative,
    /// A key that nothing is sorted by.
    #[error(
        "Invalid sort key: {0}. It must be one of the following: name, status, container_format, disk_format, size, \
         id, created_at, updated_at."
    )]
    SortKey(String),
    /// A key that no tasks are sorted by.
    #[error("Sort key supplied was not valid.")]
    TaskSortKey,
    /// No type of a task.
    #[error("Invalid type value: {0}")]
    TaskType(String),
    /// No status of a task.
    #[error("Invalid status value: {0}")]
    TaskStatus(String),
    /// Neither `asc` nor `desc`.
    #[error("Invalid sort direction: {0}")]
    SortDirection(String),
    /// `sort_dir` given more than once, and not once for each key.
    #[error("Number of sort dirs does not match the number of sort keys")]
    SortCount,
    /// `sort` beside `sort_key` or `sort_dir`.
    #[error("Old and new sorting syntax cannot be combined")]
    SortMixed,
    /// Too many keys to sort by.
    #[error("Too many sort keys: at most {0}")]
    SortTooMany(usize),
    /// No membership status.
    #[error("Invalid status: {0}")]
    MemberStatus(String),
    /// No visibility.
    #[error("Invalid visibility value: {0}")]
    Visibility(String),
    /// A v1 filter.
    #[error("The \"changes-since\" filter is no longer available on v2.")]
    ChangesSince,
    /// Neither `true` nor `false`.
    #[error("Invalid value '{value}' for '{name}' filter. Valid values are 'true' or 'false'.")]
    Boolean {
        /// The parameter.
        name: &'static str,
        /// What it said.
        value: String,
    },
    /// An operator that a text column does not have.
    #[error("Unable to filter by unknown operator '{0}'.")]
    TextOperator(String),
    /// An operator that a time does not have.
    #[error("Unable to filter on a unknown operator.")]
    TimeOperator,
    /// No time.
    #[error("Bad \"{0}\" query filter format. Use ISO 8601 DateTime notation.")]
    Time(&'static str),
    /// A range on a number column with something else.
    #[error("Unable to filter on a range with a non-numeric value.")]
    Number,
    /// Quotes that do not match in `in:`.
    #[error("Invalid filter value {value}. {why}")]
    Quotes {
        /// The list.
        value: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// More filters than one listing may have.
    #[error("Too many filters: at most {0}")]
    TooMany(usize),
}

// === impl QueryError ===

impl QueryError {
    /// Whether it is about a filter's value, which is looked at only after the right to list (Glance's order).
    pub fn is_of_filter(&self) -> bool {
        matches!(
            self,
            Self::TextOperator(_)
                | Self::TimeOperator
                | Self::Time(_)
                | Self::Number
                | Self::Quotes { .. }
                | Self::TooMany(_)
        )
    }
}
