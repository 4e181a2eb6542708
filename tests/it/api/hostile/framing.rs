//! Requests that are no HTTP/1.1, or almost.

use super::{connect, is_well, rest, send, send_and_end};
use crate::api::{Server, requests::raw};
use serde_json::json;
use std::io::{Read, Write};

fn status(server: &Server, request: &[u8]) -> u16 {
    send_and_end(server, request).map_or(0, |it| it.status)
}

#[test]
fn headers_are_bounded() {
    let server = Server::start();
    let long = "a".repeat(20_000);
    server.ask("GET", "/v2/images", &[("X-Long", &long)], b"").refuses(431, "x-long is longer than 16384 bytes");
    server.get(&format!("/v2/images?name={long}")).refuses(414, "longer than 16384 bytes");
    let huge = "a".repeat(1 << 20);
    for (request, refusals) in [
        (format!("GET /v2/images HTTP/1.1\r\nHost: x\r\nX-Long: {huge}\r\n\r\n"), &[431][..]),
        (format!("GET /v2/images HTTP/1.1\r\nHost: x\r\n{huge}: x\r\n\r\n"), &[431]),
        (format!("GET /v2/images?name={huge} HTTP/1.1\r\nHost: x\r\n\r\n"), &[414, 431]),
        (format!("{huge} /v2/images HTTP/1.1\r\nHost: x\r\n\r\n"), &[400, 431]),
        (format!("GET /v2/images HTTP/1.1\r\n{}\r\n", "X-A: b\r\n".repeat(5000)), &[431]),
        (huge.clone(), &[400, 431]),
    ] {
        let answer = send(&server, request.as_bytes()).unwrap_or_else(|| panic!("no answer to {}…", &request[..60]));
        assert!(refusals.contains(&answer.status), "{}…: {answer:?}", &request[..60]);
    }
    is_well(&server);
}

#[test]
fn a_lying_length_is_noticed() {
    let server = Server::start();
    let short = format!("POST /v2/images HTTP/1.1\r\nHost: {}\r\nContent-Length: 50\r\n\r\n{{}}", server.address);
    assert_ne!(status(&server, short.as_bytes()), 201);
    assert_eq!(server.get("/v2/images").json()["images"].as_array().unwrap().len(), 0);
    for length in ["-1", "+2", "x", "5, 6", "0x2", "2 2", "99999999999999999999999", ""] {
        let request = format!("POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: {length}\r\n\r\n{{}}");
        assert_eq!(raw(server.address, request.as_bytes()).status, 400, "{length}");
    }
    let two = "POST /v2/images HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\n{} ";
    assert_eq!(raw(server.address, two.as_bytes()).status, 400);
    is_well(&server);
}

#[test]
fn smuggled_requests_are_refused_or_cut() {
    let server = Server::start();
    let hidden = "GET /smuggled HTTP/1.1\r\nHost: x\r\n\r\n";
    for framing in [
        "Content-Length: 4\r\nTransfer-Encoding: chunked",
        "Transfer-Encoding: chunked\r\nContent-Length: 4",
        "Transfer-Encoding: identity",
        "Transfer-Encoding: chunked, identity",
        "Transfer-Encoding: xchunked",
        "Transfer-Encoding : chunked",
        " Transfer-Encoding: chunked",
    ] {
        let request = format!("POST /v2/images HTTP/1.1\r\nHost: x\r\n{framing}\r\n\r\n0\r\n\r\n{hidden}");
        let answer = send_and_end(&server, request.as_bytes());
        assert!(answer.as_ref().is_none_or(|it| it.status == 400), "{framing}: {answer:?}");
    }
    assert!(!server.daemon.log().contains("/smuggled"), "{}", server.daemon.log());
    is_well(&server);
}

#[test]
fn chunks_are_read_with_care() {
    let server = Server::start();
    let whole = |chunks: &str| {
        let head = "POST /v2/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nTransfer-Encoding: chunked\r\n\r\n";
        format!("{head}{chunks}").into_bytes()
    };
    let post = |chunks: &str| status(&server, &whole(chunks));
    for good in ["2;a=b;c=\"d\"\r\n{}\r\n0\r\n\r\n", "2\r\n{}\r\n0\r\nX-Trailer: y\r\n\r\n"] {
        assert_eq!(raw(server.address, &whole(good)).status, 201, "{good}");
    }
    for bad in [
        "FFFFFFFFFFFFFFFFFF\r\n{}\r\n0\r\n\r\n",
        "-2\r\n{}\r\n0\r\n\r\n",
        "zz\r\n{}\r\n0\r\n\r\n",
        "3\r\n{}\r\n0\r\n\r\n",
        "\r\n{}",
        &format!("2;{}\r\n{{}}\r\n0\r\n\r\n", "a".repeat(100_000)),
        &format!("2\r\n{{}}\r\n0\r\nX: {}\r\n\r\n", "a".repeat(1 << 20)),
    ] {
        let status = post(bad);
        assert!([0, 400, 413, 431].contains(&status), "{status} to {:.60}", bad);
    }
    // More than was ever meant to come.
    let status = post("FFFFFFFFFFFFFFF\r\n{}");
    assert!([0, 400].contains(&status), "{status}");
    is_well(&server);
}

#[test]
fn other_protocols_are_turned_away() {
    let server = Server::start();
    let tls = [&b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"[..], &[7; 500]].concat();
    for (name, bytes) in [
        ("HTTP/2", &b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\0\x04\0\0\0\0\0"[..]),
        ("TLS", &tls),
        ("HTTP/9", b"GET / HTTP/9.9\r\nHost: x\r\n\r\n"),
        ("HTTP/0.9", b"GET /\r\n\r\n"),
        ("SSH", b"SSH-2.0-OpenSSH_9.9\r\n\r\n"),
        ("NUL", &[0; 4096]),
        ("high bytes", &[0xff; 4096]),
        ("line ends", &b"\r\n".repeat(100_000)),
    ] {
        let answer = send_and_end(&server, bytes);
        assert!(answer.as_ref().is_none_or(|it| [400, 431, 505].contains(&it.status)), "{name}: {answer:?}");
    }
    is_well(&server);
}

#[test]
fn older_clients_are_served() {
    let server = Server::start();
    let answer = raw(server.address, b"GET /versions HTTP/1.0\r\n\r\n");
    assert_eq!((answer.status, answer.header("connection")), (200, None));
    let kept = raw(
        server.address,
        b"GET /versions HTTP/1.1\r\nHost: x\r\nConnection: close\r\nUpgrade: h2c\r\nHTTP2-Settings: x\r\n\r\n",
    );
    assert_eq!(kept.status, 200);
}

#[test]
fn requests_in_a_row_are_answered_in_a_row() {
    let server = Server::start();
    let ids: Vec<String> = (0..5).map(|it| server.create(json!({"name": it.to_string()}))).collect();
    let mut stream = connect(&server);
    let all: String = ids.iter().map(|it| format!("GET /v2/images/{it} HTTP/1.1\r\nHost: x\r\n\r\n")).collect();
    stream.write_all(all.as_bytes()).unwrap();
    stream.write_all(b"GET /v2/nonsense HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n").unwrap();
    let mut answers = String::new();
    stream.read_to_string(&mut answers).unwrap();
    let places: Vec<_> = ids.iter().map(|it| answers.find(&format!("\"self\":\"/v2/images/{it}\"")).unwrap()).collect();
    assert!(places.is_sorted(), "{answers}");
    assert_eq!((answers.matches("HTTP/1.1 200").count(), answers.matches("HTTP/1.1 404").count()), (5, 1));
}

#[test]
fn a_body_that_is_waited_for_is_asked_for() {
    let server = Server::start();
    let head =
        "POST /v2/images HTTP/1.1\r\nHost: x\r\nConnection: close\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n";
    let mut stream = connect(&server);
    stream.write_all(head.as_bytes()).unwrap();
    let mut leave = [0; 25];
    stream.read_exact(&mut leave).unwrap();
    assert_eq!(&leave[..], b"HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"{}").unwrap();
    assert_eq!(rest(&mut stream).unwrap().status, 201);
    // What is no expectation that is known is passed over, as Glance does it.
    let other = head.replace("100-continue", "the unexpected");
    assert_eq!(raw(server.address, format!("{other}{{}}").as_bytes()).status, 201);
}
