//! The folder of `larder dev`.

use crate::base::{
    atomic_file,
    dir_lock::{DirLock, DirLockError},
};
use crate::config::{DEV_ADDRESS, DEV_SOCKET};
use std::{
    env, fs, io,
    net::{Ipv4Addr, TcpListener},
    os::unix::fs::{DirBuilderExt, MetadataExt, PermissionsExt},
    path::{Path, PathBuf},
};

/// Where Glance listens, and so does the first start.
const USUAL_PORT: u16 = 9292;
/// The longest path of a Unix socket: `sun_path` is 108 bytes with its zero byte (unix(7)).
const LONGEST_SOCKET: usize = 107;

/// A folder that this process owns.
#[derive(Debug)]
pub struct Place {
    dir: PathBuf,
    socket: PathBuf,
    port: u16,
    _lock: DirLock,
}

/// The folder, or a port, can't be used.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum PlaceError {
    /// The folder can't be made.
    #[error("cannot make {}: give another folder with --dir", path.display())]
    Make {
        /// The folder.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// Another `larder dev` uses the folder.
    #[error("{} cannot be used", path.display())]
    Lock {
        /// The folder.
        path: PathBuf,
        /// Who has it.
        source: DirLockError,
    },
    /// The port that was asked for is taken.
    #[error("port {port} of 127.0.0.1 cannot be used: give another with --port, or leave it out for a free one")]
    Port {
        /// The port.
        port: u16,
        /// Why.
        source: io::Error,
    },
    /// The folder's path is too long for a socket, and there is no other place for one.
    #[error("{} is too long for the path of a socket, and {} cannot take its place", wanted.display(), path.display())]
    Socket {
        /// The path in the folder.
        wanted: PathBuf,
        /// The folder in its stead.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The addresses can't be written down for the other commands.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
}

// === impl Place ===

impl Place {
    /// Makes the folder and takes it; blocks on files. `port`: this one or none.
    ///
    /// # Errors
    /// [`PlaceError`]
    pub fn open(dir: &Path, port: Option<u16>) -> Result<Self, PlaceError> {
        let made = |path: &Path| {
            let made = fs::create_dir_all(path).and_then(|()| path.canonicalize());
            made.map_err(|source| PlaceError::Make { path: path.to_owned(), source })
        };
        let dir = made(dir)?;
        let lock =
            DirLock::acquire(&dir.join("lock")).map_err(|source| PlaceError::Lock { path: dir.clone(), source })?;
        for folder in ["images", "instances"] {
            made(&dir.join(folder))?;
        }
        let port = match port {
            Some(port) => free(port).map_err(|source| PlaceError::Port { port, source })?,
            None => any_free(&dir)?,
        };
        let socket = socket(&dir)?;
        Ok(Self { dir, socket, port, _lock: lock })
    }

    /// The folder, absolute.
    pub fn dir(&self) -> &Path {
        &self.dir
    }

    /// Whether both have never been ready in this folder: nothing has been announced.
    pub fn is_new(&self) -> bool {
        !self.dir.join(DEV_ADDRESS).exists()
    }

    /// The agent's socket.
    pub fn socket(&self) -> &Path {
        &self.socket
    }

    /// The catalogue's port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Writes down where both listen, for the other commands and the next start.
    ///
    /// # Errors
    /// [`PlaceError::Write`]
    pub fn announce(&self, port: u16) -> Result<(), PlaceError> {
        let path = self.dir.join(DEV_ADDRESS);
        let text = format!("http://127.0.0.1:{port}\n{}\n", self.socket.display());
        atomic_file::write(&path, text.as_bytes()).map_err(|source| PlaceError::Write { path, source })
    }
}

/// The port, if nobody has it; 0 becomes a real one.
fn free(port: u16) -> io::Result<u16> {
    TcpListener::bind((Ipv4Addr::LOCALHOST, port))?.local_addr().map(|address| address.port())
}

/// The port of the last start, else the usual one, else any.
fn any_free(dir: &Path) -> Result<u16, PlaceError> {
    let last = fs::read_to_string(dir.join(DEV_ADDRESS)).ok();
    let last = last.and_then(|text| text.lines().next()?.rsplit(':').next()?.parse().ok());
    let mut wanted = last.into_iter().chain([USUAL_PORT]);
    match wanted.find_map(|port| free(port).ok()) {
        Some(port) => Ok(port),
        None => free(0).map_err(|source| PlaceError::Port { port: 0, source }),
    }
}

/// The socket in the folder; where its path would be too long, one in a private folder with a short name.
fn socket(dir: &Path) -> Result<PathBuf, PlaceError> {
    let wanted = dir.join(DEV_SOCKET);
    if wanted.as_os_str().len() <= LONGEST_SOCKET {
        return Ok(wanted);
    }
    // The same folder for the same place, so that the next start finds it: FNV-1a, any spread will do.
    let hash = dir.as_os_str().as_encoded_bytes().iter();
    let hash =
        hash.fold(0xcbf2_9ce4_8422_2325_u64, |hash, byte| (hash ^ u64::from(*byte)).wrapping_mul(0x0100_0000_01b3));
    let path = env::temp_dir().join(format!("larder-dev-{hash:016x}"));
    private(&path).map_err(|source| PlaceError::Socket { wanted, path: path.clone(), source })?;
    Ok(path.join(DEV_SOCKET))
}

/// A folder that only this user can enter; somebody else's of that name is refused.
fn private(path: &Path) -> io::Result<()> {
    match fs::DirBuilder::new().mode(0o700).create(path) {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error),
        _ => {}
    }
    let about = path.symlink_metadata()?;
    let ours = about.is_dir()
        && about.uid() == nix::unistd::geteuid().as_raw()
        && about.permissions().mode().trailing_zeros() >= 6;
    if ours { Ok(()) } else { Err(io::Error::new(io::ErrorKind::PermissionDenied, "it belongs to somebody else")) }
}
