//! A connection to a cluster.

use super::{
    error::{CephError, check, text},
    library::{Functions, LIVE, RawCluster},
};
use nix::errno::Errno;
use std::{
    ffi::{CStr, c_char, c_int},
    path::PathBuf,
    ptr,
    sync::atomic::Ordering,
    time::Duration,
};

/// Options and the fsid are short.
const SHORT: usize = 4096;

/// How to get into a cluster.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::store::rbd) struct Login {
    /// Without `client.`; none: what librados takes (admin).
    pub(in crate::store::rbd) user: Option<String>,
    /// None: where librados looks.
    pub(in crate::store::rbd) conf: Option<PathBuf>,
    /// Waiting for the monitors.
    pub(in crate::store::rbd) connect: Duration,
    /// Waiting for an answer of a monitor or an OSD.
    pub(in crate::store::rbd) answer: Duration,
    /// Whether these two go before what the configuration file says.
    pub(in crate::store::rbd) asked_for: bool,
}

/// A cluster. Dropping it ends the connection.
pub(in crate::store::rbd) struct Cluster {
    pub(super) ceph: &'static Functions,
    pub(super) raw: RawCluster,
}

// SAFETY: a rados_t may be used by any thread, and by several.
unsafe impl Send for Cluster {}
// SAFETY: likewise.
unsafe impl Sync for Cluster {}

// === impl Cluster ===

impl Cluster {
    /// Reads the configuration; no word to the cluster yet.
    pub(in crate::store::rbd) fn configure(ceph: &'static Functions, login: &Login) -> Result<Self, CephError> {
        let user = login.user.as_deref().map(|it| text("rados_create", it)).transpose()?;
        let mut raw = ptr::null_mut();
        // SAFETY: `raw` is written; a NULL user is allowed.
        let made = unsafe { (ceph.rados_create)(&raw mut raw, user.as_ref().map_or(ptr::null(), |it| it.as_ptr())) };
        check("rados_create", made)?;
        LIVE.fetch_add(1, Ordering::SeqCst);
        let cluster = Self { ceph, raw };
        let conf = login.conf.as_deref().and_then(|it| it.to_str());
        let conf = conf.map(|it| text("rados_conf_read_file", it)).transpose()?;
        // SAFETY: the handle is ours; a NULL path stands for the usual ones.
        let read = unsafe { (ceph.rados_conf_read_file)(raw, conf.as_ref().map_or(ptr::null(), |it| it.as_ptr())) };
        check("rados_conf_read_file", read)?;
        // The cache of librbd would copy all data, and hold it: an image is written once, front to back.
        cluster.set("rbd_cache", "false")?;
        // The file may set limits of its own; without any a cluster that is gone is waited for for ever.
        let limits = [
            ("client_mount_timeout", login.connect),
            ("rados_mon_op_timeout", login.answer),
            ("rados_osd_op_timeout", login.answer),
        ];
        for (option, limit) in limits {
            let is_set = cluster.get(option).is_some_and(|it| it.parse().is_ok_and(|it: f64| it > 0.0));
            if login.asked_for || option == "client_mount_timeout" || !is_set {
                cluster.set(option, &limit.as_secs().max(1).to_string())?;
            }
        }
        Ok(cluster)
    }

    /// Connects. Blocks for `client_mount_timeout` at the most.
    pub(in crate::store::rbd) fn connect(&self) -> Result<(), CephError> {
        // SAFETY: the handle is ours and configured; it is connected once.
        check("rados_connect", unsafe { (self.ceph.rados_connect)(self.raw) }).map(drop)
    }

    /// The id of the cluster that it is connected to.
    pub(in crate::store::rbd) fn fsid(&self) -> Result<String, CephError> {
        let mut buffer = [0; 64];
        // SAFETY: the buffer is ours and its length is told.
        let read = unsafe { (self.ceph.rados_cluster_fsid)(self.raw, buffer.as_mut_ptr().cast(), buffer.len()) };
        check("rados_cluster_fsid", read)?;
        Ok(until_nul(&buffer))
    }

    /// An option as it is in force.
    pub(in crate::store::rbd) fn get(&self, option: &str) -> Option<String> {
        let option = text("rados_conf_get", option).ok()?;
        let mut buffer = vec![0; SHORT];
        // SAFETY: the buffer is ours and its length is told.
        let read =
            unsafe { (self.ceph.rados_conf_get)(self.raw, option.as_ptr(), buffer.as_mut_ptr().cast(), buffer.len()) };
        check("rados_conf_get", read).ok()?;
        Some(until_nul(&buffer))
    }

    fn set(&self, option: &str, value: &str) -> Result<(), CephError> {
        let (option, value) = (text("rados_conf_set", option)?, text("rados_conf_set", value)?);
        // SAFETY: both texts end with NUL and are copied.
        check("rados_conf_set", unsafe { (self.ceph.rados_conf_set)(self.raw, option.as_ptr(), value.as_ptr()) })
            .map(drop)
    }

    /// What a monitor answers to a command in JSON.
    pub(in crate::store::rbd) fn ask(&self, command: &str) -> Result<Vec<u8>, CephError> {
        let command = text("rados_mon_command", command)?;
        let commands: [*const c_char; 1] = [command.as_ptr()];
        let (mut answer, mut length) = (ptr::null_mut(), 0);
        let (mut words, mut count) = (ptr::null_mut(), 0);
        // SAFETY: one command, no input; the four outputs are written, and the two buffers are given back below.
        let asked = unsafe {
            (self.ceph.rados_mon_command)(
                self.raw,
                commands.as_ptr(),
                1,
                c"".as_ptr(),
                0,
                &raw mut answer,
                &raw mut length,
                &raw mut words,
                &raw mut count,
            )
        };
        let copy = if answer.is_null() || length == 0 {
            Vec::new()
        } else {
            // SAFETY: librados says that so many bytes are there.
            unsafe { std::slice::from_raw_parts(answer.cast::<u8>(), length) }.to_vec()
        };
        for buffer in [answer, words] {
            if !buffer.is_null() {
                // SAFETY: it is a buffer of librados, freed once.
                unsafe { (self.ceph.rados_buffer_free)(buffer) };
            }
        }
        check("rados_mon_command", asked).map(|_| copy)
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // SAFETY: the last user of the handle; pools hold the cluster.
        unsafe { (self.ceph.rados_shutdown)(self.raw) };
        LIVE.fetch_sub(1, Ordering::SeqCst);
    }
}

/// The text before the first NUL.
pub(super) fn until_nul(buffer: &[u8]) -> String {
    CStr::from_bytes_until_nul(buffer).map(|it| it.to_string_lossy().into_owned()).unwrap_or_default()
}

/// Calls with more and more room until it is enough; the call says how much it wants.
pub(super) fn with_room<T>(
    call: &'static str,
    mut room: usize,
    mut work: impl FnMut(&mut usize) -> (c_int, T),
) -> Result<(usize, T), CephError> {
    // What is listed may grow meanwhile.
    for _ in 0..16 {
        let mut wanted = room;
        let (result, found) = work(&mut wanted);
        match check(call, result) {
            Ok(_) => return Ok((wanted, found)),
            Err(error) if error.is(Errno::ERANGE) => room = wanted.max(room.saturating_mul(2)),
            Err(error) => return Err(error),
        }
    }
    Err(CephError::new(call, Errno::ERANGE))
}
