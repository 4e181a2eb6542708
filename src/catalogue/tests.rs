//! The whole program in one process, over HTTP.

use super::{Settings, build};
use serde_json::{Value, json};
use std::path::Path;
use tokio_util::sync::CancellationToken;

fn settings(dir: &Path) -> Settings {
    let settings = super::service::tests::settings(dir);
    Settings { bind_host: "127.0.0.1".to_owned(), bind_port: 0, ..settings }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn it_starts_answers_drains_and_starts_again() {
    let dir = tempfile::tempdir().unwrap();
    let client = reqwest::Client::new();
    let mut id = None;
    for round in 0..2 {
        let shutdown = CancellationToken::new();
        let catalogue = build(settings(dir.path())).await.unwrap();
        let images = format!("http://{}/v2/images", catalogue.address());
        let running = tokio::spawn(catalogue.run(shutdown.clone()));
        if round == 0 {
            let new = json!({"name": "a", "disk_format": "raw", "container_format": "bare", "colour": "red"});
            let made = client.post(&images).body(new.to_string()).header("content-type", "application/json");
            let made = made.send().await.unwrap();
            assert_eq!(made.status(), 201);
            let made: Value = serde_json::from_slice(&made.bytes().await.unwrap()).unwrap();
            id = made["id"].as_str().map(str::to_owned);
            let file = format!("{images}/{}/file", id.as_ref().unwrap());
            let put = client.put(file).body("data").header("content-type", "application/octet-stream");
            assert_eq!(put.send().await.unwrap().status(), 204);
        }
        let file = format!("{images}/{}/file", id.as_ref().unwrap());
        assert_eq!(client.get(file).send().await.unwrap().bytes().await.unwrap(), "data");
        let listed: Value =
            serde_json::from_slice(&client.get(&images).send().await.unwrap().bytes().await.unwrap()).unwrap();
        assert_eq!(
            (listed["images"][0]["colour"].as_str(), listed["images"].as_array().unwrap().len()),
            (Some("red"), 1)
        );
        shutdown.cancel();
        running.await.unwrap().unwrap();
    }
}

#[tokio::test]
async fn an_address_that_is_none_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let settings = Settings { bind_host: "no such host".to_owned(), ..settings(dir.path()) };
    let error = build(settings).await.err().unwrap();
    assert!(error.to_string().contains("no such host"), "{error}");
}
