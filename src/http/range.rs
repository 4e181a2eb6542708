//! Which part of an image a client asks for (Glance's rules).

use http::{HeaderMap, header};
use std::ops::Range;

/// The header asks for something that cannot be given.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RangeError {
    /// Not `bytes=a-b`, `bytes=a-` or `bytes=-n` (Glance: 416).
    #[error("Invalid Range header.")]
    Malformed,
    /// The same of `Content-Range`.
    #[error("Invalid Content-Range header.")]
    MalformedContent,
    /// It begins behind the end (416).
    #[error("Invalid start position in Range header: there are {size} bytes, counted from 0.")]
    BehindEnd {
        /// Bytes that there are.
        size: u64,
    },
    /// Several ranges in one request (Glance: 400).
    #[error("Requests with multiple ranges are not supported. You may make multiple single-range requests instead.")]
    Multiple,
}

/// The range of `Range`, or of `Content-Range` (which old clients of Glance send); none when neither is there.
///
/// # Errors
/// [`RangeError`]
pub fn parse(headers: &HeaderMap, size: u64) -> Result<Option<Range<u64>>, RangeError> {
    if let Some(value) = headers.get(header::RANGE) {
        let text = value.to_str().map_err(|_| RangeError::Malformed)?;
        return parse_range(text, size).ok_or(RangeError::Malformed)?.map(Some);
    }
    if let Some(value) = headers.get(header::CONTENT_RANGE) {
        let text = value.to_str().map_err(|_| RangeError::MalformedContent)?;
        return parse_content_range(text, size).ok_or(RangeError::MalformedContent).map(Some);
    }
    Ok(None)
}

/// None when it is malformed.
fn parse_range(text: &str, size: u64) -> Option<Result<Range<u64>, RangeError>> {
    let (unit, spec) = text.split_once('=')?;
    if !unit.trim().eq_ignore_ascii_case("bytes") {
        return None;
    }
    if spec.contains(',') {
        return Some(Err(RangeError::Multiple));
    }
    let (first, last) = spec.split_once('-')?;
    let range = match (first.trim(), last.trim()) {
        ("", last) => size.saturating_sub(number(last)?)..size,
        (first, "") => number(first)?..size,
        (first, last) => {
            let (first, last) = (number(first)?, number(last)?);
            if last < first {
                return None;
            }
            first..last.saturating_add(1).min(size)
        }
    };
    Some(if range.start >= size { Err(RangeError::BehindEnd { size }) } else { Ok(range) })
}

/// `bytes a-b/size`; the size may be `*`, and need not be that of the data (Glance's behaviour).
fn parse_content_range(text: &str, size: u64) -> Option<Range<u64>> {
    let (unit, rest) = text.trim().split_once(' ')?;
    let (span, whole) = rest.trim().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last) = (number(first)?, number(last)?);
    let fits = unit.eq_ignore_ascii_case("bytes") && (whole == "*" || last < number(whole)?);
    (fits && first <= last && last < size).then_some(first..last.saturating_add(1))
}

/// Digits only; too many of them is the largest number.
fn number(text: &str) -> Option<u64> {
    if text.is_empty() || !text.bytes().all(|it| it.is_ascii_digit()) {
        return None;
    }
    Some(text.parse().unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests;
