//! Which URLs that clients name this server may ask (`[import_filtering_opts]`).
//!
//! Glance's rules: lists of schemes, hosts and ports; loopback and link-local addresses (a cloud's metadata service) only
//! where the host is on the list of allowed ones; no spelling of an address but the plain one. Whoever connects does so
//! to an address that was judged here, so that a name server cannot answer differently in between.
//!
//! Data that images have on web servers already is read under the same rules for addresses, whichever port and host a list
//! may have let when it was added.

use super::address::is_inside;
use std::{
    net::{IpAddr, SocketAddr},
    sync::{Arc, PoisonError, RwLock},
};
use url::{Host, Url};

/// Where this server may go when a client names a URL. Where a list of allowed ones is given, the other list of that
/// kind does not count.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ImportFiltering {
    /// `allowed_schemes`
    pub allowed_schemes: Vec<String>,
    /// `disallowed_schemes`
    pub disallowed_schemes: Vec<String>,
    /// `allowed_hosts`: names or addresses; those of this machine only when they are here.
    pub allowed_hosts: Vec<String>,
    /// `disallowed_hosts`
    pub disallowed_hosts: Vec<String>,
    /// `allowed_ports`, of those that a URL writes.
    pub allowed_ports: Vec<u16>,
    /// `disallowed_ports`
    pub disallowed_ports: Vec<u16>,
}

/// The rules of the moment, which may change while the program runs; clones share them.
#[derive(Clone, Default)]
pub(in crate::store) struct Filtering(Arc<RwLock<Arc<ImportFiltering>>>);

/// The parts of a URL that the rules look at.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: String,
    host: String,
    port: Option<&'a str>,
}

/// Whether the rules let `url` be asked, both as Glance takes it apart and as the HTTP client does, which is not always
/// the same. A name that nobody knows is not let.
pub async fn may_ask(rules: &ImportFiltering, url: &str) -> bool {
    let (Some(parts), Ok(parsed)) = (split(url), Url::parse(url)) else { return false };
    !allowed(rules, &parts).await.is_empty() && !addresses_of(rules, &parsed).await.is_empty()
}

/// The addresses that this URL, taken apart as the HTTP client does it, may be asked at; none when it may not.
pub async fn addresses_of(rules: &ImportFiltering, url: &Url) -> Vec<SocketAddr> {
    let Some(host) = host_of(url) else { return Vec::new() };
    let port = url.port().map(|it| it.to_string());
    allowed(rules, &Parts { scheme: url.scheme().to_owned(), host, port: port.as_deref() }).await
}

/// Whether a redirect may lead there from a URL that may be asked. A name is judged by the lists here, and what it stands
/// for by whoever connects ([`may_connect`]).
pub(super) fn may_follow(rules: &ImportFiltering, from: &Url, to: &Url) -> bool {
    let origin = |it: &Url| (it.scheme().to_owned(), it.host_str().map(str::to_owned), it.port_or_known_default());
    let Some(host) = host_of(to) else { return false };
    let port = to.port().map(|it| it.to_string());
    let listed = || {
        let parts = Parts { scheme: to.scheme().to_owned(), host: host.clone(), port: port.as_deref() };
        let address = host.parse().map_or(true, |it| may_connect(rules, &host, it));
        address && allowed_port(rules, &parts).is_some() && allowed_names(rules, &parts.scheme, &host)
    };
    origin(from) == origin(to) || listed()
}

/// Whether a host, in its plain form, may be connected to at this address.
pub(super) fn may_connect(rules: &ImportFiltering, host: &str, address: IpAddr) -> bool {
    rules.allowed_hosts.iter().any(|it| it == host) || is_outside(rules, host, address)
}

async fn allowed(rules: &ImportFiltering, parts: &Parts<'_>) -> Vec<SocketAddr> {
    let Some(port) = allowed_port(rules, parts) else { return Vec::new() };
    let Some((host, addresses)) = addresses(&parts.host, port).await else { return Vec::new() };
    if !allowed_names(rules, &parts.scheme, &host) {
        return Vec::new();
    }
    let may = |it: &IpAddr| may_connect(rules, &host, *it);
    addresses.into_iter().filter(may).map(|it| SocketAddr::new(it, port)).collect()
}

fn allowed_names(rules: &ImportFiltering, scheme: &str, host: &str) -> bool {
    listed(&rules.allowed_schemes, &rules.disallowed_schemes, scheme)
        && listed(&rules.allowed_hosts, &rules.disallowed_hosts, host)
}

/// In its plain form.
fn host_of(url: &Url) -> Option<String> {
    Some(match url.host()? {
        Host::Domain(name) => name.to_ascii_lowercase(),
        Host::Ipv4(it) => it.to_string(),
        Host::Ipv6(it) => it.to_string(),
    })
}

/// On the list of allowed ones, or, where that is empty, not on the other one.
fn listed(allowed: &[String], disallowed: &[String], it: &str) -> bool {
    let on = |list: &[String]| list.iter().any(|entry| entry == it);
    if allowed.is_empty() { !on(disallowed) } else { on(allowed) }
}

/// The port to ask, if it may be; one that is not written is not looked up in the lists.
fn allowed_port(rules: &ImportFiltering, parts: &Parts<'_>) -> Option<u16> {
    let Some(written) = parts.port.filter(|it| !it.is_empty()) else {
        return Some(if parts.scheme == "https" { 443 } else { 80 });
    };
    let port: u16 = written.parse().ok()?;
    let on = |list: &[u16]| list.contains(&port);
    let allowed = if rules.allowed_ports.is_empty() { !on(&rules.disallowed_ports) } else { on(&rules.allowed_ports) };
    allowed.then_some(port)
}

/// The host in its plain form, and what it stands for.
async fn addresses(host: &str, port: u16) -> Option<(String, Vec<IpAddr>)> {
    if let Ok(address) = host.parse::<IpAddr>() {
        return Some((address.to_string(), vec![address]));
    }
    if host.is_empty() || host.chars().all(|it| it.is_ascii_digit() || it == '.') {
        return None;
    }
    // With the dot at its end it is a name, and never another spelling of an address.
    let name = if host.ends_with('.') { host.to_owned() } else { format!("{host}.") };
    let found: Vec<IpAddr> = tokio::net::lookup_host((name, port)).await.ok()?.map(|it| it.ip()).collect();
    // What the HTTP client would take for an address must not be a name here.
    let same = Host::parse(host).is_ok_and(|it| matches!(it, Host::Domain(_)));
    (same && !found.is_empty()).then(|| (host.to_owned(), found))
}

fn is_outside(rules: &ImportFiltering, host: &str, address: IpAddr) -> bool {
    let refused = |it: &String| it != host && it.parse::<IpAddr>().is_ok_and(|it| it == address);
    !is_inside(address) && (!rules.allowed_hosts.is_empty() || !rules.disallowed_hosts.iter().any(refused))
}

/// As Python's urlparse takes it apart.
fn split(url: &str) -> Option<Parts<'_>> {
    let (scheme, rest) = url.split_once("://")?;
    let authority = &rest[..rest.find(['/', '?', '#']).unwrap_or(rest.len())];
    let place = authority.rsplit_once('@').map_or(authority, |it| it.1);
    let (host, port) = match place.strip_prefix('[') {
        Some(inner) => {
            let (host, after) = inner.split_once(']')?;
            (host, after.strip_prefix(':'))
        }
        None => place.split_once(':').map_or((place, None), |(host, port)| (host, Some(port))),
    };
    if port.is_some_and(|it| !it.chars().all(|c| c.is_ascii_digit())) {
        return None;
    }
    Some(Parts { scheme: scheme.to_ascii_lowercase(), host: host.to_ascii_lowercase(), port })
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

// === impl ImportFiltering ===

impl Default for ImportFiltering {
    fn default() -> Self {
        Self {
            allowed_schemes: words("http,https"),
            disallowed_schemes: Vec::new(),
            allowed_hosts: Vec::new(),
            disallowed_hosts: Vec::new(),
            allowed_ports: vec![80, 443],
            disallowed_ports: Vec::new(),
        }
    }
}

// === impl Filtering ===

impl Filtering {
    pub(in crate::store) fn new(rules: ImportFiltering) -> Self {
        Self(Arc::new(RwLock::new(Arc::new(rules))))
    }

    pub(in crate::store) fn set(&self, rules: ImportFiltering) {
        *self.0.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(rules);
    }

    pub(super) fn now(&self) -> Arc<ImportFiltering> {
        Arc::clone(&self.0.read().unwrap_or_else(PoisonError::into_inner))
    }
}
