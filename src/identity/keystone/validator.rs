//! Who is behind a token, as keystonemiddleware finds out.

use crate::base::{Secret, chain};
use crate::identity::{
    Asked, Caller, Refusal, ServiceCaller,
    keystone::{
        KeystoneError, Settings,
        client::{Client, Question},
        token::{Document, Token},
    },
};
use chrono::Utc;
use http::{HeaderMap, HeaderName, HeaderValue};
use moka::{Expiry, future::Cache};
use serde_json::Value;
use sha2::{Digest, Sha256};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};
use tracing::{debug, error};

/// Longest token that is sent to Keystone, bytes.
const MAX_TOKEN: usize = 16 << 10;

/// Validates tokens at Keystone, each at most once at a time, and remembers the answers for a while.
pub struct Validator {
    settings: Settings,
    client: Client,
    /// What refused clients are told.
    challenge: String,
    tokens: Option<Cache<Key, Answer>>,
}

/// A hash, never the token.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
struct Key {
    hash: [u8; 32],
    /// Asked for with leave to be expired: Keystone may say yes to the one and no to the other.
    allow_expired: bool,
}

#[derive(Clone)]
enum Answer {
    Valid(Arc<Token>),
    Invalid,
}

/// How long answers count.
struct Lifetimes {
    valid: Duration,
    invalid: Duration,
}

// === impl Lifetimes ===

impl Expiry<Key, Answer> for Lifetimes {
    fn expire_after_create(&self, _: &Key, answer: &Answer, _: Instant) -> Option<Duration> {
        let Answer::Valid(token) = answer else { return Some(self.invalid) };
        // An expired one was asked for with leave to be.
        let left = (token.expires_at - Utc::now()).to_std().unwrap_or(self.valid);
        Some(left.min(self.valid))
    }
}

// === impl Validator ===

impl Validator {
    /// Asks nothing yet. Reads the certificates; blocks for it.
    pub fn new(settings: Settings) -> Result<Self, KeystoneError> {
        let client = Client::new(&settings.connection)?;
        let uri = settings.www_authenticate_uri.as_ref().unwrap_or(&settings.connection.credentials.auth_url);
        let challenge = format!("Keystone uri=\"{uri}\"");
        let tokens = settings.token_cache_time.map(|valid| {
            Cache::builder()
                .max_capacity(settings.token_cache_size)
                .weigher(|_, answer: &Answer| match answer {
                    Answer::Valid(token) => token.weight,
                    Answer::Invalid => 200,
                })
                .expire_after(Lifetimes { valid, invalid: settings.negative_cache_time.min(valid) })
                .build()
        });
        Ok(Self { settings, client, challenge, tokens })
    }

    /// `WWW-Authenticate` of refusals.
    pub(in crate::identity) fn challenge(&self) -> &str {
        &self.challenge
    }

    /// The caller of a request; neither admin nor not is decided yet. None when the token is missing or not valid.
    pub(in crate::identity) async fn caller(&self, asked: &Asked<'_>) -> Result<Option<Caller>, Refusal> {
        let service = match token(asked.headers, &["x-service-token"]) {
            None => None,
            Some(text) => match self.validate(text, false).await? {
                Some(token) => Some(token),
                None if self.settings.delay_auth_decision => None,
                None => return Ok(None),
            },
        };
        let has_role = |token: &Arc<Token>| self.settings.service_token_roles.iter().any(|it| token.roles.contains(it));
        // Only services may pass on what has expired meanwhile, whatever else is believed.
        let allow_expired = service.as_ref().is_some_and(has_role);
        let service = service.filter(|_| allow_expired || !self.settings.service_token_roles_required);
        let Some(text) = token(asked.headers, &["x-auth-token", "x-storage-token"]) else { return Ok(None) };
        let Some(user) = self.validate(text, allow_expired).await? else { return Ok(None) };
        if !self.within_access_rules(&user, asked, service.is_some()) {
            return Ok(None);
        }
        let mut caller = user.caller.clone();
        caller.token = Some(Secret::from(text));
        caller.service = service.map(|it| {
            Box::new(ServiceCaller {
                user: it.caller.user.clone(),
                user_domain: it.caller.user_domain.clone(),
                project: it.caller.project.clone(),
                project_domain: it.caller.project_domain.clone(),
                roles: it.roles.clone(),
            })
        });
        Ok(Some(caller))
    }

    /// Application credentials may be good for some requests only. What a service passes on is its own request, not
    /// the user's.
    fn within_access_rules(&self, token: &Token, asked: &Asked<'_>, by_service: bool) -> bool {
        let Some(rules) = &token.access_rules else { return true };
        let Some(service) = &self.settings.service_type else {
            debug!("a token with access rules is refused: service_type is not set");
            return false;
        };
        by_service || rules.iter().any(|it| it.allows(service, asked.method.as_str(), asked.path))
    }

    /// Keystone's service catalogue for the one who has this token; none when the token is not valid.
    ///
    /// # Errors
    /// [`KeystoneError`]
    pub(in crate::identity) async fn catalog(&self, token: &Secret) -> Result<Option<Arc<Value>>, KeystoneError> {
        let Ok(mut subject) = HeaderValue::from_str(token.expose()) else { return Ok(None) };
        subject.set_sensitive(true);
        let headers = HeaderMap::from_iter([(HeaderName::from_static("x-subject-token"), subject)]);
        let question = Question { doing: "asking for a user's catalogue", path: "auth/tokens", query: &[], headers };
        let found = self.client.get::<Document>(&question).await?;
        Ok(found.and_then(|it| it.into_token(true).caller.catalog))
    }

    /// None when the token is not valid.
    async fn validate(&self, text: &str, allow_expired: bool) -> Result<Option<Arc<Token>>, Refusal> {
        if text.is_empty() || text.len() > MAX_TOKEN {
            return Ok(None);
        }
        let answer = match &self.tokens {
            None => self.ask(text, allow_expired).await.map_err(Arc::new),
            Some(tokens) => {
                let key = Key { hash: Sha256::digest(text.as_bytes()).into(), allow_expired };
                tokens.try_get_with(key, self.ask(text, allow_expired)).await
            }
        };
        match answer.map_err(Refusal::Unavailable)? {
            Answer::Valid(token) if allow_expired || Utc::now() < token.expires_at => Ok(Some(token)),
            _ => Ok(None),
        }
    }

    /// Logs failures: once for all who wait for the answer.
    async fn ask(&self, text: &str, allow_expired: bool) -> Result<Answer, KeystoneError> {
        let Ok(mut subject) = HeaderValue::from_str(text) else { return Ok(Answer::Invalid) };
        subject.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert("x-subject-token", subject);
        // Without it, Keystone does not know tokens with access rules.
        headers.insert("openstack-identity-access-rules", HeaderValue::from_static("1"));
        let mut query = Vec::new();
        if !self.settings.include_service_catalog {
            query.push(("nocatalog", ""));
        }
        if allow_expired {
            query.push(("allow_expired", "1"));
        }
        let question = Question { doing: "validating a token", path: "auth/tokens", query: &query, headers };
        match self.client.get::<Document>(&question).await {
            Ok(Some(document)) => {
                Ok(Answer::Valid(Arc::new(document.into_token(self.settings.include_service_catalog))))
            }
            Ok(None) => Ok(Answer::Invalid),
            Err(e) => {
                error!("tokens cannot be validated: {}", chain(&e));
                Err(e)
            }
        }
    }
}

/// The first of these headers, without white space around it.
fn token<'a>(headers: &'a HeaderMap, names: &[&str]) -> Option<&'a str> {
    let value = names.iter().find_map(|it| headers.get(*it))?;
    // What is not text is no token that Keystone ever gave.
    Some(value.to_str().unwrap_or_default().trim())
}
