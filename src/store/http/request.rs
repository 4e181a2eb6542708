//! Asking a web server for the size of data, and for the data.

use super::filter::{Filtering, may_follow};
use crate::store::{Blocks, StoreError};
use async_stream::try_stream;
use futures_util::StreamExt;
use http::{Method, StatusCode, header};
use reqwest::{Client, Response};
use std::{ops::Range, time::Duration};
use url::Url;

/// Requests for one answer: the first one, and what redirects lead to (glance_store's number).
const MOST_REQUESTS: usize = 5;

/// All that it may take to learn a size.
const SIZE_TIMEOUT: Duration = Duration::from_secs(60);

/// The way to web servers.
pub(super) struct Web {
    pub(super) client: Client,
    /// Where redirects may lead.
    pub(super) rules: Filtering,
}

/// Bytes by `HEAD`; by `GET`, which is then broken off, where the server has no `HEAD` or tells no length in it.
pub(super) async fn size(web: &Web, url: &str) -> Result<u64, StoreError> {
    let ask = async {
        match follow(web, Method::HEAD, url, None).await {
            Ok(response) => {
                if let Some(size) = length(&response) {
                    return Ok(size);
                }
            }
            Err(Refused::Status(
                StatusCode::FORBIDDEN | StatusCode::METHOD_NOT_ALLOWED | StatusCode::NOT_IMPLEMENTED,
            )) => {}
            Err(refused) => return Err(refused.of(url)),
        }
        let response = follow(web, Method::GET, url, None).await.map_err(|it| it.of(url))?;
        length(&response).ok_or_else(|| StoreError::Unmeasured { url: shown(url) })
    };
    let late = |_| remote(url, "it does not answer in time", None);
    tokio::time::timeout(SIZE_TIMEOUT, ask).await.map_err(late)?
}

/// The bytes of `range`; a server that does not know ranges is read from the start.
pub(super) async fn read(web: &Web, url: &str, range: Range<u64>) -> Result<Blocks, StoreError> {
    if range.is_empty() {
        return Ok(futures_util::stream::empty().boxed());
    }
    let asked = (range.start > 0).then_some(&range);
    let response = follow(web, Method::GET, url, asked).await.map_err(|it| it.of(url))?;
    let mut skip = range.start;
    if response.status() == StatusCode::PARTIAL_CONTENT {
        let sent = response.headers().get(header::CONTENT_RANGE).and_then(|it| it.to_str().ok()).unwrap_or_default();
        if !sent.trim().starts_with(&format!("bytes {}-", range.start)) {
            return Err(remote(url, "it sends another range than was asked for", None));
        }
        skip = 0;
    } else if let Some(size) = length(&response).filter(|it| *it < range.end) {
        return Err(StoreError::Short { url: shown(url), size, wanted: range.end });
    }
    Ok(blocks(response, url.to_owned(), skip, range).boxed())
}

fn blocks(
    response: Response,
    url: String,
    mut skip: u64,
    range: Range<u64>,
) -> impl futures_util::Stream<Item = Result<bytes::Bytes, StoreError>> {
    try_stream! {
        let mut left = range.end - range.start;
        let mut body = response.bytes_stream();
        while left > 0 {
            let mut chunk = match body.next().await {
                Some(chunk) => chunk.map_err(|e| broken(&url, e))?,
                None => Err(StoreError::Short { url: shown(&url), size: range.end - left, wanted: range.end })?,
            };
            let passed = skip.min(chunk.len() as u64);
            skip -= passed;
            let _ = chunk.split_to(passed as usize);
            chunk.truncate(left.min(chunk.len() as u64) as usize);
            left -= chunk.len() as u64;
            if !chunk.is_empty() {
                yield chunk;
            }
        }
    }
}

/// Why there is no answer.
enum Refused {
    Status(StatusCode),
    Other(StoreError),
}

/// Asks, and goes where 301 and 302 lead, if it may.
async fn follow(web: &Web, method: Method, url: &str, range: Option<&Range<u64>>) -> Result<Response, Refused> {
    let other = |what: &str| Refused::Other(remote(url, what, None));
    let first = parse(url).map_err(Refused::Other)?;
    let mut at = first.clone();
    for _ in 0..MOST_REQUESTS {
        let mut request = web.client.request(method.clone(), at.clone()).header(header::ACCEPT_ENCODING, "identity");
        if let Some(range) = range {
            request = request.header(header::RANGE, format!("bytes={}-{}", range.start, range.end - 1));
        }
        let response = request.send().await.map_err(|e| Refused::Other(broken(url, e)))?;
        let status = response.status();
        if status.as_u16() < 300 {
            return Ok(response);
        }
        if !matches!(status, StatusCode::MOVED_PERMANENTLY | StatusCode::FOUND) {
            return Err(Refused::Status(status));
        }
        let to = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
        at = match to.map(|it| at.join(it)) {
            Some(Ok(to)) if matches!(to.scheme(), "http" | "https") => to,
            _ => return Err(other("it redirects to no web address")),
        };
        if !may_follow(&web.rules.now(), &first, &at) {
            return Err(other("it redirects to where [import_filtering_opts] lets nobody go"));
        }
    }
    Err(other("it redirects too often"))
}

// === impl Refused ===

impl Refused {
    fn of(self, url: &str) -> StoreError {
        match self {
            Self::Status(StatusCode::NOT_FOUND) => StoreError::NotFound { url: shown(url) },
            Self::Status(status) => remote(url, &format!("it answers {}", status.as_u16()), None),
            Self::Other(error) => error,
        }
    }
}

fn parse(url: &str) -> Result<Url, StoreError> {
    let at = Url::parse(url).map_err(|e| remote(url, "it is no URL", Some(e.into())))?;
    if !matches!(at.scheme(), "http" | "https") {
        return Err(remote(url, "it is no web address", None));
    }
    Ok(at)
}

fn length(response: &Response) -> Option<u64> {
    response.headers().get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

fn broken(url: &str, error: reqwest::Error) -> StoreError {
    remote(url, "its server cannot be reached, or broke off", Some(Box::new(error.without_url())))
}

fn remote(url: &str, what: &str, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Remote { step: "read", url: shown(url), what: what.to_owned(), source }
}

/// The URL as messages show it: without user and password, and not too long.
fn shown(url: &str) -> String {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    let path = path.split('?').next().unwrap_or(path);
    format!("{scheme}://{host}{path}").chars().take(300).collect()
}
