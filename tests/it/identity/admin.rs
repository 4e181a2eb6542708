//! What the tests do at Keystone as users and as its admin.

use crate::support::rig::PASSWORD;
use http::{Method, StatusCode};
use serde_json::{Value, json};

/// One Keystone, as its users see it.
pub(crate) struct Cloud {
    /// `http://127.0.0.1:<port>/v3`
    pub(crate) url: String,
    client: reqwest::Client,
}

/// A token, and what came with it.
pub(crate) struct Login {
    pub(crate) token: String,
    pub(crate) body: Value,
}

// === impl Cloud ===

impl Cloud {
    pub(crate) fn new(url: &str) -> Self {
        // uWSGI closes each connection; one that is used again may be gone.
        let client = reqwest::Client::builder().tls_certs_only([]).pool_max_idle_per_host(0).build().unwrap();
        Self { url: url.to_owned(), client }
    }

    pub(crate) async fn call(
        &self,
        method: Method,
        path: &str,
        token: &str,
        body: Option<Value>,
    ) -> (StatusCode, Value) {
        let mut request = self.client.request(method, format!("{}{path}", self.url)).header("x-auth-token", token);
        if let Some(body) = body {
            request = request.json(&body);
        }
        let response = request.send().await.unwrap();
        let status = response.status();
        (status, response.json().await.unwrap_or_default())
    }

    /// As [`Self::call`], and it must work.
    pub(crate) async fn done(&self, method: Method, path: &str, token: &str, body: Option<Value>) -> Value {
        let (status, body) = self.call(method, path, token, body).await;
        assert!(status.is_success(), "{path}: {status} {body}");
        body
    }

    pub(crate) async fn log_in(&self, auth: Value) -> Login {
        let response =
            self.client.post(format!("{}/auth/tokens", self.url)).json(&json!({"auth": auth})).send().await.unwrap();
        assert_eq!(response.status(), StatusCode::CREATED);
        let token = response.headers()["x-subject-token"].to_str().unwrap().to_owned();
        Login { token, body: response.json().await.unwrap() }
    }

    pub(crate) async fn project(&self, user: &str, project: &str) -> Login {
        let scope = json!({"project": {"name": project, "domain": {"id": "default"}}});
        self.log_in(json!({"identity": password(user), "scope": scope})).await
    }

    pub(crate) async fn scoped(&self, user: &str, scope: Value) -> Login {
        self.log_in(json!({"identity": password(user), "scope": scope})).await
    }

    pub(crate) async fn admin(&self) -> String {
        self.project("admin", "admin").await.token
    }

    /// A new application credential of the user behind `login`: its id; its secret is the common password.
    pub(crate) async fn credential(&self, login: &Login, more: Value) -> String {
        let user = login.body["token"]["user"]["id"].as_str().unwrap();
        let mut credential = json!({"name": unique("credential"), "secret": PASSWORD});
        credential.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        let path = format!("/users/{user}/application_credentials");
        let body = json!({"application_credential": credential});
        let answer = self.done(Method::POST, &path, &login.token, Some(body)).await;
        answer["application_credential"]["id"].as_str().unwrap().to_owned()
    }

    pub(crate) async fn by_credential(&self, id: &str) -> Login {
        let identity = json!({"methods": ["application_credential"],
            "application_credential": {"id": id, "secret": PASSWORD}});
        self.log_in(json!({"identity": identity})).await
    }

    pub(crate) async fn revoke(&self, token: &str) {
        let response = self
            .client
            .delete(format!("{}/auth/tokens", self.url))
            .header("x-auth-token", token)
            .header("x-subject-token", token)
            .send()
            .await
            .unwrap();
        assert_eq!(response.status(), StatusCode::NO_CONTENT);
    }

    /// The id of what has this name.
    pub(crate) async fn id(&self, kind: &str, name: &str) -> String {
        let answer = self.done(Method::GET, &format!("/{kind}?name={name}"), &self.admin().await, None).await;
        answer[kind][0]["id"].as_str().unwrap_or_else(|| panic!("no {kind} {name}")).to_owned()
    }

    /// A new user with these roles in project service; its name and id.
    pub(crate) async fn service_user(&self, roles: &[&str]) -> (String, String) {
        let (admin, name) = (self.admin().await, unique("service-user"));
        let body = json!({"user": {"name": name, "password": PASSWORD, "domain_id": "default"}});
        let user = self.done(Method::POST, "/users", &admin, Some(body)).await;
        let id = user["user"]["id"].as_str().unwrap().to_owned();
        let project = self.id("projects", "service").await;
        for role in roles {
            let role = self.id("roles", role).await;
            self.done(Method::PUT, &format!("/projects/{project}/users/{id}/roles/{role}"), &admin, None).await;
        }
        (name, id)
    }
}

fn password(user: &str) -> Value {
    let user = json!({"name": user, "domain": {"id": "default"}, "password": PASSWORD});
    json!({"methods": ["password"], "password": {"user": user}})
}

pub(crate) fn unique(what: &str) -> String {
    format!("{what}-{:x}", rand::random::<u64>())
}
