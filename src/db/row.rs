//! Rows, in the same shape from every database.

use crate::db::DbError;
use chrono::{DateTime, NaiveDateTime, Utc};

/// One value of a row.
#[derive(Clone, Debug, PartialEq)]
pub enum Cell {
    /// Nothing.
    Null,
    /// Whole numbers and truth values.
    Integer(i64),
    /// Other numbers.
    Real(f64),
    /// Text; in SQLite times, too.
    Text(String),
    /// Bytes.
    Bytes(Vec<u8>),
    /// A time without zone, in UTC.
    Time(NaiveDateTime),
}

/// One row; columns are counted from 0 in the order of the statement.
#[derive(Clone, Debug, PartialEq)]
pub struct Row(pub(super) Vec<Cell>);

/// What a cell can be read as.
pub trait FromCell: Sized {
    /// What it is called in errors.
    const EXPECTED: &'static str;
    /// The value, or none when the cell holds something else.
    fn from_cell(cell: &Cell) -> Option<Self>;
}

// === impl Row ===

impl Row {
    /// The value of a column.
    ///
    /// # Errors
    /// [`DbError::Column`] when the column is missing or holds something else.
    pub fn get<T: FromCell>(&self, column: usize) -> Result<T, DbError> {
        let cell = self.0.get(column);
        cell.and_then(T::from_cell).ok_or_else(|| DbError::Column {
            column,
            found: cell.map_or("nothing".to_owned(), |it| format!("{it:?}").chars().take(80).collect()),
            expected: T::EXPECTED,
        })
    }
}

impl FromCell for String {
    const EXPECTED: &'static str = "a text";
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Text(text) => Some(text.clone()),
            // SQLite's columns take any type: a client of Glance's may have left a number in a text column.
            Cell::Integer(number) => Some(number.to_string()),
            // MySQL gives texts of a collation that compares letter for letter as bytes.
            Cell::Bytes(bytes) => String::from_utf8(bytes.clone()).ok(),
            _ => None,
        }
    }
}

impl FromCell for i64 {
    const EXPECTED: &'static str = "a whole number";
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Integer(number) => Some(*number),
            _ => None,
        }
    }
}

impl FromCell for i32 {
    const EXPECTED: &'static str = "a whole number of 32 bits";
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).and_then(|it| it.try_into().ok())
    }
}

impl FromCell for u64 {
    const EXPECTED: &'static str = "a whole number that is not negative";
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).and_then(|it| it.try_into().ok())
    }
}

impl FromCell for bool {
    const EXPECTED: &'static str = "0 or 1";
    fn from_cell(cell: &Cell) -> Option<Self> {
        i64::from_cell(cell).map(|it| it != 0)
    }
}

impl FromCell for DateTime<Utc> {
    const EXPECTED: &'static str = "a time such as 2026-01-02 03:04:05.000000";
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Time(time) => Some(time.and_utc()),
            Cell::Text(text) => ["%Y-%m-%d %H:%M:%S%.f", "%Y-%m-%dT%H:%M:%S%.f"]
                .iter()
                .find_map(|it| NaiveDateTime::parse_from_str(text, it).ok())
                .map(|it| it.and_utc()),
            _ => None,
        }
    }
}

impl<T: FromCell> FromCell for Option<T> {
    const EXPECTED: &'static str = T::EXPECTED;
    fn from_cell(cell: &Cell) -> Option<Self> {
        match cell {
            Cell::Null => Some(None),
            other => T::from_cell(other).map(Some),
        }
    }
}
