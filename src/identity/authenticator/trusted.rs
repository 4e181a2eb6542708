//! Identity by headers, from a proxy that has authenticated the user.
//!
//! **Warning.** Whoever can connect from a trusted peer can be anybody, admin included, by setting headers. Use it only
//! where nothing but the proxy can reach this server from those addresses, and where the proxy removes these headers
//! from what clients send: `X-Identity-Status`, `X-User-Id`, `X-Project-Id`, `X-Tenant-Id`, `X-Roles`, `X-Role` and all
//! that begin with `X-Service-` or `X-User-`. Nothing is trusted unless it is listed.

use crate::http::Peer;
use crate::identity::{Asked, Caller, ServiceCaller};
use http::HeaderMap;
use ipnet::IpNet;
use std::{
    net::{IpAddr, SocketAddr},
    str::FromStr,
};

/// Whose headers are believed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TrustedPeer {
    /// TCP clients of this network.
    Net(IpNet),
    /// Whoever may connect to the Unix socket.
    Unix,
}

/// Neither an address nor a network.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no trusted peer: it takes an address, a network such as 192.0.2.0/24, or the word unix")]
pub struct InvalidPeer(pub String);

// === impl TrustedPeer ===

impl FromStr for TrustedPeer {
    type Err = InvalidPeer;

    fn from_str(text: &str) -> Result<Self, InvalidPeer> {
        let text = text.trim();
        if text == "unix" {
            return Ok(Self::Unix);
        }
        let net = text.parse::<IpNet>().or_else(|_| text.parse::<IpAddr>().map(IpNet::from));
        net.map(Self::Net).map_err(|_| InvalidPeer(text.chars().take(80).collect()))
    }
}

impl TrustedPeer {
    fn is(&self, peer: Peer) -> bool {
        match (self, peer) {
            // A dual-stack socket shows IPv4 clients as ::ffff:a.b.c.d.
            (Self::Net(net), Peer::Tcp(address)) => net.contains(&SocketAddr::ip(&address).to_canonical()),
            (Self::Unix, Peer::Unix { .. }) => true,
            _ => false,
        }
    }
}

/// The caller that a trusted peer names; none when it names nobody, or is not trusted.
pub(super) fn caller(asked: &Asked<'_>, trusted: &[TrustedPeer]) -> Option<Caller> {
    let believed = asked.peer.is_some_and(|peer| trusted.iter().any(|it| it.is(peer)));
    let text = |names: &[&str]| text(asked.headers, names);
    if !believed || text(&["x-identity-status"]).as_deref() != Some("Confirmed") {
        return None;
    }
    let lower = |roles: Vec<String>| roles.into_iter().map(|it| it.to_lowercase()).collect();
    let service_roles = list(text(&["x-service-roles"]));
    let service_user = text(&["x-service-user-id"]);
    let service = (service_user.is_some() || !service_roles.is_empty()).then(|| {
        Box::new(ServiceCaller {
            user: service_user,
            user_domain: text(&["x-service-user-domain-id"]),
            project: text(&["x-service-project-id"]),
            project_domain: text(&["x-service-project-domain-id"]),
            roles: service_roles,
        })
    });
    Some(Caller {
        user: text(&["x-user-id", "x-user"]),
        user_name: text(&["x-user-name"]),
        user_domain: text(&["x-user-domain-id"]),
        project: text(&["x-project-id", "x-tenant-id", "x-tenant"]),
        project_name: text(&["x-project-name", "x-tenant-name"]),
        project_domain: text(&["x-project-domain-id"]),
        domain: text(&["x-domain-id"]),
        system: text(&["openstack-system-scope"]),
        is_admin_project: text(&["x-is-admin-project"]).is_none_or(|it| it.eq_ignore_ascii_case("true")),
        roles: lower(list(text(&["x-roles", "x-role"]))),
        token: text(&["x-auth-token", "x-storage-token"]).map(Into::into),
        service,
        ..Caller::default()
    })
}

/// The first of these headers that is there; an empty one is none.
fn text(headers: &HeaderMap, names: &[&str]) -> Option<String> {
    let value = names.iter().find_map(|it| headers.get(*it))?;
    std::str::from_utf8(value.as_bytes()).ok().map(str::trim).filter(|it| !it.is_empty()).map(ToOwned::to_owned)
}

fn list(text: Option<String>) -> Vec<String> {
    let text = text.unwrap_or_default();
    text.split(',').map(str::trim).filter(|it| !it.is_empty()).map(ToOwned::to_owned).collect()
}
