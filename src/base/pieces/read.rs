//! Reads a file front to back, from the disk itself, without pushing anything out of the page cache.

use super::aligned::{ALIGNMENT, Aligned};
use crate::base::{pace::Pace, priority};
use nix::{
    errno::Errno,
    fcntl::{PosixFadviseAdvice, posix_fadvise},
    libc,
    unistd::{Whence, lseek64},
};
use std::{
    fs::{File, OpenOptions},
    io,
    ops::ControlFlow,
    os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt},
    path::Path,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread,
};

/// Bytes that are read at a time; a piece is a whole number of them.
const BLOCK_BYTES: usize = 4 << 20;
/// Blocks on the way between the thread that reads and the one that hashes.
const BUFFERS: usize = 3;

static ZEROS: [u8; 64 << 10] = [0; 64 << 10];

/// Where bytes are read from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Way {
    /// From the disk itself, at idle priority: what the page cache has says nothing about the disk. Where the file system
    /// cannot do that, through the page cache, which forgets the pages afterwards.
    Disk,
    /// From the page cache, where most of it is: the file was written just now.
    Cache,
}

/// How a file is read.
pub struct Manner<'a> {
    /// From where.
    pub way: Way,
    /// How fast at most; holes cost no time.
    pub pace: Pace,
    /// Ends it early.
    pub stop: &'a (dyn Fn() -> bool + Sync),
}

/// The next bytes of a file.
#[derive(Debug)]
pub enum Block<'a> {
    /// These.
    Data(&'a [u8]),
    /// So many bytes that could not be read.
    Unreadable(u64, io::Error),
}

enum Found {
    Data(Aligned, usize),
    Hole(u64),
    Unreadable(u64, io::Error),
}

/// Shows `visit` the bytes `from..to` of a file in order. A file that ends before `to` is unreadable from there on. It
/// ends early when `visit` or [`Manner::stop`] says so: `false` then.
///
/// Blocks, and starts a thread of its own.
///
/// # Errors
/// What the system says to opening the file, or starting the thread; what it says to reading is a [`Block`].
pub fn walk(
    path: &Path,
    (from, to): (u64, u64),
    manner: Manner<'_>,
    mut visit: impl FnMut(Block<'_>) -> ControlFlow<()>,
) -> io::Result<bool> {
    let Manner { way, pace, stop } = manner;
    let source = Source::open(path, way)?;
    let over = AtomicBool::new(false);
    let stopped = || over.load(Ordering::Relaxed) || stop();
    thread::scope(|scope| {
        let (found, waiting) = mpsc::sync_channel::<Found>(BUFFERS);
        let (empty, buffers) = mpsc::sync_channel::<Aligned>(BUFFERS);
        (0..BUFFERS).for_each(|_| drop(empty.try_send(Aligned::new(BLOCK_BYTES))));
        let stopped = &stopped;
        let read = move || {
            if way == Way::Disk {
                priority::give_way();
            }
            source.read((from, to), Manner { way, pace, stop: stopped }, &buffers, &found);
        };
        thread::Builder::new().name("larder-read".to_owned()).spawn_scoped(scope, read)?;
        let mut at = from;
        while let Ok(next) = waiting.recv() {
            if stopped() {
                break;
            }
            let (len, go_on) = show(&next, &mut visit);
            at += len;
            if let Found::Data(buffer, _) = next {
                let _ = empty.try_send(buffer);
            }
            if go_on.is_break() {
                break;
            }
        }
        // The reader may wait for a place or a buffer: both ends are gone after this.
        over.store(true, Ordering::Relaxed);
        drop((waiting, empty));
        Ok(at >= to)
    })
}

fn show(next: &Found, visit: &mut impl FnMut(Block<'_>) -> ControlFlow<()>) -> (u64, ControlFlow<()>) {
    match next {
        Found::Data(buffer, len) => (*len as u64, visit(Block::Data(&buffer.get()[..*len]))),
        Found::Hole(len) => {
            let mut left = *len;
            let mut go_on = ControlFlow::Continue(());
            while left > 0 && go_on.is_continue() {
                let now = left.min(ZEROS.len() as u64);
                go_on = visit(Block::Data(&ZEROS[..usize::try_from(now).unwrap_or(ZEROS.len())]));
                left -= now;
            }
            (*len - left, go_on)
        }
        Found::Unreadable(len, error) => {
            let error = error.raw_os_error().map_or_else(|| error.kind().into(), io::Error::from_raw_os_error);
            (*len, visit(Block::Unreadable(*len, error)))
        }
    }
}

/// A file, by one or two ways.
struct Source {
    file: File,
    direct: Option<File>,
    forget: bool,
}

// === impl Manner ===

impl Manner<'_> {
    /// As fast as it goes, to the end.
    pub fn quick(way: Way) -> Self {
        Self { way, pace: Pace::new(0), stop: &|| false }
    }
}

// === impl Source ===

impl Source {
    fn open(path: &Path, way: Way) -> io::Result<Self> {
        let open =
            |flags| OpenOptions::new().read(true).custom_flags(libc::O_NOFOLLOW | libc::O_NONBLOCK | flags).open(path);
        let file = open(0)?;
        let meta = file.metadata()?;
        if !meta.is_file() {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file"));
        }
        let same = |it: &File| it.metadata().is_ok_and(|other| (other.dev(), other.ino()) == (meta.dev(), meta.ino()));
        let direct = if way == Way::Disk { open(libc::O_DIRECT).ok().filter(same) } else { None };
        Ok(Self { file, direct, forget: way == Way::Disk })
    }

    fn read(
        mut self,
        (from, to): (u64, u64),
        mut manner: Manner<'_>,
        buffers: &mpsc::Receiver<Aligned>,
        found: &mpsc::SyncSender<Found>,
    ) {
        let (mut at, mut data_from) = (from, from);
        while at < to && !(manner.stop)() {
            let len = (to - at).min(BLOCK_BYTES as u64 - at % BLOCK_BYTES as u64);
            if data_from <= at {
                data_from = self.next_data(at);
            }
            let next = if data_from >= at + len {
                Found::Hole(len)
            } else {
                manner.pace.take(len, manner.stop);
                let Ok(buffer) = buffers.recv() else { return };
                self.block(at, len, buffer)
            };
            at += len;
            if found.send(next).is_err() {
                return;
            }
        }
    }

    /// Where the next bytes are that are not a hole; the same place when the file system does not say.
    fn next_data(&self, at: u64) -> u64 {
        let Ok(offset) = i64::try_from(at) else { return at };
        match lseek64(&self.file, offset, Whence::SeekData) {
            Ok(data) => u64::try_from(data).unwrap_or(at),
            // Beyond the end there is no hole either, which the length tells.
            Err(Errno::ENXIO) if self.file.metadata().is_ok_and(|it| it.len() > at) => {
                self.file.metadata().map_or(at, |it| it.len())
            }
            Err(_) => at,
        }
    }

    fn block(&mut self, at: u64, len: u64, mut buffer: Aligned) -> Found {
        let Ok(wanted) = usize::try_from(len) else {
            return Found::Unreadable(len, io::ErrorKind::InvalidInput.into());
        };
        let mut got = 0;
        while got < wanted {
            match self.read_at(&mut buffer, got, at) {
                Ok(0) => return Found::Unreadable(len, io::ErrorKind::UnexpectedEof.into()),
                Ok(n) => got += n,
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Found::Unreadable(len, error),
            }
        }
        if self.forget && self.direct.is_none() {
            self.forget(at, len);
        }
        Found::Data(buffer, wanted)
    }

    /// Some bytes to `got` in the buffer, which begins at `at` in the file.
    fn read_at(&mut self, buffer: &mut Aligned, got: usize, at: u64) -> io::Result<usize> {
        let offset = at + got as u64;
        if let Some(direct) = &self.direct
            && got.is_multiple_of(ALIGNMENT)
            && at.is_multiple_of(ALIGNMENT as u64)
        {
            match direct.read_at(&mut buffer.get_mut()[got..], offset) {
                Err(error) if error.raw_os_error() == Some(libc::EINVAL) => self.direct = None,
                done => return done,
            }
        }
        self.file.read_at(&mut buffer.get_mut()[got..], offset)
    }

    fn forget(&self, at: u64, len: u64) {
        let range = i64::try_from(at).ok().zip(i64::try_from(len).ok());
        if let Some((at, len)) = range {
            let _ = posix_fadvise(&self.file, at, len, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
        }
    }
}
