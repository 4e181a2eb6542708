//! Where this server goes for an import, and what it makes of what it finds there.

use super::fetch::{FetchError, open};
use crate::store::ImportFiltering;
use bytes::Bytes;
use futures_util::TryStreamExt;
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpListener,
    thread,
};

/// A web server that sends what `answer` makes of the number of a request and of its head, and then hangs up.
fn server(answer: impl Fn(usize, &str) -> Vec<u8> + Send + 'static) -> String {
    let listener = TcpListener::bind(("127.0.0.1", 0)).unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    thread::spawn(move || {
        for (at, stream) in listener.incoming().flatten().enumerate() {
            let lines = BufReader::new(&stream).lines().map_while(Result::ok).take_while(|it| !it.is_empty());
            let head = lines.collect::<Vec<_>>().join("\n").to_lowercase();
            // The client may not want all of it.
            let _ = (&stream).write_all(&answer(at, &head));
        }
    });
    url
}

async fn fetch(url: &str, cap: u64) -> Result<Vec<u8>, FetchError> {
    let rules = ImportFiltering {
        allowed_hosts: vec!["127.0.0.1".to_owned()],
        allowed_ports: Vec::new(),
        ..ImportFiltering::default()
    };
    let opened = open(&rules, url, cap).await?;
    let pieces: Vec<Bytes> = opened.read().try_collect().await?;
    Ok(pieces.concat())
}

/// A part of 300 bytes, of which `sent` come.
fn part(from: usize, sent: usize, more: &str) -> Vec<u8> {
    let data: Vec<u8> = (0..300).map(|it| (it % 251) as u8).collect();
    let (status, range) = match from {
        0 => ("200 OK", String::new()),
        _ => ("206 Partial", format!("Content-Range: bytes {from}-299/300\r\n")),
    };
    let head = format!("HTTP/1.1 {status}\r\nContent-Length: {}\r\n{range}{more}\r\n", 300 - from);
    [head.as_bytes(), &data[from..from + sent]].concat()
}

#[tokio::test]
async fn what_breaks_off_is_taken_up_again() {
    let url = server(|at, head| match at {
        0 => part(0, 100, "ETag: \"one\"\r\n"),
        1 => {
            assert!(head.contains("range: bytes=100-") && head.contains("if-range: \"one\""), "{head}");
            part(100, 50, "")
        }
        _ => part(150, 150, ""),
    });
    let whole: Vec<u8> = (0..300).map(|it| (it % 251) as u8).collect();
    assert_eq!(fetch(&url, 300).await.unwrap(), whole);
}

#[tokio::test]
async fn what_cannot_be_taken_up_again_is_no_data() {
    // Nobody can tell whether it would be the same data.
    let nameless = server(|_, _| part(0, 100, ""));
    assert!(matches!(fetch(&nameless, 300).await, Err(FetchError::Broken { .. })));
    let changed = server(|at, _| part(0, if at == 0 { 100 } else { 300 }, "ETag: \"one\"\r\n"));
    assert!(matches!(fetch(&changed, 300).await, Err(FetchError::NoRest { at: 100, .. })));
    let other = server(|at, _| if at == 0 { part(0, 100, "ETag: \"one\"\r\n") } else { part(90, 210, "") });
    assert!(matches!(fetch(&other, 300).await, Err(FetchError::NoRest { at: 100, .. })));
}

#[tokio::test]
async fn redirects_are_judged_and_bounded() {
    let redirect = |to: &str| format!("HTTP/1.1 302 x\r\nLocation: {to}\r\nContent-Length: 0\r\n\r\n").into_bytes();
    for to in ["http://127.0.0.2/x", "http://[::1]/x", "http://2130706434/x", "//0.0.0.0/x", "file:///etc/passwd"] {
        let url = server(move |_, _| redirect(to));
        assert!(matches!(fetch(&url, 300).await, Err(FetchError::NotAllowed(_))), "{to}");
    }
    let url = server(move |_, _| redirect("/again"));
    assert!(matches!(fetch(&url, 300).await, Err(FetchError::Circle(_))));
    let url = server(move |at, _| if at == 0 { redirect("/there?x=1") } else { part(0, 300, "") });
    assert_eq!(fetch(&url, 300).await.unwrap().len(), 300);
}

#[tokio::test]
async fn other_answers_are_no_data() {
    let url = server(|_, _| b"HTTP/1.1 403 x\r\nContent-Length: 0\r\n\r\n".to_vec());
    assert!(matches!(fetch(&url, 300).await, Err(FetchError::Status { status: 403, .. })));
    let url = server(|_, _| part(0, 300, ""));
    assert!(matches!(fetch(&url, 299).await, Err(FetchError::TooLarge { size: 300, cap: 299, .. })));
    assert!(matches!(fetch("nonsense", 1).await, Err(FetchError::NoAddress(_))));
    let secret = fetch("http://user:secret@127.0.0.3/x?key=secret", 1).await.unwrap_err();
    assert!(!secret.to_string().contains("secret"));
}
