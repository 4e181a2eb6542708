use super::*;
use axum::body::Body;
use futures_util::StreamExt;
use http_body_util::BodyExt;
use std::{io::Write, time::Duration};

fn sample(length: usize) -> (std::fs::File, Vec<u8>) {
    let mut file = tempfile::tempfile().unwrap();
    let bytes: Vec<u8> = (0..length).map(|it| (it / 7 % 251) as u8).collect();
    file.write_all(&bytes).unwrap();
    (file, bytes)
}

#[tokio::test]
async fn a_file_comes_whole_and_in_parts() {
    let (file, bytes) = sample(3_500_000);
    for (from, to) in [(0, 3_500_000), (0, 1), (1_048_575, 1_048_577), (3_499_999, 3_500_000), (5, 5)] {
        let body = from_file(file.try_clone().unwrap(), from..to);
        assert_eq!(http_body::Body::size_hint(&body).exact(), Some(to - from));
        let got = body.collect().await.unwrap().to_bytes();
        assert!(got == bytes[from as usize..to as usize], "{from}..{to}");
    }
}

#[tokio::test]
async fn a_file_that_shrank_is_an_error() {
    let (file, _) = sample(1000);
    assert!(from_file(file, 0..2000).collect().await.is_err());
}

#[tokio::test]
async fn limits_are_kept() {
    let whole = collect(Body::from("12345"), 5, Duration::from_secs(1)).await.unwrap();
    assert_eq!(&whole[..], b"12345");
    let error = collect(Body::from("123456"), 5, Duration::from_secs(1)).await.unwrap_err();
    assert!(matches!(error, BodyError::TooLong(5)));
    let never = Body::from_stream(futures_util::stream::pending::<Result<bytes::Bytes, std::io::Error>>());
    let mut pieces = std::pin::pin!(idle_limited(never, Duration::from_millis(20)));
    assert!(matches!(pieces.next().await, Some(Err(BodyError::Idle(_)))));
    assert!(pieces.next().await.is_none());
}
