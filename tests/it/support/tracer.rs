//! `larder` under ptrace(2): the system calls that change files are counted, over all of its threads, and at one of
//! them it is killed, or the call fails.
//!
//! Processes that it starts are not traced.

use super::{daemon::Daemon, larder};
use nix::{
    errno::Errno,
    libc::{self, c_long},
    sys::{
        ptrace::{self, Options},
        signal::{Signal, kill},
        wait::{WaitPidFlag, WaitStatus, waitpid},
    },
    unistd::Pid,
};
use std::{
    collections::HashMap,
    ffi::OsString,
    fs::{self, File},
    io::Write,
    os::unix::{ffi::OsStringExt, fs::FileExt},
    path::{Path, PathBuf},
    process::{Command, Stdio},
    sync::{
        Arc, Mutex,
        atomic::{AtomicBool, Ordering},
        mpsc,
    },
    thread::{self, JoinHandle},
};

/// One system call that is about to begin.
#[derive(Clone, Debug)]
pub(crate) struct Call {
    pub(crate) name: &'static str,
    pub(crate) path: PathBuf,
}

/// What happens at the chosen call.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Then {
    /// SIGKILL: the call is not made any more.
    Kill,
    /// The call is not made, and returns this.
    Fail(Errno),
}

/// Which call it is.
#[derive(Clone, Debug)]
pub(crate) struct Order {
    /// Only files below these count.
    pub(crate) below: Vec<PathBuf>,
    /// Only these calls count.
    pub(crate) which: fn(&Call) -> bool,
    /// The first has the number 1; 0 is none.
    pub(crate) at: usize,
    pub(crate) then: Then,
}

/// A traced process; dropped, it is killed.
pub(crate) struct Traced {
    pid: Pid,
    shared: Arc<Shared>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Default)]
struct Shared {
    armed: AtomicBool,
    ended: AtomicBool,
    seen: Mutex<Vec<Call>>,
}

impl Traced {
    /// Starts `larder ARGS…` in `dir`, its output in `dir/NAME.log`; calls count from the beginning, or from
    /// [`Traced::arm`] on.
    #[expect(clippy::zombie_processes, reason = "the tracer waits for it")]
    pub(crate) fn start(dir: &Path, name: &str, args: &[&str], order: Order, armed: bool) -> Self {
        let shared = Arc::new(Shared { armed: AtomicBool::new(armed), ..Shared::default() });
        let (tell, told) = mpsc::channel();
        let mut command = gated(dir, name, args);
        let work = shared.clone();
        // Only the thread that traces a process may ask for anything.
        let thread = thread::spawn(move || {
            let mut child = command.spawn().unwrap();
            let pid = Pid::from_raw(child.id().try_into().unwrap());
            ptrace::seize(
                pid,
                Options::PTRACE_O_TRACESYSGOOD | Options::PTRACE_O_TRACECLONE | Options::PTRACE_O_EXITKILL,
            )
            .unwrap();
            ptrace::interrupt(pid).unwrap();
            child.stdin.take().unwrap().write_all(b"\n").unwrap();
            tell.send(pid).unwrap();
            Tracer { leader: pid, order, shared: &work, inside: HashMap::new() }.run();
            work.ended.store(true, Ordering::SeqCst);
        });
        Self { pid: told.recv().unwrap(), shared, thread: Some(thread) }
    }

    /// From now on calls count.
    pub(crate) fn arm(&self) {
        self.shared.armed.store(true, Ordering::SeqCst);
    }

    pub(crate) fn ended(&self) -> bool {
        self.shared.ended.load(Ordering::SeqCst)
    }

    /// The calls that counted so far.
    pub(crate) fn seen(&self) -> Vec<Call> {
        self.shared.seen.lock().unwrap().clone()
    }

    pub(crate) fn signal(&self, signal: Signal) {
        let _ = kill(self.pid, signal);
    }

    /// Waits for its end.
    pub(crate) fn join(mut self) {
        self.thread.take().unwrap().join().unwrap();
    }
}

impl Drop for Traced {
    fn drop(&mut self) {
        if let Some(thread) = self.thread.take() {
            self.signal(Signal::SIGKILL);
            let _ = thread.join();
        }
    }
}

/// The command behind a gate: it begins when a line comes in, so that nothing of it is missed.
fn gated(dir: &Path, name: &str, args: &[&str]) -> Command {
    let larder = larder(args);
    let mut command = Command::new("sh");
    command.args(["-c", "read -r go; exec \"$@\"", "sh"]).arg(larder.get_program()).args(larder.get_args());
    for (name, value) in larder.get_envs() {
        match value {
            Some(value) => command.env(name, value),
            None => command.env_remove(name),
        };
    }
    let log = Daemon::output(dir, name);
    command.current_dir(dir).stdin(Stdio::piped()).stdout(log.try_clone().unwrap()).stderr(log);
    command
}

struct Tracer<'a> {
    leader: Pid,
    order: Order,
    shared: &'a Shared,
    /// Threads that are in a call, and what it is to return, if not what it does.
    inside: HashMap<Pid, Option<Errno>>,
}

impl Tracer<'_> {
    fn run(&mut self) {
        loop {
            match waitpid(Pid::from_raw(-1), Some(WaitPidFlag::__WALL | WaitPidFlag::__WNOTHREAD)) {
                Ok(WaitStatus::PtraceSyscall(thread)) => {
                    self.syscall(thread);
                    // It may have been killed meanwhile.
                    let _ = ptrace::syscall(thread, None);
                }
                Ok(WaitStatus::PtraceEvent(thread, ..)) => drop(ptrace::syscall(thread, None)),
                Ok(WaitStatus::Stopped(thread, signal)) => drop(ptrace::syscall(thread, signal)),
                Ok(WaitStatus::Exited(thread, _) | WaitStatus::Signaled(thread, ..)) => {
                    self.inside.remove(&thread);
                    if thread == self.leader {
                        return;
                    }
                }
                Ok(_) | Err(Errno::EINTR) => {}
                Err(_) => return,
            }
        }
    }

    fn syscall(&mut self, thread: Pid) {
        let Ok(mut regs) = ptrace::getregs(thread) else { return };
        if let Some(result) = self.inside.remove(&thread) {
            if let Some(errno) = result {
                regs.rax = (-i64::from(errno as i32)).cast_unsigned();
                let _ = ptrace::setregs(thread, regs);
            }
            return;
        }
        self.inside.insert(thread, None);
        if !self.shared.armed.load(Ordering::SeqCst) {
            return;
        }
        let args = [regs.rdi, regs.rsi, regs.rdx, regs.r10];
        let Some(call) = call(thread, regs.orig_rax.cast_signed(), args) else { return };
        if !self.order.below.iter().any(|it| call.path.starts_with(it)) || !(self.order.which)(&call) {
            return;
        }
        let mut seen = self.shared.seen.lock().unwrap();
        seen.push(call);
        if seen.len() != self.order.at {
            return;
        }
        match self.order.then {
            Then::Kill => drop(kill(self.leader, Signal::SIGKILL)),
            Then::Fail(errno) => {
                // No such call: nothing is done.
                regs.orig_rax = u64::MAX;
                let _ = ptrace::setregs(thread, regs);
                self.inside.insert(thread, Some(errno));
            }
        }
    }
}

/// A call that changes a file, or reads one.
fn call(thread: Pid, number: c_long, args: [u64; 4]) -> Option<Call> {
    let [a, b, c, d] = args;
    let made = |flags: u64| flags & (libc::O_CREAT | libc::O_TRUNC) as u64 != 0;
    let opens = |flags: u64| if made(flags) { "create" } else { "open" };
    let file = |name, fd| Some((name, descriptor(thread, fd)?));
    let path = |name, at| Some((name, text(thread, at)?));
    let at = |name, folder, at| Some((name, resolved(thread, folder, text(thread, at)?)?));
    let (name, path) = match number {
        libc::SYS_open => path(opens(b), a),
        libc::SYS_openat => at(opens(c), a, b),
        libc::SYS_creat => path("create", a),
        libc::SYS_rename => path("rename", b),
        libc::SYS_renameat | libc::SYS_renameat2 => at("rename", c, d),
        libc::SYS_unlink => path("unlink", a),
        libc::SYS_unlinkat => at("unlink", a, b),
        libc::SYS_link | libc::SYS_symlink => path("link", b),
        libc::SYS_linkat => at("link", c, d),
        libc::SYS_mkdir => path("mkdir", a),
        libc::SYS_mkdirat => at("mkdir", a, b),
        libc::SYS_rmdir => path("rmdir", a),
        libc::SYS_chmod | libc::SYS_chown | libc::SYS_lchown => path("chmod", a),
        libc::SYS_fchmodat | libc::SYS_fchownat => at("chmod", a, b),
        libc::SYS_fchmod | libc::SYS_fchown => file("chmod", a),
        libc::SYS_utimensat if b == 0 => file("utimens", a),
        libc::SYS_utimensat => at("utimens", a, b),
        libc::SYS_write | libc::SYS_pwrite64 | libc::SYS_writev | libc::SYS_pwritev | libc::SYS_pwritev2 => {
            file("write", a)
        }
        libc::SYS_sendfile => file("write", a),
        libc::SYS_copy_file_range => file("write", c),
        libc::SYS_fsync | libc::SYS_fdatasync | libc::SYS_sync_file_range => file("fsync", a),
        libc::SYS_ftruncate | libc::SYS_fallocate => file("truncate", a),
        libc::SYS_truncate => path("truncate", a),
        libc::SYS_fcntl if [libc::F_OFD_SETLK, libc::F_OFD_SETLKW, libc::F_SETLEASE].contains(&(b as i32)) => {
            file("lock", a)
        }
        libc::SYS_flock => file("lock", a),
        libc::SYS_read | libc::SYS_pread64 | libc::SYS_readv | libc::SYS_preadv | libc::SYS_preadv2 => file("read", a),
        _ => None,
    }?;
    Some(Call { name, path })
}

fn descriptor(thread: Pid, fd: u64) -> Option<PathBuf> {
    let path = fs::read_link(format!("/proc/{thread}/fd/{fd}")).ok()?;
    path.is_absolute().then_some(path)
}

fn text(thread: Pid, at: u64) -> Option<PathBuf> {
    let memory = File::open(format!("/proc/{thread}/mem")).ok()?;
    let mut bytes = vec![0; 4096];
    let n = memory.read_at(&mut bytes, at).ok()?;
    let end = bytes[..n].iter().position(|it| *it == 0)?;
    bytes.truncate(end);
    Some(OsString::from_vec(bytes).into())
}

fn resolved(thread: Pid, folder: u64, path: PathBuf) -> Option<PathBuf> {
    if path.is_absolute() {
        return Some(path);
    }
    let folder = folder as i32;
    let folder = if folder == libc::AT_FDCWD {
        fs::read_link(format!("/proc/{thread}/cwd")).ok()?
    } else {
        descriptor(thread, u64::try_from(folder).ok()?)?
    };
    Some(folder.join(path))
}
