//! Taking the base directory over where that does not work.

use crate::support::{have, have_root, run};
use larder::{
    agent::base_dir::{BaseDir, BaseDirError, Settings},
    base::chain,
};
use std::{fs, path::Path, process::Command};

struct Mount<'a>(&'a Path);

impl Drop for Mount<'_> {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg(self.0).status();
    }
}

fn settings(path: &Path) -> Settings {
    Settings { instances_path: path.to_owned(), ..Settings::default() }
}

#[test]
fn a_read_only_mount_is_named() {
    if !have(&["mount", "umount"]) || !have_root() {
        return;
    }
    let tmp = tempfile::tempdir().unwrap();
    run(Command::new("mount").args(["-t", "tmpfs", "-o", "size=1m", "tmpfs"]).arg(tmp.path()));
    let _mount = Mount(tmp.path());
    fs::create_dir(tmp.path().join("_base")).unwrap();
    run(Command::new("mount").args(["-o", "remount,ro"]).arg(tmp.path()));
    let error = BaseDir::open(settings(tmp.path())).unwrap_err();
    assert!(matches!(error, BaseDirError::ReadOnly { .. }), "{error:?}");
    assert!(error.to_string().contains("_base is on a read-only mount"), "{error}");
}

#[test]
fn the_second_agent_is_told_about_the_first() {
    let tmp = tempfile::tempdir().unwrap();
    let _first = BaseDir::open(settings(tmp.path())).unwrap();
    let error = BaseDir::open(settings(tmp.path())).unwrap_err();
    let text = chain(&error).to_string();
    assert!(text.contains(&format!("held by process {}", std::process::id())), "{text}");
}
