//! The token and the endpoint, renewed when they must be.

use crate::remote::{
    Auth, RemoteError, Settings, keystone,
    transport::{Call, Transport, settings_error},
};
use http::{HeaderValue, StatusCode, header::ACCEPT};
use reqwest::{Client, RequestBuilder, Response};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tokio::sync::Mutex;
use url::Url;

/// A token is renewed this long before its end, or when a tenth of its life is left.
const RENEW_BEFORE: Duration = Duration::from_secs(120);

const JSON: &str = "application/json";

/// Who we are and where the service is.
pub(super) struct Session {
    pub(super) transport: Arc<Transport>,
    settings: Settings,
    /// Held during a login, so that there is one at a time and all who wait take its result.
    access: Mutex<Option<Arc<Access>>>,
}

/// What a request needs.
pub(super) struct Access {
    token: Option<HeaderValue>,
    /// Without a version and without a slash at the end.
    endpoint: Url,
    renew_at: Option<Instant>,
}

// === impl Session ===

impl Session {
    pub(super) fn new(settings: Settings) -> Result<Self, RemoteError> {
        let transport = Arc::new(Transport::new(&settings)?);
        Self::over(transport, settings)
    }

    /// Over connections that others use, too.
    pub(super) fn over(transport: Arc<Transport>, settings: Settings) -> Result<Self, RemoteError> {
        let needs_endpoint = matches!(settings.auth, Auth::None | Auth::Token(_));
        if let Some(url) = &settings.endpoint {
            usable(url, &settings)?;
        } else if needs_endpoint {
            let what = format!("without a login at Keystone, {}'s endpoint is needed", settings.service());
            return Err(settings_error(&what, None));
        }
        Ok(Self { transport, settings, access: Mutex::new(None) })
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Calls the service: `make` gets the client and the URL of `path` (which begins with the version, such as `/v2/`),
    /// and is called again when the token was refused and there is a new one. Any answer is fine but a refused token.
    pub(super) async fn call(
        &self,
        doing: &str,
        path: &str,
        make: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> Result<(Call, Response), RemoteError> {
        self.call_for(JSON, doing, path, make).await
    }

    /// Likewise, for an answer of this type.
    pub(super) async fn call_for(
        &self,
        accept: &str,
        doing: &str,
        path: &str,
        make: impl Fn(&Client, Url) -> RequestBuilder,
    ) -> Result<(Call, Response), RemoteError> {
        let mut access = self.access(None).await?;
        let mut renewed = false;
        loop {
            let make = |url| make(&self.transport.calls, url).header(ACCEPT, accept);
            let (call, request) = self.prepare_bare(&access, doing, path, make)?;
            let response = call.send(request).await?;
            if response.status() != StatusCode::UNAUTHORIZED || renewed || !self.renews() {
                return Ok((call, response));
            }
            renewed = true;
            access = self.access(Some(&access)).await?;
        }
    }

    /// A request to `path` with the token on it.
    pub(super) fn prepare(
        &self,
        access: &Access,
        doing: &str,
        path: &str,
        make: impl FnOnce(Url) -> RequestBuilder,
    ) -> Result<(Call, RequestBuilder), RemoteError> {
        self.prepare_bare(access, doing, path, |url| make(url).header(ACCEPT, JSON))
    }

    fn prepare_bare(
        &self,
        access: &Access,
        doing: &str,
        path: &str,
        make: impl FnOnce(Url) -> RequestBuilder,
    ) -> Result<(Call, RequestBuilder), RemoteError> {
        let url = resolve(&access.endpoint, path).map_err(|e| {
            settings_error(&format!("{}'s endpoint is not usable", self.settings.service()), Some(Box::new(e)))
        })?;
        let call = Call::new(doing, &url);
        let mut request = make(url);
        if let Some(token) = &access.token {
            request = request.header("x-auth-token", token.clone());
        }
        Ok((call, request))
    }

    /// The access now; a new one when there is none, it is at its end, or it is `refused`.
    pub(super) async fn access(&self, refused: Option<&Arc<Access>>) -> Result<Arc<Access>, RemoteError> {
        let mut held = self.access.lock().await;
        if let Some(access) = held.as_ref() {
            let stale = refused.is_some_and(|it| Arc::ptr_eq(it, access))
                || access.renew_at.is_some_and(|it| it <= Instant::now());
            if !stale {
                return Ok(access.clone());
            }
        }
        let access = Arc::new(self.log_in().await?);
        *held = Some(access.clone());
        Ok(access)
    }

    /// The URL of `path` at the image service; a login is needed only where Keystone has to say where that is.
    pub(super) async fn url(&self, path: &str) -> Result<Url, RemoteError> {
        let root = match &self.settings.endpoint {
            Some(fixed) => root(fixed),
            None => self.access(None).await?.endpoint.clone(),
        };
        resolve(&root, path).map_err(|e| settings_error("the catalogue's endpoint is not usable", Some(Box::new(e))))
    }

    fn renews(&self) -> bool {
        matches!(self.settings.auth, Auth::Password(_) | Auth::ApplicationCredential(_))
    }

    async fn log_in(&self) -> Result<Access, RemoteError> {
        let fixed = self.settings.endpoint.as_ref();
        let missing = || settings_error(&format!("{}'s endpoint is missing", self.settings.service()), None);
        match &self.settings.auth {
            Auth::None => Ok(Access { token: None, endpoint: fixed.map(root).ok_or_else(missing)?, renew_at: None }),
            Auth::Token(token) => {
                let mut token = HeaderValue::from_str(token.expose())
                    .map_err(|_| settings_error("the token holds characters that no header may hold", None))?;
                token.set_sensitive(true);
                Ok(Access { token: Some(token), endpoint: fixed.map(root).ok_or_else(missing)?, renew_at: None })
            }
            Auth::Password(_) | Auth::ApplicationCredential(_) => {
                let login = keystone::log_in(&self.transport, &self.settings).await?;
                let endpoint = fixed.or(login.endpoint.as_ref()).ok_or_else(missing)?;
                usable(endpoint, &self.settings)?;
                let life = login.lifetime.saturating_sub(RENEW_BEFORE.min(login.lifetime / 10));
                tracing::debug!(service = %super::transport::shown(endpoint), life_s = life.as_secs(), "logged in at Keystone");
                Ok(Access {
                    token: Some(login.token),
                    endpoint: root(endpoint),
                    renew_at: Instant::now().checked_add(life),
                })
            }
        }
    }
}

fn usable(url: &Url, settings: &Settings) -> Result<(), RemoteError> {
    if matches!(url.scheme(), "http" | "https") && url.has_host() {
        return Ok(());
    }
    Err(settings_error(
        &format!("{}'s endpoint {} is not an http or https URL", settings.service(), super::transport::shown(url)),
        None,
    ))
}

/// The endpoint without a version (`/v1`, `/v2`, `/v2.9`) and without a slash at the end.
fn root(endpoint: &Url) -> Url {
    let mut url = endpoint.clone();
    let path = url.path().trim_end_matches('/').to_owned();
    let path = match path.rsplit_once('/') {
        Some((head, last)) if is_version(last) => head,
        _ => path.as_str(),
    };
    let path = path.to_owned();
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    url
}

fn is_version(segment: &str) -> bool {
    let rest = segment.strip_prefix("v2").or_else(|| segment.strip_prefix("v1"));
    rest.is_some_and(|it| it.is_empty() || it.starts_with('.'))
}

fn resolve(root: &Url, path: &str) -> Result<Url, url::ParseError> {
    Url::parse(&format!("{}{path}", root.as_str().trim_end_matches('/')))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_endpoint_may_name_a_version_or_a_folder() {
        let cases = [
            ("http://h:9292", "http://h:9292/v2/images"),
            ("http://h:9292/", "http://h:9292/v2/images"),
            ("http://h:9292/v2", "http://h:9292/v2/images"),
            ("http://h:9292/v2.9/", "http://h:9292/v2/images"),
            ("https://h/image", "https://h/image/v2/images"),
            ("https://h/image/v2/?x=1", "https://h/image/v2/images"),
            ("http://h:9311/v1", "http://h:9311/v2/images"),
        ];
        for (endpoint, want) in cases {
            let url = resolve(&root(&Url::parse(endpoint).unwrap()), "/v2/images").unwrap();
            assert_eq!(url.as_str(), want, "{endpoint}");
        }
    }
}
