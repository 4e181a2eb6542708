//! `/` and `/versions`, and which version a path or an `Accept` asks for.

use super::reply;
use crate::http::{Forwarded, is_host};
use crate::wire::versions::{self, Abilities};
use axum::response::Response;
use http::{HeaderMap, StatusCode, Uri, header, uri::PathAndQuery};

/// Media types that name a version, for paths that do not.
const MEDIA_TYPE: &str = "application/vnd.openstack.images-";

/// What a path leads to.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Target {
    /// The API; the path begins with `/v2`, or `/larder` for what is ours.
    Api(Uri),
    /// The versions document: asked for (200), or in place of what is not there (300).
    Versions(StatusCode),
    /// `/v2`, which is a folder.
    Moved,
}

/// Finds the version that is asked for, by `Accept` or by the path's first part (Glance's rules).
pub(super) fn negotiate(uri: &Uri, accept: Option<&str>, abilities: Abilities) -> Target {
    let path = uri.path().trim_start_matches('/');
    let (first, rest) = path.find('/').map_or((path, ""), |at| path.split_at(at));
    if first == "versions" {
        return Target::Versions(StatusCode::OK);
    }
    if first == "larder" && !rest.is_empty() {
        return target(&format!("/larder{rest}"), uri);
    }
    let (version, rest) = match accept.and_then(|it| it.strip_prefix(MEDIA_TYPE)) {
        Some(version) => (version, uri.path()),
        None => (first, rest),
    };
    if !versions::is_served(version, abilities) {
        return Target::Versions(StatusCode::MULTIPLE_CHOICES);
    }
    if rest.is_empty() {
        return Target::Moved;
    }
    target(&format!("/v2{rest}"), uri)
}

fn target(path: &str, asked: &Uri) -> Target {
    let path = single_slashes(path);
    let query = asked.query().map_or_else(String::new, |it| format!("?{it}"));
    match PathAndQuery::try_from(format!("{path}{query}")) {
        Ok(path) => Target::Api(Uri::from(path)),
        Err(_) => Target::Versions(StatusCode::MULTIPLE_CHOICES),
    }
}

/// Endpoints with a slash at their end make clients ask for `/v2//images`; the servers that Glance runs in take it so.
fn single_slashes(path: &str) -> String {
    let mut single = String::with_capacity(path.len());
    for letter in path.chars() {
        if letter != '/' || !single.ends_with('/') {
            single.push(letter);
        }
    }
    single
}

/// The versions document.
pub(super) fn document(status: StatusCode, base: &str, abilities: Abilities) -> Response {
    reply::json(status, &versions::document(base, abilities))
}

/// What links begin with: the configured endpoint, or the host that the client asked, as far as a proxy in front says.
pub(super) fn base_url(headers: &HeaderMap, uri: &Uri, public_endpoint: Option<&str>, before: &Forwarded) -> String {
    if let Some(endpoint) = public_endpoint {
        return endpoint.trim_end_matches('/').to_owned();
    }
    let sent = headers.get(header::HOST).and_then(|it| it.to_str().ok()).or(uri.authority().map(|it| it.as_str()));
    let asked = before.host.as_deref().or(sent.filter(|it| is_host(it))).unwrap_or("localhost");
    let scheme = before.scheme.unwrap_or("http");
    let own_port = if scheme == "https" { ":443" } else { ":80" };
    format!("{scheme}://{}{}", asked.strip_suffix(own_port).unwrap_or(asked), before.prefix)
}
