//! Keystone v3 as every client of it needs it: how a login is asked for, what its answer says, and where services are.
//!
//! The options are those of keystoneauth, as they stand in `[keystone_authtoken]`, `[oslo_limit]` and like sections.

use crate::base::Secret;
use chrono::{DateTime, Utc};
use http::{HeaderMap, HeaderValue};
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// How many endpoints of a service a message names at the most.
const MOST_OFFERED: usize = 20;

/// Who logs in, and for what. A password, a token or an application credential is needed.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Credentials {
    /// `auth_url`: Keystone's address, with or without a version.
    pub auth_url: String,
    /// `username`
    pub username: Option<String>,
    /// `user_id`
    pub user_id: Option<String>,
    /// `user_domain_name`
    pub user_domain_name: Option<String>,
    /// `user_domain_id`; `default` when neither is set.
    pub user_domain_id: Option<String>,
    /// `password`
    pub password: Secret,
    /// `project_name`
    pub project_name: Option<String>,
    /// `project_id`
    pub project_id: Option<String>,
    /// `project_domain_name`
    pub project_domain_name: Option<String>,
    /// `project_domain_id`; `default` when neither is set.
    pub project_domain_id: Option<String>,
    /// `default_domain_name`: stands for both domains where they are not set.
    pub default_domain_name: Option<String>,
    /// `default_domain_id`: likewise.
    pub default_domain_id: Option<String>,
    /// `system_scope`: `all`, in place of a project.
    pub system_scope: Option<String>,
    /// `domain_id`: log in for a domain, in place of a project.
    pub domain_id: Option<String>,
    /// `domain_name`: likewise.
    pub domain_name: Option<String>,
    /// `trust_id`: log in for what somebody else has entrusted to the user, in place of a project.
    pub trust_id: Option<String>,
    /// `token`: one that somebody else got, in place of a user and its password.
    pub token: Secret,
    /// `application_credential_id`: it has its own project.
    pub application_credential_id: Option<String>,
    /// `application_credential_name`, with the user's options.
    pub application_credential_name: Option<String>,
    /// `application_credential_secret`
    pub application_credential_secret: Secret,
}

/// The options do not make a login.
#[derive(Debug, thiserror::Error)]
pub enum InvalidCredentials {
    /// An option is needed.
    #[error("the option {0} is missing")]
    Missing(&'static str),
    /// Not an address.
    #[error("auth_url '{url}' is not an http or https URL")]
    Url {
        /// As configured.
        url: String,
        /// Why, when it is not a URL at all.
        source: Option<url::ParseError>,
    },
}

/// The body of Keystone's answer to a login; the token itself is a header ([`subject_token`]).
#[derive(Clone, Debug, Deserialize)]
pub struct LoginAnswer {
    token: LoginToken,
}

#[derive(Clone, Debug, Deserialize)]
struct LoginToken {
    expires_at: DateTime<Utc>,
    issued_at: DateTime<Utc>,
    #[serde(default)]
    catalog: Vec<CatalogService>,
}

/// A service in Keystone's catalogue.
#[derive(Clone, Debug, Deserialize)]
pub struct CatalogService {
    /// `image`, `identity`…
    #[serde(rename = "type")]
    pub kind: String,
    /// Where it answers.
    #[serde(default)]
    pub endpoints: Vec<Endpoint>,
}

/// One address of a service.
#[derive(Clone, Debug, Deserialize)]
pub struct Endpoint {
    /// `public`, `internal` or `admin`
    pub interface: String,
    /// Where it stands.
    pub region_id: Option<String>,
    /// Likewise, as Keystones of old write it.
    pub region: Option<String>,
    /// Its address.
    pub url: String,
}

// === impl Credentials ===

impl Credentials {
    /// The root of Keystone's API, ending in `/v3/`.
    pub fn root(&self) -> Result<Url, InvalidCredentials> {
        if self.auth_url.is_empty() {
            return Err(InvalidCredentials::Missing("auth_url"));
        }
        v3_root(&self.auth_url)
    }

    /// The body for `POST /v3/auth/tokens`.
    pub fn request(&self) -> Result<Value, InvalidCredentials> {
        if self.application_credential_id.is_some() || self.application_credential_name.is_some() {
            let mut credential = json!({"secret": self.application_credential_secret.expose()});
            match (&self.application_credential_id, &self.application_credential_name) {
                (Some(id), _) => credential["id"] = id.as_str().into(),
                (None, name) => {
                    credential["name"] = name.as_deref().into();
                    credential["user"] = self.user()?;
                }
            }
            let identity = json!({"methods": ["application_credential"], "application_credential": credential});
            return Ok(json!({"auth": {"identity": identity}}));
        }
        let identity = if self.token.expose().is_empty() {
            let mut user = self.user()?;
            user["password"] = self.password.expose().into();
            json!({"methods": ["password"], "password": {"user": user}})
        } else {
            json!({"methods": ["token"], "token": {"id": self.token.expose()}})
        };
        Ok(json!({"auth": {"identity": identity, "scope": self.scope()?}}))
    }

    fn scope(&self) -> Result<Value, InvalidCredentials> {
        if let Some(id) = &self.trust_id {
            return Ok(json!({"OS-TRUST:trust": {"id": id}}));
        }
        if let Some(scope) = &self.system_scope {
            return Ok(json!({"system": {scope: true}}));
        }
        match (&self.domain_id, &self.domain_name) {
            (Some(id), _) => return Ok(json!({"domain": {"id": id}})),
            (None, Some(name)) => return Ok(json!({"domain": {"name": name}})),
            (None, None) => {}
        }
        let domain = self.domain(&self.project_domain_name, &self.project_domain_id);
        let project = named(&self.project_name, &self.project_id, &domain);
        Ok(json!({"project": project.ok_or(InvalidCredentials::Missing("project_name"))?}))
    }

    fn user(&self) -> Result<Value, InvalidCredentials> {
        let domain = self.domain(&self.user_domain_name, &self.user_domain_id);
        named(&self.username, &self.user_id, &domain).ok_or(InvalidCredentials::Missing("username"))
    }

    fn domain(&self, name: &Option<String>, id: &Option<String>) -> Value {
        let (default_name, default_id) = (&self.default_domain_name, &self.default_domain_id);
        match (id, name, default_id, default_name) {
            (Some(id), ..) | (None, None, Some(id), _) => json!({"id": id}),
            (None, Some(name), ..) | (None, None, None, Some(name)) => json!({"name": name}),
            (None, None, None, None) => json!({"id": "default"}),
        }
    }
}

// === impl LoginAnswer ===

impl LoginAnswer {
    /// How long the token is good for, from when it was asked for. Both times are Keystone's, so that its clock need not
    /// agree with ours.
    pub fn life(&self) -> Duration {
        (self.token.expires_at - self.token.issued_at).to_std().unwrap_or_default()
    }

    /// The services that the token is good for.
    pub fn catalog(&self) -> &[CatalogService] {
        &self.token.catalog
    }
}

/// The token that an answer to a login holds, marked as a secret.
pub fn subject_token(headers: &HeaderMap) -> Option<HeaderValue> {
    let mut token = headers.get("x-subject-token").filter(|it| !it.is_empty()).cloned()?;
    token.set_sensitive(true);
    Some(token)
}

// === impl Endpoint ===

impl Endpoint {
    fn region(&self) -> Option<&str> {
        self.region_id.as_deref().or(self.region.as_deref())
    }
}

/// `{id}` or `{name, domain}`: users and projects are named the same way.
fn named(name: &Option<String>, id: &Option<String>, domain: &Value) -> Option<Value> {
    match id {
        Some(id) => Some(json!({"id": id})),
        None => name.as_ref().map(|name| json!({"name": name, "domain": domain})),
    }
}

/// `…/v3/` of a Keystone address with or without a version.
pub fn v3_root(address: &str) -> Result<Url, InvalidCredentials> {
    let invalid = |source| InvalidCredentials::Url { url: address.to_owned(), source };
    let mut url = Url::parse(address).map_err(|e| invalid(Some(e)))?;
    if !matches!(url.scheme(), "http" | "https") || !url.has_host() {
        return Err(invalid(None));
    }
    let path = url.path().trim_end_matches('/');
    let root = ["/v3", "/v2.0"].iter().find_map(|it| path.strip_suffix(it)).unwrap_or(path);
    let path = format!("{root}/v3/");
    url.set_path(&path);
    url.set_query(None);
    url.set_fragment(None);
    Ok(url)
}

/// The address of a service; `interface` also as of old (`publicURL`).
pub fn endpoint<'a>(
    catalog: &'a [CatalogService],
    kind: &str,
    interface: &str,
    region: Option<&str>,
) -> Option<&'a Endpoint> {
    let interface = interface.trim_end_matches("URL");
    let mut fits =
        of_kind(catalog, kind).filter(|it| it.interface == interface && (region.is_none() || it.region() == region));
    fits.next()
}

/// What there is of a service, for messages: `internal in RegionTwo, public in RegionOne`; `none` without any.
pub fn offered(catalog: &[CatalogService], kind: &str) -> String {
    let mut list: Vec<String> = of_kind(catalog, kind)
        .take(MOST_OFFERED)
        .map(|it| format!("{} in {}", it.interface, it.region().unwrap_or("no region")))
        .collect();
    list.sort();
    if list.is_empty() { "none".to_owned() } else { list.join(", ") }
}

fn of_kind<'a>(catalog: &'a [CatalogService], kind: &str) -> impl Iterator<Item = &'a Endpoint> {
    catalog.iter().filter(move |it| it.kind == kind).flat_map(|it| &it.endpoints)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keystones_address_is_taken_as_people_write_it() {
        for text in ["http://h:5000", "http://h:5000/", "http://h:5000/v3", "http://h:5000/v3/", "http://h:5000/v2.0"] {
            assert_eq!(v3_root(text).unwrap().as_str(), "http://h:5000/v3/", "{text}");
        }
        assert_eq!(v3_root("https://h/identity").unwrap().as_str(), "https://h/identity/v3/");
        for text in ["", "controller:5000", "ftp://h/v3", "h"] {
            assert!(v3_root(text).is_err(), "{text}");
        }
        assert!(matches!(Credentials::default().root(), Err(InvalidCredentials::Missing("auth_url"))));
    }

    #[test]
    fn an_answer_tells_the_life_of_the_token_and_where_services_are() {
        let answer: LoginAnswer = serde_json::from_value(json!({"token": {
            "issued_at": "2026-11-22T05:00:00.000000Z", "expires_at": "2026-11-22T05:00:08.000000Z",
            "user": {"id": "u"}, "catalog": [
            {"type": "identity", "endpoints": [{"interface": "public", "region_id": "one", "url": "http://k"}]},
            {"type": "image", "endpoints": [
                {"interface": "public", "region_id": "one", "region": "one", "url": "http://one"},
                {"interface": "internal", "region_id": "two", "region": "two", "url": "http://two-internal"},
                {"interface": "public", "region": "two", "url": "http://two/image"},
            ]},
            {"type": "nowhere", "name": "x"},
        ]}}))
        .unwrap();
        assert_eq!(answer.life(), Duration::from_secs(8));
        let find = |kind: &str, interface: &str, region: Option<&str>| {
            endpoint(answer.catalog(), kind, interface, region).map(|it| it.url.as_str())
        };
        assert_eq!(find("image", "public", None), Some("http://one"));
        assert_eq!(find("image", "publicURL", Some("two")), Some("http://two/image"));
        assert_eq!(find("image", "internalURL", Some("two")), Some("http://two-internal"));
        assert_eq!(find("image", "internal", Some("one")), None);
        assert_eq!((find("image", "admin", None), find("nowhere", "public", None)), (None, None));
        assert_eq!(offered(answer.catalog(), "image"), "internal in two, public in one, public in two");
        assert_eq!(offered(answer.catalog(), "nowhere"), "none");
        // A token that never was good, and an answer that is somebody else's.
        let turned = json!({"token": {"issued_at": "2026-11-22T05:00:00Z", "expires_at": "2026-11-22T04:00:00Z"}});
        let turned: LoginAnswer = serde_json::from_value(turned).unwrap();
        assert_eq!((turned.life(), turned.catalog().len()), (Duration::ZERO, 0));
        assert!(serde_json::from_value::<LoginAnswer>(json!({"token": {}})).is_err());
        let mut headers = HeaderMap::new();
        assert_eq!(subject_token(&headers), None);
        headers.insert("x-subject-token", HeaderValue::from_static("TOKEN"));
        assert!(!format!("{:?}", subject_token(&headers).unwrap()).contains("TOKEN"));
    }

    #[test]
    fn logins_are_asked_for_as_keystone_wants_them() {
        let some = |text: &str| Some(text.to_owned());
        let user = Credentials { username: some("glance"), password: "s".into(), ..Credentials::default() };
        assert!(matches!(user.request(), Err(InvalidCredentials::Missing("project_name"))));
        let scoped = Credentials { project_name: some("service"), user_domain_name: some("D"), ..user.clone() };
        let expected = json!({"auth": {
            "identity": {"methods": ["password"], "password": {"user": {"name": "glance", "domain": {"name": "D"}, "password": "s"}}},
            "scope": {"project": {"name": "service", "domain": {"id": "default"}}},
        }});
        assert_eq!(scoped.request().unwrap(), expected);
        let system = Credentials { system_scope: some("all"), ..user.clone() };
        assert_eq!(system.request().unwrap()["auth"]["scope"], json!({"system": {"all": true}}));
        let defaults = Credentials { default_domain_name: some("E"), project_name: some("p"), ..user.clone() };
        let auth = &defaults.request().unwrap()["auth"];
        assert_eq!(auth["scope"]["project"]["domain"], json!({"name": "E"}));
        assert_eq!(auth["identity"]["password"]["user"]["domain"], json!({"name": "E"}));
        let entrusted = Credentials { trust_id: some("t"), project_name: some("p"), ..user.clone() };
        assert_eq!(entrusted.request().unwrap()["auth"]["scope"], json!({"OS-TRUST:trust": {"id": "t"}}));
        let domain = Credentials { domain_id: some("d"), ..user.clone() };
        assert_eq!(domain.request().unwrap()["auth"]["scope"], json!({"domain": {"id": "d"}}));
        let token = Credentials { token: "T".into(), project_id: some("p"), ..Credentials::default() };
        let identity = json!({"methods": ["token"], "token": {"id": "T"}});
        assert_eq!(token.request().unwrap()["auth"], json!({"identity": identity, "scope": {"project": {"id": "p"}}}));
        let application = Credentials { application_credential_id: some("i"), ..Credentials::default() };
        assert_eq!(application.request().unwrap()["auth"]["scope"], Value::Null);
        let named = Credentials { application_credential_name: some("n"), ..Credentials::default() };
        assert!(matches!(named.request(), Err(InvalidCredentials::Missing("username"))));
        assert!(!format!("{scoped:?}").contains("\"s\""));
    }
}
