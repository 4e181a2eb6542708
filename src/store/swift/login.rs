//! Logins: Keystone v3, and Swift's own (tempauth).

use super::{
    accounts::{Account, Credentials},
    fault::Fault,
    settings::SwiftSettings,
    wire::{self, Access},
};
use http::HeaderValue;
use reqwest::{Client, Response};
use serde::Deserialize;
use serde_json::json;

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

#[derive(Deserialize)]
struct Answer {
    token: Token,
}

#[derive(Deserialize)]
struct Token {
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
        let interface = match settings.endpoint_type.trim() {
            "publicURL" => "public",
            "internalURL" => "internal",
            "adminURL" => "admin",
            _ => return Err("swift_store_endpoint_type is none of publicURL, internalURL, adminURL".to_owned()),
        };
        let region = some(&settings.region);
        Ok(Self { fixed, service: settings.service_type.clone(), interface: interface.to_owned(), region })
    }

    fn find(&self, catalog: &[Service]) -> Result<String, Fault> {
        if let Some(fixed) = &self.fixed {
            return Ok(fixed.clone());
        }
        let all = catalog.iter().filter(|it| it.kind == self.service).flat_map(|it| &it.endpoints);
        let region = |it: &Endpoint| it.region_id.clone().or_else(|| it.region.clone());
        let fits =
            |it: &&Endpoint| it.interface == self.interface && (self.region.is_none() || region(it) == self.region);
        let found = all.clone().find(fits).map(|it| it.url.trim_end_matches('/').to_owned());
        found.filter(|it| it.starts_with("http")).ok_or_else(|| {
            let offered: Vec<String> =
                all.take(20).map(|it| format!("{} in {}", it.interface, region(it).unwrap_or_default())).collect();
            let (service, interface, offered) = (&self.service, &self.interface, offered.join(", "));
            Fault::settled(format!(
                "Keystone's catalogue has no {service} at interface {interface} that fits (swift_store_service_type, \
                 swift_store_endpoint_type, swift_store_region); it has: {offered}"
            ))
        })
    }
}

/// Swift's own.
pub(super) async fn first(client: &Client, account: &Account, endpoints: &Endpoints) -> Result<Access, Fault> {
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
    Ok(Access { token, storage: storage.trim_end_matches('/').to_owned() })
}

/// Keystone's.
pub(super) async fn keystone(client: &Client, account: &Account, endpoints: &Endpoints) -> Result<Access, Fault> {
    let body = match &account.credentials {
        Credentials::Password { user, key } => {
            let (project, user) = user.split_once(':').ok_or_else(|| unusable("project:user"))?;
            let user = json!({"name": user, "domain": account.domains.user, "password": key.expose()});
            json!({"auth": {
                "identity": {"methods": ["password"], "password": {"user": user}},
                "scope": {"project": {"name": project, "domain": account.domains.project}},
            }})
        }
        Credentials::Application { id, secret } => json!({"auth": {"identity": {
            "methods": ["application_credential"],
            "application_credential": {"id": id, "secret": secret.expose()},
        }}}),
    };
    let root = account.address.trim_end_matches('/');
    let root = ["/v3", "/v2.0"].iter().find_map(|it| root.strip_suffix(it)).unwrap_or(root);
    let request = client.post(format!("{root}/v3/auth/tokens")).json(&body);
    let answer = good(request.send().await.map_err(Fault::of_request)?).await?;
    let token = answer.headers().get("x-subject-token").and_then(|it| it.to_str().ok()).and_then(secret_header);
    let token = token.ok_or_else(|| Fault::new("its answer holds no token"))?;
    let answer: Answer =
        serde_json::from_slice(&wire::body(answer).await?).map_err(|_| Fault::new("its answer is not Keystone's"))?;
    Ok(Access { token, storage: endpoints.find(&answer.token.catalog)? })
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

    #[test]
    fn the_endpoint_is_that_of_region_and_interface() {
        let catalog: Vec<Service> = serde_json::from_value(json!([
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
        assert_eq!(find("two", "publicURL", "https://own/v1/AUTH_y/").unwrap(), "https://own/v1/AUTH_y");
        assert!(find("two", "adminURL", "").unwrap_err().contains("admin in one"));
        assert!(find("", "public", "").unwrap_err().contains("swift_store_endpoint_type"));
        assert!(find("", "publicURL", "own").unwrap_err().contains("swift_store_endpoint"));
    }
}
