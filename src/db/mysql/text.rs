//! Statements with their values written into them.
//!
//! A node of a Galera cluster that broke off a transaction says so in answer to the next command; but it takes a
//! statement to prepare (`COM_STMT_PREPARE`) without a word, and then makes each further statement of the transaction a
//! transaction of its own (MariaDB 10.11). So nothing is prepared there.

use crate::db::{DbError, mysql::whole};
use sea_query::{Value, Values};
use std::fmt::Write;

/// A statement with its values in the place of the question marks. Texts are written as hexadecimal numbers, so that no
/// mode of the server can read them in another way.
///
/// # Errors
/// [`DbError::Statement`] when there are more or fewer question marks than values.
pub(super) fn of(sql: &str, values: Values) -> Result<String, DbError> {
    let uneven = || DbError::of_statement(sql, "it has another number of values");
    let mut values = values.into_iter();
    let mut text = String::with_capacity(sql.len() * 2);
    let mut quote = None;
    for char in sql.chars() {
        match (quote, char) {
            (None, '?') => write(&mut text, values.next().ok_or_else(uneven)?),
            (None, '\'' | '`' | '"') => {
                quote = Some(char);
                text.push(char);
            }
            (open, char) => {
                if open == Some(char) {
                    quote = None;
                }
                text.push(char);
            }
        }
    }
    if values.next().is_some() { Err(uneven()) } else { Ok(text) }
}

fn write(text: &mut String, value: Value) {
    let written = match value {
        Value::Bool(Some(it)) => write!(text, "{}", i32::from(it)),
        Value::TinyInt(Some(it)) => write!(text, "{it}"),
        Value::SmallInt(Some(it)) => write!(text, "{it}"),
        Value::Int(Some(it)) => write!(text, "{it}"),
        Value::BigInt(Some(it)) => write!(text, "{it}"),
        Value::TinyUnsigned(Some(it)) => write!(text, "{it}"),
        Value::SmallUnsigned(Some(it)) => write!(text, "{it}"),
        Value::Unsigned(Some(it)) => write!(text, "{it}"),
        Value::BigUnsigned(Some(it)) => write!(text, "{}", i64::try_from(it).unwrap_or(i64::MAX)),
        Value::Float(Some(it)) => write!(text, "{it:e}"),
        Value::Double(Some(it)) => write!(text, "{it:e}"),
        Value::String(Some(it)) => hex(text, "_utf8mb4", it.as_bytes()),
        Value::Char(Some(it)) => hex(text, "_utf8mb4", it.to_string().as_bytes()),
        Value::Bytes(Some(it)) => hex(text, "", &it),
        Value::ChronoDateTime(Some(it)) => write!(text, "'{}'", whole(it).format("%F %T")),
        Value::ChronoDateTimeUtc(Some(it)) => write!(text, "'{}'", whole(it.naive_utc()).format("%F %T")),
        other if other == other.as_null() => write!(text, "NULL"),
        other => hex(text, "_utf8mb4", other.to_string().as_bytes()),
    };
    // There is always room in a text.
    let _ = written;
}

fn hex(text: &mut String, charset: &str, bytes: &[u8]) -> std::fmt::Result {
    write!(text, "{charset} X'")?;
    bytes.iter().try_for_each(|byte| write!(text, "{byte:02x}"))?;
    text.push('\'');
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::of;
    use sea_query::{Value, Values};

    #[test]
    fn values_stand_where_the_question_marks_are() {
        let sql = "SELECT `a?`, '?' FROM t WHERE b = ? AND c IN (?, ?) AND d = ?";
        let values = vec![
            "it\'s \\ é".into(),
            (-7_i64).into(),
            Value::String(None),
            chrono::NaiveDate::from_ymd_opt(2026, 1, 2).unwrap().and_hms_milli_opt(3, 4, 5, 600).unwrap().into(),
        ];
        let expected = "SELECT `a?`, '?' FROM t WHERE b = _utf8mb4 X'69742773205c20c3a9' AND c IN (-7, NULL) \
                        AND d = '2026-01-02 03:04:05'";
        assert_eq!(of(sql, Values(values)).unwrap(), expected);
        assert!(of("SELECT ?", Values(Vec::new())).is_err());
        assert!(of("SELECT 1", Values(vec![1.into()])).is_err());
    }
}
