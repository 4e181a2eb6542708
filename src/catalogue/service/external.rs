//! Which URLs that clients name this server may ask (`[import_filtering_opts]`).
//!
//! Glance's rules: lists of schemes, hosts and ports; loopback and link-local addresses (a cloud's metadata service) only
//! where the host is on the list of allowed ones; no spelling of an address but the plain one. A name is looked up here
//! and again when it is asked, so a name server that answers differently in between is not defended against.

use crate::catalogue::ImportFiltering;
use std::net::IpAddr;

/// The parts of a URL that the rules look at.
#[derive(Debug, PartialEq, Eq)]
struct Parts<'a> {
    scheme: String,
    host: String,
    port: Option<&'a str>,
}

/// Whether the rules let `url` be asked. A name that nobody knows is not let.
pub(super) async fn may_ask(rules: &ImportFiltering, url: &str) -> bool {
    let Some(parts) = split(url) else { return false };
    let Some(port) = allowed_port(rules, &parts) else { return false };
    if !listed(&rules.allowed_schemes, &rules.disallowed_schemes, &parts.scheme) {
        return false;
    }
    let Some((host, addresses)) = addresses(&parts.host, port).await else { return false };
    if !listed(&rules.allowed_hosts, &rules.disallowed_hosts, &host) {
        return false;
    }
    let named = rules.allowed_hosts.contains(&host);
    addresses.iter().any(|it| named || is_outside(rules, &host, *it))
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
    let same = url::Host::parse(host).is_ok_and(|it| matches!(it, url::Host::Domain(_)));
    (same && !found.is_empty()).then(|| (host.to_owned(), found))
}

fn is_outside(rules: &ImportFiltering, host: &str, address: IpAddr) -> bool {
    let inside = match address.to_canonical() {
        IpAddr::V4(it) => it.is_loopback() || it.is_link_local(),
        IpAddr::V6(it) => it.is_loopback() || it.is_unicast_link_local(),
    };
    let refused = |it: &String| it != host && it.parse::<IpAddr>().is_ok_and(|it| it == address);
    !inside && (!rules.allowed_hosts.is_empty() || !rules.disallowed_hosts.iter().any(refused))
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

#[cfg(test)]
mod tests {
    use super::*;

    fn rules(hosts: &[&str], ports: &[u16]) -> ImportFiltering {
        let allowed_hosts = hosts.iter().map(|it| (*it).to_owned()).collect();
        ImportFiltering { allowed_hosts, allowed_ports: ports.to_vec(), ..ImportFiltering::default() }
    }

    #[tokio::test]
    async fn addresses_inside_the_machine_are_let_by_name_only() {
        let open = rules(&[], &[]);
        for url in
            ["http://10.0.0.1/x", "https://192.0.2.1:8443/x", "http://u:p@192.0.2.1/", "http://[2001:db8::1]:80/"]
        {
            assert!(may_ask(&open, url).await, "{url}");
        }
        for url in [
            "http://127.0.0.1/x",
            "http://169.254.169.254/latest",
            "http://[::1]/",
            "http://[fe80::1]/",
            "http://[::ffff:127.0.0.1]/",
            "http://2130706433/",
            "http://127.1/",
            "http://0x7f000001/",
            "http://0x7f.1/",
            "http://017700000001/",
            "http://127.0.0.01/",
            "http://127.0.0.1:99999/",
            "http://127.0.0.1:x/",
            "http:///x",
            "http://",
            "",
            "x",
            "ftp://192.0.2.1/",
        ] {
            assert!(!may_ask(&open, url).await, "{url}");
        }
        let local = rules(&["127.0.0.1"], &[]);
        assert!(may_ask(&local, "http://127.0.0.1:8080/x").await);
        assert!(!may_ask(&local, "http://10.0.0.1/x").await);
        assert!(!may_ask(&local, "http://localhost/x").await);
    }

    #[tokio::test]
    async fn an_allow_list_stands_alone() {
        let ports = ImportFiltering { disallowed_ports: vec![80], ..rules(&[], &[80, 443]) };
        assert!(may_ask(&ports, "http://192.0.2.1:80/").await && may_ask(&ports, "http://192.0.2.1/").await);
        assert!(!may_ask(&ports, "http://192.0.2.1:8080/").await);
        let refused = ImportFiltering { disallowed_hosts: vec!["192.0.2.1".to_owned()], ..rules(&[], &[]) };
        assert!(!may_ask(&refused, "http://192.0.2.1/").await && may_ask(&refused, "http://192.0.2.2/").await);
    }
}
