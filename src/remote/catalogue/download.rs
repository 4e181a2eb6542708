//! The data of an image, from any byte on.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError, transport::Call};
use bytes::Bytes;
use futures_util::{
    StreamExt,
    stream::{self, BoxStream},
};
use http::{HeaderMap, StatusCode, header};
use reqwest::Response;

/// The data of an image, coming in.
pub struct Download {
    /// The first byte that comes: what was asked for, or 0 when the server cannot start elsewhere. The caller then
    /// starts over.
    pub start: u64,
    /// Length of the whole image, when the server says.
    pub total: Option<u64>,
    /// The bytes; an error when the connection breaks, falls silent, or the data is not as long as announced.
    pub body: BoxStream<'static, Result<Bytes, RemoteError>>,
}

impl std::fmt::Debug for Download {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Download").field("start", &self.start).field("total", &self.total).finish_non_exhaustive()
    }
}

impl Catalogue {
    /// Downloads the data of an image from byte `from` on.
    ///
    /// Stores without random reads answer 400 or 416 to a range (Glance's behaviour for rbd, swift, s3), and proxies
    /// may answer with everything: both give a `start` of 0. Whether the data is still the same image's is for the
    /// hash at the end to say.
    pub async fn download(&self, id: &ImageId, from: u64) -> Result<Download, RemoteError> {
        let doing = format!("downloading image {id}");
        let path = format!("/v2/images/{id}/file");
        if from > 0 {
            let range = format!("bytes={from}-");
            let make = |client: &reqwest::Client, url| client.get(url).header(header::RANGE, &range);
            let (call, response) = self.session.call(&doing, &path, make).await?;
            match response.status() {
                StatusCode::PARTIAL_CONTENT => return partial(call, response, from),
                StatusCode::OK => return self.whole(id, call, response).await,
                StatusCode::RANGE_NOT_SATISFIABLE if unsatisfied_total(response.headers()) == Some(from) => {
                    return Ok(Download { start: from, total: Some(from), body: stream::empty().boxed() });
                }
                StatusCode::BAD_REQUEST | StatusCode::RANGE_NOT_SATISFIABLE => {
                    tracing::debug!(image.id = %id, url = %call.url, "the store cannot start in the middle");
                }
                _ => return Err(unusable(call, response).await),
            }
        }
        let (call, response) = self.session.call(&doing, &path, |client, url| client.get(url)).await?;
        if response.status() == StatusCode::OK {
            self.whole(id, call, response).await
        } else {
            Err(unusable(call, response).await)
        }
    }

    /// Glance sends everything without a length, and ends it by closing the connection, just as a cut would: the
    /// image's own size is the only way to tell.
    async fn whole(&self, id: &ImageId, call: Call, response: Response) -> Result<Download, RemoteError> {
        let total = match length(response.headers()) {
            Some(length) => Some(length),
            None => self.image(id).await?.size,
        };
        Ok(Download { start: 0, total, body: body(call, response, total) })
    }
}

/// 204 is Glance's answer for an image without data.
async fn unusable(call: Call, response: Response) -> RemoteError {
    let status = response.status();
    if !status.is_success() {
        return call.refusal(response).await;
    }
    let message = if status == StatusCode::NO_CONTENT {
        "the image has no data".to_owned()
    } else {
        "that is no answer to a download".to_owned()
    };
    RemoteError::Refused { doing: call.doing, url: call.url, status, message, retry_after: None }
}

fn partial(call: Call, response: Response, from: u64) -> Result<Download, RemoteError> {
    let text = response.headers().get(header::CONTENT_RANGE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let Some((start, end, total)) = parse_content_range(text) else {
        return Err(call.malformed("its Content-Range says nothing"));
    };
    if start != from || total.is_some_and(|it| end > it) {
        return Err(call.malformed(format!("it gives bytes {start}–{end} instead of those from {from} on")));
    }
    Ok(Download { start, total, body: body(call, response, Some(end - start)) })
}

/// `bytes 10-99/200` → (10, 100, 200), `…/*` without a total.
fn parse_content_range(text: &str) -> Option<(u64, u64, Option<u64>)> {
    let (range, total) = text.trim().strip_prefix("bytes")?.trim_start().split_once('/')?;
    let (first, last) = range.split_once('-')?;
    let start = first.trim().parse().ok()?;
    let end = last.trim().parse::<u64>().ok()?.checked_add(1)?;
    let total = if total.trim() == "*" { None } else { Some(total.trim().parse().ok()?) };
    (start < end).then_some((start, end, total))
}

/// The total of `bytes */200`, which comes with 416.
fn unsatisfied_total(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_RANGE)?.to_str().ok()?.trim().strip_prefix("bytes */")?.parse().ok()
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.parse().ok()
}

/// Counts, so that a body that ends early or late is an error however the server framed it.
fn body(call: Call, response: Response, expected: Option<u64>) -> BoxStream<'static, Result<Bytes, RemoteError>> {
    let mut data = response.bytes_stream();
    Box::pin(async_stream::try_stream! {
        let mut got = 0;
        while let Some(chunk) = data.next().await {
            let chunk = chunk.map_err(|e| call.transport(e))?;
            got += chunk.len() as u64;
            if let Some(expected) = expected.filter(|it| got > *it) {
                Err(truncated(&call, got, expected))?;
            }
            yield chunk;
        }
        if let Some(expected) = expected.filter(|it| got < *it) {
            Err(truncated(&call, got, expected))?;
        }
    })
}

fn truncated(call: &Call, got: u64, expected: u64) -> RemoteError {
    RemoteError::Truncated { doing: call.doing.clone(), url: call.url.clone(), got, expected }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn content_range_is_understood() {
        assert_eq!(parse_content_range("bytes 10-99/200"), Some((10, 100, Some(200))));
        assert_eq!(parse_content_range("bytes 0-0/*"), Some((0, 1, None)));
        for text in ["", "bytes", "bytes */200", "bytes 9-3/20", "bytes 1-18446744073709551615/2", "items 1-2/3"] {
            assert_eq!(parse_content_range(text), None, "{text}");
        }
    }

    proptest! {
        #[test]
        fn content_range_never_panics(text in "(bytes )?[0-9*/ -]{0,40}") {
            let _ = parse_content_range(&text);
        }
    }
}
