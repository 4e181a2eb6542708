//! Uploads that outlive what allowed them.

use super::keystone::behind;
use crate::{
    api::Server,
    identity::admin::Cloud,
    support::{rig, wait_until},
};
use serde_json::json;
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

const LIMIT: Duration = Duration::from_secs(120);

/// `PUT …/file` in chunks, as long as the client likes.
struct SlowUpload(TcpStream);

// === impl SlowUpload ===

impl SlowUpload {
    fn begin(server: &Server, id: &str, token: &str) -> Self {
        let mut stream = TcpStream::connect(server.address).unwrap();
        stream.set_read_timeout(Some(LIMIT)).unwrap();
        let head = format!(
            "PUT /v2/images/{id}/file HTTP/1.1\r\nHost: x\r\nConnection: close\r\nX-Auth-Token: {token}\r\n\
             Content-Type: application/octet-stream\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nfirst\r\n"
        );
        stream.write_all(head.as_bytes()).unwrap();
        Self(stream)
    }

    /// The answer.
    fn end(mut self) -> String {
        // A refusal may have closed it.
        let _ = self.0.write_all(b"4\r\nlast\r\n0\r\n\r\n");
        let mut answer = Vec::new();
        let _ = self.0.read_to_end(&mut answer);
        String::from_utf8_lossy(&answer).into_owned()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_upload_goes_on_when_its_token_has_expired() {
    let Some(keystone) = rig::hasty_keystone(20) else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let server = behind(&keystone);
    let fields = json!({"name": "x", "disk_format": "raw", "container_format": "bare"}).to_string();
    let fresh = async || cloud.project("demo", "demo").await.token;
    let ask = |token: &str, method: &str, path: &str, body: &[u8]| {
        server.ask(method, path, &[("X-Auth-Token", token), ("Content-Type", "application/json")], body)
    };
    let made = ask(&fresh().await, "POST", "/v2/images", fields.as_bytes());
    let image = format!("/v2/images/{}", made.json()["id"].as_str().unwrap());
    // A busy machine may be so slow that a token expires before the request has come in.
    let status = async || {
        for _ in 0..10 {
            let answer = ask(&fresh().await, "GET", &image, b"");
            if answer.status != 401 {
                return answer.json()["status"].as_str().unwrap().to_owned();
            }
        }
        panic!("tokens expire before they are used");
    };

    let mut under_way = None;
    for _ in 0..10 {
        let token = fresh().await;
        let upload = SlowUpload::begin(&server, image.rsplit('/').next().unwrap(), &token);
        let gone = |token: &str| ask(token, "GET", "/v2/images", b"").status == 401;
        while status().await != "saving" && !gone(&token) {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
        if status().await == "saving" {
            wait_until("the token has expired", LIMIT, || gone(&token));
            under_way = Some(upload);
            break;
        }
    }
    let upload = under_way.expect("no upload began within its token's life");
    assert_eq!(status().await, "saving");
    let answer = upload.end();
    assert!(answer.starts_with("HTTP/1.1 204 "), "{answer}");
    assert_eq!(status().await, "active");
    let file = ask(&fresh().await, "GET", &format!("{image}/file"), b"");
    assert_eq!((file.status, file.body.as_slice()), (200, b"firstlast".as_slice()));
}
