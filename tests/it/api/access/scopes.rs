//! Tokens that are not for a project, at a catalogue and at a real Glance.

use super::keystone::behind;
use crate::{
    api::exchange,
    identity::admin::Cloud,
    support::rig::{self, Keystone},
};
use http::Method;
use serde_json::json;
use std::net::SocketAddr;

/// What a token is for, and the token.
type Scoped = (&'static str, String);

async fn tokens(keystone: &Keystone) -> Vec<Scoped> {
    let cloud = Cloud::new(&keystone.auth_url);
    let admin = cloud.admin().await;
    let (name, id) = cloud.service_user(&["admin", "service"]).await;
    let role = cloud.id("roles", "admin").await;
    cloud.done(Method::PUT, &format!("/domains/default/users/{id}/roles/{role}"), &admin, None).await;
    let scoped = async |user: &str, scope| cloud.scoped(user, scope).await.token;
    vec![
        ("the system", scoped("admin", json!({"system": {"all": true}})).await),
        ("a domain", scoped(&name, json!({"domain": {"id": "default"}})).await),
        ("nothing", scoped("demo", json!("unscoped")).await),
        ("a project, of its reader", cloud.project("reader", "demo").await.token),
        ("a project, of a member", cloud.project("demo", "demo").await.token),
        ("a project, of a service", cloud.project("nova", "service").await.token),
        ("a project, of an admin", admin),
        ("nobody", "garbage".to_owned()),
    ]
}

/// Each question's status, for each token.
fn answers(at: SocketAddr, tokens: &[Scoped]) -> Vec<String> {
    let image = json!({"name": "scoped", "disk_format": "raw", "container_format": "bare"}).to_string();
    let public = json!({"name": "scoped", "visibility": "public"}).to_string();
    let questions = [
        ("GET", "/v2/images?limit=1", ""),
        ("GET", "/v2/images?visibility=all&limit=1", ""),
        ("GET", "/v2/images/00000000-0000-4000-8000-000000000000", ""),
        ("GET", "/v2/tasks", ""),
        ("GET", "/v2/metadefs/namespaces?limit=1", ""),
        ("GET", "/v2/metadefs/namespaces/nothing", ""),
        ("GET", "/v2/metadefs/resource_types", ""),
        ("GET", "/v2/schemas/image", ""),
        ("GET", "/v2/info/import", ""),
        ("DELETE", "/v2/metadefs/namespaces/nothing", ""),
        ("POST", "/v2/images", image.as_str()),
        ("POST", "/v2/images", public.as_str()),
    ];
    let mut answers = Vec::new();
    for (scope, token) in tokens {
        for (method, path, body) in questions {
            let headers = [("X-Auth-Token", token.as_str()), ("Content-Type", "application/json")];
            let kind = if body.is_empty() { 1 } else { 2 };
            let answer = exchange(at, method, path, &headers[..kind], body.as_bytes());
            answers.push(format!("{scope}: {method} {path} {body}: {}", answer.status));
            if answer.status == 201 {
                let made = format!("/v2/images/{}", answer.json()["id"].as_str().unwrap());
                assert_eq!(exchange(at, "DELETE", &made, &headers[..1], b"").status, 204);
            }
        }
    }
    answers
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_good_for_what_it_is_at_glance() {
    let (Some(keystone), Some(glance)) = (rig::keystone(), rig::glance()) else { return };
    let tokens = tokens(keystone).await;
    let compared = tokio::task::spawn_blocking(move || {
        let server = behind(keystone);
        let theirs = glance.url.trim_start_matches("http://").parse().unwrap();
        (answers(server.address, &tokens), answers(theirs, &tokens))
    });
    let (ours, theirs) = compared.await.unwrap();
    assert_eq!(ours, theirs);
}
