//! One request, to be sent to both servers.

use crate::api::{Answer, parse};
use std::{
    fmt,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

/// Who asks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Who {
    Admin,
    /// Member of project demo.
    Member,
    /// Reader of project demo.
    Reader,
    /// Member of project alt_demo.
    Other,
    /// Service and admin in project service.
    Service,
    /// In project demo with a role that means nothing.
    NoRole,
    /// A token without a project.
    Unscoped,
    /// No token.
    Nobody,
    /// A token that is none.
    Forger,
}

/// A request. In its path and body `@7@` stands for the seventh id that the servers made.
#[derive(Clone)]
pub(super) struct Request {
    pub(super) who: Who,
    pub(super) method: String,
    pub(super) path: String,
    pub(super) headers: Vec<(String, String)>,
    pub(super) body: Vec<u8>,
}

// === impl Request ===

impl Request {
    pub(super) fn new(who: Who, method: &str, path: impl Into<String>) -> Self {
        Self { who, method: method.to_owned(), path: path.into(), headers: Vec::new(), body: Vec::new() }
    }

    pub(super) fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    pub(super) fn json(self, body: impl fmt::Display) -> Self {
        self.body("application/json", body.to_string().into_bytes())
    }

    pub(super) fn body(mut self, kind: &str, body: Vec<u8>) -> Self {
        self.body = body;
        if kind.is_empty() { self } else { self.header("Content-Type", kind) }
    }

    /// Sends it on a connection of its own, with this token; none when the server closed without an answer.
    pub(super) fn send(&self, to: SocketAddr, token: Option<&str>) -> Option<Answer> {
        let mut head = format!("{} {} HTTP/1.1\r\nHost: {to}\r\nConnection: close\r\n", self.method, self.path);
        if let Some(token) = token {
            head.push_str(&format!("X-Auth-Token: {token}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        let named = |name: &str| self.headers.iter().any(|it| it.0.eq_ignore_ascii_case(name));
        let framed = named("transfer-encoding") || named("content-length");
        if !framed && (!self.body.is_empty() || ["POST", "PUT", "PATCH"].contains(&self.method.as_str())) {
            head.push_str(&format!("Content-Length: {}\r\n", self.body.len()));
        }
        head.push_str("\r\n");
        let mut stream = TcpStream::connect(to).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(300))).unwrap();
        // A server may answer before it has read everything, and close.
        let _ = stream.write_all(head.as_bytes()).and_then(|()| stream.write_all(&self.body));
        let mut bytes = Vec::new();
        let _ = stream.read_to_end(&mut bytes);
        bytes.windows(4).any(|it| it == b"\r\n\r\n").then(|| parse(&bytes))
    }
}

impl fmt::Display for Request {
    fn fmt(&self, to: &mut fmt::Formatter<'_>) -> fmt::Result {
        let headers: Vec<_> = self.headers.iter().map(|(name, value)| format!("{name}: {}", short(value))).collect();
        write!(to, "{:?} {} {} [{}]", self.who, self.method, short(&self.path), headers.join("; "))?;
        if !self.body.is_empty() {
            write!(to, " {}", short(&String::from_utf8_lossy(&self.body)))?;
        }
        Ok(())
    }
}

/// At most 600 characters of it, without control characters.
pub(super) fn short(text: &str) -> String {
    let text: String = text.chars().map(|it| if it.is_control() { '␣' } else { it }).collect();
    if text.chars().count() > 600 { text.chars().take(600).chain("…".chars()).collect() } else { text }
}
