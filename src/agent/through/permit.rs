//! Whether this caller may read the data, as the catalogue itself says it.
//!
//! The question is the data request with the caller's own token: policies, members, deactivated and deleted images are
//! judged as they are for the request itself. A range of one byte is asked for first, since an answer to that leaves the
//! connection whole; Glance's stores without random reads refuse any range, and then the caller's own request is the
//! question, whose body is not read.

use super::{
    headers::{is_plain, make_plain, of_request, passing},
    open::Through,
    pass::path_of,
    wanted::Wanted,
};
use crate::remote::{Passing, RemoteError};
use http::{HeaderMap, HeaderName, HeaderValue, StatusCode, header, request::Parts};
use std::{ops::Range, sync::atomic::Ordering};

/// What the catalogue says.
pub(super) enum Permit {
    /// Yes, with this head; the bytes may come from elsewhere.
    Yes(Head),
    /// This is the answer: a refusal, nothing new, or other data than was expected.
    Answer(http::Response<Passing<RemoteError>>),
}

/// The head of an answer with data.
pub(super) struct Head {
    pub(super) status: StatusCode,
    pub(super) headers: HeaderMap,
    /// Which bytes are its body.
    pub(super) range: Range<u64>,
}

const MD5: HeaderName = HeaderName::from_static("content-md5");

// === impl Through ===

impl Through {
    /// Asks whether this caller may read what `wanted` describes.
    pub(super) async fn permit(&self, parts: &Parts, wanted: &Wanted) -> Result<Permit, RemoteError> {
        let plain = is_plain(&parts.headers);
        let mut no_ranges = false;
        if plain && self.ranges.load(Ordering::Relaxed) {
            let mut headers = of_request(&parts.headers, &self.via);
            headers.insert(header::RANGE, HeaderValue::from_static("bytes=0-0"));
            let answer = self.ask(parts, path_of(parts), headers).await?;
            if let Some(head) = Head::of_probe(&answer, wanted) {
                return Ok(Permit::Yes(head));
            }
            no_ranges = answer.status() == StatusCode::BAD_REQUEST;
        }
        let answer = self.ask(parts, path_of(parts), of_request(&parts.headers, &self.via)).await?;
        let Some(head) = Head::of(&answer, wanted) else { return Ok(Permit::Answer(answer)) };
        if no_ranges {
            self.ranges.store(false, Ordering::Relaxed);
        }
        Ok(Permit::Yes(head))
    }

    /// What the catalogue tells this caller of the image; none when that is not to be had.
    pub(super) async fn record(
        &self,
        parts: &Parts,
        path: String,
    ) -> Result<http::Response<Passing<RemoteError>>, RemoteError> {
        let mut headers = of_request(&parts.headers, &self.via);
        make_plain(&mut headers);
        headers.remove(header::ACCEPT_ENCODING);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        self.ask(parts, path, headers).await
    }
}

// === impl Head ===

impl Head {
    /// Of an answer that is this data; none when it is none, or another one's.
    pub(super) fn of<T>(answer: &http::Response<T>, wanted: &Wanted) -> Option<Self> {
        let range = match answer.status() {
            StatusCode::OK => 0..length(answer.headers()).unwrap_or(wanted.size),
            StatusCode::PARTIAL_CONTENT => part(answer.headers(), wanted.size)?,
            _ => return None,
        };
        let is_whole = answer.status() == StatusCode::OK;
        if range.end > wanted.size || is_whole && range.end < wanted.size || is_other(answer.headers(), wanted) {
            return None;
        }
        let mut headers = passing(answer.headers());
        // Glance leaves it out at times, and ends what it sends by closing the connection.
        headers.insert(header::CONTENT_LENGTH, (range.end - range.start).into());
        Some(Self { status: answer.status(), headers, range })
    }

    /// Of an answer to a request for one byte, as it would be for all of them.
    fn of_probe<T>(answer: &http::Response<T>, wanted: &Wanted) -> Option<Self> {
        let mut head = Self::of(answer, wanted)?;
        if head.status == StatusCode::PARTIAL_CONTENT {
            head.headers.remove(header::CONTENT_RANGE);
        }
        head.headers.insert(header::CONTENT_LENGTH, wanted.size.into());
        Some(Self { status: StatusCode::OK, headers: head.headers, range: 0..wanted.size })
    }
}

/// `bytes 10-99/200`, of data of this size.
fn part(headers: &HeaderMap, size: u64) -> Option<Range<u64>> {
    let text = headers.get(header::CONTENT_RANGE)?.to_str().ok()?;
    let (span, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = span.split_once('-')?;
    let (first, last): (u64, u64) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
    let fits = first <= last && last < size && total.trim().parse() == Ok(size);
    fits.then(|| first..last + 1)
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Record and data were asked for one after the other: another image may have come in between.
fn is_other(headers: &HeaderMap, wanted: &Wanted) -> bool {
    let said = headers.get(MD5).and_then(|it| it.to_str().ok());
    said.zip(wanted.checksum.as_deref()).is_some_and(|(said, known)| !said.eq_ignore_ascii_case(known))
}
