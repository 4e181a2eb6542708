//! One node and its catalogue, and what must hold there whatever happens.

use super::Deed;
use crate::support::{
    daemon::{Agent, Catalogue, Daemon},
    disks, files, have, run,
    tracer::{Call, Order, Then, Traced},
    wait_until,
};
use larder::{
    admin::{Client, ClientError, ImageState, Status},
    image::ImageId,
};
use nix::sys::signal::Signal;
use std::{
    fs,
    future::Future,
    os::unix::{fs::MetadataExt, net::UnixStream},
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, Instant},
};

/// Images that stay on the node, and the one that something is done with.
pub(super) struct World {
    pub(super) client: Client,
    /// Fetched, published, pruned, damaged.
    pub(super) target: ImageId,
    /// Pinned; nothing is done with it.
    pub(super) pinned: ImageId,
    /// An instance stands on its base.
    used: ImageId,
    used_inode: u64,
    contents: Vec<(ImageId, Vec<u8>)>,
    runtime: tokio::runtime::Runtime,
    /// The one that nobody disturbs.
    agent: Option<Daemon>,
    /// Held for its end.
    _catalogue: Catalogue,
    tmp: tempfile::TempDir,
}

/// However busy the machine is, nothing takes longer.
const PATIENCE: Duration = Duration::from_secs(120);
const ARGS: [&str; 5] = ["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf"];

impl World {
    /// None where the tools are missing.
    pub(super) fn new() -> Option<Self> {
        if !have(&disks::TOOLS) {
            return None;
        }
        let tmp = tempfile::tempdir().unwrap();
        let catalogue = Catalogue::start(tmp.path(), "");
        let push = |file: &Path| -> ImageId {
            run(&mut catalogue.larder(&["image", "push", "--name", "x", file.to_str().unwrap()]))
                .trim()
                .parse()
                .unwrap()
        };
        let raw = |name: &str, seed| {
            let path = tmp.path().join(name);
            disks::noise(&path, 3 << 17, seed);
            path
        };
        let files = [raw("target", 1), raw("pinned", 2), raw("used", 3)];
        let ids = files.each_ref().map(|it| push(it));
        let contents = ids.iter().cloned().zip(files.iter().map(|it| fs::read(it).unwrap())).collect();
        let extra = "prefetch_on_queue = false\nscrub_rate = 0\nscrub_adopted = false\n[fleet]\nfleet = false";
        Agent::configure(tmp.path(), &catalogue.url(), extra);
        let [target, pinned, used] = ids;
        let client = Client::new(&tmp.path().join("agent.sock"));
        let runtime = tokio::runtime::Runtime::new().unwrap();
        let mut it = Self {
            client,
            target,
            pinned,
            used,
            used_inode: 0,
            contents,
            runtime,
            agent: None,
            _catalogue: catalogue,
            tmp,
        };
        it.furnish();
        Some(it)
    }

    /// With the pinned and the used base, and nothing else.
    fn furnish(&mut self) {
        self.start();
        self.ask(|it| async { it.client.pin(&it.pinned).await }).unwrap();
        self.ask(|it| async { it.client.queue(&it.used).await }).unwrap();
        self.prefetch();
        assert!(self.base(&self.used).exists() && self.base(&self.pinned).exists());
        self.used_inode = fs::metadata(self.base(&self.used)).unwrap().ino();
        let disk = self.tmp.path().join("instances/7c1d5a0e/disk");
        fs::create_dir(disk.parent().unwrap()).unwrap();
        let mut make = Command::new("qemu-img");
        make.args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"]).arg(self.base(&self.used));
        run(make.arg(&disk));
    }

    pub(super) fn at(&self, place: &str) -> PathBuf {
        self.tmp.path().join(place)
    }

    pub(super) fn base(&self, id: &ImageId) -> PathBuf {
        self.at("instances/_base").join(id.base_name())
    }

    pub(super) fn content(&self, id: &ImageId) -> &[u8] {
        &self.contents.iter().find(|it| it.0 == *id).unwrap().1
    }

    /// Asks whichever agent runs.
    pub(super) fn ask<'a, T, F>(&'a self, question: impl FnOnce(&'a Self) -> F) -> Result<T, ClientError>
    where
        F: Future<Output = Result<T, ClientError>>,
    {
        let answer = self.runtime.block_on(async { tokio::time::timeout(PATIENCE, question(self)).await });
        answer.unwrap_or_else(|_| panic!("the agent does not answer in {PATIENCE:?}:\n{}", self.log()))
    }

    pub(super) fn status(&self) -> Status {
        self.ask(|it| it.client.status()).unwrap()
    }

    pub(super) fn is_queued(&self, id: &ImageId) -> bool {
        self.ask(|it| it.client.queued()).unwrap().contains(id)
    }

    /// A pass over what is queued, in which nothing fails.
    pub(super) fn prefetch(&self) {
        let pass = self.ask(|it| it.client.prefetch()).unwrap();
        assert!(pass.images.iter().all(|it| it.state == ImageState::Cached), "{pass:#?}\n{}", self.log());
    }

    fn log(&self) -> String {
        let log = fs::read_to_string(self.at("agent.log")).unwrap_or_default();
        let tail = log.len().saturating_sub(8000);
        log[(tail..).find(|it| log.is_char_boundary(*it)).unwrap()..].to_owned()
    }

    pub(super) fn start(&mut self) {
        self.agent = Some(Agent::spawn(self.tmp.path()));
        let began = Instant::now();
        while !self.answers() {
            let ended = self.agent.as_mut().unwrap().ended();
            assert!(ended.is_none() && began.elapsed() < PATIENCE * 3, "it does not start: {ended:?}\n{}", self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        self.wait_looked();
    }

    fn answers(&self) -> bool {
        UnixStream::connect(self.at("agent.sock")).is_ok()
    }

    /// Nothing is known before the first look.
    fn wait_looked(&self) {
        wait_until("the disk is looked at", PATIENCE, || {
            self.ask(|it| it.client.status()).map_or(true, |it| it.room.total > 0)
        });
    }

    /// It has nothing in work: a kill is as good as a stop, and quicker.
    pub(super) fn stop(&mut self) {
        if let Some(mut agent) = self.agent.take() {
            agent.kill();
        }
    }

    /// One time: the calls that counted.
    pub(super) fn round<D: Deed>(
        &mut self,
        deed: &mut D,
        (which, then, at): (fn(&Call) -> bool, Then, usize),
    ) -> Vec<Call> {
        if self.agent.is_none() {
            self.start();
        }
        deed.prepare(self);
        self.stop();
        let below = vec![self.at("instances"), self.at("state")];
        let order = Order { below, which, at, then };
        let traced = Traced::start(self.tmp.path(), "agent", &ARGS, order, D::FROM_START);
        let began = Instant::now();
        while !traced.ended() && !self.answers() {
            assert!(began.elapsed() < PATIENCE * 3, "{}: call {at}: it does not start\n{}", D::NAME, self.log());
            std::thread::sleep(Duration::from_millis(5));
        }
        if !D::FROM_START {
            self.wait_looked();
            traced.arm();
        }
        if !traced.ended() {
            deed.act(self);
        }
        let seen = traced.seen();
        self.end(traced, then);
        let call = seen.get(at.wrapping_sub(1));
        let told = call.map_or("nothing".to_owned(), |it| format!("{} of {}", it.name, it.path.display()));
        let told = format!("{}: {then:?} at call {at}, {told}", D::NAME);
        self.check(&told, D::DAMAGES);
        self.start();
        self.check(&told, D::DAMAGES);
        deed.check(self);
        deed.settle(self);
        self.check(&told, false);
        self.check_rest(&told);
        seen
    }

    fn end(&self, traced: Traced, then: Then) {
        if then == Then::Kill {
            traced.signal(Signal::SIGKILL);
        } else {
            // Whatever has failed, it ends in order.
            traced.signal(Signal::SIGTERM);
            let began = Instant::now();
            while !traced.ended() {
                assert!(began.elapsed() < PATIENCE, "it does not stop\n{}", self.log());
                std::thread::sleep(Duration::from_millis(5));
            }
        }
        traced.join();
    }

    /// No base is wrong, but the one that was damaged until that is found out; all but the target are there.
    fn check(&self, told: &str, damaged: bool) {
        for (id, content) in &self.contents {
            let (base, is_target) = (self.base(id), *id == self.target);
            if !base.exists() {
                assert!(is_target, "{told}: the base of {id} is gone\n{}", self.log());
            } else if !(damaged && is_target) {
                assert!(fs::read(&base).unwrap() == *content, "{told}: the base of {id} is wrong\n{}", self.log());
            }
        }
        let inode = fs::metadata(self.base(&self.used)).unwrap().ino();
        assert_eq!(inode, self.used_inode, "{told}: the base in use was exchanged");
    }

    /// The pin holds, and nothing else has stayed behind.
    fn check_rest(&self, told: &str) {
        let status = self.status();
        let pinned = status.bases.iter().find(|it| it.base == self.pinned.base_name());
        assert!(pinned.is_some_and(|it| it.pinned), "{told}: the pin is lost\n{}", self.log());
        let bases = files(&self.at("instances/_base"));
        assert!(bases.iter().all(|it| it.len() == 40 || it == ".larder.lock"), "{told}: {bases:?}");
        for list in files(&self.at("state/pieces")) {
            let of = list.strip_suffix(".base").unwrap_or_default();
            assert!(bases.iter().any(|it| it == of), "{told}: {list} is left\n{}", self.log());
        }
        let state = files(&self.at("state"));
        let known = |it: &String| {
            it == "index.lock"
                || it.contains(".damaged-")
                || ["", "-wal", "-shm"].iter().any(|end| *it == format!("index.db{end}"))
        };
        assert!(state.iter().all(known), "{told}: {state:?}");
    }
}
