//! Processes of the real `larder`, ended with the test.

use super::{evidence, free_port, larder, text, wait_until};
use std::{
    fs::{self, File},
    net::TcpStream,
    os::unix::{net::UnixStream, process::ExitStatusExt},
    path::{Path, PathBuf},
    process::{Child, Command, ExitStatus},
    time::Duration,
};

/// How long to wait for a process on a busy machine.
const PATIENCE: Duration = Duration::from_secs(120);

/// A running `larder`; dropped, it is killed.
pub(crate) struct Daemon {
    child: Child,
    log: PathBuf,
}

impl Daemon {
    /// Starts `larder ARGS…` in `dir`, its output in `dir/NAME.log`.
    pub(crate) fn start(dir: &Path, name: &str, args: &[&str]) -> Self {
        Self::spawn(dir, name, larder(args).current_dir(dir))
    }

    /// Likewise, for a command that is made already.
    pub(crate) fn spawn(dir: &Path, name: &str, command: &mut Command) -> Self {
        evidence::tell_panics();
        let log = dir.join(format!("{name}.log"));
        let out = Self::output(dir, name);
        let child = command.stdout(out.try_clone().unwrap()).stderr(out).spawn().unwrap();
        Self { child, log }
    }

    /// Where processes of that name print.
    pub(crate) fn output(dir: &Path, name: &str) -> File {
        File::options().create(true).append(true).open(dir.join(format!("{name}.log"))).unwrap()
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// All that it has printed (and what earlier ones of that name did).
    pub(crate) fn log(&self) -> String {
        text(&fs::read(&self.log).unwrap_or_default())
    }

    /// Whether it runs; its exit status otherwise.
    pub(crate) fn ended(&mut self) -> Option<ExitStatus> {
        self.child.try_wait().unwrap()
    }

    /// Waits for a line of its log that has `words`.
    pub(crate) fn wait_for_log(&mut self, words: &str) {
        wait_until(&format!("it says '{words}'"), PATIENCE, || self.runs_and(|it| it.log().contains(words)));
    }

    /// Whether something is so already, while it runs; panics once it has ended.
    fn runs_and(&mut self, so: impl FnOnce(&Self) -> bool) -> bool {
        // In this order: what it did before its end counts.
        let ended = self.ended();
        so(self) || ended.is_some_and(|status| panic!("ended with {status}:\n{}", evidence::tail(&self.log(), 60)))
    }

    /// SIGKILL, as the out-of-memory killer or a power cut would.
    pub(crate) fn kill(&mut self) {
        let _ = self.child.kill();
        let status = self.child.wait().unwrap();
        assert!(status.signal() == Some(9) || status.code().is_some());
    }

    /// SIGTERM; it must drain and end by itself.
    pub(crate) fn stop(&mut self) -> ExitStatus {
        signal(self.pid(), nix::sys::signal::Signal::SIGTERM);
        self.wait()
    }

    /// Waits for its end.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let mut status = None;
        wait_until("the daemon's end", PATIENCE, || {
            status = self.child.try_wait().unwrap();
            status.is_some()
        });
        status.unwrap()
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            let log = self.log();
            evidence::say(&format!("--- the end of {}\n{}", self.log.display(), evidence::tail(&log, 24)));
            eprintln!("--- {}\n{}", self.log.display(), evidence::tail(&log, 400));
        }
    }
}

pub(crate) fn signal(pid: u32, signal: nix::sys::signal::Signal) {
    nix::sys::signal::kill(nix::unistd::Pid::from_raw(pid.try_into().unwrap()), signal).unwrap();
}

/// `larder catalogue` without authentication in `dir`, on a port of its own.
pub(crate) struct Catalogue {
    pub(crate) daemon: Daemon,
    pub(crate) port: u16,
    dir: PathBuf,
}

impl Catalogue {
    /// Starts it and waits until it answers; `extra` is added to the configuration's [DEFAULT] section.
    pub(crate) fn start(dir: &Path, extra: &str) -> Self {
        Self::start_on(dir, free_port(), extra)
    }

    pub(crate) fn start_on(dir: &Path, port: u16, extra: &str) -> Self {
        let conf = format!(
            "[DEFAULT]\nbind_host = 127.0.0.1\nbind_port = {port}\nnode_staging_uri = file://{dir}/staging\n{extra}\n[paste_deploy]\nflavor =\n\
             [database]\nconnection = sqlite:///{dir}/catalogue.db\n[glance_store]\nfilesystem_store_datadir = {dir}/images\n",
            dir = dir.display()
        );
        fs::write(dir.join("catalogue.conf"), conf).unwrap();
        let daemon = Self::spawn(dir);
        let mut it = Self { daemon, port, dir: dir.to_owned() };
        it.wait_ready();
        it
    }

    fn spawn(dir: &Path) -> Daemon {
        Daemon::start(dir, "catalogue", &["catalogue", "--config-file", "catalogue.conf"])
    }

    /// Starts it again after its end, where it was.
    pub(crate) fn again(&mut self) {
        self.daemon = Self::spawn(&self.dir);
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let port = self.port;
        let answers = || TcpStream::connect(("127.0.0.1", port)).is_ok();
        wait_until("the catalogue answers", PATIENCE, || self.daemon.runs_and(|_| answers()));
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    /// Where the file store has its images.
    pub(crate) fn images(&self) -> PathBuf {
        self.dir.join("images")
    }

    /// `larder ARGS… --endpoint URL`.
    pub(crate) fn larder(&self, args: &[&str]) -> Command {
        let mut command = larder(args);
        command.args(["--endpoint", &self.url()]).current_dir(&self.dir);
        command
    }
}

/// `larder agent` in `dir`, over the catalogue at `endpoint`.
pub(crate) struct Agent {
    pub(crate) daemon: Daemon,
    dir: PathBuf,
}

impl Agent {
    /// Starts it and waits until its socket answers; `extra` is added to the configuration's [DEFAULT] section.
    pub(crate) fn start(dir: &Path, endpoint: &str, extra: &str) -> Self {
        Self::start_with(dir, &format!("endpoint_override = {endpoint}"), extra)
    }

    /// Likewise, with a section `[glance]` of the caller's.
    pub(crate) fn start_with(dir: &Path, glance: &str, extra: &str) -> Self {
        Self::configure_with(dir, glance, extra);
        Self::start_configured(dir)
    }

    /// Likewise, with the configuration that stands there.
    pub(crate) fn start_configured(dir: &Path) -> Self {
        let mut it = Self { daemon: Self::spawn(dir), dir: dir.to_owned() };
        it.wait_ready();
        it
    }

    /// Writes `agent.conf` only.
    pub(crate) fn configure(dir: &Path, endpoint: &str, extra: &str) {
        Self::configure_with(dir, &format!("endpoint_override = {endpoint}"), extra);
    }

    fn configure_with(dir: &Path, glance: &str, extra: &str) {
        let conf = format!(
            "[DEFAULT]\ninstances_path = {dir}/instances\nstate_path = {dir}/state\nadmin_socket = {dir}/agent.sock\n\
             cache_min_free = 0\nio_pressure_limit = 0\nprefetch_jitter = 0\nretry_interval = 1\n{extra}\n[glance]\n{glance}\n",
            dir = dir.display()
        );
        fs::create_dir_all(dir.join("instances")).unwrap();
        fs::write(dir.join("agent.conf"), conf).unwrap();
    }

    /// `larder agent` with the configuration that [`Agent::configure`] wrote.
    pub(crate) fn spawn(dir: &Path) -> Daemon {
        Daemon::start(dir, "agent", &["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf"])
    }

    /// Starts it again after its end.
    pub(crate) fn again(&mut self) {
        self.daemon = Self::spawn(&self.dir);
        self.wait_ready();
    }

    fn wait_ready(&mut self) {
        let socket = self.dir.join("agent.sock");
        let answers = || UnixStream::connect(&socket).is_ok();
        wait_until("the agent answers", PATIENCE, || self.daemon.runs_and(|_| answers()));
    }

    /// `larder ARGS…` at this agent's socket.
    pub(crate) fn larder(&self, args: &[&str]) -> Command {
        let mut command = larder(args);
        command.env("LARDER_SOCKET", self.dir.join("agent.sock")).current_dir(&self.dir);
        command
    }

    /// The status as JSON.
    pub(crate) fn status(&self) -> serde_json::Value {
        serde_json::from_str(&super::run(&mut self.larder(&["cache", "status", "--json"]))).unwrap()
    }

    /// The state of an image in the status: `queued`, `cached`, `failed`…; none when it is not there.
    pub(crate) fn state(&self, id: &str) -> Option<String> {
        let status = self.status();
        let image = status["images"].as_array()?.iter().find(|image| image["id"] == id)?;
        Some(image["state"].as_str()?.to_owned())
    }

    /// Queues an image.
    pub(crate) fn queue(&self, id: &str) {
        super::run(&mut self.larder(&["cache", "queue-image", "-f", id]));
    }

    pub(crate) fn wait_state(&self, id: &str, state: &str) {
        wait_until(&format!("{id} is {state}"), PATIENCE, || self.state(id).as_deref() == Some(state));
    }

    /// The file that nova looks for.
    pub(crate) fn base(&self, id: &str) -> PathBuf {
        self.base_dir().join(id.parse::<larder::image::ImageId>().unwrap().base_name())
    }

    pub(crate) fn base_dir(&self) -> PathBuf {
        self.dir.join("instances/_base")
    }
}
