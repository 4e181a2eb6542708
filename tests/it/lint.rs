//! Format and lints are tests like any other, so that `cargo test` says all there is to say.

use crate::support::{run, skip};
use std::process::Command;

/// Cargo in this project, on the tool chain that runs the test.
fn cargo(args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO"));
    command.args(args).current_dir(env!("CARGO_MANIFEST_DIR")).env_remove("RUSTC_WORKSPACE_WRAPPER");
    command
}

/// True when `cargo NAME` is installed.
fn has(name: &str) -> bool {
    cargo(&[name, "--version"]).output().is_ok_and(|out| out.status.success())
        || skip(&format!("cargo {name} is not installed"))
}

#[test]
fn formatted() {
    if has("fmt") {
        run(&mut cargo(&["fmt", "--check"]));
    }
}

#[test]
fn no_clippy_warnings() {
    if has("clippy") {
        run(&mut cargo(&["clippy", "-q", "--all-targets", "--", "-D", "warnings"]));
        // Each half alone, as it is packaged for a compute node and for the centre.
        for half in ["agent", "catalogue"] {
            run(&mut cargo(&["clippy", "-q", "--no-default-features", "--features", half, "--", "-D", "warnings"]));
        }
    }
}
