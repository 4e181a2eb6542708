//! A pool, and the images in it by name.

use super::{
    cluster::{Cluster, with_room},
    error::{CephError, check, text},
    image::Image,
    library::RawPool,
};
use nix::{errno::Errno, libc::timeval};
use std::{
    ffi::{CString, c_char, c_int, c_void},
    ptr,
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Most objects that are read here have some bytes.
const SMALL: usize = 4096;

/// A pool of a cluster.
pub(in crate::store::rbd) struct Pool {
    pub(super) cluster: Arc<Cluster>,
    pub(super) raw: RawPool,
}

// SAFETY: a rados_ioctx_t may be used by any thread, and by several while none changes its settings; they are set at
// the start only.
unsafe impl Send for Pool {}
// SAFETY: likewise.
unsafe impl Sync for Pool {}

// === impl Pool ===

impl Pool {
    pub(in crate::store::rbd) fn open(cluster: &Arc<Cluster>, name: &str) -> Result<Arc<Self>, CephError> {
        let name = text("rados_ioctx_create", name)?;
        let (cluster, mut raw) = (Arc::clone(cluster), ptr::null_mut());
        // SAFETY: `raw` is written.
        let made = unsafe { (cluster.ceph.rados_ioctx_create)(cluster.raw, name.as_ptr(), &raw mut raw) };
        check("rados_ioctx_create", made)?;
        // Without it a write to a full pool waits until there is room.
        // SAFETY: the handle is ours, and nobody else has it yet.
        unsafe { (cluster.ceph.rados_set_pool_full_try)(raw) };
        Ok(Arc::new(Self { cluster, raw }))
    }

    /// The names of all images.
    pub(in crate::store::rbd) fn images(&self) -> Result<Vec<String>, CephError> {
        let (length, names) = with_room("rbd_list", 1 << 16, |room| {
            let mut names = vec![0_u8; *room];
            // SAFETY: the buffer is ours and its length is told.
            let listed = unsafe { (self.cluster.ceph.rbd_list)(self.raw, names.as_mut_ptr().cast(), room) };
            (listed, names)
        })?;
        let names = names.get(..length).unwrap_or(&names).split(|it| *it == 0).filter(|it| !it.is_empty());
        Ok(names.map(|it| String::from_utf8_lossy(it).into_owned()).collect())
    }

    /// Makes an image with objects of `1 << order` bytes.
    pub(in crate::store::rbd) fn create(
        &self,
        name: &str,
        size: u64,
        features: u64,
        order: u32,
    ) -> Result<(), CephError> {
        let (name, mut order) = (text("rbd_create2", name)?, c_int::try_from(order).unwrap_or_default());
        // SAFETY: `order` is read and written.
        let made = unsafe { (self.cluster.ceph.rbd_create2)(self.raw, name.as_ptr(), size, features, &raw mut order) };
        check("rbd_create2", made).map(drop)
    }

    /// To write to, which others see (a watch).
    pub(in crate::store::rbd) fn image(self: &Arc<Self>, name: &str) -> Result<Image, CephError> {
        let (name, mut raw) = (text("rbd_open", name)?, ptr::null_mut());
        // SAFETY: `raw` is written; a NULL snapshot stands for the image itself.
        let opened = unsafe { (self.cluster.ceph.rbd_open)(self.raw, name.as_ptr(), &raw mut raw, ptr::null()) };
        check("rbd_open", opened)?;
        Ok(Image { pool: Arc::clone(self), raw })
    }

    /// To read, which nobody sees.
    pub(in crate::store::rbd) fn image_to_read(
        self: &Arc<Self>,
        name: &str,
        snap: Option<&str>,
    ) -> Result<Image, CephError> {
        let (name, mut raw) = (text("rbd_open_read_only", name)?, ptr::null_mut());
        let snap = snap.map(|it| text("rbd_open_read_only", it)).transpose()?;
        let snap = snap.as_ref().map_or(ptr::null(), |it| it.as_ptr());
        // SAFETY: `raw` is written; a NULL snapshot stands for the image itself.
        let opened = unsafe { (self.cluster.ceph.rbd_open_read_only)(self.raw, name.as_ptr(), &raw mut raw, snap) };
        check("rbd_open_read_only", opened)?;
        Ok(Image { pool: Arc::clone(self), raw })
    }

    /// Removes an image without snapshots that nobody has open; `beat` grows as that goes on.
    pub(in crate::store::rbd) fn remove(&self, name: &str, beat: &AtomicU64) -> Result<(), CephError> {
        let name = text("rbd_remove", name)?;
        let beat = (&raw const *beat).cast_mut().cast::<c_void>();
        // SAFETY: `beat` outlives the call, and `progress` takes it for what it is.
        let removed = unsafe { (self.cluster.ceph.rbd_remove_with_progress)(self.raw, name.as_ptr(), progress, beat) };
        check("rbd_remove", removed).map(drop)
    }

    /// Locks an object under a name, for so long at the most; EBUSY when somebody else has that lock.
    pub(in crate::store::rbd) fn lock(
        &self,
        object: &str,
        name: &str,
        cookie: &str,
        held: Duration,
    ) -> Result<(), CephError> {
        const CALL: &str = "rados_lock_exclusive";
        let (object, name, cookie) = (text(CALL, object)?, text(CALL, name)?, text(CALL, cookie)?);
        let seconds = held.as_secs().try_into().map_err(|_| CephError::new(CALL, Errno::EINVAL))?;
        let mut held = timeval { tv_sec: seconds, tv_usec: 0 };
        // SAFETY: all texts end with NUL, and the time is only read.
        let locked = unsafe {
            (self.cluster.ceph.rados_lock_exclusive)(
                self.raw,
                object.as_ptr(),
                name.as_ptr(),
                cookie.as_ptr(),
                c"".as_ptr(),
                &raw mut held,
                0,
            )
        };
        check(CALL, locked).map(drop)
    }

    pub(in crate::store::rbd) fn unlock(&self, object: &str, name: &str, cookie: &str) -> Result<(), CephError> {
        const CALL: &str = "rados_unlock";
        let (object, name, cookie) = (text(CALL, object)?, text(CALL, name)?, text(CALL, cookie)?);
        // SAFETY: all texts end with NUL.
        let done =
            unsafe { (self.cluster.ceph.rados_unlock)(self.raw, object.as_ptr(), name.as_ptr(), cookie.as_ptr()) };
        check(CALL, done).map(drop)
    }

    /// Fails with EEXIST where there is one of that name, but not always where two do this at the same moment.
    pub(in crate::store::rbd) fn rename(&self, from: &str, to: &str) -> Result<(), CephError> {
        let (from, to) = (text("rbd_rename", from)?, text("rbd_rename", to)?);
        // SAFETY: both texts end with NUL.
        check("rbd_rename", unsafe { (self.cluster.ceph.rbd_rename)(self.raw, from.as_ptr(), to.as_ptr()) }).map(drop)
    }

    /// Hides an image that others still need.
    pub(in crate::store::rbd) fn to_trash(&self, name: &str) -> Result<(), CephError> {
        let name = text("rbd_trash_move", name)?;
        // SAFETY: the text ends with NUL.
        check("rbd_trash_move", unsafe { (self.cluster.ceph.rbd_trash_move)(self.raw, name.as_ptr(), 0) }).map(drop)
    }

    /// When the object of that name was written, seconds since 1970; none when there is none.
    pub(in crate::store::rbd) fn object_time(&self, name: &str) -> Result<Option<i64>, CephError> {
        let (name, mut size, mut time) = (text("rados_stat", name)?, 0, 0);
        // SAFETY: both outputs are written.
        let found = unsafe { (self.cluster.ceph.rados_stat)(self.raw, name.as_ptr(), &raw mut size, &raw mut time) };
        match check("rados_stat", found) {
            Ok(_) => Ok(Some(time)),
            Err(error) if error.is(Errno::ENOENT) => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The first bytes of an object.
    pub(in crate::store::rbd) fn object(&self, name: &str) -> Result<Vec<u8>, CephError> {
        let (name, mut bytes) = (text("rados_read", name)?, vec![0; SMALL]);
        // SAFETY: the buffer is ours and its length is told.
        let read = unsafe {
            (self.cluster.ceph.rados_read)(self.raw, name.as_ptr(), bytes.as_mut_ptr().cast(), bytes.len(), 0)
        };
        bytes.truncate(check("rados_read", read)?);
        Ok(bytes)
    }

    pub(in crate::store::rbd) fn remove_object(&self, name: &str) -> Result<(), CephError> {
        let name = text("rados_remove", name)?;
        // SAFETY: the text ends with NUL.
        check("rados_remove", unsafe { (self.cluster.ceph.rados_remove)(self.raw, name.as_ptr()) }).map(drop)
    }

    /// What a method of the class `rbd` on an object answers.
    pub(in crate::store::rbd) fn exec(&self, object: &str, method: &str, input: &[u8]) -> Result<Vec<u8>, CephError> {
        let texts = [text("rados_exec", object)?, CString::from(c"rbd"), text("rados_exec", method)?];
        let mut answer = vec![0; 1 << 16];
        // SAFETY: the buffers are ours and their lengths are told.
        let done = unsafe {
            (self.cluster.ceph.rados_exec)(
                self.raw,
                texts[0].as_ptr(),
                texts[1].as_ptr(),
                texts[2].as_ptr(),
                input.as_ptr().cast::<c_char>(),
                input.len(),
                answer.as_mut_ptr().cast(),
                answer.len(),
            )
        };
        answer.truncate(check("rados_exec", done)?);
        Ok(answer)
    }
}

impl Drop for Pool {
    fn drop(&mut self) {
        // SAFETY: the last user of the handle; images hold the pool.
        unsafe { (self.cluster.ceph.rados_ioctx_destroy)(self.raw) };
    }
}

/// Counts steps of a long call.
pub(super) extern "C" fn progress(_: u64, _: u64, beat: *mut c_void) -> c_int {
    // SAFETY: whoever passes this function passes a counter that outlives the call.
    if let Some(beat) = unsafe { beat.cast::<AtomicU64>().as_ref() } {
        beat.fetch_add(1, Ordering::Relaxed);
    }
    0
}
