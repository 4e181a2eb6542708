//! One condition of a listing.

use crate::image::query::QueryError;
use chrono::{DateTime, NaiveDate, NaiveDateTime, Utc};

/// A condition that every listed image meets.
#[derive(Clone, Debug, PartialEq)]
pub enum Filter {
    /// The column has one of these values.
    Text {
        /// The column.
        field: TextField,
        /// Never empty.
        any_of: Vec<String>,
    },
    /// A time column.
    Time {
        /// The column.
        field: TimeField,
        /// How it stands to `than`.
        is: Comparison,
        /// The other side.
        than: DateTime<Utc>,
    },
    /// A number column; an image without the number does not match.
    Number {
        /// The column.
        field: NumberField,
        /// How it stands to `than`.
        is: Comparison,
        /// The other side.
        than: i64,
    },
    /// `protected`
    Protected(bool),
    /// Carries this tag.
    Tag(String),
    /// Has this custom property with this value.
    Property {
        /// Its name.
        name: String,
        /// Its value.
        value: String,
    },
}

/// How the left side stands to the right one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[expect(missing_docs, reason = "the names say it")]
pub enum Comparison {
    Equal,
    NotEqual,
    Greater,
    GreaterOrEqual,
    Less,
    LessOrEqual,
}

macro_rules! fields {
    ($(#[$doc:meta])* $name:ident { $($variant:ident = $text:literal),* $(,)? }) => {
        $(#[$doc])*
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        #[expect(missing_docs, reason = "the names say it")]
        pub enum $name { $($variant),* }

        impl $name {
            /// The name of the parameter and the column.
            pub fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $text),* }
            }

            pub(super) fn find(text: &str) -> Option<Self> {
                match text { $($text => Some(Self::$variant),)* _ => None }
            }
        }
    };
}

fields! {
    /// A text column that can be filtered by.
    TextField {
        Name = "name", Id = "id", Status = "status", ContainerFormat = "container_format", DiskFormat = "disk_format",
        Checksum = "checksum", Owner = "owner", HashAlgo = "os_hash_algo", HashValue = "os_hash_value",
    }
}
fields! {
    /// A time column that can be filtered by.
    TimeField { CreatedAt = "created_at", UpdatedAt = "updated_at" }
}
fields! {
    /// A number column that can be filtered by.
    NumberField { Size = "size", VirtualSize = "virtual_size", MinDisk = "min_disk", MinRam = "min_ram" }
}

// === impl Filter ===

impl Filter {
    /// The condition of one parameter. Whatever is no column is a custom property.
    pub(super) fn parse(name: &str, value: &str) -> Result<Self, QueryError> {
        if let Some(field) = TextField::find(name) {
            return Ok(Self::Text { field, any_of: text_values(field, value)? });
        }
        if let Some(field) = TimeField::find(name) {
            let (is, than) = time_value(field, value)?;
            return Ok(Self::Time { field, is, than });
        }
        let ranges = [("", Comparison::Equal), ("_min", Comparison::GreaterOrEqual), ("_max", Comparison::LessOrEqual)];
        for (suffix, is) in ranges {
            if let Some(field) = name.strip_suffix(suffix).and_then(NumberField::find) {
                let than = value.trim().parse().map_err(|_| QueryError::Number)?;
                return Ok(Self::Number { field, is, than });
            }
        }
        if name == "protected" {
            // Glance takes the lower-case words only.
            return match value {
                "true" => Ok(Self::Protected(true)),
                "false" => Ok(Self::Protected(false)),
                _ => Err(QueryError::Boolean { name: "protected", value: value.to_owned() }),
            };
        }
        Ok(Self::Property { name: name.to_owned(), value: value.to_owned() })
    }
}

/// `x`, `eq:x` or `in:x,"y,z"` for the five columns that know operators; the text as it is for the others.
fn text_values(field: TextField, value: &str) -> Result<Vec<String>, QueryError> {
    let has_operators = matches!(
        field,
        TextField::Name | TextField::Id | TextField::Status | TextField::ContainerFormat | TextField::DiskFormat
    );
    if !has_operators {
        return Ok(vec![value.to_owned()]);
    }
    match split_operator(value) {
        ("eq", rest) => Ok(vec![rest.to_owned()]),
        ("in", rest) => split_list(rest),
        (other, _) => Err(QueryError::TextOperator(other.to_owned())),
    }
}

fn time_value(field: TimeField, value: &str) -> Result<(Comparison, DateTime<Utc>), QueryError> {
    let (operator, rest) = split_operator(value);
    let than = parse_time(rest).ok_or(QueryError::Time(field.as_str()))?;
    let is = match operator {
        "gt" => Comparison::Greater,
        "gte" => Comparison::GreaterOrEqual,
        "lt" => Comparison::Less,
        "lte" => Comparison::LessOrEqual,
        "eq" => Comparison::Equal,
        "neq" => Comparison::NotEqual,
        _ => return Err(QueryError::TimeOperator),
    };
    Ok((is, than))
}

/// `gt:x` → (`gt`, `x`). A time has colons of its own and is no operator.
fn split_operator(value: &str) -> (&str, &str) {
    match value.split_once(':') {
        Some(split) if parse_time(value).is_none() => split,
        _ => ("eq", value),
    }
}

/// ISO 8601 as clients write it; without an offset it is UTC.
fn parse_time(text: &str) -> Option<DateTime<Utc>> {
    let text = text.trim();
    // An un-encoded `+` of the offset arrives as a space.
    let offset = text.replacen(' ', "T", usize::from(!text.contains('T'))).replace(' ', "+");
    let with_offset = ["%Y-%m-%dT%H:%M:%S%.f%#z", "%Y-%m-%dT%H:%M%#z"];
    let without = ["%Y-%m-%dT%H:%M:%S%.f", "%Y-%m-%dT%H:%M"];
    let days = ["%Y-%m-%d", "%Y%m%d"];
    None.or_else(|| with_offset.iter().find_map(|it| DateTime::parse_from_str(&offset, it).ok()).map(|it| it.to_utc()))
        .or_else(|| {
            without.iter().find_map(|it| NaiveDateTime::parse_from_str(&offset, it).ok()).map(|it| it.and_utc())
        })
        .or_else(|| {
            let day = days.iter().find_map(|it| NaiveDate::parse_from_str(text, it).ok())?;
            Some(day.and_hms_opt(0, 0, 0)?.and_utc())
        })
}

/// A comma-separated list; a value in double quotes may hold commas, and a backslash keeps the next character.
fn split_list(text: &str) -> Result<Vec<String>, QueryError> {
    let quotes = |why| QueryError::Quotes { value: text.to_owned(), why };
    let mut values = vec![String::new()];
    let (mut quoted, mut closed) = (false, false);
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let value = values.last_mut().ok_or_else(|| quotes("The list is empty."))?;
        match c {
            '"' if quoted => (quoted, closed) = (false, true),
            '"' if value.is_empty() && !closed => quoted = true,
            '"' => return Err(quotes("There is no comma before opening quotation mark.")),
            '\\' if quoted => value.extend(chars.next()),
            ',' if !quoted => {
                closed = false;
                values.push(String::new());
            }
            _ if closed => return Err(quotes("There is no comma after closing quotation mark.")),
            _ => value.push(c),
        }
    }
    if quoted { Err(quotes("The quote is not closed.")) } else { Ok(values) }
}
