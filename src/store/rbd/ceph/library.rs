//! The functions of the two libraries that are used here, with the prototypes of Ceph's headers (librados.h, librbd.h).

use libloading::Library;
use nix::libc::{iovec, time_t, timeval};
use std::{
    ffi::{c_char, c_int, c_void},
    ptr,
    sync::{
        OnceLock,
        atomic::{AtomicUsize, Ordering},
    },
};

/// `rados_t`.
pub(super) type RawCluster = *mut c_void;
/// `rados_ioctx_t`.
pub(super) type RawPool = *mut c_void;
/// `rbd_image_t`.
pub(super) type RawImage = *mut c_void;
/// `rbd_completion_t`.
pub(super) type RawCompletion = *mut c_void;
/// `rbd_callback_t`.
pub(super) type OnComplete = extern "C" fn(RawCompletion, *mut c_void);
/// `librbd_progress_fn_t`; anything but 0 stops the work.
pub(super) type OnProgress = extern "C" fn(u64, u64, *mut c_void) -> c_int;

/// `rbd_image_watcher_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct RawWatcher {
    pub(super) addr: *mut c_char,
    id: i64,
    cookie: u64,
}

/// `rbd_linked_image_spec_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct RawLinked {
    pool_id: i64,
    pub(super) pool_name: *mut c_char,
    pool_namespace: *mut c_char,
    image_id: *mut c_char,
    pub(super) image_name: *mut c_char,
    trash: bool,
}

/// `rbd_snap_info_t`.
#[repr(C)]
#[derive(Clone, Copy)]
pub(super) struct RawSnap {
    id: u64,
    size: u64,
    name: *const c_char,
}

macro_rules! functions {
    ($($library:ident { $($name:ident($($argument:ty),*) $(-> $result:ty)?;)* })*) => {
        /// The functions, by their names in C.
        pub(in crate::store::rbd) struct Functions {
            $($(pub(super) $name: unsafe extern "C" fn($($argument),*) $(-> $result)?,)*)*
        }

        fn find(libraries: &Libraries) -> Result<Functions, String> {
            Ok(Functions {
                $($($name: {
                    // SAFETY: the type is that of the header; the library is never closed.
                    let found = unsafe { libraries.$library.get::<unsafe extern "C" fn($($argument),*) $(-> $result)?>(concat!(stringify!($name), "\0").as_bytes()) };
                    *found.map_err(|_| too_old(stringify!($name)))?
                },)*)*
            })
        }
    };
}

functions! {
    rados {
    rados_create(*mut RawCluster, *const c_char) -> c_int;
    rados_conf_read_file(RawCluster, *const c_char) -> c_int;
    rados_conf_set(RawCluster, *const c_char, *const c_char) -> c_int;
    rados_conf_get(RawCluster, *const c_char, *mut c_char, usize) -> c_int;
    rados_connect(RawCluster) -> c_int;
    rados_shutdown(RawCluster);
    rados_cluster_fsid(RawCluster, *mut c_char, usize) -> c_int;
    rados_mon_command(RawCluster, *const *const c_char, usize, *const c_char, usize, *mut *mut c_char, *mut usize, *mut *mut c_char, *mut usize) -> c_int;
    rados_buffer_free(*mut c_char);
    rados_ioctx_create(RawCluster, *const c_char, *mut RawPool) -> c_int;
    rados_ioctx_destroy(RawPool);
    rados_set_pool_full_try(RawPool);
    rados_stat(RawPool, *const c_char, *mut u64, *mut time_t) -> c_int;
    rados_read(RawPool, *const c_char, *mut c_char, usize, u64) -> c_int;
    rados_remove(RawPool, *const c_char) -> c_int;
    rados_lock_exclusive(RawPool, *const c_char, *const c_char, *const c_char, *const c_char, *mut timeval, u8) -> c_int;
    rados_unlock(RawPool, *const c_char, *const c_char, *const c_char) -> c_int;
    rados_exec(RawPool, *const c_char, *const c_char, *const c_char, *const c_char, usize, *mut c_char, usize) -> c_int;
}
    rbd {
    rbd_list(RawPool, *mut c_char, *mut usize) -> c_int;
    rbd_create2(RawPool, *const c_char, u64, u64, *mut c_int) -> c_int;
    rbd_open(RawPool, *const c_char, *mut RawImage, *const c_char) -> c_int;
    rbd_open_read_only(RawPool, *const c_char, *mut RawImage, *const c_char) -> c_int;
    rbd_close(RawImage) -> c_int;
    rbd_remove_with_progress(RawPool, *const c_char, OnProgress, *mut c_void) -> c_int;
    rbd_rename(RawPool, *const c_char, *const c_char) -> c_int;
    rbd_trash_move(RawPool, *const c_char, u64) -> c_int;
    rbd_get_size(RawImage, *mut u64) -> c_int;
    rbd_get_id(RawImage, *mut c_char, usize) -> c_int;
    rbd_get_op_features(RawImage, *mut u64) -> c_int;
    rbd_resize2(RawImage, u64, bool, OnProgress, *mut c_void) -> c_int;
    rbd_metadata_set(RawImage, *const c_char, *const c_char) -> c_int;
    rbd_metadata_get(RawImage, *const c_char, *mut c_char, *mut usize) -> c_int;
    rbd_metadata_remove(RawImage, *const c_char) -> c_int;
    rbd_snap_list(RawImage, *mut RawSnap, *mut c_int) -> c_int;
    rbd_snap_list_end(*mut RawSnap);
    rbd_snap_get_id(RawImage, *const c_char, *mut u64) -> c_int;
    rbd_snap_create(RawImage, *const c_char) -> c_int;
    rbd_snap_remove(RawImage, *const c_char) -> c_int;
    rbd_snap_protect(RawImage, *const c_char) -> c_int;
    rbd_snap_unprotect(RawImage, *const c_char) -> c_int;
    rbd_watchers_list(RawImage, *mut RawWatcher, *mut usize) -> c_int;
    rbd_watchers_list_cleanup(*mut RawWatcher, usize);
    rbd_list_children3(RawImage, *mut RawLinked, *mut usize) -> c_int;
    rbd_linked_image_spec_list_cleanup(*mut RawLinked, usize);
    rbd_aio_create_completion(*mut c_void, OnComplete, *mut RawCompletion) -> c_int;
    rbd_aio_release(RawCompletion);
    rbd_aio_get_return_value(RawCompletion) -> isize;
    rbd_aio_read(RawImage, u64, usize, *mut c_char, RawCompletion) -> c_int;
    rbd_aio_writev(RawImage, *const iovec, c_int, u64, RawCompletion) -> c_int;
    rbd_aio_flush(RawImage, RawCompletion) -> c_int;
    }
}

struct Libraries {
    rados: Library,
    rbd: Library,
}

/// The functions, found once.
///
/// # Errors
/// What is missing, and what to install.
pub(in crate::store::rbd) fn library() -> Result<&'static Functions, &'static str> {
    static LIBRARIES: OnceLock<Result<Libraries, String>> = OnceLock::new();
    static FUNCTIONS: OnceLock<Result<Functions, String>> = OnceLock::new();
    let libraries = LIBRARIES.get_or_init(load).as_ref().map_err(String::as_str)?;
    FUNCTIONS.get_or_init(|| find(libraries)).as_ref().map_err(String::as_str)
}

fn load() -> Result<Libraries, String> {
    let load = |name: &str| {
        // SAFETY: the initialisers of Ceph's libraries may run at any time in any thread.
        unsafe { Library::new(name) }
            .map_err(|error| format!("{name} is not on this machine: install Ceph's librbd1 ({error})"))
    };
    let libraries = Libraries { rbd: load("librbd.so.1")?, rados: load("librados.so.2")? };
    leave_at_exit();
    Ok(libraries)
}

/// Clusters that are connected, or not wholly shut down.
pub(super) static LIVE: AtomicUsize = AtomicUsize::new(0);

/// At the end of a process the libraries destroy what their own threads, and ours, still use, which may be a crash: with a
/// cluster that lives the process ends before that. What is asked for here runs before what they have asked for.
fn leave_at_exit() {
    type OnExit = unsafe extern "C" fn(extern "C" fn(c_int, *mut c_void), *mut c_void) -> c_int;
    // SAFETY: on_exit(3) of the C library, which has this type.
    if let Ok(on_exit) = unsafe { libloading::os::unix::Library::this().get::<OnExit>(b"on_exit\0") } {
        // SAFETY: the function is there as long as the process.
        let _ = unsafe { on_exit(leave, ptr::null_mut()) };
    }
}

extern "C" fn leave(status: c_int, _: *mut c_void) {
    if LIVE.load(Ordering::SeqCst) > 0 {
        // SAFETY: nothing of this process runs after it.
        unsafe { nix::libc::_exit(status) };
    }
}

fn too_old(function: &str) -> String {
    format!(
        "Ceph's libraries on this machine lack {function}: install librbd1 and librados2 of Ceph 15 (Octopus) or later"
    )
}
