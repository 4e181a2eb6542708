//! Keystone: who we are, where the image service is, and what happens when a token is gone.

use super::{as_user, password, put, quick, register, told, whole};
use crate::support::{
    chaos::{Chaos, Fault},
    rig::{self, Keystone},
};
use larder::remote::{ApplicationCredential, Auth, Catalogue, Password, RemoteError, Secret, Settings};
use serde_json::{Value, json};
use std::time::Duration;

/// A token got by hand, and the id of its user.
async fn raw_token(keystone: &Keystone, user: &str, project: &str) -> (String, String) {
    let body = json!({"auth": {
        "identity": {"methods": ["password"], "password": {"user": {"name": user, "domain": {"id": "default"}, "password": rig::PASSWORD}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}},
    }});
    let url = format!("{}/auth/tokens", keystone.auth_url);
    let answer = reqwest::Client::new().post(url).json(&body).send().await.unwrap().error_for_status().unwrap();
    let token = answer.headers()["x-subject-token"].to_str().unwrap().to_owned();
    let body: Value = answer.json().await.unwrap();
    (token, body["token"]["user"]["id"].as_str().unwrap().to_owned())
}

async fn revoke(keystone: &Keystone, token: &str) {
    let url = format!("{}/auth/tokens", keystone.auth_url);
    let client = reqwest::Client::new();
    let request = client.delete(url).header("x-auth-token", token).header("x-subject-token", token);
    request.send().await.unwrap().error_for_status().unwrap();
}

#[tokio::test]
async fn a_password_gives_the_endpoint_and_the_image() {
    let (Some(keystone), Some(glance)) = (rig::keystone(), rig::glance()) else { return };
    let demo = as_user(keystone, "demo", "demo");
    let data = super::noise(300_000);
    let id = put(&demo, "by demo", &data).await;
    assert!(whole(&demo, &id).await == data);
    assert!(glance.images.join(id.as_str()).is_file());
    assert_eq!(demo.describe(), format!("the image service of {}", keystone.auth_url));

    let by_id = Settings { region: Some("RegionOne".into()), interface: "internal".into(), ..quick() };
    let admin = Password {
        user_domain_name: Some("Default".into()),
        project_domain_name: Some("Default".into()),
        ..password(keystone, "admin", "admin")
    };
    let admin = Catalogue::new(Settings { auth: Auth::Password(admin), ..by_id }).unwrap();
    assert_eq!(admin.image(&id).await.unwrap().size, Some(300_000));
    // Another project does not see it; a reader sees but may not change.
    let other = as_user(keystone, "alt_demo", "alt_demo").image(&id).await.unwrap_err();
    assert!(other.is_not_found(), "{other:?}");
    let reader = as_user(keystone, "reader", "demo").delete(&id).await.unwrap_err();
    assert!(reader.is_denied() && !reader.is_transient(), "{reader:?}");
    assert!(told(&reader).contains(id.as_str()));
    demo.delete(&id).await.unwrap();
}

#[tokio::test]
async fn a_wrong_password_is_said_and_not_tried_again() {
    let Some(keystone) = rig::keystone() else { return };
    let wrong = Password { password: "not this".into(), ..password(keystone, "demo", "demo") };
    let error =
        Catalogue::new(Settings { auth: Auth::Password(wrong), ..quick() }).unwrap().images(&[]).await.unwrap_err();
    assert!(error.is_denied() && !error.is_transient());
    let text = told(&error);
    assert!(text.starts_with(&format!("logging in at {}/auth/tokens failed: ", keystone.auth_url)), "{text}");
    assert!(text.contains("401") && !text.contains("not this"), "{text}");

    let no_project = password(keystone, "demo", "nowhere");
    let error = Catalogue::new(Settings { auth: Auth::Password(no_project), ..quick() }).unwrap().images(&[]).await;
    assert!(error.unwrap_err().is_denied());
    let settings = Settings { region: Some("Mars".into()), ..quick() };
    let settings = Settings { auth: Auth::Password(password(keystone, "demo", "demo")), ..settings };
    let error = Catalogue::new(settings).unwrap().images(&[]).await.unwrap_err();
    assert!(matches!(error, RemoteError::NoEndpoint { .. }), "{error:?}");
    assert!(told(&error).contains("in region Mars; it has admin in RegionOne"), "{error}");
}

#[tokio::test]
async fn an_application_credential_is_as_good() {
    let (Some(keystone), Some(_)) = (rig::keystone(), rig::glance()) else { return };
    let (token, user) = raw_token(keystone, "demo", "demo").await;
    let body =
        json!({"application_credential": {"name": format!("node-{}", std::process::id()), "secret": "of the node"}});
    let url = format!("{}/users/{user}/application_credentials", keystone.auth_url);
    let answer = reqwest::Client::new().post(url).header("x-auth-token", &token).json(&body).send().await.unwrap();
    let made: Value = answer.error_for_status().unwrap().json().await.unwrap();
    let made = &made["application_credential"];
    let with = |credential: ApplicationCredential| {
        let auth_url = keystone.auth_url.trim_end_matches("/v3").to_owned();
        let credential = ApplicationCredential { auth_url, ..credential };
        Catalogue::new(Settings { auth: Auth::ApplicationCredential(credential), ..quick() }).unwrap()
    };
    let text = |key: &str| made[key].as_str().map(str::to_owned);
    let by_id = ApplicationCredential { id: text("id"), secret: "of the node".into(), ..Default::default() };
    let id = register(&with(by_id.clone()), "by credential").await;
    let by_name =
        ApplicationCredential { id: None, name: text("name"), username: Some("demo".into()), ..by_id.clone() };
    with(by_name).delete(&id).await.unwrap();
    let error = with(ApplicationCredential { secret: "wrong".into(), ..by_id }).images(&[]).await.unwrap_err();
    assert!(error.is_denied() && !told(&error).contains("of the node"), "{error:?}");
}

#[tokio::test]
async fn a_revoked_token_is_renewed_once_by_all_who_wait() {
    let (Some(keystone), Some(_)) = (rig::keystone(), rig::glance()) else { return };
    // All of Keystone goes through the proxy, so that logins can be counted.
    let proxy = Chaos::before(&keystone.auth_url);
    let login = Password { auth_url: proxy.url(), ..password(keystone, "fleeting", "demo") };
    let catalogue = Catalogue::new(Settings { auth: Auth::Password(login), ..quick() }).unwrap();
    let id = register(&catalogue, "waiting").await;
    assert_eq!(proxy.connections(), 1);
    // Changing a user's password, or disabling him, revokes his tokens; so does this, for all of the user's tokens.
    let (admin, _) = raw_token(keystone, "admin", "admin").await;
    let (_, user) = raw_token(keystone, "fleeting", "demo").await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    for enabled in [false, true] {
        let url = format!("{}/users/{user}", keystone.auth_url);
        let body = json!({"user": {"enabled": enabled}});
        let request = reqwest::Client::new().patch(url).header("x-auth-token", &admin).json(&body);
        request.send().await.unwrap().error_for_status().unwrap();
    }
    tokio::time::sleep(Duration::from_millis(1100)).await;
    let all = futures_util::future::join_all((0..6).map(|_| catalogue.image(&id))).await;
    all.into_iter().for_each(|it| assert_eq!(it.unwrap().status, "queued"));
    assert_eq!(proxy.connections(), 2, "one more login for six refused calls");
    catalogue.delete(&id).await.unwrap();
}

#[tokio::test]
async fn a_given_token_is_used_until_it_is_refused() {
    let (Some(keystone), Some(glance)) = (rig::keystone(), rig::glance()) else { return };
    let (token, _) = raw_token(keystone, "reader", "demo").await;
    let auth = Auth::Token(Secret::from(token.clone()));
    let catalogue = super::at(&glance.url, Settings { auth, ..quick() });
    catalogue.images(&[]).await.unwrap();
    revoke(keystone, &token).await;
    let error = catalogue.images(&[]).await.unwrap_err();
    assert!(error.is_denied(), "{error:?}");
    assert!(!told(&error).contains(&token));
}

#[tokio::test]
async fn a_keystone_that_is_away_is_worth_another_try() {
    let Some(keystone) = rig::keystone() else { return };
    let proxy = Chaos::before(&keystone.auth_url);
    let login = Password { auth_url: proxy.url(), ..password(keystone, "demo", "demo") };
    let patient = Settings { auth: Auth::Password(login), ..quick() };
    let hasty = Settings { read_timeout: Duration::from_millis(500), ..patient.clone() };
    let busy = "HTTP/1.1 503 Service Unavailable\r\nRetry-After: 7\r\nContent-Length: 0\r\nConnection: close\r\n\r\n";
    for fault in [Fault::Refuse, Fault::StallAfter(0), Fault::CutAfter(100), Fault::Answer(busy.into())] {
        proxy.always(fault.clone());
        let settings = if matches!(fault, Fault::StallAfter(_)) { &hasty } else { &patient };
        let error = Catalogue::new(settings.clone()).unwrap().images(&[]).await.unwrap_err();
        assert!(error.is_transient() && matches!(error, RemoteError::Login { .. }), "{fault:?}: {error:?}");
        let wait = (fault == Fault::Answer(busy.into())).then_some(Duration::from_secs(7));
        assert_eq!(error.retry_after(), wait, "{}", told(&error));
    }
}
