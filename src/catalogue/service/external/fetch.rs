//! Reading data from a web server that a client named.
//!
//! Every hop of a redirect is judged, and connected to at an address that was judged. A connection that breaks is taken
//! up where it broke, if the server says that it still has the same data. Nothing waits for ever: there are bounds for
//! a connection, for a silence, and for how little comes in a while.

use crate::store::{ImportFiltering, addresses_of, web_client};
use async_stream::try_stream;
use bytes::Bytes;
use futures_util::{Stream, StreamExt};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, Response};
use std::{
    net::SocketAddr,
    time::{Duration, Instant},
};
use url::Url;

/// Hops of one answer.
const MOST_REQUESTS: usize = 6;

/// How often a connection is taken up again before a byte more has come.
const MOST_RETRIES: u32 = 5;

/// In each so long time at least [`LEAST`] has to come.
const WINDOW: Duration = Duration::from_secs(600);
const LEAST: u64 = 1 << 20;

/// There is no data, or no more of it.
#[derive(Debug, thiserror::Error)]
pub(in crate::catalogue::service) enum FetchError {
    /// `[import_filtering_opts]`, or no such host.
    #[error("{0} may not be asked from here, or is not known")]
    NotAllowed(String),
    /// It is no web address.
    #[error("{0} is no web address")]
    NoAddress(String),
    /// It leads on and on.
    #[error("{0} redirects too often")]
    Circle(String),
    /// The server has another answer than data.
    #[error("{url} answers {status}")]
    Status { url: String, status: u16 },
    /// It cannot be reached, or breaks off.
    #[error("{url} cannot be reached, or broke off")]
    Broken { url: String, source: reqwest::Error },
    /// What broke off cannot be taken up again.
    #[error("{url} broke off after {at} bytes, and does not give the rest")]
    NoRest { url: String, at: u64 },
    /// It is too large.
    #[error("{url} has {size} bytes, more than the {cap} that are accepted")]
    TooLarge { url: String, size: u64, cap: u64 },
    /// It takes too long.
    #[error("{0} sends too little to wait for")]
    TooSlow(String),
}

/// Data that is about to be read.
pub(in crate::catalogue::service) struct Fetched {
    rules: ImportFiltering,
    /// As the client named it: redirects are followed anew.
    url: Url,
    response: Response,
    size: Option<u64>,
    validator: Option<String>,
}

/// Opens the data at `uri`, which may have `cap` bytes.
///
/// # Errors
/// [`FetchError`]
pub(in crate::catalogue::service) async fn open(
    rules: &ImportFiltering,
    uri: &str,
    cap: u64,
) -> Result<Fetched, FetchError> {
    let url = Url::parse(uri).map_err(|_| FetchError::NoAddress(uri.chars().take(300).collect()))?;
    let response = ask(rules, &url, None).await?;
    let size = length(response.headers());
    if let Some(size) = size.filter(|it| *it > cap) {
        return Err(FetchError::TooLarge { url: shown(&url), size, cap });
    }
    let validator = validator(response.headers());
    Ok(Fetched { rules: rules.clone(), url, response, size, validator })
}

/// Asks for data from a byte on, and goes where redirects lead.
async fn ask(rules: &ImportFiltering, url: &Url, rest: Option<(u64, &str)>) -> Result<Response, FetchError> {
    let mut at = url.clone();
    for _ in 0..MOST_REQUESTS {
        let addresses = addresses_of(rules, &at).await;
        if addresses.is_empty() {
            return Err(FetchError::NotAllowed(shown(&at)));
        }
        let broken = |source: reqwest::Error| FetchError::Broken { url: shown(&at), source: source.without_url() };
        let client = client(&at, &addresses).map_err(broken)?;
        let mut request = client.get(at.clone()).header(header::ACCEPT_ENCODING, "identity");
        if let Some((from, validator)) = rest {
            request = request.header(header::RANGE, format!("bytes={from}-")).header(header::IF_RANGE, validator);
        }
        let response = request.send().await.map_err(broken)?;
        match response.status() {
            StatusCode::OK | StatusCode::PARTIAL_CONTENT => return Ok(response),
            status if !status.is_redirection() => {
                return Err(FetchError::Status { url: shown(&at), status: status.as_u16() });
            }
            status => {
                let to = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok());
                let to = to.and_then(|it| at.join(it).ok());
                at = to.ok_or_else(|| FetchError::Status { url: shown(&at), status: status.as_u16() })?;
            }
        }
    }
    Err(FetchError::Circle(shown(url)))
}

/// For one request: it knows no other addresses than these.
fn client(url: &Url, addresses: &[SocketAddr]) -> Result<Client, reqwest::Error> {
    let mut builder = web_client();
    if let Some(name) = url.domain() {
        builder = builder.resolve_to_addrs(name, addresses);
    }
    if url.scheme() == "http" {
        // Without reading the system's certificates.
        builder = builder.tls_certs_only([]);
    }
    builder.build()
}

// === impl Fetched ===

impl Fetched {
    /// Bytes, when the server says.
    pub(in crate::catalogue::service) fn size(&self) -> Option<u64> {
        self.size
    }

    /// The data.
    pub(in crate::catalogue::service) fn read(self) -> impl Stream<Item = Result<Bytes, FetchError>> + Send {
        let Self { rules, url, response, size, validator } = self;
        try_stream! {
            let (mut body, mut at, mut retries) = (response.bytes_stream(), 0_u64, 0);
            let mut pace = Pace { since: Instant::now(), came: 0 };
            loop {
                match body.next().await {
                    Some(Ok(chunk)) => {
                        (at, retries) = (at + chunk.len() as u64, 0);
                        if !pace.goes(chunk.len() as u64) {
                            Err(FetchError::TooSlow(shown(&url)))?;
                        }
                        yield chunk;
                    }
                    None => break,
                    Some(Err(source)) => {
                        retries += 1;
                        let broken = FetchError::Broken { url: shown(&url), source: source.without_url() };
                        let rest = resume(&rules, &url, (at, size, validator.as_deref()), retries).await;
                        body = rest.ok_or(broken)??.bytes_stream();
                    }
                }
            }
        }
    }
}

/// The rest of data that broke off; none when it is not worth a try.
async fn resume(
    rules: &ImportFiltering,
    url: &Url,
    (at, size, validator): (u64, Option<u64>, Option<&str>),
    retries: u32,
) -> Option<Result<Response, FetchError>> {
    let validator = validator.filter(|_| retries <= MOST_RETRIES)?;
    for again in retries..=MOST_RETRIES {
        tokio::time::sleep(Duration::from_millis(200) * again * again).await;
        tracing::info!(url = shown(url), at, "a download broke off; the rest is asked for");
        match ask(rules, url, Some((at, validator))).await {
            // Another answer than a part means that the data is not the same any more.
            Ok(response) if is_rest(&response, at, size) => return Some(Ok(response)),
            Ok(_) => return Some(Err(FetchError::NoRest { url: shown(url), at })),
            Err(FetchError::Broken { .. }) => {}
            Err(other) => return Some(Err(other)),
        }
    }
    None
}

/// Whether the answer is the data from byte `at` on, of as much as there was.
fn is_rest(response: &Response, at: u64, size: Option<u64>) -> bool {
    if response.status() != StatusCode::PARTIAL_CONTENT {
        return false;
    }
    let text = response.headers().get(header::CONTENT_RANGE).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let Some((span, total)) = text.trim().strip_prefix("bytes ").and_then(|it| it.split_once('/')) else {
        return false;
    };
    let begins = span.split_once('-').is_some_and(|it| it.0.parse() == Ok(at));
    begins && (size.is_none() || total.parse().ok() == size)
}

/// How much comes.
struct Pace {
    since: Instant,
    came: u64,
}

// === impl Pace ===

impl Pace {
    /// False when too little came for too long.
    fn goes(&mut self, bytes: u64) -> bool {
        self.came += bytes;
        if self.came >= LEAST {
            *self = Self { since: Instant::now(), came: 0 };
        }
        self.since.elapsed() < WINDOW
    }
}

/// What tells whether data is still the same: a strong tag, or the time of its last change.
fn validator(headers: &HeaderMap) -> Option<String> {
    let text = |name| headers.get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
    text(header::ETAG).filter(|it| !it.starts_with("W/")).or_else(|| text(header::LAST_MODIFIED))
}

fn length(headers: &HeaderMap) -> Option<u64> {
    headers.get(header::CONTENT_LENGTH)?.to_str().ok()?.trim().parse().ok()
}

/// Without user, password and query.
fn shown(url: &Url) -> String {
    let port = url.port().map(|it| format!(":{it}")).unwrap_or_default();
    let text = format!("{}://{}{port}{}", url.scheme(), url.host_str().unwrap_or_default(), url.path());
    text.chars().take(300).collect()
}
