//! Options of the store, under Glance's names.

use std::{path::PathBuf, time::Duration};

/// The connection to the monitors, where nothing else is asked for. librados waits for five minutes.
const CONNECT: Duration = Duration::from_secs(30);

/// An answer, likewise. A cluster stops for some tens of seconds when an OSD dies; librados waits for ever.
const ANSWER: Duration = Duration::from_secs(120);

/// The options of the rbd store.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RbdSettings {
    /// `rbd_store_chunk_size`: MiB of an object; the power of two below it is taken.
    pub rbd_store_chunk_size: u64,
    /// `rbd_store_pool`: where new images go.
    pub rbd_store_pool: String,
    /// `rbd_store_user`: without `client.`; none: admin.
    pub rbd_store_user: Option<String>,
    /// `rbd_store_ceph_conf`: none: where Ceph looks.
    pub rbd_store_ceph_conf: Option<PathBuf>,
    /// `rados_connect_timeout`: seconds, for the connection and for each answer; without a positive one 30 and 120.
    pub rados_connect_timeout: i64,
    /// `rbd_thin_provisioning`: runs of zeros are not written.
    pub rbd_thin_provisioning: bool,
}

impl Default for RbdSettings {
    fn default() -> Self {
        Self {
            rbd_store_chunk_size: 8,
            rbd_store_pool: "images".to_owned(),
            rbd_store_user: None,
            rbd_store_ceph_conf: None,
            rados_connect_timeout: -1,
            rbd_thin_provisioning: false,
        }
    }
}

// === impl RbdSettings ===

impl RbdSettings {
    /// The same, in bytes.
    pub fn chunk_bytes(&self) -> u64 {
        self.rbd_store_chunk_size.saturating_mul(1 << 20)
    }

    /// The objects have `1 << order` bytes.
    pub(super) fn order(&self) -> u32 {
        // RBD has objects of up to 32 MiB and more; beyond 4 GiB it has none.
        self.chunk_bytes().max(1 << 20).ilog2().min(31)
    }

    /// What somebody asked for, if so.
    pub(super) fn asked_timeout(&self) -> Option<Duration> {
        u64::try_from(self.rados_connect_timeout).ok().filter(|it| *it > 0).map(Duration::from_secs)
    }

    pub(super) fn connect_timeout(&self) -> Duration {
        self.asked_timeout().unwrap_or(CONNECT)
    }

    pub(super) fn answer_timeout(&self) -> Duration {
        self.asked_timeout().unwrap_or(ANSWER)
    }
}
