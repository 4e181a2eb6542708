//! What a request shows, and how it may be refused.

use crate::http::Peer;
use crate::identity::keystone::KeystoneError;
use http::{HeaderMap, Method, request::Parts};
use std::sync::Arc;

/// A request, as far as it matters who asks.
#[derive(Clone, Copy, Debug)]
pub struct Asked<'a> {
    /// Its method.
    pub method: &'a Method,
    /// The path as it arrived.
    pub path: &'a str,
    /// Its headers.
    pub headers: &'a HeaderMap,
    /// Who is at the other end of the connection, where that is known.
    pub peer: Option<Peer>,
}

/// Why a request has no caller.
#[derive(Clone, Debug, thiserror::Error)]
pub enum Refusal {
    /// 401: who asks is not known.
    #[error("The request you have made requires authentication.")]
    Unauthorized {
        /// The value of `WWW-Authenticate`, where there is a Keystone to go to.
        challenge: Option<String>,
    },
    /// 503: nobody can say who asks. Logged already.
    #[error("The Keystone service is temporarily unavailable.")]
    Unavailable(#[source] Arc<KeystoneError>),
}

impl<'a> From<&'a Parts> for Asked<'a> {
    fn from(parts: &'a Parts) -> Self {
        Self {
            method: &parts.method,
            path: parts.uri.path(),
            headers: &parts.headers,
            peer: parts.extensions.get::<Peer>().copied(),
        }
    }
}
