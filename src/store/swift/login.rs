//! Logins: Keystone v3, and Swift's own (tempauth).

use super::{
    accounts::{Account, Credentials},
    fault::Fault,
    settings::SwiftSettings,
    wire,
};
use crate::http::keystone::{self, CatalogService, LoginAnswer};
use http::HeaderValue;
use reqwest::{Client, Response};
use std::time::Duration;

/// Which of the URLs that Keystone names is the account's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Endpoints {
    /// In place of all of them.
    fixed: Option<String>,
    service: String,
    /// `public`, `internal`, `admin`.
    interface: String,
    region: Option<String>,
}

/// What a login gives.
pub(super) struct Fresh {
    pub(super) token: HeaderValue,
    /// The account's URL, without a slash at its end.
    pub(super) storage: String,
    /// How long the token is good for, from when it was asked for; none where that is not told.
    pub(super) life: Option<Duration>,
}

// === impl Endpoints ===

impl Endpoints {
    /// # Errors
    /// Which option is wrong.
    pub(super) fn new(settings: &SwiftSettings) -> Result<Self, String> {
        let some = |text: &str| Some(text.trim().trim_end_matches('/').to_owned()).filter(|it| !it.is_empty());
        let fixed = some(&settings.endpoint);
        if fixed.as_ref().is_some_and(|it| !it.starts_with("http://") && !it.starts_with("https://")) {
            return Err("swift_store_endpoint is no URL, such as https://swift.example.org/v1/AUTH_x".to_owned());
        }
        let interface = settings.endpoint_type.trim().trim_end_matches("URL");
        if !matches!(interface, "public" | "internal" | "admin") {
            return Err("swift_store_endpoint_type is none of publicURL, internalURL, adminURL".to_owned());
        }
        let region = some(&settings.region);
        Ok(Self { fixed, service: settings.service_type.clone(), interface: interface.to_owned(), region })
    }

    fn find(&self, catalog: &[CatalogService]) -> Result<String, Fault> {
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.clone());
        }
        let Self { service, interface, region, .. } = self;
        let found = keystone::endpoint(catalog, service, interface, region.as_deref());
        let found = found.map(|it| it.url.trim_end_matches('/').to_owned()).filter(|it| it.starts_with("http"));
        found.ok_or_else(|| {
            let offered = keystone::offered(catalog, service);
            let region = region.as_ref().map(|it| format!(" in {it}")).unwrap_or_default();
            Fault::settled(format!(
                "Keystone's catalogue has no {service} at interface {interface}{region} (swift_store_service_type, \
                 swift_store_endpoint_type, swift_store_region); it has: {offered}"
            ))
        })
    }
}

/// Swift's own.
pub(super) async fn first(client: &Client, account: &Account, endpoints: &Endpoints) -> Result<Fresh, Fault> {
    let Credentials::Password { user, key } = &account.credentials else {
        return Err(Fault::settled("an application credential is for Keystone alone"));
    };
    let header = |text: &str| secret_header(text).ok_or_else(|| unusable("user or key"));
    let request =
        client.get(&account.address).header("x-auth-user", header(user)?).header("x-auth-key", header(key.expose())?);
    let answer = good(request.send().await.map_err(Fault::of_request)?).await?;
    let get = |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok());
    let storage = endpoints.fixed.clone().or_else(|| get("x-storage-url").map(str::to_owned));
    let (Some(token), Some(storage)) = (get("x-auth-token").and_then(secret_header), storage) else {
        return Err(Fault::new("its answer holds no token, or no X-Storage-Url"));
    };
    let life = get("x-auth-token-expires").and_then(|it| it.parse().ok()).map(Duration::from_secs);
    Ok(Fresh { token, storage: storage.trim_end_matches('/').to_owned(), life })
}

/// Keystone's.
pub(super) async fn keystone(client: &Client, account: &Account, endpoints: &Endpoints) -> Result<Fresh, Fault> {
    let credentials = account.at_keystone().ok_or_else(|| unusable("project:user"))?;
    let settled = |it: keystone::InvalidCredentials| Fault::settled(it.to_string());
    let url = credentials.root().map_err(settled)?.join("auth/tokens").map_err(|_| unusable("auth address"))?;
    let request = client.post(url).json(&credentials.request().map_err(settled)?);
    let answer = good(request.send().await.map_err(Fault::of_request)?).await?;
    let token = keystone::subject_token(answer.headers()).ok_or_else(|| Fault::new("its answer holds no token"))?;
    let answer: LoginAnswer =
        serde_json::from_slice(&wire::body(answer).await?).map_err(|_| Fault::new("its answer is not Keystone's"))?;
    Ok(Fresh { token, storage: endpoints.find(answer.catalog())?, life: Some(answer.life()) })
}

/// What a server says to a login is not told: some repeat what they were sent.
async fn good(answer: Response) -> Result<Response, Fault> {
    let status = answer.status();
    if status.is_success() { Ok(answer) } else { Err(Fault::of_status(status, "")) }
}

fn secret_header(text: &str) -> Option<HeaderValue> {
    let mut value = HeaderValue::from_bytes(text.as_bytes()).ok()?;
    value.set_sensitive(true);
    Some(value)
}

fn unusable(what: &str) -> Fault {
    Fault::settled(format!("the {what} cannot be used"))
}

// === impl Fault ===

impl Fault {
    /// Of a login at this address. It says nothing of data: whatever the status, it is none of the object's.
    pub(super) fn at_login(self, address: &str) -> Self {
        let what = format!("the login at {address} fails: {}", self.words());
        if self.is_momentary() { Self::new(what) } else { Self::settled(what) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_endpoint_is_that_of_region_and_interface() {
        let catalog: Vec<CatalogService> = serde_json::from_value(json!([
            {"type": "image", "endpoints": [{"interface": "public", "region_id": "one", "url": "http://i"}]},
            {"type": "object-store", "endpoints": [
                {"interface": "admin", "region_id": "one", "url": "http://admin"},
                {"interface": "public", "region_id": "one", "url": "http://one/v1/AUTH_x/"},
                {"interface": "public", "region_id": "two", "url": "http://two/v1/AUTH_x"},
            ]},
        ]))
        .unwrap();
        let find = |region: &str, kind: &str, endpoint: &str| {
            let settings = SwiftSettings {
                region: region.to_owned(),
                endpoint_type: kind.to_owned(),
                endpoint: endpoint.to_owned(),
                ..SwiftSettings::default()
            };
            Endpoints::new(&settings)?.find(&catalog).map_err(|it| it.words().to_owned())
        };
        assert_eq!(find("", "publicURL", "").unwrap(), "http://one/v1/AUTH_x");
        assert_eq!(find("two", "publicURL", "").unwrap(), "http://two/v1/AUTH_x");
        assert_eq!(find("one", "admin", "").unwrap(), "http://admin");
        assert_eq!(find("two", "publicURL", "https://own/v1/AUTH_y/").unwrap(), "https://own/v1/AUTH_y");
        assert!(find("two", "adminURL", "").unwrap_err().contains("admin in one"));
        assert!(find("", "private", "").unwrap_err().contains("swift_store_endpoint_type"));
        assert!(find("", "publicURL", "own").unwrap_err().contains("swift_store_endpoint"));
    }
}
