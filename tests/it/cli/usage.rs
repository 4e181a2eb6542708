//! Help texts, wrong usage, wrong configuration.

use crate::support::{larder, output, text};
use std::fs;

/// Every command that an operator types, and its help's last words.
const COMMANDS: [&[&str]; 22] = [
    &[],
    &["catalogue"],
    &["catalogue", "db", "sync"],
    &["catalogue", "db", "check"],
    &["catalogue", "metadefs", "load"],
    &["catalogue", "metadefs", "unload"],
    &["catalogue", "metadefs", "export"],
    &["catalogue", "cache", "prefetch"],
    &["catalogue", "cache", "prune"],
    &["catalogue", "cache", "clean"],
    &["agent"],
    &["dev"],
    &["image", "push"],
    &["image", "list"],
    &["image", "show"],
    &["image", "save"],
    &["image", "delete"],
    &["cache"],
    &["cache", "status"],
    &["cache", "why"],
    &["cache", "prune"],
    &["cache", "queue-image"],
];

#[test]
fn every_help_has_examples_and_exit_codes() {
    for command in COMMANDS {
        let out = output(larder(command).arg("--help"));
        let help = text(&out.stdout);
        assert!(out.status.success(), "{command:?}");
        assert!(help.contains("Exit codes:"), "{command:?} does not say its exit codes:\n{help}");
        assert!(help.contains("Examples:") || help.contains("Start here:"), "{command:?} has no examples:\n{help}");
    }
}

#[test]
fn wrong_usage_is_2() {
    for args in [&["bogus"][..], &["image", "push"], &["cache", "why"], &["image", "list", "--limit", "x"], &[]] {
        let out = output(&mut larder(args));
        assert_eq!(out.status.code(), Some(2), "{args:?}");
        assert!(out.stdout.is_empty() && !out.stderr.is_empty(), "{args:?}");
    }
}

#[cfg(feature = "agent")]
#[test]
fn wrong_values_are_named_together_and_unknown_ones_are_hinted_at() {
    let dir = tempfile::tempdir().unwrap();
    let conf = dir.path().join("agent.conf");
    fs::write(&conf, "[DEFAULT]\nmax_concurrent_fetches = many\nprefetch_schedule = 61 * * * *\n").unwrap();
    let out = output(larder(&["agent", "--config-file", "agent.conf"]).current_dir(dir.path()));
    let said = text(&out.stderr);
    assert_eq!(out.status.code(), Some(1));
    assert!(said.contains("2 values are wrong:"), "{said}");
    assert!(said.contains("agent.conf: [DEFAULT] max_concurrent_fetches = 'many': it takes a whole number"), "{said}");
    assert!(said.contains("[DEFAULT] prefetch_schedule = '61 * * * *'"), "{said}");

    fs::write(&conf, "[DEFAULT]\nmax_concurent_fetches = 3\nstate_path = /proc/none\n").unwrap();
    let out = output(larder(&["agent", "--config-file", "agent.conf"]).current_dir(dir.path()));
    let said = text(&out.stderr);
    assert!(said.contains("is [DEFAULT] max_concurrent_fetches meant?"), "{said}");
}

#[test]
fn a_configuration_that_is_not_there_is_an_error() {
    for program in ["catalogue", "agent"] {
        let out = output(&mut larder(&[program, "--config-file", "/nonexistent/x.conf"]));
        assert_eq!(out.status.code(), Some(1));
        let said = text(&out.stderr);
        assert!(said.contains("/nonexistent/x.conf: there is no such") || said.contains("built without"), "{said}");
    }
}

#[cfg(feature = "catalogue")]
#[test]
fn no_tokens_are_ignored_silently() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("glance-api.conf"), "[paste_deploy]\nflavor = keystone\n").unwrap();
    let out = output(larder(&["catalogue", "--config-file", "glance-api.conf"]).current_dir(dir.path()));
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains("auth_url is missing"), "{}", text(&out.stderr));
}

#[test]
fn without_an_agent_the_message_says_what_to_do() {
    let dir = tempfile::tempdir().unwrap();
    let out = output(larder(&["cache", "status", "--socket", "none.sock"]).current_dir(dir.path()));
    assert_eq!(out.status.code(), Some(1));
    let said = text(&out.stderr);
    assert!(said.contains("no agent listens at none.sock") && said.contains("start it"), "{said}");
}
