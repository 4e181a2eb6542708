//! Reads a qcow2 with several threads and writes what it holds, with holes where it holds nothing.

use crate::base::sparse::HOLE_BYTES;
use imago::{
    DenyImplicitOpenGate, FormatAccess, FormatDriverBuilder, Mapping, StorageOpenOptions, file::File as ImageFile,
    qcow2::Qcow2,
};
use nix::fcntl::{PosixFadviseAdvice, posix_fadvise};
use std::{
    fs::File,
    io,
    os::unix::fs::FileExt,
    sync::atomic::{AtomicBool, AtomicU64, Ordering},
    thread,
    time::Duration,
};

/// What a thread takes at once: the largest cluster, so that no compressed one is read twice.
const PIECE: u64 = 2 << 20;
/// The kernel is told to start writing at every such boundary.
const FLUSH: u64 = 16 << 20;
const REPORT_EVERY: Duration = Duration::from_millis(200);

static ZEROS: [u8; HOLE_BYTES] = [0; HOLE_BYTES];

/// The work that the threads share.
struct Job {
    disk: FormatAccess<ImageFile>,
    source_size: u64,
    target: File,
    size: u64,
    next: AtomicU64,
    done: AtomicU64,
    failed: AtomicBool,
}

/// Fills `target`, an empty file, with the disk of `size` bytes in `source`; `report` gets the bytes done.
pub(super) fn convert(
    source: File,
    target: File,
    size: u64,
    threads: usize,
    report: impl FnMut(u64) -> io::Result<()>,
) -> io::Result<()> {
    let source_size = source.metadata()?.len();
    let image = ImageFile::from_open_file(source, StorageOpenOptions::new())?;
    let disk = FormatAccess::new(Qcow2::<ImageFile>::builder(image).open(DenyImplicitOpenGate::default())?);
    if disk.size() != size {
        return Err(io::Error::other("the image changed while it was looked at"));
    }
    target.set_len(size)?;
    let (next, done, failed) = (AtomicU64::new(0), AtomicU64::new(0), AtomicBool::new(false));
    run(&Job { disk, source_size, target, size, next, done, failed }, threads, report)
}

fn run(job: &Job, threads: usize, mut report: impl FnMut(u64) -> io::Result<()>) -> io::Result<()> {
    thread::scope(|scope| {
        let main = thread::current();
        let spawn = |_| {
            let main = main.clone();
            scope.spawn(move || {
                let result = job.work();
                job.failed.fetch_or(result.is_err(), Ordering::Relaxed);
                main.unpark();
                result
            })
        };
        let workers: Vec<_> = (0..threads.max(1)).map(spawn).collect();
        let mut heard = Ok(());
        while heard.is_ok() && !workers.iter().all(thread::ScopedJoinHandle::is_finished) {
            thread::park_timeout(REPORT_EVERY);
            heard = report(job.done.load(Ordering::Relaxed));
        }
        job.failed.fetch_or(heard.is_err(), Ordering::Relaxed);
        let panicked = |_| Err(io::Error::other("the qcow2 reader panicked"));
        workers.into_iter().try_for_each(|it| it.join().unwrap_or_else(panicked)).and(heard)
    })
}

impl Job {
    fn work(&self) -> io::Result<()> {
        let mut buffer = vec![0; PIECE as usize];
        while !self.failed.load(Ordering::Relaxed) {
            let at = self.next.fetch_add(PIECE, Ordering::Relaxed);
            let Some(length) = self.size.checked_sub(at).filter(|it| *it > 0) else { break };
            let length = length.min(PIECE);
            self.piece(at, at + length, &mut buffer)?;
            self.done.fetch_add(length, Ordering::Relaxed);
            if (at + length).is_multiple_of(FLUSH) {
                self.start_writing(at + length);
            }
        }
        Ok(())
    }

    /// Converts `from..to`: data are gathered in the buffer and written in runs.
    fn piece(&self, from: u64, to: u64, buffer: &mut [u8]) -> io::Result<()> {
        let (mut run, mut at) = (from, from);
        while at < to {
            let (mapping, length) = self.disk.get_mapping(at, to - at)?;
            let length = length.min(to - at);
            let has_data = match mapping {
                Mapping::Zero { .. } => false,
                Mapping::Eof { .. } => break,
                Mapping::Raw { offset, .. } if offset >= self.source_size => {
                    return Err(io::Error::other("the image is cut: a cluster that it names is missing"));
                }
                _ => true,
            };
            if length == 0 {
                return Err(io::Error::other("the image's tables lead nowhere"));
            }
            let (start, end) = ((at - from) as usize, (at - from + length) as usize);
            if has_data {
                self.disk.read(&mut buffer[start..end], at)?;
            } else {
                self.write(&buffer[(run - from) as usize..start], run)?;
                run = at + length;
            }
            at += length;
        }
        self.write(&buffer[(run - from) as usize..(at - from) as usize], run)
    }

    /// Writes at `at`, which is in the middle of a block at most after a small cluster, without blocks of zeros.
    fn write(&self, data: &[u8], at: u64) -> io::Result<()> {
        let (mut start, mut end) = (0, 0);
        while end < data.len() {
            let boundary = HOLE_BYTES - (at as usize + end) % HOLE_BYTES;
            let block = &data[end..data.len().min(end + boundary)];
            if *block == ZEROS[..block.len()] {
                self.target.write_all_at(&data[start..end], at + start as u64)?;
                start = end + block.len();
            }
            end += block.len();
        }
        self.target.write_all_at(&data[start..], at + start as u64)
    }

    /// Lets the kernel write what is a while behind, so that the sync at the end is short; a hint.
    fn start_writing(&self, end: u64) {
        let (Ok(from), Ok(length)) = (i64::try_from(end.saturating_sub(2 * FLUSH)), i64::try_from(FLUSH)) else {
            return;
        };
        let _ = posix_fadvise(&self.target, from, length, PosixFadviseAdvice::POSIX_FADV_DONTNEED);
    }
}
