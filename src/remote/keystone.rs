//! Keystone v3: a login and what its answer says.

use crate::http::keystone::{self, CatalogService, Credentials, InvalidCredentials, LoginAnswer};
use crate::remote::{
    ApplicationCredential, Auth, Password, RemoteError, Settings,
    transport::{Call, Transport, settings_error},
};
use http::HeaderValue;
use serde::Deserialize;
use std::time::Duration;
use url::Url;

/// Keystone's answer to a login.
pub(super) struct Login {
    pub(super) token: HeaderValue,
    /// How long the token is good for, by Keystone's clock.
    pub(super) lifetime: Duration,
    pub(super) endpoint: Option<Url>,
}

/// Logs in; none of `settings.auth`'s other kinds come here.
pub(super) async fn log_in(transport: &Transport, settings: &Settings) -> Result<Login, RemoteError> {
    let credentials = match &settings.auth {
        Auth::Password(it) => of_password(it),
        Auth::ApplicationCredential(it) => of_application(it)?,
        Auth::None | Auth::Token(_) => return Err(settings_error("there is nothing to log in with", None)),
    };
    let (url, body) = (tokens_url(&credentials)?, credentials.request().map_err(unusable)?);
    let call = Call::new("logging in", &url);
    let login = async {
        let request = transport.calls.post(url.clone()).timeout(transport.read_timeout * 2).json(&body);
        let response = call.check(call.send(request).await?).await?;
        let token = keystone::subject_token(response.headers());
        let token = token.ok_or_else(|| call.malformed("it holds no token"))?;
        let answer: LoginAnswer = call.json(response).await?;
        Ok((token, answer))
    };
    let (token, answer) =
        login.await.map_err(|source| RemoteError::Login { url: call.url.clone(), source: Box::new(source) })?;
    let endpoint = match &settings.endpoint {
        Some(_) => None,
        None => Some(endpoint(answer.catalog(), settings)?),
    };
    Ok(Login { token, lifetime: answer.life(), endpoint })
}

/// `…/v3/auth/tokens` of a Keystone address with or without a version.
fn tokens_url(credentials: &Credentials) -> Result<Url, RemoteError> {
    let root = credentials.root().map_err(unusable)?;
    root.join("auth/tokens").map_err(|e| settings_error("auth_url makes no address to log in at", Some(Box::new(e))))
}

fn unusable(why: InvalidCredentials) -> RemoteError {
    match why {
        InvalidCredentials::Missing(_) => settings_error(&why.to_string(), None),
        // What stands there may have a password in it.
        InvalidCredentials::Url { source, .. } => {
            settings_error("auth_url is not an http or https URL", source.map(|it| it.into()))
        }
    }
}

fn of_password(it: &Password) -> Credentials {
    Credentials {
        auth_url: it.auth_url.clone(),
        username: it.username.clone(),
        user_id: it.user_id.clone(),
        password: it.password.clone(),
        user_domain_name: it.user_domain_name.clone(),
        user_domain_id: it.user_domain_id.clone(),
        project_name: it.project_name.clone(),
        project_id: it.project_id.clone(),
        project_domain_name: it.project_domain_name.clone(),
        project_domain_id: it.project_domain_id.clone(),
        ..Credentials::default()
    }
}

fn of_application(it: &ApplicationCredential) -> Result<Credentials, RemoteError> {
    if it.id.is_none() && it.name.is_none() {
        return Err(unusable(InvalidCredentials::Missing("application_credential_id")));
    }
    Ok(Credentials {
        auth_url: it.auth_url.clone(),
        application_credential_id: it.id.clone(),
        application_credential_name: it.name.clone(),
        application_credential_secret: it.secret.clone(),
        username: it.username.clone(),
        user_id: it.user_id.clone(),
        user_domain_name: it.user_domain_name.clone(),
        user_domain_id: it.user_domain_id.clone(),
        ..Credentials::default()
    })
}

/// The URL of the service in a catalogue that Keystone gave somebody.
///
/// # Errors
/// [`RemoteError::NoEndpoint`]; the catalogue or the URL in it makes no sense.
pub(super) fn endpoint_in(catalog: &serde_json::Value, settings: &Settings) -> Result<Url, RemoteError> {
    let catalog = Vec::<CatalogService>::deserialize(catalog)
        .map_err(|e| settings_error("Keystone's catalogue is not understood", Some(Box::new(e))))?;
    endpoint(&catalog, settings)
}

/// The URL of the service in the token's catalogue.
fn endpoint(catalog: &[CatalogService], settings: &Settings) -> Result<Url, RemoteError> {
    let (kind, interface, region) = (&settings.service_type, &settings.interface, settings.region.as_deref());
    let found = keystone::endpoint(catalog, kind, interface, region).ok_or_else(|| RemoteError::NoEndpoint {
        service: kind.clone(),
        interface: interface.clone(),
        region: settings.region.clone(),
        offered: keystone::offered(catalog, kind),
    })?;
    Url::parse(&found.url)
        .map_err(|e| settings_error("the service's URL in Keystone's catalogue is not one", Some(Box::new(e))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_endpoint_that_is_missing_is_told_with_those_that_are_there() {
        let catalog: Vec<CatalogService> = serde_json::from_value(json!([
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
        assert_eq!(find(Some("two"), "publicURL").unwrap(), "http://two/image");
        let message = find(Some("three"), "admin").unwrap_err().to_string();
        assert_eq!(
            message,
            "Keystone's catalogue has no image service at interface admin in region three; it has internal in two, public in one, public in two"
        );
    }

    #[test]
    fn what_is_missing_is_named() {
        let missing = |credentials: Credentials| unusable(credentials.request().unwrap_err()).to_string();
        let empty = Password { auth_url: "http://h".into(), ..Password::default() };
        assert!(missing(of_password(&empty)).contains("username"));
        assert_eq!(tokens_url(&of_password(&empty)).unwrap().as_str(), "http://h/v3/auth/tokens");
        let user = Password { username: Some("u".into()), ..empty };
        assert!(missing(of_password(&user)).contains("project_name"));
        let none = of_application(&ApplicationCredential::default()).unwrap_err().to_string();
        assert!(none.contains("application_credential_id is missing"), "{none}");
        let wrong = Password { auth_url: "ftp://u:SECRET@h".into(), ..Password::default() };
        assert!(!format!("{:?}", tokens_url(&of_password(&wrong)).unwrap_err()).contains("SECRET"));
        let whole = Password { project_name: Some("p".into()), project_domain_id: Some("d".into()), ..user };
        let scope = &of_password(&whole).request().unwrap()["auth"]["scope"];
        assert_eq!(*scope, json!({"project": {"name": "p", "domain": {"id": "d"}}}));
    }
}
