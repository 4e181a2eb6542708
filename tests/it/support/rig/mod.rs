//! A real Keystone and a real Glance, started once for the test process, ended with it.
//!
//! `tests/setup` makes their virtual environment (`LARDER_RIG_VENV` names another one).

mod ceph;
mod objects;
mod rabbit;

#[allow(unused_imports, reason = "each test takes what it needs")]
pub(crate) use ceph::{Ceph, ceph, installed, own_ceph};
#[allow(unused_imports, reason = "each test takes what it needs")]
pub(crate) use objects::{
    Gateway, S3, SHORT_LIFE, SwiftSite, boto3, ceph_s3, gateway, swift, swift_on_full_disks, swift_s3,
    swift_under_keystone, swift_with_short_tokens, swiftclient,
};
#[allow(unused_imports, reason = "each test takes what it needs")]
pub(crate) use rabbit::{Listener, OwnRabbit, rabbit};

use crate::support::{free_port, skip};
use std::{
    fs,
    io::{BufRead, BufReader},
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    sync::OnceLock,
};

/// The password of every user.
pub(crate) const PASSWORD: &str = "secret";

/// A running Keystone, with projects admin, demo, alt_demo and service, and users admin, demo (member of demo), fleeting
/// (likewise; a test disables it), reader (reader of demo), alt_demo, glance and nova (service and admin in service), all in the domain `default`.
#[derive(Debug)]
pub(crate) struct Keystone {
    /// `http://127.0.0.1:<port>/v3`.
    pub(crate) auth_url: String,
    /// Where its catalogue says that the image service is (region RegionOne): nobody listens there until
    /// [`glance`] or a catalogue of ours does.
    pub(crate) image_port: u16,
}

/// A running Glance; its folder, with `glance-api.conf`, is the parent of `images`.
#[derive(Debug)]
pub(crate) struct Glance {
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    /// The folder of its file store.
    pub(crate) images: PathBuf,
}

/// A running Horizon.
#[derive(Debug)]
pub(crate) struct Horizon {
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    /// An interpreter with the libraries that Horizon brings, `requests` among them.
    pub(crate) python: PathBuf,
}

/// Keystone; none (and why on standard error) where it cannot be started, which in CI is a failure.
pub(crate) fn keystone() -> Option<&'static Keystone> {
    static KEYSTONE: OnceLock<Option<Keystone>> = OnceLock::new();
    let started = KEYSTONE.get_or_init(|| keystone_named("keystone"));
    if started.is_none() {
        skip(NO_VENV);
    }
    started.as_ref()
}

/// Another Keystone, for tests that need its `image_port` for themselves; `name` must be its own. None where there is no rig.
pub(crate) fn own_keystone(name: &str) -> Option<Keystone> {
    let started = keystone_named(&format!("{name}-keystone"));
    if started.is_none() {
        skip(NO_VENV);
    }
    started
}

fn keystone_named(name: &str) -> Option<Keystone> {
    let (port, image_port) = (free_port(), free_port());
    start(name, &[&port.to_string(), &image_port.to_string()], "", On::Sqlite)?;
    Some(Keystone { auth_url: format!("http://127.0.0.1:{port}/v3"), image_port })
}

/// A real Barbican under [`keystone`]: its address. None where there is no rig.
pub(crate) fn barbican() -> Option<String> {
    static BARBICAN: OnceLock<Option<String>> = OnceLock::new();
    let auth_url = &keystone()?.auth_url;
    let started = BARBICAN.get_or_init(|| {
        let port = free_port();
        program("barbican-manage")?;
        start("barbican", &[&port.to_string(), auth_url], "", On::Sqlite)?;
        Some(format!("http://127.0.0.1:{port}"))
    });
    started.clone()
}

/// Horizon at this port, under this Keystone. None where there is no rig.
pub(crate) fn horizon(port: u16, keystone: &Keystone) -> Option<Horizon> {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("horizon-venv");
    let venv = std::env::var_os("LARDER_HORIZON_VENV").map_or(made, PathBuf::from);
    let python = venv.join("bin/python");
    let args = [&port.to_string(), keystone.auth_url.as_str(), venv.to_str()?];
    if !python.is_file() || start("horizon", &args, "", On::Sqlite).is_none() {
        skip(NO_VENV);
        return None;
    }
    Some(Horizon { url: format!("http://127.0.0.1:{port}"), python })
}

/// Another Keystone, whose tokens live for `life` seconds. The first one makes the database that it is a copy of.
pub(crate) fn hasty_keystone(life: u32) -> Option<Keystone> {
    keystone()?;
    let (port, image_port) = (free_port(), free_port());
    start("hasty-keystone", &[&port.to_string(), &image_port.to_string(), &life.to_string()], "", On::Sqlite)?;
    Some(Keystone { auth_url: format!("http://127.0.0.1:{port}/v3"), image_port })
}

/// Glance under [`keystone`], where Keystone's catalogue says.
pub(crate) fn glance() -> Option<&'static Glance> {
    static GLANCE: OnceLock<Option<Glance>> = OnceLock::new();
    let keystone = keystone()?;
    GLANCE.get_or_init(|| glance_at(keystone.image_port, &keystone.auth_url)).as_ref()
}

/// A Glance with its cache and all paths of the cache API, under this Keystone, on a port of its own.
pub(crate) fn caching_glance(keystone: &Keystone) -> Option<Glance> {
    own_glance("caching", &[&keystone.auth_url, "keystone+cachemanagement"], "", On::Server)
}

/// Another Glance without Keystone, with more lines of `[DEFAULT]`; `name` must be its own. None where there is no rig.
pub(crate) fn glance_with(name: &str, extra: &str) -> Option<Glance> {
    own_glance(name, &["none"], extra, On::Server)
}

/// As [`glance_with`], on the SQLite file `glance.db` beside its images, for tests that look into it.
pub(crate) fn glance_on_sqlite(name: &str, extra: &str) -> Option<Glance> {
    own_glance(name, &["none"], extra, On::Sqlite)
}

fn own_glance(name: &str, args: &[&str], extra: &str, on: On) -> Option<Glance> {
    let port = free_port().to_string();
    let args = [&[port.as_str()], args].concat();
    let Some(dir) = start(&format!("{name}-glance"), &args, extra, on) else {
        skip(NO_VENV);
        return None;
    };
    Some(Glance { url: format!("http://127.0.0.1:{port}"), images: dir.join("images") })
}

/// Glance without Keystone: every caller is admin.
pub(crate) fn open_glance() -> Option<&'static Glance> {
    static GLANCE: OnceLock<Option<Glance>> = OnceLock::new();
    let started = GLANCE.get_or_init(|| glance_at(free_port(), "none"));
    if started.is_none() {
        skip(NO_VENV);
    }
    started.as_ref()
}

/// Glance with its own defaults, which believes the identity headers of requests (`X-Identity-Status`, `X-Project-Id`,
/// `X-Roles`…): to be asked the same as a catalogue with trusted headers. One file store and http; locations on
/// 127.0.0.1 are allowed and shown, three for each image; its `schema-image.json` describes `kernel_id`, `site_tier` and `site_note`.
pub(crate) fn trusting_glance() -> Option<&'static Glance> {
    static GLANCE: OnceLock<Option<Glance>> = OnceLock::new();
    let started = GLANCE.get_or_init(|| glance_at(free_port(), "headers"));
    if started.is_none() {
        skip(NO_VENV);
    }
    started.as_ref()
}

/// Likewise, without a `schema-image.json`.
pub(crate) fn trusting_glance_without_schema() -> Option<&'static Glance> {
    static GLANCE: OnceLock<Option<Glance>> = OnceLock::new();
    GLANCE.get_or_init(|| own_glance("schemaless", &["headers", "plain"], "", On::Server)).as_ref()
}

/// Likewise, with three stores: `slow` and `fast` (the default) are folders, `web` is read-only. Their weights are 0, 10, 20.
/// It has the import methods that Glance enables.
pub(crate) fn trusting_glance_with_stores() -> Option<&'static Glance> {
    static GLANCE: OnceLock<Option<Glance>> = OnceLock::new();
    GLANCE.get_or_init(|| own_glance("stores", &["headers", "stores"], "", On::Server)).as_ref()
}

/// How that one is configured, for Larder, too.
pub(crate) const PLUGINS: &str = "[image_import_opts]\nimage_import_plugins = [image_decompression, image_conversion, inject_image_metadata]\n\
                   [inject_metadata_properties]\ninject = site:north,hw_disk_bus:scsi";

/// Likewise, with import plugins: it unpacks, makes disks raw, and injects `site = north` but for admins.
pub(crate) fn trusting_glance_with_plugins() -> Option<&'static Glance> {
    static GLANCE: OnceLock<Option<Glance>> = OnceLock::new();
    GLANCE.get_or_init(|| own_glance("plugins", &["headers", "stores"], PLUGINS, On::Server)).as_ref()
}

/// Likewise, of the caller's own, on the SQLite file `glance.db` beside its images.
pub(crate) fn trusting_glance_on_sqlite(name: &str) -> Option<Glance> {
    own_glance(name, &["headers", "plain"], "", On::Sqlite)
}

/// Likewise, with three stores, on a database server where there is one, and with more lines of `[DEFAULT]`, which may begin
/// further sections.
pub(crate) fn trusting_glance_with(name: &str, extra: &str) -> Option<Glance> {
    own_glance(name, &["headers", "stores"], extra, On::Server)
}

/// A Glance of the caller's own behind [`keystone`], with Glance's own defaults: one file store, no import method, no
/// cache. `name` tells it from others. For one command after another: on SQLite, where times are finer than seconds, so
/// that images made one after another are listed in that order.
pub(crate) fn plain_glance(name: &str) -> Option<Glance> {
    own_glance(name, &[&keystone()?.auth_url, "plain"], "", On::Sqlite)
}

const NO_VENV: &str = "tests/setup has not been run: no Keystone and Glance to test with";

fn glance_at(port: u16, auth_url: &str) -> Option<Glance> {
    let name = match auth_url {
        "none" => "open-glance",
        "headers" => "trusting-glance",
        _ => "glance",
    };
    let dir = start(name, &[&port.to_string(), auth_url], "", On::Server)?;
    Some(Glance { url: format!("http://127.0.0.1:{port}"), images: dir.join("images") })
}

/// A server of the caller's own; dropped, it ends.
#[derive(Debug)]
struct OwnServer(Child);

/// A Glance of the caller's own; dropped, it ends.
#[derive(Debug)]
pub(crate) struct OwnGlance(#[allow(dead_code, reason = "it is dropped")] OwnServer);

impl OwnGlance {
    /// Starts it in `dir`, with the `glance-api.conf` there (which names this port), and waits until it answers.
    pub(crate) fn start(dir: &Path, port: u16, auth_url: &str) -> Option<Self> {
        launch("glance", dir, &[&port.to_string(), auth_url], "", On::Sqlite).map(|it| Self(OwnServer(it)))
    }
}

impl Drop for OwnServer {
    fn drop(&mut self) {
        // The script ends with its input, and what it has started with it.
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}

/// The folder of the rig's programs (`openstack`, `glance`, `python`…), when it is there.
pub(crate) fn venv() -> Option<PathBuf> {
    let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("rig-venv");
    let venv = std::env::var_os("LARDER_RIG_VENV").map_or(made, PathBuf::from);
    venv.join("bin/uwsgi").is_file().then_some(venv)
}

/// A program of the rig (`python`, `glance`, `openstack`…); none, and the test is skipped, when there is no rig.
pub(crate) fn program(name: &str) -> Option<PathBuf> {
    let found = venv().map(|venv| venv.join("bin").join(name)).filter(|it| it.is_file());
    if found.is_none() {
        skip(NO_VENV);
    }
    found
}

/// What a Glance has its database on. Its SQLite loses work and answers 500 when two of its threads write at a time.
#[derive(Clone, Copy, PartialEq, Eq)]
enum On {
    /// MariaDB or MySQL, where there is one.
    Server,
    Sqlite,
}

/// The database server for the rig: `LARDER_TEST_MYSQL`, otherwise the one on this machine, if it answers.
fn mysql() -> Option<&'static str> {
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    let find = || {
        let server =
            std::env::var("LARDER_TEST_MYSQL").unwrap_or_else(|_| "mysql://root@127.0.0.1:3306/mysql".to_owned());
        let script = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/rig/database.py");
        let answer = Command::new(venv()?.join("bin/python")).args([script, "version", &server]).output().ok()?;
        answer.status.success().then_some(server)
    };
    SERVER.get_or_init(find).as_deref()
}

/// Starts a server and waits until it is ready; its folder.
fn start(name: &str, args: &[&str], extra: &str, on: On) -> Option<PathBuf> {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let dir = tmp.join(format!("rig-{}-{name}", std::process::id()));
    remove_of_the_dead(tmp);
    let child = launch(name.rsplit('-').next().unwrap_or(name), &dir, args, extra, on)?;
    keep(child);
    Some(dir)
}

fn launch(script: &str, dir: &Path, args: &[&str], extra: &str, on: On) -> Option<Child> {
    let venv = venv()?;
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let mut command = Command::new("bash");
    command
        .arg(format!("{}/tests/it/support/rig/{script}.sh", env!("CARGO_MANIFEST_DIR")))
        .args(args)
        .env("VENV", venv)
        .env("RIG", dir)
        .env("EXTRA", extra)
        .env("MYSQL", mysql().filter(|_| on == On::Server).unwrap_or_default())
        .env("CACHE", tmp.with_file_name("rig-cache"))
        // The script ends when this pipe does, which is when this process is gone, however that happens.
        .stdin(Stdio::piped())
        .stdout(Stdio::piped());
    let mut child = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert_eq!(line.trim(), "ready", "{script} did not start; see {}", dir.display());
    Some(child)
}

/// Holds the pipe open for as long as this process lives.
fn keep(child: Child) {
    static CHILDREN: std::sync::Mutex<Vec<Child>> = std::sync::Mutex::new(Vec::new());
    CHILDREN.lock().unwrap().push(child);
}

fn remove_of_the_dead(tmp: &Path) {
    for entry in fs::read_dir(tmp).into_iter().flatten().flatten() {
        let name = entry.file_name().to_string_lossy().into_owned();
        let pid = name.strip_prefix("rig-").and_then(|it| it.split('-').next());
        if pid.is_some_and(|it| !Path::new("/proc").join(it).exists()) {
            let _ = fs::remove_dir_all(entry.path());
        }
    }
}
