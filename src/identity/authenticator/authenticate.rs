//! The one door for all requests.

use crate::identity::{
    Asked, Caller, Flavour, Refusal, TrustedPeer,
    authenticator::trusted,
    keystone::{self, KeystoneError, Validator},
    policy::{self, Answers, Enforcer, PolicyError},
};
use serde_json::Value;
use std::sync::Arc;

/// Who may come in, and how.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// `[paste_deploy] flavor`
    pub flavour: Flavour,
    /// `[keystone_authtoken]`, for the flavour keystone.
    pub keystone: keystone::Settings,
    /// Whose identity headers are believed, for the flavour trusted-auth; nobody's by default. See the warning at
    /// [`TrustedPeer`].
    pub trusted_peers: Vec<TrustedPeer>,
    /// `allow_anonymous_access`: who has not logged in may read what the rules let nobody's roles read.
    pub allow_anonymous_access: bool,
    /// `[oslo_policy]`
    pub policy: policy::Settings,
}

/// There can be no authenticator of these settings.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// The rules.
    #[error("the policy cannot be read")]
    Policy(#[source] PolicyError),
    /// Keystone's options.
    #[error("tokens cannot be validated with these options")]
    Keystone(#[source] KeystoneError),
    /// Nobody would be believed.
    #[error("the flavor trusted-auth needs the addresses of the proxies whose identity headers are to be believed")]
    NoTrustedPeers,
}

/// Finds the caller of each request.
pub struct Authenticator {
    enforcer: Enforcer,
    kind: Kind,
    allow_anonymous: bool,
}

enum Kind {
    None,
    Keystone(Box<Validator>),
    TrustedHeaders(Vec<TrustedPeer>),
}

// === impl Authenticator ===

impl Authenticator {
    /// Reads policy and certificates (blocks for it); asks Keystone nothing yet.
    pub fn open(settings: Settings) -> Result<Self, OpenError> {
        let enforcer = Enforcer::open(settings.policy).map_err(OpenError::Policy)?;
        let kind = match settings.flavour {
            Flavour::None => Kind::None,
            Flavour::Keystone => {
                Kind::Keystone(Box::new(Validator::new(settings.keystone).map_err(OpenError::Keystone)?))
            }
            Flavour::TrustedHeaders if settings.trusted_peers.is_empty() => return Err(OpenError::NoTrustedPeers),
            Flavour::TrustedHeaders => Kind::TrustedHeaders(settings.trusted_peers),
        };
        Ok(Self { enforcer, kind, allow_anonymous: settings.allow_anonymous_access })
    }

    /// The rules that callers found here are judged by.
    pub fn enforcer(&self) -> &Enforcer {
        &self.enforcer
    }

    /// Who asks. Takes up changed policy files first, so that each request is judged by the rules of its time.
    pub async fn authenticate(&self, asked: &Asked<'_>) -> Result<Caller, Refusal> {
        self.enforcer.refresh().await;
        let found = match &self.kind {
            Kind::None => return Ok(Caller::admin()),
            Kind::Keystone(validator) => validator.caller(asked).await?,
            Kind::TrustedHeaders(peers) => trusted::caller(asked, peers),
        };
        match found {
            Some(mut caller) => {
                // A caller may come from the cache of tokens; what was answered holds for one request.
                caller.answers = Answers::default();
                caller.is_admin = self.enforcer.is_admin(&caller);
                Ok(caller)
            }
            None if self.allow_anonymous => Ok(Caller::anonymous()),
            None => Err(self.unauthorized()),
        }
    }

    /// Keystone's service catalogue for a caller; none without Keystone, and when the caller's token is not valid.
    ///
    /// # Errors
    /// [`KeystoneError`]
    pub async fn catalog(&self, caller: &Caller) -> Result<Option<Arc<Value>>, KeystoneError> {
        match (&caller.catalog, &self.kind, &caller.token) {
            (Some(catalog), ..) => Ok(Some(Arc::clone(catalog))),
            (None, Kind::Keystone(validator), Some(token)) => validator.catalog(token).await,
            _ => Ok(None),
        }
    }

    /// The refusal of a request that has no caller; for other 401s too, which name Keystone the same way.
    pub fn unauthorized(&self) -> Refusal {
        let challenge = match &self.kind {
            Kind::Keystone(validator) => Some(validator.challenge().to_owned()),
            Kind::None | Kind::TrustedHeaders(_) => None,
        };
        Refusal::Unauthorized { challenge }
    }
}
