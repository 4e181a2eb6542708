//! Clients that mean harm, or are broken.

use super::{Server, requests::raw};
use std::{
    io::{Read, Write},
    net::TcpStream,
    time::{Duration, Instant},
};

#[test]
fn documents_are_bounded() {
    let server = Server::start();
    let huge = format!(r#"{{"name": "{}"}}"#, "a".repeat(2 << 20));
    server.ask("POST", "/v2/images", &[], huge.as_bytes()).refuses(413, "longer than");
    let deep = "[".repeat(100_000);
    server.ask("POST", "/v2/images", &[], deep.as_bytes()).refuses(400, "Malformed JSON");
}

#[test]
fn headers_are_bounded() {
    let server = Server::start();
    let long = "a".repeat(100_000);
    assert_eq!(server.ask("GET", "/v2/images", &[("X-Long", &long)], b"").status, 431);
    let long = format!("/v2/images?name={}", "a".repeat(100_000));
    assert!([414, 431].contains(&server.get(&long).status));
}

#[test]
fn a_lying_length_is_noticed() {
    let server = Server::start();
    let request = format!("POST /v2/images HTTP/1.1\r\nHost: {}\r\nContent-Length: 50\r\n\r\n{{}}", server.address);
    let mut stream = TcpStream::connect(server.address).unwrap();
    stream.write_all(request.as_bytes()).unwrap();
    stream.shutdown(std::net::Shutdown::Write).unwrap();
    let mut answer = String::new();
    let _ = stream.read_to_string(&mut answer);
    assert!(!answer.contains("201"), "{answer}");
    assert_eq!(server.get("/v2/images").json()["images"].as_array().unwrap().len(), 0);
    for length in ["-1", "x", "5, 6", "99999999999999999999999"] {
        let request = format!("POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{{}}");
        assert_eq!(raw(server.address, request.as_bytes()).status, 400, "{length}");
    }
}

#[test]
fn smuggled_requests_are_refused_or_cut() {
    let server = Server::start();
    let both = "POST /v2/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n";
    let answer = raw(server.address, both.as_bytes());
    assert_eq!(answer.status, 400, "{answer:?}");
}

#[test]
fn paths_do_not_climb() {
    let server = Server::start();
    for path in [
        "/v2/images/../images",
        "/v2/images/..%2f..%2fetc%2fpasswd",
        "/v2/images/%00",
        "/v2/images/%ff%fe",
        "/v2/images/%2e%2e/file",
        "/v2//images",
        "/v2/images//file",
    ] {
        let answer = server.get(path);
        assert_eq!(answer.status, 404, "{path}: {answer:?}");
    }
}

#[test]
fn a_silent_client_does_not_keep_others_waiting() {
    let server = Server::start();
    let mut silent: Vec<_> = (0..50).map(|_| TcpStream::connect(server.address).unwrap()).collect();
    for stream in &mut silent {
        stream.write_all(b"POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: 10\r\n\r\n{").unwrap();
    }
    let began = Instant::now();
    assert_eq!(server.get("/v2/images").status, 200);
    assert!(began.elapsed() < Duration::from_secs(5));
}

#[test]
fn filters_are_bounded() {
    let server = Server::start();
    let many: String = (0..1000).map(|it| format!("p{it}=x&")).collect();
    assert_eq!(server.get(&format!("/v2/images?{many}")).status, 400);
    let quote = "/v2/images?name=%27%3B%20DROP%20TABLE%20images%3B%20--";
    assert_eq!(server.get(quote).status, 200);
    assert_eq!(server.get("/v2/images").status, 200);
}
