//! One condition of a listing.

use crate::image::query::{QueryError, time::parse_time};
use chrono::{DateTime, Utc};

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
    /// What no image meets, such as a number that is a word.
    Never,
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
            let any_of = text_values(field, value)?;
            return Ok(if any_of.is_empty() { Self::Never } else { Self::Text { field, any_of } });
        }
        if let Some(field) = TimeField::find(name) {
            let (is, than) = time_value(field, value)?;
            return Ok(Self::Time { field, is, than });
        }
        let ranges = [("", Comparison::Equal), ("_min", Comparison::GreaterOrEqual), ("_max", Comparison::LessOrEqual)];
        for (suffix, is) in ranges {
            if let Some(field) = name.strip_suffix(suffix).and_then(NumberField::find) {
                // No column has a number that does not fit.
                return match (integer(value), is) {
                    (Some(it), Comparison::Equal) => {
                        Ok(i64::try_from(it).map_or(Self::Never, |than| Self::Number { field, is, than }))
                    }
                    (None, Comparison::Equal) => Ok(Self::Never),
                    (Some(it), _) => {
                        let furthest = if it < 0 { i64::MIN } else { i64::MAX };
                        Ok(Self::Number { field, is, than: i64::try_from(it).unwrap_or(furthest) })
                    }
                    (None, _) => Err(QueryError::Number),
                };
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

/// A whole number as Python reads it: `+5`, `1_000`.
pub(super) fn integer(text: &str) -> Option<i128> {
    let text = text.trim();
    let digits = text.strip_prefix(['+', '-']).unwrap_or(text);
    let is_one = digits.split('_').all(|it| !it.is_empty() && it.bytes().all(|it| it.is_ascii_digit()));
    is_one.then(|| text.replace('_', "").parse().ok()).flatten()
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

/// A comma-separated list; a value in double quotes may hold commas, and a backslash keeps the next character (in Glance
/// the backslash is then looked for, too, so that no name with a quote is ever found). Nothing after a comma at the end
/// is no value.
fn split_list(text: &str) -> Result<Vec<String>, QueryError> {
    let quotes = |why| QueryError::Quotes { value: text.to_owned(), why };
    let (mut values, mut value) = (Vec::new(), String::new());
    let (mut quoted, mut closed) = (false, false);
    let mut chars = text.chars().peekable();
    while let Some(c) = chars.next() {
        match c {
            '"' if quoted => (quoted, closed) = (false, true),
            '"' if value.is_empty() && !closed => quoted = true,
            '"' => return Err(quotes("There is no comma before opening quotation mark.")),
            '\\' if quoted => value.extend(chars.next()),
            '\\' if chars.next_if_eq(&'"').is_some() => value.push_str("\\\""),
            ',' if !quoted => {
                closed = false;
                values.push(std::mem::take(&mut value));
            }
            _ if closed => return Err(quotes("There is no comma after closing quotation mark.")),
            _ => value.push(c),
        }
    }
    if quoted {
        return Err(quotes("The quote is not closed."));
    }
    if closed || !value.is_empty() {
        values.push(value);
    }
    Ok(values)
}
