//! A catalogue (the real program) and an agent (the real one, in this process) with short waits.

use crate::support::{LARDER, daemon::Catalogue, run};
use larder::{
    admin::{Client, ImageState, Status},
    agent::{self, Settings, base_dir},
    base::chain,
    image::ImageId,
    remote,
};
use std::{
    fs,
    path::{Path, PathBuf},
    time::{Duration, Instant},
};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(super) struct Site {
    pub(super) tmp: tempfile::TempDir,
    pub(super) catalogue: Catalogue,
    pub(super) settings: Settings,
}

/// An agent that runs; it is to be stopped.
pub(super) struct Running {
    pub(super) client: Client,
    shutdown: CancellationToken,
    task: JoinHandle<()>,
}

impl Site {
    pub(super) fn new() -> Self {
        Self::with("")
    }

    /// With options of `[DEFAULT]` of the catalogue, a line each.
    pub(super) fn with(options: &str) -> Self {
        let tmp = tempfile::tempdir().unwrap();
        for folder in ["centre", "instances"] {
            fs::create_dir(tmp.path().join(folder)).unwrap();
        }
        let catalogue = Catalogue::start(&tmp.path().join("centre"), options);
        let mut settings = Settings {
            catalogue: endpoint(&catalogue.url()),
            base_dir: base_dir::Settings {
                instances_path: tmp.path().join("instances"),
                libvirt_directories: Vec::new(),
                ..base_dir::Settings::default()
            },
            state_path: tmp.path().join("state"),
            cache_min_free: 0,
            io_pressure_limit: 0,
            fetch_idle_timeout: Duration::from_secs(2),
            retry_interval: Duration::from_millis(500),
            retry_interval_max: Duration::from_secs(2),
            ..Settings::default()
        };
        settings.admin.socket = tmp.path().join("agent.sock");
        settings.convert.worker = Some(LARDER.into());
        Self { tmp, catalogue, settings }
    }

    /// Registers a file as an image.
    pub(super) fn push(&self, file: &Path) -> ImageId {
        let mut command = self.catalogue.larder(&["image", "push"]);
        run(command.arg(file).args(["--name", "test"])).trim().parse().unwrap()
    }

    /// A raw image of some MiB with data that does not repeat and a hole, and its file.
    pub(super) fn push_raw(&self, mib: usize) -> (ImageId, PathBuf) {
        let path = self.tmp.path().join(format!("disk-{mib}.raw"));
        fs::write(&path, content(mib)).unwrap();
        (self.push(&path), path)
    }

    pub(super) fn base(&self, id: &ImageId) -> PathBuf {
        self.tmp.path().join("instances/_base").join(id.base_name())
    }

    /// All names in `_base` but that of the directory's lock.
    pub(super) fn names(&self) -> Vec<String> {
        let mut names = crate::support::files(&self.tmp.path().join("instances/_base"));
        names.retain(|it| it != ".larder.lock");
        names
    }

    pub(super) async fn start(&self) -> Running {
        let start = Instant::now();
        loop {
            match self.built().await.bind() {
                Ok(agent) => return self.run(agent),
                Err(error) if start.elapsed() > Duration::from_secs(300) => panic!("{error:?}"),
                // Nor is an earlier agent's socket closed before that.
                Err(_) => tokio::time::sleep(Duration::from_millis(20)).await,
            }
        }
    }

    /// A program that another test starts has our locks, too, until it is executed.
    async fn built(&self) -> agent::Agent {
        let start = Instant::now();
        loop {
            match agent::build(self.settings.clone()).await {
                Ok(agent) => return agent,
                Err(error) if start.elapsed() > Duration::from_secs(300) => panic!("{error:?}"),
                Err(error) => assert!(chain(&error).to_string().contains("is held by"), "{error:?}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) fn run(&self, agent: agent::Agent) -> Running {
        let shutdown = CancellationToken::new();
        let end = shutdown.clone();
        let task = tokio::spawn(async move { agent.run(end).await.unwrap() });
        Running { client: Client::new(&self.settings.admin.socket), shutdown, task }
    }
}

impl Running {
    pub(super) async fn stop(self) {
        self.shutdown.cancel();
        tokio::time::timeout(Duration::from_secs(120), self.task).await.expect("it drains").unwrap();
    }

    /// Waits until the status is so.
    pub(super) async fn wait(&self, what: &str, so: impl Fn(&Status) -> bool) -> Status {
        let start = Instant::now();
        loop {
            let status = self.client.status().await.unwrap();
            if so(&status) {
                return status;
            }
            assert!(start.elapsed() < Duration::from_secs(120), "waited in vain: {what}\n{status:#?}");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }

    pub(super) async fn wait_cached(&self, id: &ImageId) -> Status {
        self.wait("the image is cached", |it| state(it, id) == Some(&ImageState::Cached)).await
    }

    /// Waits until a fetch has failed; why.
    pub(super) async fn wait_failed(&self, id: &ImageId) -> String {
        let status = self.wait("the fetch fails", |it| matches!(state(it, id), Some(ImageState::Failed { .. }))).await;
        match state(&status, id) {
            Some(ImageState::Failed { why, .. }) => why.clone(),
            _ => unreachable!(),
        }
    }
}

pub(super) fn state<'a>(status: &'a Status, id: &ImageId) -> Option<&'a ImageState> {
    status.images.iter().find(|it| it.id.as_ref() == Some(id)).map(|it| &it.state)
}

pub(super) fn endpoint(url: &str) -> remote::Settings {
    remote::Settings { endpoint: Some(url.parse().unwrap()), ..remote::Settings::default() }
}

/// A hole in front (and no partition table), then bytes that do not repeat.
fn content(mib: usize) -> Vec<u8> {
    let mut seed = 0x9e37_79b9_7f4a_7c15_u64 ^ mib as u64;
    let mut bytes = vec![0; mib << 20];
    for word in bytes[(mib << 19)..].chunks_exact_mut(8) {
        seed ^= seed << 13;
        seed ^= seed >> 7;
        seed ^= seed << 17;
        word.copy_from_slice(&seed.to_le_bytes());
    }
    bytes
}
