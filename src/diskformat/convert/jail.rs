//! Takes everything from a process that a conversion does not need.

use landlock::{
    ABI, Access, AccessFs, AccessNet, RestrictionStatus, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetError,
    RulesetStatus, Scope, path_beneath_rules,
};
use nix::{
    libc,
    sys::{
        prctl,
        resource::{Resource, setrlimit},
    },
};
use seccompiler::{BpfProgram, SeccompAction, SeccompFilter, apply_filter};
use std::{env::consts::ARCH, fmt, io, path::Path};

/// The newest rules of Landlock that are asked for; older kernels give what they have.
const RULES: ABI = ABI::V6;
/// Where a program that is executed in the jail finds its libraries.
const SYSTEM: &[&str] = &["/usr", "/lib", "/lib64", "/bin", "/etc/ld.so.cache", "/nix/store"];

/// How far Landlock holds on this kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Enforced {
    Fully,
    Partly,
    Not,
}

impl fmt::Display for Enforced {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Fully => "full",
            Self::Partly => "partial",
            Self::Not => "none",
        })
    }
}

/// Limits of the process, inherited over exec.
pub(super) struct Limits {
    /// Address space, bytes.
    pub(super) memory: u64,
    /// CPU time, seconds.
    pub(super) cpu_seconds: u64,
    /// The largest file that it may write, bytes.
    pub(super) file_size: u64,
}

/// Sets the resource limits, drops all capabilities and gives up ever gaining privileges.
pub(super) fn limit(limits: &Limits) -> io::Result<()> {
    for (resource, value) in [
        (Resource::RLIMIT_AS, limits.memory),
        (Resource::RLIMIT_CPU, limits.cpu_seconds),
        (Resource::RLIMIT_FSIZE, limits.file_size),
        (Resource::RLIMIT_CORE, 0),
        (Resource::RLIMIT_NOFILE, 64),
    ] {
        setrlimit(resource, value, value)?;
    }
    prctl::set_no_new_privs()?;
    drop_capabilities()
}

/// Makes the stacks of what is executed next small: with the usual 8 MiB for each of its up to 64 threads, qemu-img comes to
/// the end of its address space on a busy machine, and aborts.
pub(super) fn small_stacks() -> io::Result<()> {
    const STACK: u64 = 2 << 20;
    Ok(setrlimit(Resource::RLIMIT_STACK, STACK, STACK)?)
}

/// Closes the file system, the network and other processes to this one; what is open stays open.
pub(super) fn close_off() -> io::Result<Enforced> {
    let close = || ruleset()?.create()?.restrict_self();
    close().map(enforced).map_err(io::Error::other)
}

/// Likewise, but `program` may be executed, `source` be read and `target` be written.
pub(super) fn close_off_for(program: &Path, source: &Path, target: &Path) -> io::Result<Enforced> {
    let run = AccessFs::Execute | AccessFs::ReadFile | AccessFs::ReadDir;
    let home = program.parent().unwrap_or(program);
    let write = AccessFs::ReadFile | AccessFs::WriteFile | AccessFs::Truncate;
    let close = || {
        ruleset()?
            .create()?
            .add_rules(path_beneath_rules(SYSTEM, run))?
            .add_rules(path_beneath_rules([home], run))?
            .add_rules(path_beneath_rules([source], AccessFs::ReadFile))?
            .add_rules(path_beneath_rules([target], write))?
            .restrict_self()
    };
    close().map(enforced).map_err(io::Error::other)
}

/// Takes sockets of every kind from this process and what it executes: Landlock knows of TCP only. io_uring, which makes
/// sockets, too, goes with them; qemu-img does without.
///
/// # Errors
/// Why that cannot be here, in words.
pub(super) fn deny_network() -> Result<(), String> {
    let arch = ARCH.try_into().map_err(|_| format!("no filter for {ARCH}"))?;
    let denied = [libc::SYS_socket, libc::SYS_socketpair, libc::SYS_io_uring_setup].map(|it| (it, Vec::new()));
    let refuse = SeccompAction::Errno(libc::EPERM as u32);
    let filter = SeccompFilter::new(denied.into(), SeccompAction::Allow, refuse, arch).map_err(|it| it.to_string())?;
    let program: BpfProgram = filter.try_into().map_err(|it: seccompiler::BackendError| it.to_string())?;
    apply_filter(&program).map_err(|it| it.to_string())
}

fn ruleset() -> Result<Ruleset, RulesetError> {
    Ruleset::default()
        .handle_access(AccessFs::from_all(RULES))?
        .handle_access(AccessNet::from_all(RULES))?
        .scope(Scope::from_all(RULES))
}

fn enforced(status: RestrictionStatus) -> Enforced {
    match status.ruleset {
        RulesetStatus::FullyEnforced => Enforced::Fully,
        RulesetStatus::PartiallyEnforced => Enforced::Partly,
        RulesetStatus::NotEnforced => Enforced::Not,
    }
}

/// Drops what the agent may do beyond its user; also for root.
#[expect(unsafe_code, reason = "there is no safe wrapper; the kernel reads two structures that live on this stack")]
fn drop_capabilities() -> io::Result<()> {
    /// _LINUX_CAPABILITY_VERSION_3, and this process.
    const HEADER: [u32; 2] = [0x2008_0522, 0];
    /// Effective, permitted and inheritable, for the lower and the upper 32 capabilities.
    const NONE: [u32; 6] = [0; 6];
    let result = unsafe { libc::syscall(libc::SYS_capset, HEADER.as_ptr(), NONE.as_ptr()) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}
