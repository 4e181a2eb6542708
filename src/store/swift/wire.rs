//! Requests to Swift: each has an end, what failed for a moment is tried again, and a token that is no longer good is renewed
//! once.

use super::{
    access::{Access, Tokens},
    accounts::Account,
    address::word,
    fault::{Fault, is_momentary},
    login::Endpoints,
    settings::SwiftSettings,
};
use crate::store::{OpenError, resume::jittered};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, Method, StatusCode, header};
use reqwest::{Body, Certificate, Client, Response};
use std::{fs, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep, timeout};

const CONNECT_TIMEOUT: Duration = Duration::from_secs(10);

/// From the last byte sent to the head of the answer.
pub(super) const ANSWER: Duration = Duration::from_secs(60);

/// Bytes a second that are sent at the least.
const SLOWEST: u64 = 64 << 10;

/// The longest silence within an answer.
pub(super) const SILENCE: Duration = Duration::from_secs(60);

/// Attempts at a request, and the time after which there is no other.
const ATTEMPTS: u32 = 6;
const ALL_ATTEMPTS: Duration = Duration::from_secs(120);

/// The pause before the second attempt; each next one is twice as long.
const FIRST_PAUSE: Duration = Duration::from_millis(150);

/// The longest answer that is kept in memory, bytes.
const LONGEST_ANSWER: usize = 16 << 20;

const TOKEN: HeaderName = HeaderName::from_static("x-auth-token");

/// An account, and the way to it.
pub(super) struct Session {
    pub(super) account: Account,
    pub(super) client: Client,
    pub(super) endpoints: Arc<Endpoints>,
    pub(super) tokens: Tokens,
}

/// A request.
#[derive(Clone, Default)]
pub(super) struct Ask<'a> {
    pub(super) method: Method,
    /// Empty: about the account.
    pub(super) container: &'a str,
    /// Empty: about the container.
    pub(super) object: &'a str,
    /// As it stands in the URL.
    pub(super) query: String,
    pub(super) headers: HeaderMap,
    pub(super) body: Bytes,
    /// Whoever asks goes on by himself.
    pub(super) once: bool,
}

/// The HTTP client as the options ask for it. Reads `swift_store_cacert`. Blocking.
pub(super) fn client(settings: &SwiftSettings) -> Result<Client, OpenError> {
    let failed = |what: String, source: Option<Box<dyn std::error::Error + Send + Sync>>| OpenError::Options {
        kind: "swift",
        what,
        source,
    };
    let mut builder = Client::builder()
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        .connect_timeout(CONNECT_TIMEOUT)
        // A token goes to no other server.
        .redirect(reqwest::redirect::Policy::none());
    if settings.auth_insecure {
        builder = builder.tls_certs_only([]).tls_danger_accept_invalid_certs(true);
    } else if let Some(path) = &settings.cacert {
        let name = path.display();
        let pem =
            fs::read(path).map_err(|e| failed(format!("swift_store_cacert {name} cannot be read"), Some(e.into())))?;
        let certificates = Certificate::from_pem_bundle(&pem)
            .map_err(|e| failed(format!("swift_store_cacert {name} is not PEM"), Some(e.into())))?;
        if certificates.is_empty() {
            return Err(failed(format!("swift_store_cacert {name} holds no certificate"), None));
        }
        builder = builder.tls_certs_only(certificates);
    }
    builder.build().map_err(|e| failed("no HTTP client can be made of its options".to_owned(), Some(e.into())))
}

// === impl Session ===

impl Session {
    /// `margin`: how long before its end a token is renewed. Nothing is asked yet.
    pub(super) fn new(account: Account, client: Client, endpoints: Arc<Endpoints>, margin: Duration) -> Self {
        Self { account, client, endpoints, tokens: Tokens::new(margin) }
    }

    /// The answer, whatever its status.
    pub(super) async fn ask(&self, ask: &Ask<'_>) -> Result<Response, Fault> {
        let (start, mut pause, mut attempt, mut renewed) = (Instant::now(), FIRST_PAUSE, 1, false);
        let mut access = self.access(None).await?;
        loop {
            let limit = ANSWER + Duration::from_secs(ask.body.len() as u64 / SLOWEST);
            let mut request = self.request(&access, ask).body(ask.body.clone());
            if ask.method == Method::PUT {
                // Swift wants it of an empty body too.
                request = request.header(header::CONTENT_LENGTH, ask.body.len());
            }
            let request = request.send();
            let answer = match timeout(limit, request).await {
                Ok(answer) => answer.map_err(Fault::of_request),
                Err(_) => Err(Fault::new(format!("the server does not answer within {} s", limit.as_secs()))),
            };
            let momentary = match &answer {
                Ok(it) if it.status() == StatusCode::UNAUTHORIZED && !renewed => {
                    renewed = true;
                    access = self.access(Some(&access)).await?;
                    continue;
                }
                Ok(it) => is_momentary(it.status()),
                Err(_) => true,
            };
            if !momentary || ask.once || attempt >= ATTEMPTS || start.elapsed() > ALL_ATTEMPTS {
                return answer;
            }
            sleep(jittered(pause)).await;
            (attempt, pause) = (attempt + 1, pause * 2);
        }
    }

    /// The answer, when it is a success.
    pub(super) async fn get(&self, ask: &Ask<'_>) -> Result<Response, Fault> {
        success(self.ask(ask).await?).await
    }

    /// Sends a body of unknown length, once: it cannot be had again. Whoever calls this bounds it, and has asked for something
    /// just before, so that the token is good.
    pub(super) async fn stream(&self, ask: &Ask<'_>, body: Body) -> Result<(), Fault> {
        let access = self.access(None).await?;
        let answer = self.request(&access, ask).body(body).send().await.map_err(Fault::of_request)?;
        success(answer).await.map(drop)
    }

    fn request(&self, access: &Access, ask: &Ask<'_>) -> reqwest::RequestBuilder {
        let mut url = access.storage.clone();
        if !ask.container.is_empty() {
            url.push('/');
            url.push_str(&word(ask.container));
        }
        if !ask.object.is_empty() {
            url.push('/');
            url.push_str(&word(ask.object));
        }
        if !ask.query.is_empty() {
            url.push('?');
            url.push_str(&ask.query);
        }
        self.client.request(ask.method.clone(), url).headers(ask.headers.clone()).header(TOKEN, access.token.clone())
    }
}

/// Tries again what failed for a moment.
pub(super) async fn attempts<T, F: Future<Output = Result<T, Fault>>>(mut step: impl FnMut() -> F) -> Result<T, Fault> {
    let (start, mut pause, mut attempt) = (Instant::now(), FIRST_PAUSE, 1);
    loop {
        let tried = step().await;
        let again = tried.as_ref().is_err_and(Fault::is_momentary);
        if !again || attempt >= ATTEMPTS || start.elapsed() > ALL_ATTEMPTS {
            return tried;
        }
        sleep(jittered(pause)).await;
        (attempt, pause) = (attempt + 1, pause * 2);
    }
}

async fn success(answer: Response) -> Result<Response, Fault> {
    let status = answer.status();
    if status.is_success() {
        return Ok(answer);
    }
    let words = text(answer, 4096).await.unwrap_or_default();
    Err(Fault::of_status(status, &String::from_utf8_lossy(&words)))
}

/// The body, when it is not too long.
pub(super) async fn body(answer: Response) -> Result<Vec<u8>, Fault> {
    text(answer, LONGEST_ANSWER).await
}

async fn text(mut answer: Response, most: usize) -> Result<Vec<u8>, Fault> {
    let mut body = Vec::new();
    loop {
        let chunk = timeout(SILENCE, answer.chunk()).await;
        match chunk.map_err(|_| Fault::new("the server is silent"))?.map_err(Fault::of_request)? {
            Some(chunk) if body.len() + chunk.len() <= most => body.extend_from_slice(&chunk),
            Some(_) => return Err(Fault::new("the server's answer is too long")),
            None => return Ok(body),
        }
    }
}
