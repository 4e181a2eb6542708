//! A look into a bucket, past the store: its own list requests, signed by opendal's signer.

use crate::support::rig::S3;
use futures_util::TryStreamExt;
use opendal::Operator;
use std::time::{Duration, Instant};

/// The bucket as another client sees it.
pub(in crate::stores) fn operator(server: &S3, bucket: &str) -> Operator {
    opendal::install_default();
    let service = opendal::services::S3::default()
        .endpoint(&server.url)
        .bucket(bucket)
        .region("us-east-1")
        .access_key_id(server.access)
        .secret_access_key(server.secret)
        .disable_config_load()
        .disable_ec2_metadata();
    Operator::new(service).unwrap()
}

/// The names of the objects.
pub(in crate::stores) async fn objects(server: &S3, bucket: &str) -> Vec<String> {
    let list = operator(server, bucket).lister("/").await.unwrap();
    list.map_ok(|it| it.path().to_owned()).try_collect().await.unwrap()
}

/// What the server answers to a signed request about the bucket.
pub(in crate::stores) async fn ask(server: &S3, method: &str, path_and_query: &str) -> (u16, String) {
    let signer = reqsign_core::Signer::new(
        reqsign_core::Context::new(),
        reqsign_aws_v4::StaticCredentialProvider::new(server.access, server.secret),
        reqsign_aws_v4::RequestSigner::new("s3", "us-east-1"),
    );
    let request = http::Request::builder().method(method).uri(format!("{}/{path_and_query}", server.url));
    let (mut head, ()) = request.body(()).unwrap().into_parts();
    signer.sign(&mut head, None).await.unwrap();
    let client = reqwest::Client::new();
    let answer = client.request(head.method, head.uri.to_string()).headers(head.headers).send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}

/// Uploads in parts that are not over.
pub(in crate::stores) async fn uploads(server: &S3, bucket: &str) -> usize {
    let (status, text) = ask(server, "GET", &format!("{bucket}?uploads=")).await;
    assert_eq!(status, 200, "{text}");
    text.matches("<UploadId>").count()
}

/// Nothing is left, as soon as what was dropped is cleared away.
pub(in crate::stores) async fn soon_empty(server: &S3, bucket: &str) {
    let began = Instant::now();
    loop {
        let (left, unfinished) = (objects(server, bucket).await, uploads(server, bucket).await);
        if left.is_empty() && unfinished == 0 {
            return;
        }
        assert!(began.elapsed() < Duration::from_secs(60), "left: {left:?}, and {unfinished} uploads in parts");
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}
