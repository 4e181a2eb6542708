//! Asks Keystone as the service user.

use crate::http::keystone::{LoginAnswer, endpoint, subject_token, v3_root};
use crate::identity::keystone::{Connection, KeystoneError};
use http::{HeaderMap, HeaderValue, StatusCode};
use reqwest::{Certificate, Identity, Response, redirect};
use serde::de::DeserializeOwned;
use serde_json::Value;
use std::{
    fs,
    path::Path,
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use tracing::debug;
use url::Url;

/// Longest answer that is read, bytes; catalogues of large clouds are some 100 kB.
const MAX_ANSWER: usize = 8 << 20;

/// How long before its end a token is no longer used.
const MARGIN: Duration = Duration::from_secs(60);

/// The service user at Keystone: logs in when needed, one login at a time.
pub(in crate::identity) struct Client {
    http: reqwest::Client,
    root: Url,
    login: Value,
    interfaces: Vec<String>,
    /// Where all but logins go, when not where Keystone's catalogue says.
    fixed: Option<Url>,
    region: Option<String>,
    retries: u32,
    session: Mutex<LastLogin>,
}

/// How the last login ended.
#[derive(Default)]
struct LastLogin {
    session: Option<Arc<Session>>,
    /// When the last one failed, and why.
    failed: Option<(Instant, Arc<KeystoneError>)>,
}

struct Session {
    token: HeaderValue,
    /// `…/v3/`, from Keystone's own catalogue.
    root: Url,
    until: Instant,
}

/// What is asked.
pub(in crate::identity) struct Question<'a> {
    /// For messages: `validating a token`.
    pub(in crate::identity) doing: &'static str,
    /// Below `/v3/`.
    pub(in crate::identity) path: &'a str,
    pub(in crate::identity) query: &'a [(&'a str, &'a str)],
    pub(in crate::identity) headers: HeaderMap,
}

// === impl Client ===

impl Client {
    /// Nothing is asked yet. Reads the certificates; blocks for it.
    pub(in crate::identity) fn new(settings: &Connection) -> Result<Self, KeystoneError> {
        let invalid = |e: crate::http::keystone::InvalidCredentials| unusable(&e.to_string(), None);
        Ok(Self {
            http: transport(settings)?,
            root: settings.credentials.root().map_err(invalid)?,
            login: settings.credentials.request().map_err(invalid)?,
            interfaces: settings.interfaces.clone(),
            fixed: settings.endpoint_override.as_deref().map(v3_root).transpose().map_err(invalid)?,
            region: settings.region_name.clone(),
            retries: settings.http_request_max_retries,
            session: Mutex::default(),
        })
    }

    /// The answer; None when Keystone says that there is no such thing.
    pub(in crate::identity) async fn get<T: DeserializeOwned>(
        &self,
        question: &Question<'_>,
    ) -> Result<Option<T>, KeystoneError> {
        let mut renewed = false;
        loop {
            let session = self.session().await?;
            let mut url =
                session.root.join(question.path).map_err(|e| unusable("not an address", Some(Box::new(e))))?;
            if !question.query.is_empty() {
                url.query_pairs_mut().extend_pairs(question.query);
            }
            let request = || {
                let request = self.http.get(url.clone()).headers(question.headers.clone());
                request.header("x-auth-token", session.token.clone())
            };
            let response = self.send(question.doing, &url, request).await?;
            match response.status() {
                StatusCode::UNAUTHORIZED if !renewed => {
                    debug!("Keystone no longer takes the service user's token; logging in again");
                    self.forget(&session).await;
                    renewed = true;
                }
                StatusCode::NOT_FOUND => return Ok(None),
                _ => return self.read(question.doing, &url, response).await.map(Some),
            }
        }
    }

    async fn forget(&self, session: &Arc<Session>) {
        let mut last = self.session.lock().await;
        last.session.take_if(|it| Arc::ptr_eq(it, session));
    }

    /// The one in use, else a new one. Who comes meanwhile waits for it, and shares its failure: trying one after the
    /// other, the last of many would wait for hours.
    async fn session(&self) -> Result<Arc<Session>, KeystoneError> {
        let came = Instant::now();
        let mut last = self.session.lock().await;
        if let Some(session) = last.session.as_ref().filter(|it| Instant::now() < it.until) {
            return Ok(Arc::clone(session));
        }
        if let Some((_, error)) = last.failed.as_ref().filter(|it| came <= it.0) {
            return Err(KeystoneError::Shared(Arc::clone(error)));
        }
        match self.log_in().await.map(Arc::new) {
            Ok(session) => {
                *last = LastLogin { session: Some(Arc::clone(&session)), failed: None };
                Ok(session)
            }
            Err(error) => {
                let error = Arc::new(error);
                last.failed = Some((Instant::now(), Arc::clone(&error)));
                Err(KeystoneError::Shared(error))
            }
        }
    }

    async fn log_in(&self) -> Result<Session, KeystoneError> {
        let doing = "logging the service user in";
        let url = self.root.join("auth/tokens").map_err(|e| unusable("auth_url", Some(Box::new(e))))?;
        let response = self.send(doing, &url, || self.http.post(url.clone()).json(&self.login)).await?;
        let token = subject_token(response.headers());
        let answer: LoginAnswer = self.read(doing, &url, response).await?;
        let missing = || KeystoneError::Malformed { doing, url: shown(&url), source: "it holds no token".into() };
        let token = token.ok_or_else(missing)?;
        let catalog = answer.catalog();
        let mut found =
            self.interfaces.iter().filter_map(|it| endpoint(catalog, "identity", it, self.region.as_deref()));
        let found = self.fixed.clone().or_else(|| found.find_map(|it| v3_root(&it.url).ok()));
        let root = found.unwrap_or_else(|| {
            debug!(interfaces = ?self.interfaces, "Keystone's catalogue has no such address of itself; using auth_url");
            self.root.clone()
        });
        let life = answer.life();
        // A token that lives for less than two margins is used for half its life.
        let until = Instant::now() + life.saturating_sub(MARGIN).max(life / 2);
        Ok(Session { token, root, until })
    }

    /// Sends, and connects anew when there is no connection.
    async fn send(
        &self,
        doing: &'static str,
        url: &Url,
        request: impl Fn() -> reqwest::RequestBuilder,
    ) -> Result<Response, KeystoneError> {
        let mut pause = Duration::from_millis(500);
        let mut left = self.retries;
        loop {
            match request().send().await {
                Ok(response) => return Ok(response),
                Err(e) if left > 0 && !e.is_timeout() && (e.is_connect() || e.is_request()) => {
                    debug!("{doing}: connecting to Keystone again in {pause:?}: {e}");
                    tokio::time::sleep(pause).await;
                    pause *= 2;
                    left -= 1;
                }
                Err(source) => {
                    return Err(KeystoneError::NoAnswer { doing, url: shown(url), source: source.without_url() });
                }
            }
        }
    }

    async fn read<T: DeserializeOwned>(
        &self,
        doing: &'static str,
        url: &Url,
        mut response: Response,
    ) -> Result<T, KeystoneError> {
        let malformed = |source| KeystoneError::Malformed { doing, url: shown(url), source };
        let mut body = Vec::new();
        let no_answer = |e: reqwest::Error| KeystoneError::NoAnswer { doing, url: shown(url), source: e.without_url() };
        while let Some(chunk) = response.chunk().await.map_err(no_answer)? {
            if body.len() + chunk.len() > MAX_ANSWER {
                return Err(malformed(format!("it is longer than {MAX_ANSWER} bytes").into()));
            }
            body.extend_from_slice(&chunk);
        }
        if !response.status().is_success() {
            let message = message(&body);
            return Err(KeystoneError::Refused { doing, url: shown(url), status: response.status(), message });
        }
        serde_json::from_slice(&body).map_err(|e| malformed(Box::new(e)))
    }
}

/// Keystone's words in an answer that says no.
fn message(body: &[u8]) -> String {
    let json: Value = serde_json::from_slice(body).unwrap_or_default();
    let text = json["error"]["message"].as_str().unwrap_or("no reason given");
    text.chars().take(300).map(|c| if c.is_control() { ' ' } else { c }).collect()
}

/// Without what may be secret.
fn shown(url: &Url) -> String {
    let mut url = url.clone();
    // Both fail only on URLs that cannot have them.
    let _ = url.set_username("");
    let _ = url.set_password(None);
    url.set_query(None);
    url.to_string()
}

fn unusable(what: &str, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> KeystoneError {
    KeystoneError::Settings { what: what.to_owned(), source }
}

fn transport(settings: &Connection) -> Result<reqwest::Client, KeystoneError> {
    let no_client = |e| unusable("no HTTP client can be made of them", Some(Box::new(e)));
    match builder(settings)?.build() {
        Ok(client) => Ok(client),
        // A bare machine has no authorities, and may need none.
        Err(_) if settings.cafile.is_none() && settings.credentials.auth_url.starts_with("http://") => {
            builder(settings)?.tls_certs_only([]).build().map_err(no_client)
        }
        Err(e) => Err(no_client(e)),
    }
}

fn builder(settings: &Connection) -> Result<reqwest::ClientBuilder, KeystoneError> {
    let read = |path: &Path| {
        fs::read(path).map_err(|e| unusable(&format!("{} cannot be read", path.display()), Some(Box::new(e))))
    };
    let not_pem = |path: &Path, e: reqwest::Error| {
        unusable(&format!("{} is not a certificate in PEM", path.display()), Some(Box::new(e)))
    };
    let mut builder = reqwest::Client::builder()
        .user_agent(concat!("larder/", env!("CARGO_PKG_VERSION")))
        .timeout(settings.http_connect_timeout)
        .connect_timeout(settings.http_connect_timeout)
        .pool_idle_timeout(Duration::from_secs(30))
        // A redirect elsewhere would carry tokens there.
        .redirect(redirect::Policy::none());
    if let Some(path) = &settings.cafile {
        let certificates = Certificate::from_pem_bundle(&read(path)?).map_err(|e| not_pem(path, e))?;
        builder = builder.tls_certs_only(certificates);
    }
    if let Some(path) = &settings.certfile {
        let mut pem = read(path)?;
        if let Some(path) = &settings.keyfile {
            pem.push(b'\n');
            pem.extend(read(path)?);
        }
        builder = builder.identity(Identity::from_pem(&pem).map_err(|e| not_pem(path, e))?);
    }
    if settings.insecure {
        builder = builder.tls_danger_accept_invalid_certs(true);
    }
    Ok(builder)
}
