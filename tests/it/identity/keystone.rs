//! Tokens against a real Keystone.

use crate::{
    identity::{
        admin::{Cloud, unique},
        proxy::Proxy,
    },
    support::rig,
};
use chrono::{TimeDelta, Utc};
use http::{HeaderMap, HeaderName, HeaderValue, Method};
use larder::identity::{
    Asked, Authenticator, Caller, Flavour, Refusal, Settings,
    keystone::{self, Connection, Credentials},
};
use serde_json::json;
use std::{
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::{Duration, Instant},
};

fn credentials(url: &str, user: &str) -> Credentials {
    Credentials {
        auth_url: url.to_owned(),
        username: Some(user.to_owned()),
        password: rig::PASSWORD.into(),
        project_name: Some("service".to_owned()),
        ..Credentials::default()
    }
}

fn settings(url: &str) -> Settings {
    let connection = Connection { credentials: credentials(url, "glance"), ..Connection::default() };
    let keystone = keystone::Settings { connection, ..keystone::Settings::default() };
    Settings { flavour: Flavour::Keystone, keystone, ..Settings::default() }
}

/// Asks over `proxy` only, not where Keystone's catalogue says.
fn through(proxy: &Proxy) -> Settings {
    let mut settings = settings(&format!("http://127.0.0.1:{}/v3", proxy.port));
    settings.keystone.connection.region_name = Some("elsewhere".to_owned());
    settings
}

fn port(url: &str) -> u16 {
    url::Url::parse(url).unwrap().port().unwrap()
}

async fn ask(it: &Authenticator, headers: &[(&str, &str)]) -> Result<Caller, Refusal> {
    request(it, Method::GET, "/v2/images", headers).await
}

async fn request(it: &Authenticator, method: Method, path: &str, headers: &[(&str, &str)]) -> Result<Caller, Refusal> {
    let pair =
        |(name, value): &(&str, &str)| (name.parse::<HeaderName>().unwrap(), HeaderValue::from_str(value).unwrap());
    let headers: HeaderMap = headers.iter().map(pair).collect();
    it.authenticate(&Asked { method: &method, path, headers: &headers, peer: None }).await
}

fn is_unauthorized(answer: &Result<Caller, Refusal>) -> bool {
    matches!(answer, Err(Refusal::Unauthorized { challenge: Some(_) }))
}

#[tokio::test(flavor = "multi_thread")]
async fn callers_are_who_keystone_says() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let it = Authenticator::open(settings(&keystone.auth_url)).unwrap();

    let demo = cloud.project("demo", "demo").await;
    // Identity headers of the request itself are never believed.
    let headers = [("x-auth-token", demo.token.as_str()), ("x-roles", "admin"), ("x-identity-status", "Confirmed")];
    let caller = ask(&it, &headers).await.unwrap();
    assert_eq!(caller.project.as_deref(), demo.body["token"]["project"]["id"].as_str());
    assert_eq!(caller.user.as_deref(), demo.body["token"]["user"]["id"].as_str());
    assert_eq!((caller.user_name.as_deref(), caller.user_domain.as_deref()), (Some("demo"), Some("default")));
    assert!(caller.roles.contains(&"member".to_owned()) && caller.roles.contains(&"reader".to_owned()));
    assert!(!caller.is_admin && caller.is_admin_project && caller.service.is_none() && caller.catalog.is_none());
    assert_eq!(caller.token.as_ref().map(|it| it.expose()), Some(demo.token.as_str()));
    assert!(!format!("{caller:?}").contains(&demo.token));
    assert!(ask(&it, &[("x-auth-token", &format!(" {} ", demo.token))]).await.is_ok());
    assert!(ask(&it, &[("x-storage-token", &demo.token)]).await.is_ok());

    let admin = cloud.admin().await;
    assert!(ask(&it, &[("x-auth-token", &admin)]).await.unwrap().is_admin);

    let challenge = format!("Keystone uri=\"{}\"", keystone.auth_url);
    for token in ["", "garbage", "ä", &"x".repeat(20_000), &format!("{}x", demo.token)] {
        match ask(&it, &[("x-auth-token", token)]).await {
            Err(Refusal::Unauthorized { challenge: Some(it) }) => assert_eq!(it, challenge),
            other => panic!("{token}: {other:?}"),
        }
    }
    assert!(is_unauthorized(&ask(&it, &[]).await));
    let anonymous = Settings { allow_anonymous_access: true, ..settings(&keystone.auth_url) };
    let anonymous = Authenticator::open(anonymous).unwrap();
    assert!(ask(&anonymous, &[]).await.unwrap().read_only);
    assert!(ask(&anonymous, &[("x-auth-token", "garbage")]).await.unwrap().read_only);
    assert!(!ask(&anonymous, &[("x-auth-token", &demo.token)]).await.unwrap().read_only);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_scope_is_understood() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let mut settings = settings(&keystone.auth_url);
    settings.keystone.include_service_catalog = true;
    settings.keystone.www_authenticate_uri = Some("http://public:5000".to_owned());
    let it = Authenticator::open(settings).unwrap();
    let of = async |scope| {
        let token = cloud.scoped("admin", scope).await.token;
        ask(&it, &[("x-auth-token", &token)]).await.unwrap()
    };
    let allows = |rule: &str, caller: &Caller| it.enforcer().allows(rule, &larder::identity::policy::NoTarget, caller);
    let system = of(json!({"system": {"all": true}})).await;
    assert_eq!((system.system.as_deref(), system.project.as_deref()), (Some("all"), None));
    assert!(system.is_admin && !allows("get_images", &system));
    let unscoped = of(json!("unscoped")).await;
    assert!(unscoped.roles.is_empty() && unscoped.project.is_none() && !allows("get_images", &unscoped));
    let project = of(json!({"project": {"name": "admin", "domain": {"id": "default"}}})).await;
    assert!(allows("get_images", &project));
    let catalog = project.catalog.unwrap();
    assert!(catalog.as_array().unwrap().iter().any(|it| it["type"] == "image"), "{catalog}");
    match ask(&it, &[("x-auth-token", "garbage")]).await {
        Err(Refusal::Unauthorized { challenge }) => {
            assert_eq!(challenge.as_deref(), Some("Keystone uri=\"http://public:5000\""));
        }
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn application_credentials_come_in_within_their_rules() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let demo = cloud.project("demo", "demo").await;
    let plain = cloud.by_credential(&cloud.credential(&demo, json!({})).await).await.token;
    let rules = json!([{"method": "GET", "path": "/v2/images/{id}", "service": "image"}]);
    let narrow = cloud.credential(&demo, json!({"access_rules": rules})).await;
    let narrow = cloud.by_credential(&narrow).await.token;

    let it = Authenticator::open(settings(&keystone.auth_url)).unwrap();
    assert!(ask(&it, &[("x-auth-token", &plain)]).await.is_ok());
    let narrow = [("x-auth-token", narrow.as_str())];
    assert!(request(&it, Method::GET, "/v2/images/some", &narrow).await.is_ok());
    assert!(is_unauthorized(&request(&it, Method::DELETE, "/v2/images/some", &narrow).await));
    assert!(is_unauthorized(&request(&it, Method::GET, "/v2/images", &narrow).await));
    assert!(is_unauthorized(&request(&it, Method::GET, "/v2/images/some/file", &narrow).await));
    // What only looks like a service's request opens nothing.
    let with_service = [narrow[0], ("x-service-token", "garbage")];
    assert!(is_unauthorized(&request(&it, Method::GET, "/v2/images", &with_service).await));
    let nova = cloud.project("nova", "service").await.token;
    assert!(request(&it, Method::GET, "/v2/images", &[narrow[0], ("x-service-token", &nova)]).await.is_ok());

    // The server's own login can be one too.
    let glance = cloud.project("glance", "service").await;
    let own = Credentials {
        auth_url: keystone.auth_url.clone(),
        application_credential_id: Some(cloud.credential(&glance, json!({})).await),
        application_credential_secret: rig::PASSWORD.into(),
        ..Credentials::default()
    };
    let mut settings = settings(&keystone.auth_url);
    settings.keystone.connection.credentials = own;
    settings.keystone.service_type = None;
    let it = Authenticator::open(settings).unwrap();
    assert!(ask(&it, &[("x-auth-token", &plain)]).await.is_ok());
    assert!(is_unauthorized(&request(&it, Method::GET, "/v2/images/some", &narrow).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn expired_tokens_pass_with_a_services_token_only() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let demo = cloud.project("demo", "demo").await;
    let nova = cloud.project("nova", "service").await.token;
    let it = Authenticator::open(settings(&keystone.auth_url)).unwrap();
    let mut lax = settings(&keystone.auth_url);
    lax.keystone.service_token_roles_required = false;
    let lax = Authenticator::open(lax).unwrap();
    let mut strict = settings(&keystone.auth_url);
    strict.keystone.delay_auth_decision = false;
    let strict = Authenticator::open(strict).unwrap();

    let user = ("x-auth-token", demo.token.as_str());
    let caller = ask(&it, &[user, ("x-service-token", &nova)]).await.unwrap();
    assert!(caller.service_roles().contains(&"service".to_owned()) && !caller.is_admin);
    assert!(!caller.roles.contains(&"service".to_owned()), "a service's roles are not the user's");
    assert!(ask(&it, &[user]).await.unwrap().service.is_none());
    // A token without the role is no service's, and a wrong one is ignored or refused.
    assert!(ask(&it, &[user, ("x-service-token", &demo.token)]).await.unwrap().service.is_none());
    assert!(ask(&lax, &[user, ("x-service-token", &demo.token)]).await.unwrap().service.is_some());
    assert!(ask(&it, &[user, ("x-service-token", "garbage")]).await.unwrap().service.is_none());
    assert!(is_unauthorized(&ask(&strict, &[user, ("x-service-token", "garbage")]).await));

    // Its tokens end when the credential does.
    let short_lived = async |seconds| {
        let end = Utc::now() + TimeDelta::seconds(seconds);
        let expires_at = end.format("%Y-%m-%dT%H:%M:%S").to_string();
        let credential = cloud.credential(&demo, json!({"expires_at": expires_at})).await;
        (cloud.by_credential(&credential).await.token, end)
    };
    // A busy Keystone may take longer than a short life.
    let mut lives = [8, 60].into_iter();
    let (short, end) = loop {
        let (short, end) = short_lived(lives.next().unwrap()).await;
        let answer = ask(&it, &[("x-auth-token", short.as_str())]).await;
        if answer.is_ok() {
            break (short, end);
        }
        assert!(Utc::now() >= end - TimeDelta::seconds(1), "{answer:?}");
    };
    let user = ("x-auth-token", short.as_str());
    tokio::time::sleep((end - Utc::now()).to_std().unwrap_or_default() + Duration::from_millis(100)).await;
    assert!(is_unauthorized(&ask(&it, &[user]).await), "remembered, and expired");
    assert!(is_unauthorized(&ask(&lax, &[user, ("x-service-token", &demo.token)]).await));
    assert!(ask(&it, &[user, ("x-service-token", &nova)]).await.is_ok());
    let fresh = Authenticator::open(settings(&keystone.auth_url)).unwrap();
    assert!(is_unauthorized(&ask(&fresh, &[user]).await));
    assert!(ask(&fresh, &[user, ("x-service-token", &nova)]).await.is_ok());
    assert!(is_unauthorized(&ask(&fresh, &[user]).await), "what a service may, the user still may not");
}

#[tokio::test(flavor = "multi_thread")]
async fn revoked_tokens_end_within_the_configured_time() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let with = |time: Option<Duration>| {
        let mut settings = settings(&keystone.auth_url);
        settings.keystone.token_cache_time = time;
        Authenticator::open(settings).unwrap()
    };
    let (short, never) = (with(Some(Duration::from_secs(2))), with(None));
    let token = cloud.project("demo", "demo").await.token;
    let headers = [("x-auth-token", token.as_str())];
    let asked = Instant::now();
    assert!(ask(&short, &headers).await.is_ok() && ask(&never, &headers).await.is_ok());
    cloud.revoke(&token).await;
    assert!(is_unauthorized(&ask(&never, &headers).await));
    let remembered = ask(&short, &headers).await;
    assert!(remembered.is_ok() || asked.elapsed() > Duration::from_secs(2), "{remembered:?}");
    tokio::time::sleep(Duration::from_millis(2200)).await;
    assert!(is_unauthorized(&ask(&short, &headers).await));
}

#[tokio::test(flavor = "multi_thread")]
async fn many_first_requests_ask_keystone_once() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let proxy = Proxy::start(port(&keystone.auth_url));
    let it = Arc::new(Authenticator::open(through(&proxy)).unwrap());
    let token = cloud.project("demo", "demo").await.token;
    let all = async |token: &str| {
        let tasks: Vec<_> = (0..50)
            .map(|_| {
                let (it, token) = (Arc::clone(&it), token.to_owned());
                tokio::spawn(async move { ask(&it, &[("x-auth-token", &token)]).await })
            })
            .collect();
        let mut valid = 0;
        for task in tasks {
            match task.await.unwrap() {
                Ok(_) => valid += 1,
                Err(Refusal::Unauthorized { .. }) => {}
                Err(e) => panic!("{e:?}"),
            }
        }
        valid
    };
    assert_eq!(all(&token).await, 50);
    assert_eq!(proxy.counts(), (1, 1), "logins, validations");
    assert_eq!(all("garbage").await, 0);
    assert_eq!(proxy.counts(), (1, 2));
    assert_eq!(all(&cloud.project("alt_demo", "alt_demo").await.token).await, 50);
    assert_eq!(proxy.counts(), (1, 3));
}

#[tokio::test(flavor = "multi_thread")]
async fn keystone_may_be_gone_for_a_while() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let proxy = Proxy::start(port(&keystone.auth_url));
    let mut settings = through(&proxy);
    settings.allow_anonymous_access = true;
    let it = Arc::new(Authenticator::open(settings).unwrap());
    let tokens = [
        cloud.project("demo", "demo").await.token,
        cloud.project("demo", "demo").await.token,
        cloud.project("demo", "demo").await.token,
    ];
    let of = async |at: usize| ask(&it, &[("x-auth-token", &tokens[at])]).await;
    of(0).await.unwrap();
    // A short absence is waited for.
    proxy.cut(true);
    let waiting = {
        let (it, token) = (Arc::clone(&it), tokens[1].clone());
        tokio::spawn(async move { ask(&it, &[("x-auth-token", &token)]).await })
    };
    while proxy.turned_away() == 0 {
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    proxy.cut(false);
    assert!(waiting.await.unwrap().is_ok());
    // A long one is said, also where strangers are let in; who is known goes on.
    proxy.cut(true);
    let start = Instant::now();
    assert!(matches!(of(2).await, Err(Refusal::Unavailable(_))));
    assert!(start.elapsed() < Duration::from_secs(300), "{:?}", start.elapsed());
    assert!(of(0).await.is_ok() && of(1).await.is_ok());
    proxy.cut(false);
    assert!(of(2).await.is_ok(), "a failure is not remembered");
    // Silence ends in time too.
    let mut impatient = through(&proxy);
    impatient.keystone.connection.http_connect_timeout = Duration::from_secs(1);
    let impatient = Authenticator::open(impatient).unwrap();
    proxy.silence(true);
    let start = Instant::now();
    assert!(matches!(ask(&impatient, &[("x-auth-token", &tokens[0])]).await, Err(Refusal::Unavailable(_))));
    assert!(start.elapsed() < Duration::from_secs(300), "{:?}", start.elapsed());
}

#[tokio::test]
async fn a_login_that_fails_fails_for_all_who_wait() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}/v3", listener.local_addr().unwrap());
    let tried = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&tried);
    // It ends with the test process; each connection is closed as it is made.
    std::thread::spawn(move || {
        for _ in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
        }
    });
    let mut settings = settings(&url);
    settings.keystone.connection.http_request_max_retries = 0;
    let it = Authenticator::open(settings).unwrap();
    let tokens: Vec<String> = (0..30).map(|it| format!("token-{it}")).collect();
    let headers: Vec<_> = tokens.iter().map(|it| [("x-auth-token", it.as_str())]).collect();
    let answers = futures_util::future::join_all(headers.iter().map(|headers| ask(&it, headers))).await;
    for answer in answers {
        let Err(Refusal::Unavailable(cause)) = answer else { panic!("{answer:?}") };
        assert!(cause.to_string().starts_with("logging the service user in: Keystone does not answer"), "{cause}");
    }
    // One may have come late, for the policy's files were looked at first.
    let tried = tried.load(Ordering::SeqCst);
    assert!(tried <= 3, "{tried} logins were tried");
}

#[tokio::test(flavor = "multi_thread")]
async fn the_servers_own_login_is_renewed() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let (name, id) = cloud.service_user(&["admin", "service"]).await;
    let mut settings = settings(&keystone.auth_url);
    settings.keystone.connection.credentials = credentials(&keystone.auth_url, &name);
    settings.keystone.token_cache_time = None;
    let it = Authenticator::open(settings).unwrap();
    let demo = cloud.project("demo", "demo").await.token;
    let headers = [("x-auth-token", demo.as_str())];
    assert!(ask(&it, &headers).await.is_ok());
    // Keystone no longer knows the server's token, nor the server.
    let enable = |on: bool| json!({"user": {"enabled": on}});
    let (path, admin) = (format!("/users/{id}"), cloud.admin().await);
    cloud.done(Method::PATCH, &path, &admin, Some(enable(false))).await;
    let refused = ask(&it, &headers).await;
    let Err(Refusal::Unavailable(cause)) = &refused else { panic!("{refused:?}") };
    let message = cause.to_string();
    assert!(
        message.starts_with("logging the service user in: Keystone answers 401 Unauthorized at http://127.0.0.1:"),
        "{message}"
    );
    assert!(!message.contains(rig::PASSWORD));
    cloud.done(Method::PATCH, &path, &admin, Some(enable(true))).await;
    assert!(ask(&it, &headers).await.is_ok(), "it logs in again");
    // A login that never works is no reason not to start.
    let mut wrong = through(&Proxy::start(port(&keystone.auth_url)));
    wrong.keystone.connection.credentials = credentials(&keystone.auth_url, &unique("nobody"));
    let it = Authenticator::open(wrong).unwrap();
    assert!(matches!(ask(&it, &headers).await, Err(Refusal::Unavailable(_))));
}
