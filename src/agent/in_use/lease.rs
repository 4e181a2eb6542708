//! Asks the kernel whether anybody else has a file open, and hears of it if somebody comes.

use nix::{errno::Errno, libc};
use std::{
    fs::{File, OpenOptions},
    os::{
        fd::AsRawFd,
        unix::fs::{MetadataExt, OpenOptionsExt},
    },
    path::Path,
};

/// Which signal tells of an opener; the C library's bindings lack it (fcntl(2), asm-generic).
const F_SETSIG: i32 = 10;

/// The kernel's answer.
#[derive(Debug)]
pub enum Lease {
    /// Nobody else has it open in any way; whoever opens it now waits until this is dropped.
    Alone(Alone),
    /// Somebody has it open, or maps it.
    Open,
    /// It cannot be told: another owner's file without CAP_LEASE, or a file system without leases. Other evidence decides.
    Unknown,
}

/// A write lease, held until this is dropped.
#[derive(Debug)]
pub struct Alone(File);

// === impl Lease ===

impl Lease {
    /// Asks for the file at `path`, if it still is `inode`; another file is [`Lease::Open`].
    pub fn ask(path: &Path, inode: (u64, u64)) -> Self {
        let flags = libc::O_NOFOLLOW | libc::O_NONBLOCK;
        let Ok(file) = OpenOptions::new().read(true).custom_flags(flags).open(path) else { return Self::Unknown };
        if !file.metadata().is_ok_and(|meta| (meta.dev(), meta.ino()) == inode) {
            return Self::Open;
        }
        // Whoever opens the file while the lease is held makes the kernel send us a signal: by default SIGIO, which
        // kills. SIGURG is ignored unless handled.
        match call(&file, F_SETSIG, libc::SIGURG).and_then(|_| call(&file, libc::F_SETLEASE, libc::F_WRLCK)) {
            Ok(_) => Self::Alone(Alone(file)),
            Err(Errno::EAGAIN) => Self::Open,
            Err(_) => Self::Unknown,
        }
    }
}

// === impl Alone ===

impl Alone {
    /// Whether nobody has tried to open it since.
    pub fn is_still(&self) -> bool {
        call(&self.0, libc::F_GETLEASE, 0) == Ok(libc::F_WRLCK)
    }
}

#[expect(unsafe_code, reason = "nix has no leases; plain integers go in and out")]
fn call(file: &File, command: i32, argument: i32) -> Result<i32, Errno> {
    // SAFETY: the descriptor is open for as long as `file` is borrowed, and these commands take no pointers.
    Errno::result(unsafe { libc::fcntl(file.as_raw_fd(), command, argument) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_descriptor_of_another_is_noticed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, b"x").unwrap();
        let meta = path.metadata().unwrap();
        let inode = (meta.dev(), meta.ino());
        let reader = File::open(&path).unwrap();
        match Lease::ask(&path, inode) {
            Lease::Open => {}
            Lease::Unknown => return println!("skipped: no leases on this file system"),
            Lease::Alone(_) => panic!("it is open"),
        }
        drop(reader);
        let Lease::Alone(alone) = Lease::ask(&path, inode) else { panic!("nobody has it open") };
        assert!(alone.is_still());
        let opener = std::thread::spawn({
            let path = path.clone();
            move || File::open(path).map(drop)
        });
        let began = std::time::Instant::now();
        while alone.is_still() && began.elapsed().as_secs() < 10 {
            std::thread::yield_now();
        }
        assert!(!alone.is_still(), "the opener is noticed, and its signal kills nobody");
        drop(alone);
        opener.join().unwrap().unwrap();
        assert!(matches!(Lease::ask(&path, (0, 0)), Lease::Open));
    }
}
