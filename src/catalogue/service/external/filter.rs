//! Which URLs that clients name this server may ask (`[import_filtering_opts]`).
//!
//! Glance's rules: lists of schemes, hosts and ports; loopback and link-local addresses (a cloud's metadata service) only
//! where the host is on the list of allowed ones; no spelling of an address but the plain one. Whoever connects does so
//! to an address that was judged here, so that a name server cannot answer differently in between.

use super::address::is_inside;
use crate::catalogue::ImportFiltering;
use std::net::{IpAddr, SocketAddr};
use url::{Host, Url};

/// The parts of a URL that the rules look at.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: String,
    host: String,
    port: Option<&'a str>,
}

/// Whether the rules let `url` be asked. A name that nobody knows is not let.
pub(in crate::catalogue::service) async fn may_ask(rules: &ImportFiltering, url: &str) -> bool {
    let Some(parts) = split(url) else { return false };
    !allowed(rules, &parts).await.is_empty()
}

/// The addresses that this URL, taken apart as the HTTP client does it, may be asked at; none when it may not.
pub(super) async fn addresses_of(rules: &ImportFiltering, url: &Url) -> Vec<SocketAddr> {
    let host = match url.host() {
        Some(Host::Domain(name)) => name.to_ascii_lowercase(),
        Some(Host::Ipv4(it)) => it.to_string(),
        Some(Host::Ipv6(it)) => it.to_string(),
        None => return Vec::new(),
    };
    let port = url.port().map(|it| it.to_string());
    allowed(rules, &Parts { scheme: url.scheme().to_owned(), host, port: port.as_deref() }).await
}

async fn allowed(rules: &ImportFiltering, parts: &Parts<'_>) -> Vec<SocketAddr> {
    let Some(port) = allowed_port(rules, parts) else { return Vec::new() };
    if !listed(&rules.allowed_schemes, &rules.disallowed_schemes, &parts.scheme) {
        return Vec::new();
    }
    let Some((host, addresses)) = addresses(&parts.host, port).await else { return Vec::new() };
    if !listed(&rules.allowed_hosts, &rules.disallowed_hosts, &host) {
        return Vec::new();
    }
    let named = rules.allowed_hosts.contains(&host);
    let may = |it: &IpAddr| named || is_outside(rules, &host, *it);
    addresses.into_iter().filter(may).map(|it| SocketAddr::new(it, port)).collect()
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
