//! A real Ceph, started once for the test process: pools for RBD, and what stands on it.

use super::{NO_VENV, On, start, venv};
use crate::support::{free_port, have, skip};
use std::{path::PathBuf, sync::OnceLock};

/// A running Ceph: one monitor, one OSD, the pool `images`.
#[derive(Debug)]
pub(crate) struct Ceph {
    /// `ceph.conf`, `ceph.client.admin.keyring` and `ceph.client.glance.keyring` (RBD on `images`) stand here.
    pub(crate) dir: PathBuf,
}

// === impl Ceph ===

impl Ceph {
    /// What `CEPH_CONF` and `rbd_store_ceph_conf` take; it names the keyrings.
    pub(crate) fn conf(&self) -> PathBuf {
        self.dir.join("ceph.conf")
    }
}

/// Ceph; none (and why on standard error) where it cannot be started, which in CI is a failure.
pub(crate) fn ceph() -> Option<&'static Ceph> {
    static CEPH: OnceLock<Option<Ceph>> = OnceLock::new();
    CEPH.get_or_init(|| own_ceph("ceph")).as_ref()
}

/// Another one; `name` must be its own, and end in `ceph`.
pub(crate) fn own_ceph(name: &str) -> Option<Ceph> {
    if !installed(&["ceph-mon", "ceph-mgr", "ceph-osd", "ceph", "rbd"]) {
        return None;
    }
    let dir = start(name, &[&free_port().to_string(), &free_port().to_string()], "", On::Sqlite)?;
    Some(Ceph { dir })
}

/// Whether a server of these programs can be started: they are there, or the script installs them, as it does in CI.
pub(crate) fn installed(programs: &[&str]) -> bool {
    if venv().is_none() {
        return skip(NO_VENV);
    }
    std::env::var("CI").as_deref() == Ok("true") || have(programs)
}
