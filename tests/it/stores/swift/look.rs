//! A look past the store: into an account, and into Keystone.

use super::KEY;
use crate::support::rig::{PASSWORD, SwiftSite};
use reqwest::{Client, Method, Response};
use serde_json::{Value, json};
use std::time::{Duration, Instant};

/// An account, as another client sees it; it logs in for each look.
pub(super) enum Look<'a> {
    /// The tester's, by Swift's own login at this server.
    Own(&'a str),
    /// A user's project at Keystone.
    Keystone { site: &'a SwiftSite, user: Person<'a> },
}

/// Somebody at Keystone.
#[derive(Clone, Copy)]
pub(super) struct Person<'a> {
    pub(super) project: &'a str,
    pub(super) name: &'a str,
    pub(super) password: &'a str,
    /// Its name, of both.
    pub(super) domain: &'a str,
}

/// Who keeps the images.
pub(super) const KEEPER: Person<'_> =
    Person { project: "pictures", name: "keeper", password: SwiftSite::KEY, domain: "Default" };

/// Of the same name, in another domain.
pub(super) const NORTHERN: Person<'_> = Person { password: SwiftSite::NORTHERN_KEY, domain: "north", ..KEEPER };

/// Who may everything.
pub(super) const ADMIN: Person<'_> = Person { project: "admin", name: "admin", password: PASSWORD, domain: "Default" };

/// A token, and what Keystone says of it.
pub(super) struct Token {
    pub(super) text: String,
    pub(super) says: Value,
}

// === impl Look ===

impl<'a> Look<'a> {
    pub(super) fn of(site: &'a SwiftSite, user: Person<'a>) -> Self {
        Self::Keystone { site, user }
    }

    async fn access(&self) -> (String, String) {
        match self {
            Self::Own(server) => {
                let login = Client::new().get(format!("{server}/auth/v1.0")).header("X-Auth-User", "test:tester");
                let login = login.header("X-Auth-Key", KEY).send().await.unwrap();
                let get = |name: &str| login.headers()[name].to_str().unwrap().to_owned();
                (get("x-storage-url"), get("x-auth-token"))
            }
            Self::Keystone { site, user } => {
                let token = log_in(site, *user).await;
                let project = token.says["token"]["project"]["id"].as_str().unwrap();
                (format!("{}/v1/AUTH_{project}", site.url), token.text)
            }
        }
    }

    /// The account's URL.
    pub(super) async fn storage(&self) -> String {
        self.access().await.0
    }

    /// What the account answers to a request, such as `GET container?format=json`.
    pub(super) async fn ask(&self, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
        let (storage, token) = self.access().await;
        let url = if path.is_empty() { storage } else { format!("{storage}/{path}") };
        let mut request = Client::new().request(Method::from_bytes(method.as_bytes()).unwrap(), url);
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request.header("X-Auth-Token", token).header("Content-Length", body.len());
        let answer = request.body(body.to_owned()).send().await.unwrap();
        (answer.status().as_u16(), answer.text().await.unwrap())
    }

    /// The names of the objects in a container; with an empty one, of the containers.
    pub(super) async fn objects(&self, container: &str) -> Vec<String> {
        let (status, text) = self.ask("GET", &format!("{container}?format=json"), &[], "").await;
        if status == 404 || status == 204 {
            return Vec::new();
        }
        let all: Vec<Value> = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{status} {text}: {e}"));
        all.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
    }

    /// Nothing is left, as soon as what was dropped is cleared away.
    pub(super) async fn soon_empty(&self, container: &str) {
        let began = Instant::now();
        loop {
            let left = self.objects(container).await;
            if left.is_empty() {
                return;
            }
            assert!(began.elapsed() < Duration::from_secs(60), "left: {left:?}");
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    }
}

pub(super) async fn log_in(site: &SwiftSite, user: Person<'_>) -> Token {
    let domain = json!({"name": user.domain});
    let login = json!({"auth": {
        "identity": {"methods": ["password"], "password": {
            "user": {"name": user.name, "domain": domain, "password": user.password},
        }},
        "scope": {"project": {"name": user.project, "domain": domain}},
    }});
    let answer = Client::new().post(format!("{}/auth/tokens", site.auth_url)).json(&login).send().await.unwrap();
    assert_eq!(answer.status(), 201, "{}", answer.text().await.unwrap());
    let text = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    Token { text, says: answer.json().await.unwrap() }
}

/// What Keystone answers to the administrator; `path` is below `/v3/`.
pub(super) async fn keystone(site: &SwiftSite, method: Method, path: &str, body: &Value) -> Value {
    let token = log_in(site, ADMIN).await.text;
    let request = Client::new().request(method, format!("{}/{path}", site.auth_url)).header("X-Auth-Token", token);
    let answer: Response = request.json(body).send().await.unwrap();
    let (status, text) = (answer.status(), answer.text().await.unwrap());
    assert!(status.is_success(), "{path}: {status} {text}");
    serde_json::from_str(&text).unwrap_or_default()
}
