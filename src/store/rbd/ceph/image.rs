//! An image that is open.

use super::{
    cluster::{until_nul, with_room},
    error::{CephError, check, text},
    library::{Functions, RawImage, RawLinked, RawSnap, RawWatcher},
    pool::{Pool, progress},
};
use nix::errno::Errno;
use std::{
    ffi::{CStr, c_char, c_int, c_void},
    mem, ptr,
    sync::{Arc, atomic::AtomicU64},
};

/// Other clients, or clones, that are listed; more are counted no further.
const SOME: usize = 64;

/// An image, or a snapshot of one. Dropping it closes it, which blocks.
pub(in crate::store::rbd) struct Image {
    pub(super) pool: Arc<Pool>,
    pub(super) raw: RawImage,
}

// SAFETY: an rbd_image_t may be used by any thread, and by several.
unsafe impl Send for Image {}
// SAFETY: likewise.
unsafe impl Sync for Image {}

/// A call that takes the name of a snapshot.
type OnSnap = unsafe extern "C" fn(RawImage, *const c_char) -> c_int;

// === impl Image ===

impl Image {
    pub(super) fn ceph(&self) -> &'static Functions {
        self.pool.cluster.ceph
    }

    pub(in crate::store::rbd) fn pool(&self) -> &Arc<Pool> {
        &self.pool
    }

    /// Bytes.
    pub(in crate::store::rbd) fn size(&self) -> Result<u64, CephError> {
        let mut size = 0;
        // SAFETY: the output is written.
        check("rbd_get_size", unsafe { (self.ceph().rbd_get_size)(self.raw, &raw mut size) }).map(|_| size)
    }

    /// What its objects are named after; it stays when the name changes.
    pub(in crate::store::rbd) fn id(&self) -> Result<String, CephError> {
        let mut buffer = [0; 256];
        // SAFETY: the buffer is ours and its length is told.
        let read = unsafe { (self.ceph().rbd_get_id)(self.raw, buffer.as_mut_ptr().cast(), buffer.len()) };
        check("rbd_get_id", read).map(|_| until_nul(&buffer))
    }

    /// RBD_OPERATION_FEATURE_*.
    pub(in crate::store::rbd) fn operations(&self) -> Result<u64, CephError> {
        let mut features = 0;
        // SAFETY: the output is written.
        let read = unsafe { (self.ceph().rbd_get_op_features)(self.raw, &raw mut features) };
        check("rbd_get_op_features", read).map(|_| features)
    }

    /// Makes it so long; what is beyond is gone. `beat` grows as that goes on.
    pub(in crate::store::rbd) fn resize(&self, size: u64, beat: &AtomicU64) -> Result<(), CephError> {
        let beat = (&raw const *beat).cast_mut().cast::<c_void>();
        // SAFETY: `beat` outlives the call, and `progress` takes it for what it is.
        let resized = unsafe { (self.ceph().rbd_resize2)(self.raw, size, true, progress, beat) };
        check("rbd_resize", resized).map(drop)
    }

    /// Notes something beside the image.
    pub(in crate::store::rbd) fn note(&self, key: &str, value: &str) -> Result<(), CephError> {
        let (key, value) = (text("rbd_metadata_set", key)?, text("rbd_metadata_set", value)?);
        // SAFETY: both texts end with NUL and are copied.
        let set = unsafe { (self.ceph().rbd_metadata_set)(self.raw, key.as_ptr(), value.as_ptr()) };
        check("rbd_metadata_set", set).map(drop)
    }

    pub(in crate::store::rbd) fn is_noted(&self, key: &str) -> Result<bool, CephError> {
        let (key, mut buffer) = (text("rbd_metadata_get", key)?, [0_u8; 64]);
        let mut length = buffer.len();
        // SAFETY: the buffer is ours and its length is told.
        let read = unsafe {
            (self.ceph().rbd_metadata_get)(self.raw, key.as_ptr(), buffer.as_mut_ptr().cast(), &raw mut length)
        };
        match check("rbd_metadata_get", read) {
            Ok(_) => Ok(true),
            Err(error) if error.is(Errno::ERANGE) => Ok(true),
            Err(error) if error.is(Errno::ENOENT) => Ok(false),
            Err(error) => Err(error),
        }
    }

    pub(in crate::store::rbd) fn forget(&self, key: &str) -> Result<(), CephError> {
        let key = text("rbd_metadata_remove", key)?;
        // SAFETY: the text ends with NUL.
        check("rbd_metadata_remove", unsafe { (self.ceph().rbd_metadata_remove)(self.raw, key.as_ptr()) }).map(drop)
    }

    /// Whether it has snapshots, of any name.
    pub(in crate::store::rbd) fn has_snaps(&self) -> Result<bool, CephError> {
        // SAFETY: zeros are a value of it: two numbers and a null pointer.
        let mut snaps: [RawSnap; 1] = [unsafe { mem::zeroed() }];
        let mut room = 1;
        // SAFETY: there is room for the one that ends the list.
        let listed = unsafe { (self.ceph().rbd_snap_list)(self.raw, snaps.as_mut_ptr(), &raw mut room) };
        match check("rbd_snap_list", listed) {
            Ok(count) => {
                // SAFETY: the list that the call has filled in.
                unsafe { (self.ceph().rbd_snap_list_end)(snaps.as_mut_ptr()) };
                Ok(count > 0)
            }
            Err(error) if error.is(Errno::ERANGE) => Ok(true),
            Err(error) => Err(error),
        }
    }

    pub(in crate::store::rbd) fn snap_id(&self, snap: &str) -> Result<u64, CephError> {
        let (snap, mut id) = (text("rbd_snap_get_id", snap)?, 0);
        // SAFETY: the output is written.
        let found = unsafe { (self.ceph().rbd_snap_get_id)(self.raw, snap.as_ptr(), &raw mut id) };
        check("rbd_snap_get_id", found).map(|_| id)
    }

    pub(in crate::store::rbd) fn make_snap(&self, snap: &str) -> Result<(), CephError> {
        self.on_snap("rbd_snap_create", self.ceph().rbd_snap_create, snap)
    }

    pub(in crate::store::rbd) fn remove_snap(&self, snap: &str) -> Result<(), CephError> {
        self.on_snap("rbd_snap_remove", self.ceph().rbd_snap_remove, snap)
    }

    pub(in crate::store::rbd) fn protect(&self, snap: &str) -> Result<(), CephError> {
        self.on_snap("rbd_snap_protect", self.ceph().rbd_snap_protect, snap)
    }

    /// EBUSY: it has clones. EINVAL: it is not protected.
    pub(in crate::store::rbd) fn unprotect(&self, snap: &str) -> Result<(), CephError> {
        self.on_snap("rbd_snap_unprotect", self.ceph().rbd_snap_unprotect, snap)
    }

    fn on_snap(&self, call: &'static str, function: OnSnap, snap: &str) -> Result<(), CephError> {
        let snap = text(call, snap)?;
        // SAFETY: the text ends with NUL and is copied.
        check(call, unsafe { function(self.raw, snap.as_ptr()) }).map(drop)
    }

    /// The addresses of those who have it open to write, this process among them.
    pub(in crate::store::rbd) fn watchers(&self) -> Result<Vec<String>, CephError> {
        let (count, mut found) = with_room("rbd_watchers_list", SOME, |room| {
            // SAFETY: zeros are a value of it: two numbers and a null pointer.
            let mut found: Vec<RawWatcher> = vec![unsafe { mem::zeroed() }; *room];
            // SAFETY: the list has so much room.
            (unsafe { (self.ceph().rbd_watchers_list)(self.raw, found.as_mut_ptr(), room) }, found)
        })?;
        let count = count.min(found.len());
        let names = found[..count].iter().map(|it| copied(it.addr)).collect();
        // SAFETY: the list that the call has filled in.
        unsafe { (self.ceph().rbd_watchers_list_cleanup)(found.as_mut_ptr(), count) };
        Ok(names)
    }

    /// The clones of the snapshot that is open, as `pool/image`.
    pub(in crate::store::rbd) fn clones(&self) -> Result<Vec<String>, CephError> {
        let (count, mut found) = with_room("rbd_list_children", SOME, |room| {
            // SAFETY: zeros are a value of it: numbers and null pointers.
            let mut found: Vec<RawLinked> = vec![unsafe { mem::zeroed() }; *room];
            // SAFETY: the list has so much room.
            (unsafe { (self.ceph().rbd_list_children3)(self.raw, found.as_mut_ptr(), room) }, found)
        })?;
        let count = count.min(found.len());
        let name = |it: &RawLinked| format!("{}/{}", copied(it.pool_name), copied(it.image_name));
        let names = found[..count].iter().map(name).collect();
        // SAFETY: the list that the call has filled in.
        unsafe { (self.ceph().rbd_linked_image_spec_list_cleanup)(found.as_mut_ptr(), count) };
        Ok(names)
    }
}

impl Drop for Image {
    fn drop(&mut self) {
        // SAFETY: the last user of the handle: whatever is under way holds the image.
        let closed = unsafe { (self.ceph().rbd_close)(self.raw) };
        self.raw = ptr::null_mut();
        if let Err(error) = check("rbd_close", closed) {
            tracing::debug!(%error, "an image in Ceph was not closed well");
        }
    }
}

fn copied(text: *const c_char) -> String {
    if text.is_null() {
        return String::new();
    }
    // SAFETY: a text of librbd, which ends with NUL.
    unsafe { CStr::from_ptr(text) }.to_string_lossy().into_owned()
}
