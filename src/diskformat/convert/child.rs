//! The child process of a conversion, seen from the agent.

use std::{
    io::{self, BufRead, BufReader, PipeReader},
    process::{Child, Command, ExitStatus},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    thread,
    time::Duration,
};
use tokio::sync::mpsc;

const LONGEST_LINE: usize = 4096;
const MOST_WORDS: usize = 4;
/// How long a killed child may take to go; it may be in the middle of a write.
const LAST_WAIT: Duration = Duration::from_secs(30);

/// What the child, or the thread that waits for it, says.
pub(super) enum Said {
    /// How far it is.
    Done(Done),
    /// How far Landlock holds.
    Jail(String),
    /// Anything else, such as errors.
    Words(String),
    /// It is gone.
    Ended(io::Result<ExitStatus>),
}

/// Progress, in the units of either program.
pub(super) enum Done {
    Bytes(u64),
    Percent(f64),
}

impl Done {
    pub(super) fn of(self, size: u64) -> u64 {
        match self {
            Self::Bytes(bytes) => bytes.min(size),
            Self::Percent(percent) => ((size as f64) * (percent / 100.0).clamp(0.0, 1.0)) as u64,
        }
    }
}

/// A child process that is killed when this is dropped.
pub(super) struct Running {
    said: mpsc::Receiver<Said>,
    words: Vec<String>,
    shared: Arc<Mutex<Shared>>,
}

#[derive(Default)]
struct Shared {
    child: Option<Child>,
    killed: bool,
}

impl Shared {
    fn kill(&mut self) {
        self.killed = true;
        if let Some(child) = &mut self.child {
            // Fails only when it is gone already.
            let _ = child.kill();
        }
    }
}

impl Running {
    /// Starts the child from a thread of its own, which lives as long: the kernel ends the child with that thread.
    pub(super) fn start(mut command: Command) -> io::Result<Self> {
        let (reader, writer) = io::pipe()?;
        command.stdout(writer.try_clone()?).stderr(writer);
        let (say, said) = mpsc::channel(16);
        let shared = Arc::default();
        let theirs = Arc::clone(&shared);
        thread::Builder::new().name("convert".into()).spawn(move || {
            let started = command.spawn();
            // The writing ends must go, or the pipe never ends.
            drop(command);
            let ended = started.and_then(|child| follow(child, &theirs, reader, &say));
            let _ = say.blocking_send(Said::Ended(ended));
        })?;
        Ok(Self { said, words: Vec::new(), shared })
    }

    /// The next news.
    pub(super) async fn hear(&mut self) -> Option<Said> {
        self.said.recv().await
    }

    /// Remembers what it said, but not everything.
    pub(super) fn remember(&mut self, words: String) {
        self.words.truncate(MOST_WORDS - 1);
        self.words.push(words);
    }

    /// The first and the last that it said.
    pub(super) fn words(&self) -> String {
        self.words.join("; ")
    }

    /// Kills it and waits until it is gone.
    pub(super) async fn kill(&mut self) {
        lock(&self.shared).kill();
        let gone = async { while !matches!(self.said.recv().await, None | Some(Said::Ended(_))) {} };
        let _ = tokio::time::timeout(LAST_WAIT, gone).await;
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        lock(&self.shared).kill();
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn follow(
    child: Child,
    shared: &Mutex<Shared>,
    reader: PipeReader,
    say: &mpsc::Sender<Said>,
) -> io::Result<ExitStatus> {
    {
        let mut shared = lock(shared);
        shared.child = Some(child);
        if shared.killed {
            shared.kill();
        }
    }
    let mut reader = BufReader::new(reader);
    while let Some(line) = next_line(&mut reader) {
        // Nobody listens any more: the child is being killed. Go on, to the end of the pipe.
        let _ = parse(&line).map(|it| say.blocking_send(it));
    }
    loop {
        if let Some(status) = lock(shared).child.as_mut().map(Child::try_wait).transpose()?.flatten() {
            return Ok(status);
        }
        thread::sleep(Duration::from_millis(5));
    }
}

/// A line that ends with either sign; a long one comes in parts.
fn next_line(reader: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    loop {
        let available = reader.fill_buf().ok()?;
        if available.is_empty() {
            return (!line.is_empty()).then(|| String::from_utf8_lossy(&line).into_owned());
        }
        let end = available.iter().position(|it| matches!(it, b'\n' | b'\r'));
        let take = end.unwrap_or(available.len()).min(LONGEST_LINE - line.len());
        line.extend_from_slice(&available[..take]);
        let ended = end == Some(take);
        reader.consume(take + usize::from(ended));
        if ended || line.len() >= LONGEST_LINE {
            return Some(String::from_utf8_lossy(&line).into_owned());
        }
    }
}

/// The worker's lines, and qemu-img's `(12.50/100%)`.
fn parse(line: &str) -> Option<Said> {
    let line = line.trim();
    if line.is_empty() {
        return None;
    }
    if let Some(bytes) = line.strip_prefix("done ").and_then(|it| it.parse().ok()) {
        return Some(Said::Done(Done::Bytes(bytes)));
    }
    if let Some(jail) = line.strip_prefix("jail ") {
        return Some(Said::Jail(jail.into()));
    }
    let percent = line.strip_prefix('(').and_then(|it| it.strip_suffix("/100%)"));
    if let Some(percent) = percent.and_then(|it| it.parse().ok()) {
        return Some(Said::Done(Done::Percent(percent)));
    }
    Some(Said::Words(line.chars().filter(|it| !it.is_control()).collect()))
}
