//! The Swift store, on a real Swift.

mod conforms;
mod network;
mod site;

use crate::support::rig;
use larder::store::{Settings, SwiftSettings};
use serde_json::Value;
use std::time::{Duration, Instant};

const KEY: &str = "testing";

/// A store in a container of its own, by Swift's own logins. `url` is the server's, or that of a proxy before it.
fn settings(url: &str, container: &str) -> Settings {
    let swift = SwiftSettings {
        auth_version: "1".to_owned(),
        auth_address: format!("{url}/auth/v1.0"),
        user: "test:tester".to_owned(),
        key: KEY.into(),
        container: container.to_owned(),
        create_container_on_put: true,
        large_object_size: 4,
        large_object_chunk_size: 4,
        ..SwiftSettings::default()
    };
    Settings { default_store: "swift".to_owned(), swift, ..Settings::default() }
}

/// The server, started by whoever is first.
async fn server() -> Option<&'static str> {
    tokio::task::spawn_blocking(rig::swift).await.unwrap()
}

/// A look past the store: what the account answers to a request, such as `GET container?format=json`.
async fn ask(server: &str, method: &str, path: &str, headers: &[(&str, &str)], body: &str) -> (u16, String) {
    let client = reqwest::Client::new();
    let login = client.get(format!("{server}/auth/v1.0")).header("X-Auth-User", "test:tester");
    let login = login.header("X-Auth-Key", KEY).send().await.unwrap();
    let get = |name: &str| login.headers()[name].to_str().unwrap().to_owned();
    let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
    let mut request = client.request(method, format!("{}/{path}", get("x-storage-url")));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let request = request.header("X-Auth-Token", get("x-auth-token")).header("Content-Length", body.len());
    let answer = request.body(body.to_owned()).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// The names of the objects in a container.
async fn objects(server: &str, container: &str) -> Vec<String> {
    let (status, text) = ask(server, "GET", &format!("{container}?format=json"), &[], "").await;
    if status == 404 {
        return Vec::new();
    }
    let all: Vec<Value> = serde_json::from_str(&text).unwrap();
    all.iter().map(|it| it["name"].as_str().unwrap().to_owned()).collect()
}

/// Nothing is left, as soon as what was dropped is cleared away.
async fn soon_empty(server: &str, container: &str) {
    let began = Instant::now();
    loop {
        let left = objects(server, container).await;
        if left.is_empty() {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "left: {left:?}");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
