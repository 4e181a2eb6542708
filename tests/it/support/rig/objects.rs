//! Object stores, each started once for the test process: Ceph's S3 gateway, and Swift with its own S3.

use super::{On, ceph, installed, program, start};
use crate::support::{free_port, run, skip};
use std::{
    fs,
    path::{Path, PathBuf},
    process::Command,
    sync::OnceLock,
};

/// A running S3 server.
#[derive(Clone, Debug)]
pub(crate) struct S3 {
    /// `http://127.0.0.1:<port>`.
    pub(crate) url: String,
    /// The access key.
    pub(crate) access: &'static str,
    /// The secret key.
    pub(crate) secret: &'static str,
}

/// Ceph's gateway, in its different guises.
#[derive(Debug)]
pub(crate) struct Gateway {
    /// As it is.
    pub(crate) plain: S3,
    /// With TLS (`https://127.0.0.1:<port>`).
    pub(crate) tls: S3,
    /// The certificate of the authority that has signed its own.
    pub(crate) authority: PathBuf,
    /// With buckets as hosts, `http://<bucket>.s3.test:<port>`; who wants it makes such a name known.
    pub(crate) by_name: S3,
}

/// Ceph's gateway. None where there is none, which in CI is a failure.
pub(crate) fn ceph_s3() -> Option<&'static S3> {
    gateway().map(|it| &it.plain)
}

/// Likewise, in all its guises.
pub(crate) fn gateway() -> Option<&'static Gateway> {
    static SERVER: OnceLock<Option<Gateway>> = OnceLock::new();
    let run = || {
        if !installed(&["radosgw", "radosgw-admin"]) {
            return None;
        }
        let (port, tls_port, ceph) = (free_port(), free_port(), ceph()?);
        let args = [&port.to_string(), &tls_port.to_string(), ceph.dir.to_str()?];
        let dir = start("s3", &args, "", On::Sqlite)?;
        let at = |url: String| S3 { url, access: "glance", secret: "secret/+=" };
        Some(Gateway {
            plain: at(format!("http://127.0.0.1:{port}")),
            tls: at(format!("https://127.0.0.1:{tls_port}")),
            authority: dir.join("ca.pem"),
            by_name: at(format!("http://s3.test:{port}")),
        })
    };
    SERVER.get_or_init(run).as_ref()
}

/// A Swift: `http://127.0.0.1:<port>`, with tempauth at `/auth/v1.0` (`test:tester`, `testing`). None where there is none,
/// which in CI is a failure.
pub(crate) fn swift() -> Option<&'static str> {
    Some(&started_swift()?.url)
}

struct Swift {
    url: String,
    dir: PathBuf,
    /// Its virtual environment.
    venv: PathBuf,
}

fn started_swift() -> Option<&'static Swift> {
    static SERVER: OnceLock<Option<Swift>> = OnceLock::new();
    let run = || {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("swift-venv");
        let venv = std::env::var_os("LARDER_SWIFT_VENV").map_or(made, PathBuf::from);
        if !installed(&["memcached", venv.join("bin/swift-proxy-server").to_str()?]) {
            return None;
        }
        let ports: Vec<String> = std::iter::repeat_with(|| free_port().to_string()).take(6).collect();
        let mut args: Vec<&str> = ports.iter().map(String::as_str).collect();
        args.push(venv.to_str()?);
        let dir = start("swift", &args, "", On::Sqlite)?;
        Some(Swift { url: format!("http://127.0.0.1:{}", ports[0]), dir, venv })
    };
    SERVER.get_or_init(run).as_ref()
}

/// Its S3.
pub(crate) fn swift_s3() -> Option<S3> {
    Some(S3 { url: swift()?.to_owned(), access: "test:tester", secret: "testing" })
}

/// [`swift`] under a Keystone of its own, which names it in its catalogue (`object-store`, RegionOne), with quotas. Every
/// token is asked about each time.
#[derive(Debug)]
pub(crate) struct SwiftSite {
    /// Swift's, for Keystone's tokens alone: `http://127.0.0.1:<port>`; accounts are `/v1/AUTH_<project id>`.
    pub(crate) url: String,
    /// Keystone's: `http://127.0.0.1:<port>/v3`.
    pub(crate) auth_url: String,
}

impl SwiftSite {
    /// Of the user `pictures:keeper`, in the domain `default`.
    pub(crate) const KEY: &'static str = "se+cr@t%";
    /// Of the one in the domain `north`.
    pub(crate) const NORTHERN_KEY: &'static str = "of the north";
}

/// Tokens live for an hour.
pub(crate) fn swift_under_keystone() -> Option<&'static SwiftSite> {
    static SITE: OnceLock<Option<SwiftSite>> = OnceLock::new();
    SITE.get_or_init(|| swift_site("lasting", 3600)).as_ref()
}

/// [`swift_under_keystone`], by a proxy whose disks are all full; Keystone does not name it.
pub(crate) fn swift_on_full_disks() -> Option<SwiftSite> {
    let auth_url = swift_under_keystone()?.auth_url.clone();
    proxy("full", started_swift()?, "etc/full", &free_port().to_string(), auth_url)
}

/// Tokens live for [`SHORT_LIFE`].
pub(crate) fn swift_with_short_tokens() -> Option<&'static SwiftSite> {
    static SITE: OnceLock<Option<SwiftSite>> = OnceLock::new();
    SITE.get_or_init(|| swift_site("short", SHORT_LIFE)).as_ref()
}

/// Seconds.
pub(crate) const SHORT_LIFE: u32 = 6;

fn swift_site(name: &str, life: u32) -> Option<SwiftSite> {
    let swift = started_swift()?;
    let [port, keystone_port, image_port] = [0; 3].map(|_| free_port().to_string());
    let args = [keystone_port.as_str(), &image_port, &life.to_string(), &port];
    start(&format!("{name}-swift-keystone"), &args, "", On::Sqlite)?;
    let auth_url = format!("http://127.0.0.1:{keystone_port}/v3");
    proxy(name, swift, "etc", &port, auth_url)
}

fn proxy(name: &str, swift: &Swift, rings: &str, port: &str, auth_url: String) -> Option<SwiftSite> {
    let args = [port, swift.dir.to_str()?, rings, swift.venv.to_str()?, &auth_url];
    start(&format!("{name}-swiftproxy"), &args, "", On::Sqlite)?;
    Some(SwiftSite { url: format!("http://127.0.0.1:{port}"), auth_url })
}

/// The folder of the library that Glance's S3 store stands on.
pub(crate) fn boto3() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| library("boto3")).clone()
}

/// The folder of the library that Glance's Swift store stands on.
pub(crate) fn swiftclient() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    FOLDER.get_or_init(|| library("swiftclient")).clone()
}

/// The folder of a library that Glance's environment lacks: a Glance whose folder has it as `modules` finds it. Its
/// releases stand in `<module>.txt`. None where it is not there, which in CI is a failure.
fn library(module: &str) -> Option<PathBuf> {
    let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
    let made = tmp.with_file_name(format!("{module}-modules"));
    let new = tmp.with_file_name(format!("{module}-{}", std::process::id()));
    if !made.join(module).is_dir() {
        if std::env::var("CI").as_deref() != Ok("true") {
            skip(&format!("there is no {module}"));
            return None;
        }
        let pins = format!("{}/tests/it/support/rig/{module}.txt", env!("CARGO_MANIFEST_DIR"));
        // Without what it depends on: that is there, in releases that Glance is tested with.
        let pip = ["-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--target"];
        run(Command::new(program("python")?).args(pip).arg(&new).args(["-r", &pins]));
        // Another process may have been first.
        if fs::rename(&new, &made).is_err() {
            let _ = fs::remove_dir_all(&new);
        }
    }
    Some(made)
}
