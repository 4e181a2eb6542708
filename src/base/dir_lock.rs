//! One owner per directory, among our own processes.

use fs2::FileExt;
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
};

/// Held until this is dropped or the process ends, however it ends. The file stays.
#[derive(Debug)]
pub struct DirLock {
    _file: File,
    path: PathBuf,
}

/// The directory was not taken.
#[derive(Debug, thiserror::Error)]
pub enum DirLockError {
    /// Another process has it.
    #[error("{path} is held by {holder}: only one larder may own a directory", path = path.display())]
    Held {
        /// The lock file.
        path: PathBuf,
        /// Its pid and machine (the directory may be shared), as it wrote them: `process 4711 on node-7`.
        holder: String,
    },
    /// Opening, locking or writing the lock file failed.
    #[error("cannot use the lock file {path}", path = path.display())]
    File {
        /// The lock file.
        path: PathBuf,
        /// What the system said.
        source: io::Error,
    },
}

// === impl DirLock ===

impl DirLock {
    /// Takes the lock on the file at `path`, making it (mode 0644) if it is missing, and writes our pid into it.
    ///
    /// # Errors
    /// [`DirLockError`]; at once, it never waits.
    pub fn acquire(path: &Path) -> Result<Self, DirLockError> {
        let failed = |source| DirLockError::File { path: path.to_owned(), source };
        let mut file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .mode(0o644)
            .custom_flags(nix::libc::O_NOFOLLOW)
            .open(path)
            .map_err(failed)?;
        match FileExt::try_lock_exclusive(&file) {
            Ok(()) => {}
            Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                return Err(DirLockError::Held { path: path.to_owned(), holder: holder(&mut file) });
            }
            Err(error) => return Err(failed(error)),
        }
        // Only for the message of the next one who tries: a full disk does not matter.
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
        let us = format!("{} {}\n", std::process::id(), host.trim());
        let _ = file.set_len(0).and_then(|()| file.write_all(us.as_bytes()));
        Ok(Self { _file: file, path: path.to_owned() })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

fn holder(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.take(300).read_to_end(&mut bytes);
    let text: String = String::from_utf8_lossy(&bytes).chars().filter(|it| !it.is_control()).collect();
    let (pid, host) = text.split_once(' ').unwrap_or((&text, ""));
    match pid.parse::<u32>() {
        Ok(pid) if host.is_empty() => format!("process {pid}"),
        Ok(pid) => format!("process {pid} on {host}"),
        Err(_) => "another process".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_second_is_told_who_has_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let first = DirLock::acquire(&path).unwrap();
        let error = DirLock::acquire(&path).unwrap_err();
        let DirLockError::Held { holder, .. } = &error else { panic!("{error:?}") };
        let us = format!("process {}", std::process::id());
        assert!(*holder == us || holder.starts_with(&format!("{us} on ")), "{holder}");
        assert!(error.to_string().contains(holder));
        drop(first);
        DirLock::acquire(&path).unwrap();
    }

    #[test]
    fn a_link_is_not_followed() {
        let dir = tempfile::tempdir().unwrap();
        let target = dir.path().join("target");
        std::os::unix::fs::symlink(&target, dir.path().join(".lock")).unwrap();
        assert!(matches!(DirLock::acquire(&dir.path().join(".lock")), Err(DirLockError::File { .. })));
        assert!(!target.exists());
    }
}
