//! The units in systemd/: systemd itself understands them, without a warning.

use crate::support::{LARDER, have, have_root, output, run, text};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
};

const SHIPPED: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/systemd");

/// A copy of the units that starts the program under test.
fn installed(dir: &Path) -> Vec<PathBuf> {
    let mut units = Vec::new();
    for from in [Path::new(SHIPPED), &Path::new(SHIPPED).join("larder-.service.d")] {
        let to = dir.join(from.strip_prefix(SHIPPED).unwrap());
        fs::create_dir_all(&to).unwrap();
        for entry in fs::read_dir(from).unwrap().map(Result::unwrap).filter(|it| it.path().is_file()) {
            let unit = to.join(entry.file_name());
            fs::write(&unit, fs::read_to_string(entry.path()).unwrap().replace("/usr/bin/larder", LARDER)).unwrap();
            units.push(unit);
        }
    }
    units.retain(|it| it.extension().is_some_and(|it| it != "conf"));
    units.sort();
    units
}

fn analyze(dir: &Path) -> Command {
    let mut command = Command::new("systemd-analyze");
    // The colon at the end: after these the system's own.
    command.env("SYSTEMD_UNIT_PATH", format!("{}:", dir.display()));
    command
}

#[test]
fn systemd_verifies_them() {
    if !have(&["systemd-analyze"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let units = installed(dir.path());
    assert_eq!(units.len(), 11, "{units:?}");
    let out = output(analyze(dir.path()).args(["verify", "--man=no"]).args(&units));
    let said = text(&out.stdout) + &text(&out.stderr);
    // Other packages' units are read too; what is said of those is not ours.
    let ours: Vec<_> = said.lines().filter(|it| it.contains("larder")).collect();
    assert!(out.status.success() && ours.is_empty(), "{said}");
}

#[test]
fn the_daemons_are_not_exposed() {
    if !have(&["systemd-analyze"]) {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    // Of 10.0, which is a service without any protection (systemd-analyze security), times ten.
    for unit in installed(dir.path()).iter().filter(|it| it.extension().is_some_and(|it| it == "service")) {
        let catalogue = ["larder-catalogue.service", "larder-scrub.service"].iter().any(|it| unit.ends_with(it));
        let limit = if catalogue { "20" } else { "35" };
        let args = ["security", "--offline=yes", "--no-pager", "--threshold", limit];
        run(analyze(dir.path()).args(args).arg(unit.file_name().unwrap()));
    }
}

#[test]
fn users_and_folders_are_made() {
    if !have(&["systemd-sysusers", "systemd-tmpfiles"]) || !have_root() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let root = format!("--root={}", dir.path().display());
    for folder in ["etc", "var/lib/glance"] {
        fs::create_dir_all(dir.path().join(folder)).unwrap();
    }
    run(Command::new("systemd-sysusers").arg(&root).arg(Path::new(SHIPPED).join("sysusers.d/larder.conf")));
    let users = fs::read_to_string(dir.path().join("etc/passwd")).unwrap();
    assert!(users.starts_with("larder:"), "{users}");
    let tmpfiles = Path::new(SHIPPED).join("tmpfiles.d/larder.conf");
    run(Command::new("systemd-tmpfiles").arg("--create").arg(&root).arg(tmpfiles));
    assert!(dir.path().join("var/lib/larder").is_dir() && dir.path().join("var/lib/glance/images").is_dir());
}
