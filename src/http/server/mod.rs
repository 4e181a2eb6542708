//! The HTTP/1.1 server: one accept loop over TCP and Unix sockets, bounded in every direction.
//!
//! ```text
//! accept ── permit (max_connections) ── connection task ── hyper http1 over StallGuard ── handler task ── axum::Router
//! ```
//!
//! A connection holds a permit for as long as it, or a handler that it started, lives; without a free permit nobody is
//! accepted, the surplus waits in the kernel's backlog, and connections without a request are closed to make room. A
//! handler runs in a task of its own: its panic is a 500, and it is not cut in two when its client goes away. `serve`
//! returns when all is drained, or the deadline has passed.

mod accept;
mod connection;
mod crowd;
mod handler;
mod listener;
mod live;
mod stall;

#[cfg(test)]
mod tests;

pub use accept::serve;
pub use listener::{BACKLOG, BindError, Listener};
pub use live::{Dial, Live};

use std::time::Duration;

/// Limits of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// For a whole request header, from its first byte.
    pub header_timeout: Duration,
    /// For a connection without a request: after it is opened, and between requests (Glance: `client_socket_timeout`);
    /// zero for ever. Where connections are short, it is a second.
    pub keep_alive_timeout: Duration,
    /// For each piece of a request's body, and for each piece of an answer that a client does not take.
    pub body_timeout: Duration,
    /// Whether a connection may have several requests (Glance: `http_keepalive`).
    pub keep_alive: bool,
    /// A silent TCP connection is asked whether it still lives after this time (Glance: `tcp_keepidle`); zero never.
    pub tcp_keepidle: Duration,
    /// Connections served at a time; more wait in the kernel's backlog.
    pub max_connections: usize,
    /// Bytes of the request line and all header fields; more is 431.
    pub max_header_bytes: usize,
    /// Bytes of one header field, more is 431, and of the path with its query, more is 414 (Glance: `max_header_line`).
    pub max_header_line: usize,
    /// Header fields of a request; more is 431.
    pub max_headers: usize,
    /// How long requests under way may take to end at shutdown.
    pub drain_timeout: Duration,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            header_timeout: Duration::from_secs(30),
            keep_alive_timeout: Duration::from_secs(900),
            body_timeout: Duration::from_secs(900),
            keep_alive: true,
            tcp_keepidle: Duration::from_secs(600),
            max_connections: 1024,
            max_header_bytes: 64 * 1024,
            max_header_line: 16 * 1024,
            max_headers: 100,
            drain_timeout: Duration::from_secs(30),
        }
    }
}
