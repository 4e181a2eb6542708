//! Real sockets, and clients that behave badly.

use super::*;
use crate::http::{Peer, body};
use axum::{
    Extension, Router,
    body::Body,
    extract::Request,
    routing::{get, put},
};
use futures_util::StreamExt;
use http::StatusCode;
use std::{net::SocketAddr, time::Instant};
use tokio::{
    io::{AsyncReadExt, AsyncWriteExt},
    net::{TcpStream, UnixStream},
    task::JoinHandle,
};
use tokio_util::sync::{CancellationToken, DropGuard};

/// How long to wait on a busy machine for what comes at once elsewhere.
const PATIENCE: Duration = Duration::from_secs(60);

struct Server {
    address: SocketAddr,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
    _stop: DropGuard,
}

fn quick() -> Settings {
    Settings {
        header_timeout: Duration::from_millis(300),
        keep_alive_timeout: Duration::from_millis(600),
        body_timeout: Duration::from_millis(500),
        max_header_bytes: 8192,
        drain_timeout: Duration::from_millis(800),
        ..Settings::default()
    }
}

fn router() -> Router {
    Router::new()
        .route("/", get(|| async { "hello" }))
        .route("/peer", get(|Extension(peer): Extension<Peer>| async move { peer.to_string() }))
        .route("/panic", get(async || -> &'static str { panic!("on purpose") }))
        .route("/slow", get(async || (tokio::time::sleep(Duration::from_millis(400)).await, "done").1))
        .route("/refused", put(async || StatusCode::CONFLICT))
        .route("/endless", get(async || Body::from_stream(futures_util::stream::repeat_with(block))))
        .route("/count", put(count))
}

fn block() -> Result<bytes::Bytes, std::io::Error> {
    Ok(bytes::Bytes::from_static(&[7; 65536]))
}

async fn count(request: Request) -> (StatusCode, String) {
    let mut pieces = std::pin::pin!(body::idle_limited(request.into_body(), PATIENCE));
    let mut total = 0;
    while let Some(piece) = pieces.next().await {
        match piece {
            Ok(piece) => total += piece.len(),
            Err(error) => return (StatusCode::BAD_REQUEST, error.to_string()),
        }
    }
    (StatusCode::OK, total.to_string())
}

fn start(settings: Settings) -> Server {
    start_with(settings, router(), CancellationToken::new())
}

fn start_with(settings: Settings, router: Router, shutdown: CancellationToken) -> Server {
    let listener = Listener::bind_tcp(SocketAddr::from(([127, 0, 0, 1], 0)), BACKLOG).unwrap();
    let address = listener.address().unwrap();
    let task = tokio::spawn(serve(vec![listener], router, settings, shutdown.clone()));
    Server { address, shutdown: shutdown.clone(), task, _stop: shutdown.drop_guard() }
}

/// Sends `text`, and reads until the server closes; with the time that took.
async fn talk(server: &Server, text: &str) -> (String, Duration) {
    let began = Instant::now();
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(text.as_bytes()).await.unwrap();
    let mut answer = Vec::new();
    let _ = tokio::time::timeout(PATIENCE, stream.read_to_end(&mut answer)).await.expect("still open");
    (String::from_utf8_lossy(&answer).into_owned(), began.elapsed())
}

fn request(method: &str, path: &str, rest: &str) -> String {
    format!("{method} {path} HTTP/1.1\r\nHost: x\r\n{rest}\r\n")
}

#[tokio::test]
async fn answers_and_closes_idle_connections() {
    let server = start(quick());
    let (answer, took) = talk(&server, &request("GET", "/", "")).await;
    assert!(answer.starts_with("HTTP/1.1 200 OK") && answer.ends_with("hello"), "{answer}");
    assert!(took >= Duration::from_millis(550) && took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn closes_silent_and_half_requests() {
    let server = start(quick());
    let (answer, took) = talk(&server, "").await;
    assert!(answer.is_empty() && took >= Duration::from_millis(550), "{answer} {took:?}");
    let (_, took) = talk(&server, "GET / HTTP/1.1\r\nHost: x\r\nX-A: ").await;
    assert!(took >= Duration::from_millis(280) && took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn a_dripped_header_has_no_more_time_than_another() {
    let server = start(quick());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let began = Instant::now();
    let mut sent = 0;
    while stream.write_all(b"G").await.is_ok() && began.elapsed() < PATIENCE {
        sent += 1;
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    assert!(began.elapsed() < PATIENCE, "{sent} bytes in {:?}", began.elapsed());
}

#[tokio::test]
async fn the_second_request_of_a_connection_has_its_own_time() {
    let server = start(Settings { keep_alive_timeout: PATIENCE, ..quick() });
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    for _ in 0..3 {
        stream.write_all(request("GET", "/slow", "").as_bytes()).await.unwrap();
        let mut answer = [0; 1024];
        let count = stream.read(&mut answer).await.unwrap();
        assert!(answer[..count].ends_with(b"done"));
        tokio::time::sleep(Duration::from_millis(250)).await;
    }
}

#[tokio::test]
async fn refuses_huge_and_many_headers() {
    let server = start(quick());
    let huge = format!("X-Long: {}\r\n", "a".repeat(20_000));
    let (answer, _) = talk(&server, &request("GET", "/", &huge)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
    let many: String = (0..200).map(|it| format!("X-{it}: a\r\n")).collect();
    let (answer, _) = talk(&server, &request("GET", "/", &many)).await;
    assert!(answer.starts_with("HTTP/1.1 431"), "{answer}");
}

#[tokio::test]
async fn refuses_what_is_not_http() {
    let server = start(quick());
    let both = "Content-Length: 5\r\nContent-Length: 6\r\n";
    for text in ["\x16\x03\x01\x02\r\n\r\n", "GET\r\n\r\n", &request("PUT", "/count", both), "GET / HTTP/9\r\n\r\n"] {
        let (answer, took) = talk(&server, text).await;
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400"), "{answer}");
        assert!(took < PATIENCE);
    }
}

#[tokio::test]
async fn a_stalled_body_is_an_error_of_the_body() {
    let server = start(quick());
    let (answer, took) = talk(&server, &request("PUT", "/count", "Content-Length: 100\r\n")).await;
    assert!(answer.contains("400") && answer.contains("no data"), "{answer}");
    assert!(took < PATIENCE, "{took:?}");
}

#[tokio::test]
async fn a_short_body_is_an_error_of_the_body() {
    let server = start(quick());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    stream.write_all(request("PUT", "/count", "Content-Length: 100\r\n").as_bytes()).await.unwrap();
    stream.write_all(b"short").await.unwrap();
    stream.shutdown().await.unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer).await;
    assert!(!answer.contains("200 OK"), "{answer}");
}

#[tokio::test]
async fn bodies_arrive_whole() {
    let server = start(quick());
    let chunked = "Transfer-Encoding: chunked\r\n\r\n5\r\nhello\r\n6\r\n world\r\n0\r\n";
    let (answer, _) = talk(&server, &request("PUT", "/count", chunked)).await;
    assert!(answer.ends_with("\r\n\r\n11"), "{answer}");
    let known = "Content-Length: 5\r\n\r\nhello";
    let (answer, _) = talk(&server, &request("PUT", "/count", known)).await;
    assert!(answer.contains("\r\n\r\n5"), "{answer}");
}

#[tokio::test]
async fn a_refused_upload_still_gets_its_answer() {
    let server = start(quick());
    let mut stream = TcpStream::connect(server.address).await.unwrap();
    let size = 8 << 20;
    let head = request("PUT", "/refused", &format!("Content-Length: {size}\r\n"));
    stream.write_all(head.as_bytes()).await.unwrap();
    stream.write_all(&vec![1; size]).await.unwrap();
    let mut answer = [0; 1024];
    let count = stream.read(&mut answer).await.unwrap();
    assert!(answer[..count].starts_with(b"HTTP/1.1 409"));
}

#[tokio::test]
async fn a_panic_is_a_500() {
    let server = start(quick());
    let (answer, _) = talk(&server, &request("GET", "/panic", "")).await;
    assert!(answer.starts_with("HTTP/1.1 500"), "{answer}");
    assert!(talk(&server, &request("GET", "/", "")).await.0.ends_with("hello"));
}

#[tokio::test]
async fn an_answer_that_nobody_takes_is_cut() {
    let server = start(Settings { max_connections: 1, ..quick() });
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    let began = Instant::now();
    greedy.write_all(request("GET", "/endless", "").as_bytes()).await.unwrap();
    // The only place is taken until the greedy one, which came first, is cut.
    let (answer, _) = talk(&server, &request("GET", "/", "")).await;
    assert!(answer.ends_with("hello"), "{answer}");
    assert!(began.elapsed() >= Duration::from_millis(450), "{:?}", began.elapsed());
}

#[tokio::test]
async fn the_surplus_waits() {
    let server = start(Settings { max_connections: 2, ..quick() });
    let began = Instant::now();
    let slow = request("GET", "/slow", "");
    let all = futures_util::future::join_all((0..6).map(|_| talk(&server, &slow))).await;
    assert!(all.iter().all(|(answer, _)| answer.ends_with("done")), "{all:?}");
    assert!(began.elapsed() >= Duration::from_millis(1100), "{:?}", began.elapsed());
}

#[tokio::test]
async fn drains() {
    let shutdown = CancellationToken::new();
    let end = shutdown.clone();
    // The end comes while the request is being answered.
    let ending = async move || {
        end.cancel();
        tokio::time::sleep(Duration::from_millis(100)).await;
        "done"
    };
    let server =
        start_with(Settings { drain_timeout: PATIENCE, ..quick() }, router().route("/ending", get(ending)), shutdown);
    let mut idle = TcpStream::connect(server.address).await.unwrap();
    idle.write_all(request("GET", "/", "").as_bytes()).await.unwrap();
    let address = server.address;
    let slow = talk(&server, &request("GET", "/ending", "")).await;
    assert!(slow.0.ends_with("done"), "{}", slow.0);
    server.task.await.unwrap();
    assert!(TcpStream::connect(address).await.is_err());
}

#[tokio::test]
async fn the_drain_has_a_deadline() {
    let server = start(quick());
    let mut greedy = TcpStream::connect(server.address).await.unwrap();
    greedy.write_all(request("GET", "/endless", "").as_bytes()).await.unwrap();
    let mut buffer = vec![0; 1024];
    greedy.read_exact(&mut buffer).await.unwrap();
    let reader = tokio::spawn(async move { while greedy.read(&mut buffer).await.is_ok_and(|it| it > 0) {} });
    let began = Instant::now();
    server.shutdown.cancel();
    server.task.await.unwrap();
    assert!(began.elapsed() >= Duration::from_millis(750) && began.elapsed() < PATIENCE);
    reader.await.unwrap();
}

#[tokio::test]
async fn a_unix_peer_is_known_and_a_dead_socket_replaced() {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("sock");
    drop(Listener::bind_unix(&path).unwrap());
    let listener = Listener::bind_unix(&path).unwrap();
    let shutdown = CancellationToken::new();
    let task = tokio::spawn(serve(vec![listener], router(), quick(), shutdown.clone()));
    assert!(matches!(Listener::bind_unix(&path), Err(BindError::Unix { .. })));
    let mut stream = UnixStream::connect(&path).await.unwrap();
    stream.write_all(request("GET", "/peer", "Connection: close\r\n").as_bytes()).await.unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).await.unwrap();
    assert!(answer.contains(&format!("uid {}", nix::unistd::getuid())), "{answer}");
    shutdown.cancel();
    task.await.unwrap();
}
