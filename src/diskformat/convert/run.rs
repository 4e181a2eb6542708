//! Starts a conversion, watches it, and looks at what it made.

use super::{
    ConvertError, Output, Settings,
    child::{Running, Said},
    examine::examine,
};
use crate::diskformat::{Format, Inspection, inspect};
use nix::sys::{signal::Signal, statvfs};
use std::{
    fs::{self, File, OpenOptions},
    io,
    os::unix::{
        fs::{MetadataExt, OpenOptionsExt},
        process::{CommandExt, ExitStatusExt},
    },
    path::{Path, PathBuf},
    process::{Command, ExitStatus, Stdio},
    thread,
    time::Duration,
};
use tokio::{task::spawn_blocking, time::Instant};
use tokio_util::sync::CancellationToken;

/// Where qemu-img is looked for.
const QEMU_IMG: &[&str] = &["/usr/bin/qemu-img", "/usr/local/bin/qemu-img", "/bin/qemu-img"];
/// This program, also after it was replaced on disk.
const MYSELF: &str = "/proc/self/exe";
const MOST_THREADS: usize = 8;

/// A conversion that is done. The file is not synced to disk yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Converted {
    /// Bytes of the file, holes included; those of the disk when it is raw.
    pub virtual_size: u64,
    /// Bytes that it takes on disk.
    pub allocated: u64,
    /// What the file was recognised as; a raw one may be a partitioned disk, or an ISO.
    pub inspection: Inspection,
}

/// Converts the image of `format` at `source` to a raw, sparse file at `target`, replacing what is there.
///
/// `progress` gets bytes done and bytes in all. When this returns an error, or is dropped, nothing is left at the
/// target and no process runs on. The target is not synced.
#[expect(clippy::too_many_arguments, reason = "what, of what kind, where to, within what; and two ways to talk to it")]
pub async fn to_raw(
    source: &Path,
    format: Format,
    target: &Path,
    settings: &Settings,
    progress: impl Fn(u64, u64) + Send,
    cancel: CancellationToken,
) -> Result<Converted, ConvertError> {
    convert(source, (format, Output::Raw), target, settings, progress, cancel).await
}

/// Likewise, to any format that is written.
///
/// # Errors
/// [`ConvertError`]
#[expect(clippy::too_many_arguments, reason = "what, of what kind, where to, within what; and two ways to talk to it")]
pub async fn convert(
    source: &Path,
    (format, output): (Format, Output),
    target: &Path,
    settings: &Settings,
    progress: impl Fn(u64, u64) + Send,
    cancel: CancellationToken,
) -> Result<Converted, ConvertError> {
    let job = Job { source: source.into(), format, output, target: target.into(), settings: settings.clone() };
    let (job, mut started) = blocking(move || job.start()).await?;
    let watch = watch(&job, &mut started, progress);
    let ended = tokio::select! {
        biased;
        () = cancel.cancelled() => Err(ConvertError::Cancelled),
        seconds = too_long(job.settings.time_limit) => Err(ConvertError::TooLong { seconds }),
        ended = watch => ended,
    };
    if ended.is_err() {
        started.child.kill().await;
    }
    // Also on failure: to remove a large file takes a while.
    blocking(move || {
        job.judge(ended?, started.child.words())?;
        let converted = job.check_result()?;
        started.unfinished.keep();
        Ok(converted)
    })
    .await
}

/// Waits until the time is over.
async fn too_long(limit: Option<Duration>) -> u64 {
    match limit {
        Some(limit) => tokio::time::sleep(limit).await,
        None => std::future::pending().await,
    }
    limit.unwrap_or_default().as_secs()
}

async fn blocking<T: Send + 'static>(
    work: impl FnOnce() -> Result<T, ConvertError> + Send + 'static,
) -> Result<T, ConvertError> {
    let died =
        |it: tokio::task::JoinError| ConvertError::Failed { status: "in this process".into(), words: it.to_string() };
    spawn_blocking(work).await.map_err(died)?
}

/// Follows the child until it ends.
async fn watch(
    job: &Job,
    started: &mut Started,
    progress: impl Fn(u64, u64) + Send,
) -> Result<ExitStatus, ConvertError> {
    let Started { child, virtual_size, .. } = started;
    let mut furthest = None;
    let mut deadline = Instant::now() + job.settings.stall_timeout;
    // A short conversion may end before it has said how far it is.
    job.check_room()?;
    loop {
        let Ok(said) = tokio::time::timeout_at(deadline, child.hear()).await else {
            return Err(ConvertError::Stalled { seconds: job.settings.stall_timeout.as_secs() });
        };
        match said {
            None => return Err(ConvertError::Failed { status: "unknown".into(), words: child.words() }),
            Some(Said::Ended(status)) => return status.map_err(|source| job.start_error(source)),
            Some(Said::Jail(jail)) => tracing::debug!(jail, "Landlock confines the conversion"),
            Some(Said::Words(words)) => child.remember(words),
            Some(Said::Done(done)) => {
                let done = done.of(*virtual_size);
                progress(done, *virtual_size);
                if furthest < Some(done) {
                    furthest = Some(done);
                    deadline = Instant::now() + job.settings.stall_timeout;
                }
                job.check_room()?;
            }
        }
    }
}

/// A conversion under way.
struct Started {
    virtual_size: u64,
    child: Running,
    unfinished: Unfinished,
}

/// What is to be done.
struct Job {
    source: PathBuf,
    format: Format,
    output: Output,
    target: PathBuf,
    settings: Settings,
}

impl Job {
    /// Examines the source, makes the target and starts the child. Blocks.
    fn start(self) -> Result<(Self, Started), ConvertError> {
        let read = |source| ConvertError::ReadSource { path: self.source.clone(), source };
        let write = |source| ConvertError::WriteTarget { path: self.target.clone(), source };
        // qemu takes what stands before a colon for a protocol, so that names must be absolute.
        let source_path = fs::canonicalize(&self.source).map_err(read)?;
        let source = examine(&source_path, (self.format, self.output), &self.settings)?;
        let qemu_img = source.needs_qemu_img.map(|why| self.find_qemu_img(why)).transpose()?;
        let mut options = OpenOptions::new();
        options.write(true).create(true).truncate(true).mode(0o644).custom_flags(nix::libc::O_NOFOLLOW);
        options.open(&self.target).map_err(write)?;
        let unfinished = Unfinished(fs::canonicalize(&self.target).map_err(write)?);
        let program = self.settings.worker.clone().unwrap_or_else(|| MYSELF.into());
        let mut command = Command::new(&program);
        command.arg0("larder").env_clear().env("LC_ALL", "C").stdin(Stdio::null());
        // Each further arena of glibc's takes 64 MiB of the address space.
        command.env("MALLOC_ARENA_MAX", "1");
        command.arg("convert-worker").arg("--virtual-size").arg(source.virtual_size.to_string());
        command.arg("--parent").arg(std::process::id().to_string());
        command.arg("--threads").arg(self.threads().to_string());
        command.arg("--memory").arg(self.settings.memory_limit.to_string());
        command.arg("--cpu-seconds").arg(self.settings.cpu_limit.as_secs().to_string());
        if self.settings.idle {
            command.arg("--idle");
        }
        if let Some(program) = qemu_img {
            command.arg("--qemu-img").arg(program).arg("--driver").arg(self.format.qemu_driver());
            command.arg("--output").arg(self.output.as_str());
        }
        command.arg("--").arg(source_path).arg(&unfinished.0);
        let child = Running::start(command).map_err(|source| ConvertError::Start { program, source })?;
        Ok((self, Started { virtual_size: source.virtual_size, child, unfinished }))
    }

    fn threads(&self) -> usize {
        match self.settings.threads {
            0 => thread::available_parallelism().map_or(1, |it| it.get().min(MOST_THREADS)),
            some => some,
        }
    }

    fn find_qemu_img(&self, why: &'static str) -> Result<PathBuf, ConvertError> {
        let given = self.settings.qemu_img.clone().filter(|it| it.is_file());
        let usual = || QEMU_IMG.iter().map(PathBuf::from).find(|it| it.is_file());
        let found = if self.settings.qemu_img.is_some() { given } else { usual() };
        found.ok_or(ConvertError::NeedsQemuImg { format: self.format, why })
    }

    fn start_error(&self, source: io::Error) -> ConvertError {
        ConvertError::Start { program: self.settings.worker.clone().unwrap_or_else(|| MYSELF.into()), source }
    }

    /// Ends the conversion when it has eaten the room that must stay free.
    fn check_room(&self) -> Result<(), ConvertError> {
        if self.settings.keep_free == 0 {
            return Ok(());
        }
        let stat =
            statvfs::statvfs(self.target.parent().unwrap_or(&self.target)).map_err(|it| self.write_error(it.into()))?;
        if stat.blocks_available().saturating_mul(stat.fragment_size()) < self.settings.keep_free {
            return Err(ConvertError::NoRoom { path: self.target.clone() });
        }
        Ok(())
    }

    fn write_error(&self, source: io::Error) -> ConvertError {
        ConvertError::WriteTarget { path: self.target.clone(), source }
    }

    /// Turns the way that the child ended into words.
    fn judge(&self, status: ExitStatus, words: String) -> Result<(), ConvertError> {
        if status.success() {
            return Ok(());
        }
        if words.contains("No space left on device") || words.contains("Disk quota exceeded") {
            return Err(ConvertError::NoRoom { path: self.target.clone() });
        }
        let status = match status.signal().and_then(|it| Signal::try_from(it).ok()) {
            Some(Signal::SIGXCPU) => "it used up its CPU time".into(),
            Some(Signal::SIGXFSZ) => "it wrote more than the disk's size".into(),
            Some(signal) => format!("killed by {signal}"),
            None => format!("exit code {}", status.code().unwrap_or(-1)),
        };
        Err(ConvertError::Failed { status, words })
    }

    /// The result must be of its format to everybody who probes it. Blocks.
    fn check_result(&self) -> Result<Converted, ConvertError> {
        let mut file = File::open(&self.target).map_err(|it| self.write_error(it))?;
        let inspection = inspect(&mut file).map_err(|it| self.write_error(it))?;
        if let Some(found) = inspection.formats.iter().find(|it| !self.output.is(**it)) {
            return Err(ConvertError::BadResult { found: *found });
        }
        if self.output != Output::Raw && !inspection.problems.is_empty() {
            return Err(ConvertError::BadResult { found: inspection.format });
        }
        let allocated = file.metadata().map_err(|it| self.write_error(it))?.blocks() * 512;
        Ok(Converted { virtual_size: inspection.size, allocated, inspection })
    }
}

/// A target that is removed unless it is kept.
struct Unfinished(PathBuf);

impl Unfinished {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Unfinished {
    fn drop(&mut self) {
        if self.0 != Path::new("") {
            // Best effort: the agent sweeps its leftovers at the next start.
            let _ = fs::remove_file(&self.0);
        }
    }
}
