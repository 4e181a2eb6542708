//! The program called as `glance-cache-manage`, beside the true one where that is installed.

use crate::support::{LARDER, larder, rig, text};
use std::{
    io::Write,
    os::unix::fs::symlink,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
};

const ID: &str = "7c1d0a5e-0000-4000-8000-000000000000";

/// What is said without asking any server.
const CASES: [(&[&str], &str); 9] = [
    (&["bogus"], ""),
    (&["queue-image", "x"], ""),
    (&["queue-image", ID, ID], ""),
    (&["delete-cached-image", "7C1D0A5E00004000800000000000000Z"], ""),
    (&["queue-image", ID], "n\n"),
    (&["delete-cached-image", ID], "no\n"),
    (&["delete-queued-image", ID], "yess\n"),
    (&["delete-all-cached-images"], "n\n"),
    (&["delete-all-queued-images", "-v"], "nO\n"),
];

fn call(program: &Path, args: &[&str], answer: &str) -> Output {
    let mut command = Command::new(program);
    for (name, _) in larder(&[]).get_envs() {
        command.env_remove(name);
    }
    command.args(args).env("PYTHONWARNINGS", "ignore");
    let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // The program may end without reading.
    let _ = child.stdin.take().unwrap().write_all(answer.as_bytes());
    child.wait_with_output().unwrap()
}

fn linked(dir: &Path) -> PathBuf {
    let link = dir.join("glance-cache-manage");
    symlink(LARDER, &link).unwrap();
    link
}

/// Standard output without the time taken.
fn said(out: &Output) -> String {
    let text = text(&out.stdout);
    text.split("Completed in ").next().unwrap().trim_end().to_owned()
}

#[test]
fn it_says_what_glance_cache_manage_says() {
    let Some(true_one) = rig::program("glance-cache-manage") else { return };
    let dir = tempfile::tempdir().unwrap();
    let ours = linked(dir.path());
    for (args, answer) in CASES {
        let (want, got) = (call(&true_one, args, answer), call(&ours, args, answer));
        assert_eq!(said(&got).trim_end(), said(&want).trim_end(), "{args:?}");
        assert_eq!(got.status.code(), want.status.code(), "{args:?}");
    }
}

#[test]
fn without_an_agent_it_fails_in_glances_words() {
    let dir = tempfile::tempdir().unwrap();
    let ours = linked(dir.path());
    let out = call(&ours, &["--socket", "none.sock", "list-cached"], "");
    assert_eq!(out.status.code(), Some(1));
    assert!(
        said(&out).starts_with("Failed to show cached images. Got error:\nno agent listens at none.sock"),
        "{}",
        said(&out)
    );
}

#[test]
fn a_prompt_that_nobody_answers_is_a_no() {
    let out = call(Path::new(LARDER), &["cache", "--socket", "none.sock", "queue-image", ID], "");
    assert_eq!(text(&out.stdout), format!("Queue image {ID} for caching? [y/N] "));
    assert_eq!(out.status.code(), Some(0));
}
