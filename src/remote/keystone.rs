//! Keystone v3: a login and what its answer says.

use crate::remote::{
    ApplicationCredential, Auth, Password, RemoteError, Settings,
    transport::{Call, Transport, settings_error},
};
use chrono::{DateTime, Utc};
use http::HeaderValue;
use serde::Deserialize;
use serde_json::{Value, json};
use std::time::Duration;
use url::Url;

/// Keystone's answer to a login.
pub(super) struct Login {
    pub(super) token: HeaderValue,
    /// How long the token is good for, by Keystone's clock.
    pub(super) lifetime: Duration,
    pub(super) endpoint: Option<Url>,
}

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
    expires_at: DateTime<Utc>,
    issued_at: DateTime<Utc>,
    #[serde(default)]
    catalog: Vec<Service>,
}

#[derive(Deserialize)]
struct Service {
    #[serde(rename = "type")]
    kind: String,
    #[serde(default)]
    endpoints: Vec<Endpoint>,
}

#[derive(Deserialize)]
struct Endpoint {
    interface: String,
    region_id: Option<String>,
    region: Option<String>,
    url: String,
}

/// Logs in; none of `settings.auth`'s other kinds come here.
pub(super) async fn log_in(transport: &Transport, settings: &Settings) -> Result<Login, RemoteError> {
    let (auth_url, identity, scope) = match &settings.auth {
        Auth::Password(it) => (&it.auth_url, password_identity(it)?, Some(project_scope(it)?)),
        Auth::ApplicationCredential(it) => (&it.auth_url, credential_identity(it)?, None),
        Auth::None | Auth::Token(_) => return Err(settings_error("there is nothing to log in with", None)),
    };
    let url = tokens_url(auth_url)?;
    let call = Call::new("logging in", &url);
    let mut body = json!({"auth": {"identity": identity}});
    if let Some(scope) = scope {
        body["auth"]["scope"] = scope;
    }
    let login = async {
        let request = transport.calls.post(url.clone()).timeout(transport.read_timeout * 2).json(&body);
        let response = call.check(call.send(request).await?).await?;
        let token = response.headers().get("x-subject-token").cloned();
        let mut token = token.ok_or_else(|| call.malformed("it holds no token"))?;
        token.set_sensitive(true);
        let answer: Answer = call.json(response).await?;
        Ok((token, answer.token))
    };
    let (token, answer) =
        login.await.map_err(|source| RemoteError::Login { url: call.url.clone(), source: Box::new(source) })?;
    let endpoint = match &settings.endpoint {
        Some(_) => None,
        None => Some(endpoint(&answer.catalog, settings)?),
    };
    // Both times are Keystone's, so that its clock need not agree with ours.
    let lifetime = (answer.expires_at - answer.issued_at).to_std().unwrap_or_default();
    Ok(Login { token, lifetime, endpoint })
}

/// `…/v3/auth/tokens` of a Keystone address with or without a version.
fn tokens_url(auth_url: &str) -> Result<Url, RemoteError> {
    let invalid = |why: &str| settings_error(&format!("auth_url is not an http or https URL: {why}"), None);
    let mut url = Url::parse(auth_url).map_err(|e| invalid(&e.to_string()))?;
    if !matches!(url.scheme(), "http" | "https") {
        return Err(invalid("it has another scheme"));
    }
    let path = url.path().trim_end_matches('/');
    let root = ["/v3", "/v2.0"].iter().find_map(|it| path.strip_suffix(it)).unwrap_or(path);
    let path = format!("{root}/v3/auth/tokens");
    url.set_path(&path);
    url.set_query(None);
    Ok(url)
}

fn password_identity(it: &Password) -> Result<Value, RemoteError> {
    let mut user = user(&it.username, &it.user_id, (&it.user_domain_name, &it.user_domain_id))
        .ok_or_else(|| settings_error("username (or user_id) is missing", None))?;
    user["password"] = it.password.expose().into();
    Ok(json!({"methods": ["password"], "password": {"user": user}}))
}

fn credential_identity(it: &ApplicationCredential) -> Result<Value, RemoteError> {
    let mut credential = json!({"secret": it.secret.expose()});
    if let Some(id) = &it.id {
        credential["id"] = id.as_str().into();
    } else if let Some(name) = &it.name {
        credential["name"] = name.as_str().into();
        credential["user"] = user(&it.username, &it.user_id, (&it.user_domain_name, &it.user_domain_id))
            .ok_or_else(|| settings_error("application_credential_name needs a username too", None))?;
    } else {
        return Err(settings_error("application_credential_id is missing", None));
    }
    Ok(json!({"methods": ["application_credential"], "application_credential": credential}))
}

fn project_scope(it: &Password) -> Result<Value, RemoteError> {
    let project = user(&it.project_name, &it.project_id, (&it.project_domain_name, &it.project_domain_id))
        .ok_or_else(|| settings_error("project_name (or project_id) is missing", None))?;
    Ok(json!({"project": project}))
}

/// `{id}` or `{name, domain}`: users and projects are named the same way.
fn user(name: &Option<String>, id: &Option<String>, domain: (&Option<String>, &Option<String>)) -> Option<Value> {
    if let Some(id) = id {
        return Some(json!({"id": id}));
    }
    let domain = match domain {
        (_, Some(id)) => json!({"id": id}),
        (Some(name), None) => json!({"name": name}),
        (None, None) => json!({"id": "default"}),
    };
    name.as_ref().map(|name| json!({"name": name, "domain": domain}))
}

/// The URL of the service in the token's catalogue.
fn endpoint(catalog: &[Service], settings: &Settings) -> Result<Url, RemoteError> {
    let all = || catalog.iter().filter(|it| it.kind == settings.service_type).flat_map(|it| &it.endpoints);
    let fits = |it: &&Endpoint| {
        let region = it.region_id.as_ref().or(it.region.as_ref());
        // Catalogues of old write publicURL.
        let interface = settings.interface.trim_end_matches("URL");
        it.interface == interface && (settings.region.is_none() || region == settings.region.as_ref())
    };
    let offered = || {
        let mut list: Vec<String> = all()
            .take(20)
            .map(|it| format!("{} in {}", it.interface, it.region_id.as_deref().unwrap_or("no region")))
            .collect();
        list.sort();
        if list.is_empty() { "none".to_owned() } else { list.join(", ") }
    };
    let found = all().find(fits).ok_or_else(|| RemoteError::NoEndpoint {
        service: settings.service_type.clone(),
        interface: settings.interface.clone(),
        region: settings.region.clone(),
        offered: offered(),
    })?;
    Url::parse(&found.url)
        .map_err(|e| settings_error("the service's URL in Keystone's catalogue is not one", Some(Box::new(e))))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keystones_address_is_taken_as_people_write_it() {
        for text in ["http://h:5000", "http://h:5000/", "http://h:5000/v3", "http://h:5000/v3/", "http://h:5000/v2.0"] {
            assert_eq!(tokens_url(text).unwrap().as_str(), "http://h:5000/v3/auth/tokens", "{text}");
        }
        assert_eq!(tokens_url("https://h/identity").unwrap().as_str(), "https://h/identity/v3/auth/tokens");
        for text in ["", "controller:5000", "ftp://h/v3"] {
            assert!(tokens_url(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_endpoint_is_that_of_region_and_interface() {
        let catalog: Vec<Service> = serde_json::from_value(json!([
            {"type": "identity", "endpoints": [{"interface": "public", "region_id": "one", "url": "http://k"}]},
            {"type": "image", "endpoints": [
                {"interface": "public", "region_id": "one", "region": "one", "url": "http://one"},
                {"interface": "internal", "region_id": "two", "region": "two", "url": "http://two-internal"},
                {"interface": "public", "region_id": "two", "region": "two", "url": "http://two/image"},
            ]},
        ]))
        .unwrap();
        let find = |region: Option<&str>, interface: &str| {
            let settings =
                Settings { region: region.map(str::to_owned), interface: interface.to_owned(), ..Settings::default() };
            endpoint(&catalog, &settings).map(|it| it.to_string())
        };
        assert_eq!(find(None, "public").unwrap(), "http://one/");
        assert_eq!(find(Some("two"), "publicURL").unwrap(), "http://two/image");
        assert_eq!(find(Some("two"), "internal").unwrap(), "http://two-internal/");
        let message = find(Some("three"), "admin").unwrap_err().to_string();
        assert_eq!(
            message,
            "Keystone's catalogue has no image service at interface admin in region three; it has internal in two, public in one, public in two"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let empty = Password { auth_url: "http://h".into(), ..Password::default() };
        assert!(password_identity(&empty).unwrap_err().to_string().contains("username"));
        let user = Password { username: Some("u".into()), ..empty };
        assert!(project_scope(&user).unwrap_err().to_string().contains("project_name"));
        assert!(credential_identity(&ApplicationCredential::default()).is_err());
    }
}
