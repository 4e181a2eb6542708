//! Connections, timeouts and bounded bodies.

use crate::remote::{Auth, RemoteError, Settings};
use chrono::{DateTime, Utc};
use http::{HeaderMap, StatusCode, header};
use reqwest::{Client, ClientBuilder, RequestBuilder, Response, redirect};
use serde::de::DeserializeOwned;
use std::{fs, io, sync::OnceLock, time::Duration};
use url::Url;

/// Longest JSON body that is read, bytes; a page of 1000 images is 2 MB or less.
const MAX_JSON: usize = 32 << 20;

/// Longest secret that is read, bytes.
const MAX_PAYLOAD: usize = 128 << 10;

/// Longest text of a failure that is kept, bytes and characters.
const MAX_FAILURE: usize = 64 << 10;
const MAX_MESSAGE: usize = 300;

const MAX_REDIRECTS: usize = 5;

/// The HTTP clients and their limits.
pub(super) struct Transport {
    /// Silence of the server counts from the start of the request.
    pub(super) calls: Client,
    /// For uploads and feeds, where the server is silent for as long as it takes.
    pub(super) uploads: Client,
    /// For requests of others, which are passed on as they are; made when the first one comes.
    forwards: OnceLock<Client>,
    pub(super) read_timeout: Duration,
    pub(super) finish_timeout: Duration,
}

// === impl Transport ===

impl Transport {
    pub(super) fn new(settings: &Settings) -> Result<Self, RemoteError> {
        Ok(Self {
            calls: build(builder(settings)?.read_timeout(settings.read_timeout))?,
            uploads: build(builder(settings)?)?,
            forwards: OnceLock::new(),
            read_timeout: settings.read_timeout,
            finish_timeout: settings.finish_timeout,
        })
    }

    /// Follows no redirect: where it leads is for the caller to know.
    pub(super) fn forwards(&self, settings: &Settings) -> Result<&Client, RemoteError> {
        if let Some(client) = self.forwards.get() {
            return Ok(client);
        }
        let client = build(builder(settings)?.redirect(redirect::Policy::none()))?;
        Ok(self.forwards.get_or_init(|| client))
    }
}

fn build(builder: ClientBuilder) -> Result<Client, RemoteError> {
    builder.build().map_err(|e| settings_error("no HTTP client can be made of them", Some(Box::new(e))))
}

fn builder(settings: &Settings) -> Result<ClientBuilder, RemoteError> {
    let mut builder = Client::builder()
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(settings.connect_timeout)
        .tcp_keepalive(Duration::from_secs(60))
        .pool_idle_timeout(Duration::from_secs(30))
        .redirect(same_origin());
    if let Some(path) = &settings.cafile {
        let pem = fs::read(path).map_err(|e| {
            settings_error(&format!("the CA file {} cannot be read", path.display()), Some(Box::new(e)))
        })?;
        let certificates = reqwest::Certificate::from_pem_bundle(&pem)
            .map_err(|e| settings_error(&format!("the CA file {} is not PEM", path.display()), Some(Box::new(e))))?;
        if certificates.is_empty() {
            return Err(settings_error(&format!("the CA file {} holds no certificate", path.display()), None));
        }
        builder = builder.tls_certs_only(certificates);
    } else if !may_need_tls(settings) {
        // The system's authorities take time to load, and a bare machine has none.
        builder = builder.tls_certs_only([]);
    }
    if settings.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    if let Some(url) = &settings.proxy {
        let proxy = reqwest::Proxy::all(url.clone())
            .map_err(|e| settings_error(&format!("the proxy {} is not usable", shown(url)), Some(Box::new(e))))?;
        builder = builder.proxy(proxy);
    }
    Ok(builder)
}

/// False when everything that is asked is known to be plain HTTP.
fn may_need_tls(settings: &Settings) -> bool {
    let plain = |url: &str| url.starts_with("http://");
    let keystone = match &settings.auth {
        Auth::None | Auth::Token(_) => true,
        other => other.auth_url().is_some_and(plain),
    };
    let proxy = settings.proxy.as_ref().is_none_or(|it| it.scheme() != "https");
    !(keystone && proxy && settings.endpoint.as_ref().is_some_and(|it| it.scheme() == "http"))
}

/// Follows within one scheme, host and port; a redirect elsewhere would carry the token there.
fn same_origin() -> redirect::Policy {
    redirect::Policy::custom(|attempt| {
        let same = attempt.previous().first().is_some_and(|it| it.origin() == attempt.url().origin());
        if same && attempt.previous().len() <= MAX_REDIRECTS { attempt.follow() } else { attempt.stop() }
    })
}

pub(super) fn settings_error(what: &str, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> RemoteError {
    RemoteError::Settings { what: what.to_owned(), source }
}

/// The URL as messages show it: without user, password, query and fragment.
pub(super) fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only on URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.set_fragment(None);
    url.to_string()
}

/// A call under way: what is being done and where, for messages.
#[derive(Clone, Debug)]
pub(super) struct Call {
    pub(super) doing: String,
    pub(super) url: String,
}

// === impl Call ===

impl Call {
    pub(super) fn new(doing: &str, url: &Url) -> Self {
        Self { doing: doing.to_owned(), url: shown(url) }
    }

    /// Sends; any answer is fine.
    pub(super) async fn send(&self, request: RequestBuilder) -> Result<Response, RemoteError> {
        request.send().await.map_err(|e| self.transport(e))
    }

    /// The error of a connection, without the URL, which may hold a query.
    pub(super) fn transport(&self, error: reqwest::Error) -> RemoteError {
        let source = Box::new(error.without_url());
        RemoteError::Transport { doing: self.doing.clone(), url: self.url.clone(), source }
    }

    /// Nothing has moved for `patience`.
    pub(super) fn silence(&self, patience: Duration) -> RemoteError {
        let source = io::Error::new(io::ErrorKind::TimedOut, format!("nothing moved for {} s", patience.as_secs()));
        RemoteError::Transport { doing: self.doing.clone(), url: self.url.clone(), source: Box::new(source) }
    }

    pub(super) fn malformed(&self, what: impl Into<String>) -> RemoteError {
        RemoteError::Malformed { doing: self.doing.clone(), url: self.url.clone(), what: what.into() }
    }

    /// A success stays as it is; everything else becomes an error with the server's words.
    pub(super) async fn check(&self, response: Response) -> Result<Response, RemoteError> {
        if response.status().is_success() { Ok(response) } else { Err(self.refusal(response).await) }
    }

    /// The error that an answer without success stands for.
    pub(super) async fn refusal(&self, response: Response) -> RemoteError {
        let (doing, url) = (self.doing.clone(), self.url.clone());
        let status = response.status();
        if status == StatusCode::NOT_FOUND {
            return RemoteError::NotFound { doing, url };
        }
        let retry_after = retry_after(response.headers(), Utc::now());
        let redirect = response.headers().get(header::LOCATION).and_then(|it| it.to_str().ok()).map(str::to_owned);
        // What a broken connection left of the words is good enough.
        let body = self.bounded(response, MAX_FAILURE).await.unwrap_or_default();
        let message = match redirect {
            Some(to) if status.is_redirection() => {
                let to = Url::parse(&to).map_or_else(|_| "another place".to_owned(), |it| shown(&it));
                format!("it redirects to {to}, which is another server")
            }
            _ => words(&body),
        };
        if matches!(status, StatusCode::UNAUTHORIZED | StatusCode::FORBIDDEN) {
            return RemoteError::Denied { doing, url, status, message };
        }
        RemoteError::Refused { doing, url, status, message, retry_after }
    }

    /// The JSON of a bounded body.
    pub(super) async fn json<T: DeserializeOwned>(&self, response: Response) -> Result<T, RemoteError> {
        let body = self.bounded(response, MAX_JSON).await?;
        serde_json::from_slice(&body).map_err(|e| self.malformed(e.to_string()))
    }

    /// A small body as it is.
    pub(super) async fn bytes(&self, response: Response) -> Result<Vec<u8>, RemoteError> {
        self.bounded(response, MAX_PAYLOAD).await
    }

    async fn bounded(&self, mut response: Response, limit: usize) -> Result<Vec<u8>, RemoteError> {
        let mut body = Vec::new();
        while let Some(chunk) = response.chunk().await.map_err(|e| self.transport(e))? {
            if body.len() + chunk.len() > limit {
                return Err(self.malformed(format!("it is longer than {limit} bytes")));
            }
            body.extend_from_slice(&chunk);
        }
        Ok(body)
    }
}

/// `Retry-After` in seconds or as a date; at most a day.
fn retry_after(headers: &HeaderMap, now: DateTime<Utc>) -> Option<Duration> {
    let text = headers.get(header::RETRY_AFTER)?.to_str().ok()?.trim();
    let wait = match text.parse::<u64>() {
        Ok(seconds) => Duration::from_secs(seconds),
        Err(_) => (DateTime::parse_from_rfc2822(text).ok()?.with_timezone(&Utc) - now).to_std().unwrap_or_default(),
    };
    Some(wait.min(Duration::from_secs(86_400)))
}

/// The server's words: Glance's `message`, Keystone's `error.message`, or the text of a page.
fn words(body: &[u8]) -> String {
    let json: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    let said = json.as_ref().and_then(|it| {
        let error = it.get("error").unwrap_or(it);
        error.get("message").or_else(|| error.get("title")).and_then(|it| it.as_str())
    });
    let text = said.map_or_else(|| String::from_utf8_lossy(body).into_owned(), str::to_owned);
    let mut plain = String::new();
    let mut in_tag = false;
    for c in text.chars() {
        match c {
            '<' => in_tag = true,
            '>' => {
                in_tag = false;
                plain.push(' ');
            }
            _ if in_tag => {}
            _ => plain.push(c),
        }
    }
    let joined = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let unescaped = joined.replace("&quot;", "\"").replace("&#x27;", "'").replace("&lt;", "<").replace("&gt;", ">");
    let mut message: String =
        unescaped.replace("&amp;", "&").chars().filter(|c| !c.is_control()).take(MAX_MESSAGE).collect();
    if message.is_empty() {
        "(it gave no reason)".clone_into(&mut message);
    }
    message
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_are_found_in_each_kind_of_failure() {
        let cases: [(&str, &str); 5] = [
            (
                r#"{"message": "Image 12 not found<br /><br />\n\n\n", "code": "404 Not Found", "title": "Not Found"}"#,
                "Image 12 not found",
            ),
            (
                r#"{"error":{"code":401,"message":"The request you have made requires authentication.","title":"Unauthorized"}}"#,
                "The request you have made requires authentication.",
            ),
            ("<html><h1>403 Forbidden</h1>You &quot;may&quot; not.<br /></html>", "403 Forbidden You \"may\" not."),
            ("", "(it gave no reason)"),
            ("\u{1b}[31mred", "[31mred"),
        ];
        for (body, want) in cases {
            assert_eq!(words(body.as_bytes()), want);
        }
        assert_eq!(words(&[b'x'; 5000]).len(), MAX_MESSAGE);
    }

    #[test]
    fn retry_after_is_seconds_or_a_date() {
        let now = DateTime::parse_from_rfc3339("2026-11-20T10:00:00Z").unwrap().with_timezone(&Utc);
        let read = |text: &'static str| {
            let mut headers = HeaderMap::new();
            headers.insert(header::RETRY_AFTER, text.parse().unwrap());
            retry_after(&headers, now)
        };
        assert_eq!(read("7"), Some(Duration::from_secs(7)));
        assert_eq!(read("Fri, 20 Nov 2026 10:01:00 GMT"), Some(Duration::from_secs(60)));
        assert_eq!(read("Fri, 20 Nov 2026 09:00:00 GMT"), Some(Duration::ZERO));
        assert_eq!(read("99999999999"), Some(Duration::from_secs(86_400)));
        assert_eq!(read("soon"), None);
    }

    #[test]
    fn messages_show_no_secrets_of_a_url() {
        let url = Url::parse("http://user:pass@host:9292/v2/images?token=1#x").unwrap();
        assert_eq!(shown(&url), "http://host:9292/v2/images");
    }
}
