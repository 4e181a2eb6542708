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
    static SERVER: OnceLock<Option<String>> = OnceLock::new();
    let run = || {
        let made = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("swift-venv");
        let made = std::env::var_os("LARDER_SWIFT_VENV").map_or(made, Into::into);
        if !installed(&["memcached", made.join("bin/swift-proxy-server").to_str()?]) {
            return None;
        }
        let ports: Vec<String> = std::iter::repeat_with(|| free_port().to_string()).take(5).collect();
        let mut args: Vec<&str> = ports.iter().map(String::as_str).collect();
        args.push(made.to_str()?);
        start("swift", &args, "", On::Sqlite)?;
        Some(format!("http://127.0.0.1:{}", ports[0]))
    };
    SERVER.get_or_init(run).as_deref()
}

/// Its S3.
pub(crate) fn swift_s3() -> Option<S3> {
    Some(S3 { url: swift()?.to_owned(), access: "test:tester", secret: "testing" })
}

/// The folder of the library that Glance's S3 store stands on, which its environment lacks: a Glance whose folder has it as
/// `modules` finds it. None where it is not there, which in CI is a failure.
pub(crate) fn boto3() -> Option<PathBuf> {
    static FOLDER: OnceLock<Option<PathBuf>> = OnceLock::new();
    let make = || {
        let pins = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it/support/rig/boto3.txt");
        let tmp = Path::new(env!("CARGO_TARGET_TMPDIR"));
        let (made, new) =
            (tmp.with_file_name("boto3-modules"), tmp.with_file_name(format!("boto3-{}", std::process::id())));
        if !made.join("boto3").is_dir() {
            if std::env::var("CI").as_deref() != Ok("true") {
                skip("there is no boto3");
                return None;
            }
            // Without what it depends on: that is there, in releases that Glance is tested with.
            let pip = ["-m", "pip", "-q", "--disable-pip-version-check", "install", "--no-deps", "--target"];
            run(Command::new(program("python")?).args(pip).arg(&new).args(["-r", pins]));
            // Another process may have been first.
            if fs::rename(&new, &made).is_err() {
                let _ = fs::remove_dir_all(&new);
            }
        }
        Some(made)
    };
    FOLDER.get_or_init(make).clone()
}
