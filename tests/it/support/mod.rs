//! What the integration tests share: folders, processes of the real `larder`, disk images, faults.

#![allow(dead_code, reason = "each test takes what it needs")]

pub(crate) mod authority;
#[cfg(feature = "catalogue")]
pub(crate) mod balancer;
pub(crate) mod chaos;
pub(crate) mod daemon;
#[cfg(feature = "catalogue")]
pub(crate) mod database;
pub(crate) mod disks;
mod door;
pub(crate) mod evidence;
pub(crate) mod judge;
#[cfg(feature = "catalogue")]
pub(crate) mod own_server;
mod ports;
pub(crate) mod rig;
pub(crate) mod signed;
pub(crate) mod toll;
#[cfg(target_arch = "x86_64")]
pub(crate) mod tracer;
pub(crate) mod web;

pub(crate) use ports::free_port;

use std::{
    path::Path,
    process::{Command, Output},
    time::{Duration, Instant},
};

/// The program under test.
pub(crate) const LARDER: &str = env!("CARGO_BIN_EXE_larder");

/// Waits until `done` says so; panics with `what` after `limit`, and not before five minutes: machines are busy.
pub(crate) fn wait_until(what: &str, limit: Duration, mut done: impl FnMut() -> bool) {
    let limit = limit.max(Duration::from_secs(300));
    let start = Instant::now();
    while !done() {
        assert!(start.elapsed() < limit, "waited {limit:?} in vain: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// True when all `tools` are on the path. Else: says that the test is skipped, and fails in CI.
pub(crate) fn have(tools: &[&str]) -> bool {
    let missing: Vec<_> = tools.iter().filter(|tool| which(tool).is_none()).collect();
    missing.is_empty() || skip(&format!("{missing:?} not installed"))
}

/// True when the test runs as root (mounts, other users). Else as [`have`].
pub(crate) fn have_root() -> bool {
    nix::unistd::geteuid().is_root() || skip("not root")
}

/// Says that a test is skipped; in CI nothing may be. Always false.
pub(crate) fn skip(why: &str) -> bool {
    assert!(std::env::var("CI").as_deref() != Ok("true"), "in CI nothing is skipped: {why}");
    eprintln!("skipped: {why}");
    false
}

fn which(tool: &str) -> Option<std::path::PathBuf> {
    let path = std::env::var_os("PATH")?;
    std::env::split_paths(&path)
        .chain(["/usr/sbin".into(), "/sbin".into()])
        .map(|dir| dir.join(tool))
        .find(|p| p.is_file())
}

/// Runs a command that must work; its standard output.
pub(crate) fn run(command: &mut Command) -> String {
    let output = output(command);
    assert!(
        output.status.success(),
        "{command:?}: {}\n{}{}",
        output.status,
        text(&output.stdout),
        text(&output.stderr)
    );
    text(&output.stdout)
}

/// Runs a command to its end.
pub(crate) fn output(command: &mut Command) -> Output {
    evidence::tell_panics();
    command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"))
}

pub(crate) fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// `larder ARGS…` with nothing of the caller's environment that could lead it elsewhere.
pub(crate) fn larder(args: &[&str]) -> Command {
    evidence::tell_panics();
    let mut command = Command::new(LARDER);
    command.args(args).stdin(std::process::Stdio::null());
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy().into_owned();
        if name.starts_with("OS_") || name.starts_with("LARDER_") || name == "NOTIFY_SOCKET" {
            command.env_remove(name);
        }
    }
    command
}

/// What files stand in `dir`, sorted, without directories.
pub(crate) fn files(dir: &Path) -> Vec<String> {
    let Ok(entries) = std::fs::read_dir(dir) else { return Vec::new() };
    let mut names: Vec<_> = entries
        .flatten()
        .filter(|e| e.file_type().is_ok_and(|t| t.is_file()))
        .map(|e| e.file_name().to_string_lossy().into_owned())
        .collect();
    names.sort();
    names
}
