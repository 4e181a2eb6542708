//! A compute node's instances folder.

use crate::support::run;
use larder::{
    admin::Pruned,
    agent::{
        base_dir::{BaseDir, BaseFile, Settings},
        execute::prune::{self, Job},
        in_use::{Evidence, InUse, observe},
        plan::prune::{Decision, Settings as PruneSettings, decide},
        seat::Turn,
    },
};
use std::{
    collections::HashMap,
    fs::{self, File},
    path::{Path, PathBuf},
    process::Command,
    sync::Arc,
    time::{Duration, SystemTime},
};
use tokio_util::sync::CancellationToken;

pub(super) const DAY: u64 = 86400;

pub(super) struct Node {
    pub(super) tmp: tempfile::TempDir,
    pub(super) dir: Arc<BaseDir>,
}

/// The name of a base: 40 hex digits, the same for the same number.
pub(super) fn x(number: u64) -> String {
    format!("{number:040x}")
}

impl Node {
    pub(super) fn new() -> Self {
        Self::new_with(|_| ())
    }

    /// `prepare` gets the instances folder before it is taken over.
    pub(super) fn new_with(prepare: impl FnOnce(&Path)) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        fs::create_dir(tmp.path().join("libvirt")).unwrap();
        fs::create_dir(tmp.path().join("instances")).unwrap();
        prepare(&tmp.path().join("instances"));
        let dir = BaseDir::open(Settings {
            instances_path: tmp.path().join("instances"),
            libvirt_directories: vec![tmp.path().join("libvirt"), tmp.path().join("not-there")],
            ..Settings::default()
        });
        Self { dir: Arc::new(dir.unwrap()), tmp }
    }

    /// A path in the base directory.
    pub(super) fn base(&self, name: &str) -> PathBuf {
        self.dir.path().join(name)
    }

    /// A raw base of 1 MiB, last used `age` seconds ago.
    pub(super) fn put(&self, name: &str, age: u64) -> PathBuf {
        let path = self.base(name);
        fs::write(&path, vec![0xeb; 1 << 20]).unwrap();
        self.set_age(name, age);
        path
    }

    pub(super) fn set_age(&self, name: &str, age: u64) {
        let then = SystemTime::now() - Duration::from_secs(age);
        File::open(self.base(name)).unwrap().set_modified(then).unwrap();
    }

    pub(super) fn age(&self, name: &str) -> Duration {
        self.base(name).metadata().unwrap().modified().unwrap().elapsed().unwrap_or_default()
    }

    /// A path in the instances folder; its folder is made.
    pub(super) fn at(&self, path: impl AsRef<Path>) -> PathBuf {
        let path = self.dir.instances_path().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    pub(super) fn scan(&self) -> Vec<BaseFile> {
        self.dir.scan().unwrap()
    }

    pub(super) fn observe(&self) -> InUse {
        observe(&self.dir, &self.scan())
    }

    /// The evidence for one base, as sentences.
    pub(super) fn evidence(&self, name: &str) -> Vec<Evidence> {
        self.observe().evidence(name).to_vec()
    }

    pub(super) fn job(&self, dry_run: bool) -> Job {
        let (files, settings) = (self.scan(), PruneSettings::default());
        let in_use = observe(&self.dir, &files);
        let now = chrono::Utc::now();
        let decisions = decide(&files, &in_use, &HashMap::new(), now, &settings);
        Job { decisions, in_use, wanted: HashMap::new(), now, settings, dry_run }
    }

    pub(super) async fn prune(&self) -> Pruned {
        self.carry_out(self.job(false)).await
    }

    pub(super) async fn carry_out(&self, job: Job) -> Pruned {
        let turn = Arc::new(Turn::without(self.dir.seat()).await);
        prune::run(&self.dir, job, &turn, &CancellationToken::new()).await
    }

    /// Names of the files in the base directory, without the agent's own.
    pub(super) fn names(&self) -> Vec<String> {
        self.scan().into_iter().map(|file| file.name).filter(|name| !name.starts_with(".larder")).collect()
    }
}

/// Names of what a pass removed, or would have.
pub(super) fn removed(pruned: &Pruned) -> Vec<&str> {
    pruned.removed.iter().map(|it| it.base.as_str()).collect()
}

/// Why a pass kept a file.
pub(super) fn why<'a>(pruned: &'a Pruned, name: &str) -> &'a str {
    let kept = pruned.kept.iter().find(|it| it.base == name);
    kept.map_or_else(|| panic!("{name} was not kept: {pruned:?}"), |it| it.why.as_str())
}

pub(super) fn removable(decisions: &[Decision]) -> Vec<&str> {
    decisions.iter().filter(|it| it.removes()).map(Decision::name).collect()
}

/// An overlay on `backing`, as nova makes it; `backing` may be missing.
pub(super) fn overlay(disk: &Path, backing: impl AsRef<std::ffi::OsStr>, backing_format: &str) {
    let mut create = Command::new("qemu-img");
    create.args(["create", "-q", "-u", "-f", "qcow2", "-F", backing_format, "-b"]).arg(backing);
    run(create.arg(disk).arg("1M"));
}
