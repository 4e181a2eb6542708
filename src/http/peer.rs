//! Who is at the other end of a connection.

use std::{fmt, net::SocketAddr};

/// Put into the extensions of every request by [`crate::http::server`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    /// A TCP client.
    Tcp(SocketAddr),
    /// A local process, as the kernel knows it (`SO_PEERCRED`).
    Unix {
        /// Its effective user when it connected.
        uid: u32,
        /// Its effective group when it connected.
        gid: u32,
        /// Its process, when the kernel tells.
        pid: Option<i32>,
    },
}

// === impl Peer ===

impl fmt::Display for Peer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(address) => address.fmt(f),
            Self::Unix { uid, pid: Some(pid), .. } => write!(f, "uid {uid}, process {pid}"),
            Self::Unix { uid, pid: None, .. } => write!(f, "uid {uid}"),
        }
    }
}
