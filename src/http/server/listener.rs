//! The sockets that are listened on.

use crate::http::Peer;
use nix::sys::socket::{setsockopt, sockopt};
use std::{
    fmt, io,
    net::SocketAddr,
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
    pin::Pin,
    task::{Context, Poll},
    time::Duration,
};
use tokio::{
    io::{AsyncRead, AsyncWrite, ReadBuf},
    net::{TcpListener, TcpSocket, TcpStream, UnixListener, UnixStream},
};

/// Connections that the kernel keeps for us while all permits are taken, unless it is told otherwise (Glance's default;
/// `net.core.somaxconn` is the most that it keeps).
pub const BACKLOG: u32 = 4096;

/// What the kernel takes for `TCP_KEEPIDLE`, in seconds.
const LONGEST_SILENCE: u32 = 32_767;

/// A socket to accept on.
#[derive(Debug)]
pub enum Listener {
    /// A TCP port.
    Tcp(TcpListener),
    /// A Unix socket.
    Unix(UnixListener),
}

/// Listening failed.
#[derive(Debug, thiserror::Error)]
pub enum BindError {
    /// The port is taken, the address is not ours, or it takes more rights.
    #[error("cannot listen on {address}")]
    Tcp {
        /// What was asked for.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// The folder is missing or not writable, or another process listens there.
    #[error("cannot listen on {}", path.display())]
    Unix {
        /// What was asked for.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
}

// === impl Listener ===

impl Listener {
    /// Listens on a TCP port; port 0 takes a free one. The kernel keeps up to `backlog` connections until they are
    /// accepted.
    ///
    /// # Errors
    /// [`BindError::Tcp`]
    pub fn bind_tcp(address: SocketAddr, backlog: u32) -> Result<Self, BindError> {
        let bind = || {
            let socket = if address.is_ipv4() { TcpSocket::new_v4() } else { TcpSocket::new_v6() }?;
            socket.set_reuseaddr(true)?;
            socket.bind(address)?;
            socket.listen(backlog)
        };
        bind().map(Self::Tcp).map_err(|source| BindError::Tcp { address, source })
    }

    /// Listens on a Unix socket. A socket file that nobody answers on, left by a crash, is replaced.
    ///
    /// # Errors
    /// [`BindError::Unix`], also when another process answers there.
    pub fn bind_unix(path: &Path) -> Result<Self, BindError> {
        let failed = |source| BindError::Unix { path: path.to_owned(), source };
        let is_socket = path.symlink_metadata().is_ok_and(|it| it.file_type().is_socket());
        if is_socket {
            match std::os::unix::net::UnixStream::connect(path) {
                Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {
                    std::fs::remove_file(path).map_err(failed)?;
                }
                Err(error) => return Err(failed(error)),
                Ok(_) => return Err(failed(io::ErrorKind::AddrInUse.into())),
            }
        }
        UnixListener::bind(path).map(Self::Unix).map_err(failed)
    }

    /// The TCP address, with the port that port 0 became.
    pub fn address(&self) -> Option<SocketAddr> {
        match self {
            Self::Tcp(listener) => listener.local_addr().ok(),
            Self::Unix(_) => None,
        }
    }

    pub(super) async fn accept(&self) -> io::Result<(Stream, Peer)> {
        match self {
            Self::Tcp(listener) => {
                let (stream, address) = listener.accept().await?;
                // A matter of latency only.
                let _ = stream.set_nodelay(true);
                Ok((Stream::Tcp(stream), Peer::Tcp(address)))
            }
            Self::Unix(listener) => {
                let (stream, _) = listener.accept().await?;
                let cred = stream.peer_cred()?;
                Ok((Stream::Unix(stream), Peer::Unix { uid: cred.uid(), gid: cred.gid(), pid: cred.pid() }))
            }
        }
    }
}

impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Tcp(listener) => match listener.local_addr() {
                Ok(address) => write!(f, "http://{address}"),
                Err(_) => f.write_str("a TCP socket"),
            },
            Self::Unix(listener) => match listener.local_addr() {
                Ok(address) => match address.as_pathname() {
                    Some(path) => path.display().fmt(f),
                    None => f.write_str("an unnamed Unix socket"),
                },
                Err(_) => f.write_str("a Unix socket"),
            },
        }
    }
}

/// An accepted connection.
#[derive(Debug)]
pub(super) enum Stream {
    Tcp(TcpStream),
    Unix(UnixStream),
}

// === impl Stream ===

impl Stream {
    /// Has the kernel find out, after `silence`, that a client is gone without a word; zero does not.
    pub(super) fn ask_when_silent(&self, silence: Duration) {
        let Self::Tcp(stream) = self else { return };
        let seconds = u32::try_from(silence.as_secs()).unwrap_or(u32::MAX).min(LONGEST_SILENCE);
        if seconds > 0 {
            // Without it a dead connection is only found later.
            let _ = setsockopt(stream, sockopt::KeepAlive, &true);
            let _ = setsockopt(stream, sockopt::TcpKeepIdle, &seconds);
        }
    }
}

impl AsyncRead for Stream {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(it) => Pin::new(it).poll_read(cx, buf),
            Self::Unix(it) => Pin::new(it).poll_read(cx, buf),
        }
    }
}

impl AsyncWrite for Stream {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(it) => Pin::new(it).poll_write(cx, buf),
            Self::Unix(it) => Pin::new(it).poll_write(cx, buf),
        }
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Tcp(it) => Pin::new(it).poll_write_vectored(cx, bufs),
            Self::Unix(it) => Pin::new(it).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, _cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        // Sockets have no buffer of ours.
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Tcp(it) => Pin::new(it).poll_shutdown(cx),
            Self::Unix(it) => Pin::new(it).poll_shutdown(cx),
        }
    }
}
