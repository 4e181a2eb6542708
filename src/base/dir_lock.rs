//! One owner per directory, among our own processes.

use fs2::FileExt;
use nix::{errno::Errno, sys::signal::kill, unistd::Pid};
use std::{
    fs::{File, OpenOptions},
    io::{self, Read, Seek, Write},
    os::unix::fs::OpenOptionsExt,
    path::{Path, PathBuf},
    thread::sleep,
    time::{Duration, Instant},
};

/// How long what a killed holder has left may keep its lock.
pub const ORPHANS: Duration = Duration::from_secs(10);
const AGAIN: Duration = Duration::from_millis(20);

/// Held until this is dropped or the process ends, however it ends. The file stays.
#[derive(Debug)]
pub struct DirLock {
    file: File,
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
    /// A program that the holder was just starting when it was killed has the lock until it is executed: that is waited
    /// for, up to [`ORPHANS`].
    ///
    /// # Errors
    /// [`DirLockError`]; at once, when the holder lives.
    pub fn acquire(path: &Path) -> Result<Self, DirLockError> {
        Self::lock(path, FileExt::try_lock_exclusive)
    }

    /// The same together with others who share it: whoever wants it alone is kept out, and keeps all of them out.
    ///
    /// # Errors
    /// As [`DirLock::acquire`].
    pub fn share(path: &Path) -> Result<Self, DirLockError> {
        Self::lock(path, FileExt::try_lock_shared)
    }

    fn lock(path: &Path, lock: fn(&File) -> io::Result<()>) -> Result<Self, DirLockError> {
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
        let start = Instant::now();
        loop {
            match lock(&file) {
                Ok(()) => break,
                Err(error) if error.raw_os_error() == fs2::lock_contended_error().raw_os_error() => {
                    file.rewind().map_err(failed)?;
                    let text = written(&mut file);
                    if start.elapsed() >= ORPHANS || !is_gone(&text) {
                        return Err(DirLockError::Held { path: path.to_owned(), holder: holder(&text) });
                    }
                }
                Err(error) => return Err(failed(error)),
            }
            sleep(AGAIN);
        }
        // Only for the message of the next one who tries: a full disk does not matter.
        let us = us();
        let _ = file.set_len(0).and_then(|()| file.write_all(us.as_bytes()));
        Ok(Self { file, path: path.to_owned() })
    }

    /// The lock file.
    pub fn path(&self) -> &Path {
        &self.path
    }
}

impl Drop for DirLock {
    fn drop(&mut self) {
        // Closing is not enough: a child that is being started has our descriptors up to its exec.
        let _ = FileExt::unlock(&self.file);
    }
}

/// What a holder writes: its pid and machine.
pub fn us() -> String {
    let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    format!("{} {}\n", std::process::id(), host.trim())
}

/// What the holder wrote.
fn written(file: &mut File) -> String {
    let mut bytes = Vec::new();
    let _ = file.take(300).read_to_end(&mut bytes);
    String::from_utf8_lossy(&bytes).chars().filter(|it| !it.is_control()).collect()
}

/// Whether the holder, by what it wrote, was a process of this machine that is not there any more.
pub fn is_gone(text: &str) -> bool {
    let here = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let pid = text.split_once(' ').filter(|(_, host)| *host == here.trim()).and_then(|(pid, _)| pid.parse().ok());
    pid.is_some_and(|pid| kill(Pid::from_raw(pid), None) == Err(Errno::ESRCH))
}

/// The holder, by what it wrote, in words.
pub fn holder(text: &str) -> String {
    let (pid, host) = text.split_once(' ').unwrap_or((text, ""));
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
    fn it_is_shared_or_held_alone() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let shared = [DirLock::share(&path).unwrap(), DirLock::share(&path).unwrap()];
        assert!(matches!(DirLock::acquire(&path), Err(DirLockError::Held { .. })));
        drop(shared);
        let _alone = DirLock::acquire(&path).unwrap();
        assert!(matches!(DirLock::share(&path), Err(DirLockError::Held { .. })));
    }

    #[test]
    fn what_a_killed_holder_has_left_is_waited_for() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join(".lock");
        let mut gone = std::process::Command::new("true").spawn().unwrap();
        gone.wait().unwrap();
        let orphan = DirLock::acquire(&path).unwrap();
        let host = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap();
        std::fs::write(&path, format!("{} {}\n", gone.id(), host.trim())).unwrap();
        let next = std::thread::spawn({
            let path = path.clone();
            move || DirLock::acquire(&path).map(drop)
        });
        sleep(AGAIN * 5);
        drop(orphan);
        next.join().unwrap().unwrap();
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
