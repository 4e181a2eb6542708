//! Opening the socket.

use super::{Peers, Settings, peers::NoSuchGroup};
use crate::http::server::{BindError, Listener};
use nix::sys::socket::{getsockopt, sockopt::PeerCredentials};
use std::{
    fs, io,
    os::unix::{
        fs::PermissionsExt,
        net::{UnixListener, UnixStream},
    },
    path::{Path, PathBuf},
};

/// The admin socket cannot be opened.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum SocketError {
    /// Another agent answers there.
    #[error("another process ({holder}) listens on {} already", path.display())]
    Taken {
        /// The socket's path.
        path: PathBuf,
        /// Its process.
        holder: String,
    },
    /// The folder is missing or closed to this user.
    #[error("cannot open the admin socket: make its folder, or set admin_socket")]
    Bind(#[source] BindError),
    /// Its owner or mode cannot be set.
    #[error("cannot set mode and group of the admin socket {}", path.display())]
    Mode {
        /// The socket's path.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A socket that systemd opened cannot be used.
    #[error("the socket that systemd handed over cannot be used")]
    Inherited(#[source] io::Error),
    /// The group is not there.
    #[error(transparent)]
    Group(NoSuchGroup),
}

/// The listener, and who may use it. `inherited` is systemd's socket, whose mode and owner are systemd's business.
///
/// A socket that nobody answers on is replaced; one that somebody answers on is not.
///
/// # Errors
/// [`SocketError`]
pub fn bind(settings: &Settings, inherited: Option<UnixListener>) -> Result<(Listener, Peers), SocketError> {
    let peers = Peers::new(settings.group.as_deref()).map_err(SocketError::Group)?;
    if let Some(listener) = inherited {
        listener.set_nonblocking(true).map_err(SocketError::Inherited)?;
        let listener = tokio::net::UnixListener::from_std(listener).map_err(SocketError::Inherited)?;
        return Ok((Listener::Unix(listener), peers));
    }
    let path = &settings.socket;
    let listener = Listener::bind_unix(path).map_err(|error| match holder(path) {
        Some(holder) => SocketError::Taken { path: path.clone(), holder },
        None => SocketError::Bind(error),
    })?;
    restrict(path, &peers).map_err(|source| SocketError::Mode { path: path.clone(), source })?;
    Ok((listener, peers))
}

/// The process that answers there, if any.
fn holder(path: &Path) -> Option<String> {
    let stream = UnixStream::connect(path).ok()?;
    let peer = getsockopt(&stream, PeerCredentials).ok()?;
    Some(format!("pid {}", peer.pid()))
}

fn restrict(path: &Path, peers: &Peers) -> io::Result<()> {
    if let Some(group) = peers.gid() {
        std::os::unix::fs::chown(path, None, Some(group.as_raw()))?;
    }
    fs::set_permissions(path, fs::Permissions::from_mode(0o660))
}
