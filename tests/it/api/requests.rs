//! Requests as bytes, answers taken apart.

use serde_json::Value;
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

#[derive(Clone, Debug)]
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(String, String)>,
    pub(crate) body: Vec<u8>,
}

impl Answer {
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|it| it.0.eq_ignore_ascii_case(name)).map(|it| it.1.as_str())
    }

    pub(crate) fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or_else(|e| panic!("{e}: {self:?}"))
    }

    /// That it is this refusal, with these words in it.
    #[track_caller]
    pub(crate) fn refuses(&self, status: u16, words: &str) {
        assert_eq!(self.status, status, "{self:?} {}", self.text());
        assert!(self.text().contains(words), "'{words}' in: {}", self.text());
    }
}

/// Sends one request with its length, and reads the answer to the end of the connection.
pub(crate) fn exchange(to: SocketAddr, method: &str, path: &str, headers: &[(&str, &str)], body: &[u8]) -> Answer {
    raw(to, &request(to, (method, path), headers, body))
}

/// The same with a server that may break off.
pub(crate) fn try_exchange(
    to: SocketAddr,
    (method, path): (&str, &str),
    headers: &[(&str, &str)],
    body: &[u8],
) -> Option<Answer> {
    let answer = sent(to, &request(to, (method, path), headers, body));
    answer.windows(4).any(|it| it == b"\r\n\r\n").then(|| parse(&answer))
}

fn request(to: SocketAddr, (method, path): (&str, &str), headers: &[(&str, &str)], body: &[u8]) -> Vec<u8> {
    let mut head = format!("{method} {path} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n");
    for (name, value) in headers {
        head.push_str(&format!("{name}: {value}\r\n"));
    }
    let framed = headers.iter().any(|it| it.0.eq_ignore_ascii_case("transfer-encoding"));
    if !body.is_empty() && !framed {
        head.push_str(&format!("Content-Length: {}\r\n", body.len()));
    }
    head.push_str("\r\n");
    [head.as_bytes(), body].concat()
}

/// Sends bytes as they are.
pub(crate) fn raw(to: SocketAddr, bytes: &[u8]) -> Answer {
    parse(&sent(to, bytes))
}

fn sent(to: SocketAddr, bytes: &[u8]) -> Vec<u8> {
    let mut stream = TcpStream::connect(to).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
    stream.write_all(bytes).unwrap();
    let mut answer = Vec::new();
    // A reset after the answer is the server's good right.
    let _ = stream.read_to_end(&mut answer);
    answer
}

/// Takes an answer apart.
pub(crate) fn parse(bytes: &[u8]) -> Answer {
    let end = bytes.windows(4).position(|it| it == b"\r\n\r\n").unwrap_or_else(|| panic!("no head: {bytes:?}"));
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let mut lines = head.split("\r\n");
    let status = lines.next().unwrap().split(' ').nth(1).unwrap().parse().unwrap();
    let headers: Vec<(String, String)> =
        lines.filter_map(|it| it.split_once(": ")).map(|(a, b)| (a.to_owned(), b.to_owned())).collect();
    let body = bytes[end + 4..].to_vec();
    let answer = Answer { status, headers, body };
    // Glance says `None` of an image whose size it does not know.
    if let Some(length) = answer.header("content-length").filter(|it| *it != "None") {
        assert!(answer.body.len().to_string() == length || answer.body.is_empty(), "announced {length}: {answer:?}");
    }
    answer
}
