use super::*;
use crate::http::Peer;
use crate::identity::{Caller, policy};
use http::{HeaderMap, HeaderName, HeaderValue, Method};

fn headers(of: &[(&str, &str)]) -> HeaderMap {
    let pair =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    of.iter().map(pair).collect()
}

fn settings(folder: &tempfile::TempDir) -> Settings {
    let policy = policy::Settings { directories: vec![folder.path().to_owned()], ..policy::Settings::default() };
    Settings { policy, ..Settings::default() }
}

async fn ask(it: &Authenticator, of: &[(&str, &str)], peer: Option<Peer>) -> Result<Caller, Refusal> {
    it.authenticate(&Asked { method: &Method::GET, path: "/v2/images", headers: &headers(of), peer }).await
}

fn tcp(address: &str) -> Option<Peer> {
    Some(Peer::Tcp(address.parse().unwrap()))
}

#[test]
fn flavours_are_glances() {
    for (text, flavour) in [
        ("", Flavour::None),
        ("cachemanagement", Flavour::None),
        ("keystone+caching", Flavour::Keystone),
        ("trusted-auth", Flavour::TrustedHeaders),
    ] {
        assert_eq!(text.parse(), Ok(flavour));
    }
    assert!("keystone+pastry".parse::<Flavour>().is_err());
}

#[tokio::test]
async fn without_authentication_every_caller_is_an_admin() {
    let folder = tempfile::tempdir().unwrap();
    let it = Authenticator::open(settings(&folder)).unwrap();
    let caller = ask(&it, &[("x-identity-status", "Confirmed"), ("x-roles", "reader")], None).await.unwrap();
    assert_eq!(caller, Caller::admin());
}

#[tokio::test]
async fn headers_are_believed_of_trusted_peers_only() {
    let folder = tempfile::tempdir().unwrap();
    let trusted = |peers: &[&str]| Settings {
        flavour: Flavour::TrustedHeaders,
        trusted_peers: peers.iter().map(|it| it.parse().unwrap()).collect(),
        ..settings(&folder)
    };
    assert!(matches!(Authenticator::open(trusted(&[])), Err(OpenError::NoTrustedPeers)));
    let it = Authenticator::open(trusted(&["192.0.2.0/24", "::1", "unix"])).unwrap();
    let who = [
        ("x-identity-status", "Confirmed"),
        ("x-user-id", "u"),
        ("x-tenant-id", "p"),
        ("x-roles", "Admin, member,"),
        ("x-service-roles", "service"),
        ("x-service-user-id", "nova"),
        ("x-auth-token", "t"),
    ];
    let unix = Some(Peer::Unix { uid: 0, gid: 0, pid: None });
    for peer in [tcp("192.0.2.9:1"), tcp("[::ffff:192.0.2.9]:1"), tcp("[::1]:1"), unix] {
        let caller = ask(&it, &who, peer).await.unwrap();
        assert_eq!((caller.user.as_deref(), caller.project.as_deref()), (Some("u"), Some("p")));
        assert_eq!((caller.roles.as_slice(), caller.is_admin), (&["admin".to_owned(), "member".to_owned()][..], true));
        assert_eq!(caller.service_roles(), ["service"]);
    }
    for peer in [tcp("192.0.3.9:1"), tcp("127.0.0.1:1"), None] {
        assert!(matches!(ask(&it, &who, peer).await, Err(Refusal::Unauthorized { challenge: None })));
    }
    for status in ["Invalid", "confirmed", ""] {
        assert!(ask(&it, &[("x-identity-status", status), ("x-roles", "admin")], tcp("[::1]:1")).await.is_err());
    }
    let anonymous = Authenticator::open(Settings { allow_anonymous_access: true, ..trusted(&["::1"]) }).unwrap();
    let caller = ask(&anonymous, &who, tcp("192.0.2.9:1")).await.unwrap();
    assert!(caller.read_only && !caller.is_admin && caller.roles.is_empty() && caller.project.is_none());
    for text in ["", "192.0.2.0/33", "localhost"] {
        assert!(text.parse::<TrustedPeer>().is_err(), "{text}");
    }
}
