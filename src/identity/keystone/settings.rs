//! `[keystone_authtoken]`.

use crate::http::keystone::Credentials;
use std::{path::PathBuf, time::Duration};

/// How to reach Keystone; for validating tokens and for asking its limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// The service user's login.
    pub credentials: Credentials,
    /// `interface`, or `valid_interfaces`: which of Keystone's addresses in its own catalogue to use, the first that is
    /// there.
    pub interfaces: Vec<String>,
    /// `endpoint_override`: Keystone's address for all but logins, in place of those in its catalogue.
    pub endpoint_override: Option<String>,
    /// `region_name`: in which region.
    pub region_name: Option<String>,
    /// `cafile`: authorities for https; the system's otherwise.
    pub cafile: Option<PathBuf>,
    /// `certfile`: the client's certificate (PEM), where Keystone wants one.
    pub certfile: Option<PathBuf>,
    /// `keyfile`: its key, when it is not in `certfile`.
    pub keyfile: Option<PathBuf>,
    /// `insecure`: take any certificate.
    pub insecure: bool,
    /// `http_connect_timeout`: longest time for one answer (keystonemiddleware waits without end).
    pub http_connect_timeout: Duration,
    /// `http_request_max_retries`: how often to connect anew, after 0.5 s, 1 s, 2 s…
    pub http_request_max_retries: u32,
}

/// How tokens are validated.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Where Keystone is, and who asks it.
    pub connection: Connection,
    /// `www_authenticate_uri`: what refused clients are told; `auth_url` otherwise.
    pub www_authenticate_uri: Option<String>,
    /// `token_cache_time`: how long a token's validity, and so its revocation, may be out of date. None (-1) asks
    /// Keystone every time.
    pub token_cache_time: Option<Duration>,
    /// How long a token that Keystone does not know is refused without asking again.
    pub negative_cache_time: Duration,
    /// How much memory the validated tokens may take, bytes.
    pub token_cache_size: u64,
    /// `service_token_roles`: one of these makes a token a service's.
    pub service_token_roles: Vec<String>,
    /// `service_token_roles_required`: false believes any valid token in X-Service-Token; expired user tokens need the
    /// role in any case.
    pub service_token_roles_required: bool,
    /// `delay_auth_decision`: an invalid service token is ignored (Glance's pipeline has it so); else it is refused.
    pub delay_auth_decision: bool,
    /// `include_service_catalog`: keep Keystone's catalogue with each token. Only stores that ask other services in the
    /// user's name need it.
    pub include_service_catalog: bool,
    /// `service_type`: this service's type in the access rules of application credentials; without it, tokens with
    /// access rules are refused.
    pub service_type: Option<String>,
}

// === impl Connection, Settings ===

impl Default for Connection {
    fn default() -> Self {
        Self {
            credentials: Credentials::default(),
            interfaces: vec!["internal".to_owned()],
            endpoint_override: None,
            region_name: None,
            cafile: None,
            certfile: None,
            keyfile: None,
            insecure: false,
            http_connect_timeout: Duration::from_secs(30),
            http_request_max_retries: 3,
        }
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            connection: Connection::default(),
            www_authenticate_uri: None,
            token_cache_time: Some(Duration::from_secs(300)),
            negative_cache_time: Duration::from_secs(5),
            token_cache_size: 64 << 20,
            service_token_roles: vec!["service".to_owned()],
            service_token_roles_required: true,
            delay_auth_decision: true,
            include_service_catalog: false,
            service_type: Some("image".to_owned()),
        }
    }
}
