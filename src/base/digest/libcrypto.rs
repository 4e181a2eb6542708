//! Hashes by the system's libcrypto: its EVP_MD_CTX interface.
#![expect(unsafe_code, reason = "a C library that is opened at run time")]

use crate::base::{
    digest::Algorithm,
    libcrypto::{library, symbol},
};
use std::{
    ffi::{CString, c_char, c_int, c_uint, c_void},
    ptr::{self, NonNull},
    sync::OnceLock,
};

/// EVP_MAX_MD_SIZE.
const MAX_HASH: usize = 64;

struct Api {
    new: unsafe extern "C" fn() -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    by_name: unsafe extern "C" fn(*const c_char) -> *const c_void,
    init: unsafe extern "C" fn(*mut c_void, *const c_void, *mut c_void) -> c_int,
    update: unsafe extern "C" fn(*mut c_void, *const c_void, usize) -> c_int,
    finish: unsafe extern "C" fn(*mut c_void, *mut u8, *mut c_uint) -> c_int,
}

/// A hash being computed by libcrypto.
pub(super) struct Context {
    api: &'static Api,
    raw: NonNull<c_void>,
    failed: bool,
}

// SAFETY: an EVP_MD_CTX is bound to no thread; it only must not be used by two at once, and `&mut self` and the
// absence of `Sync` see to that.
unsafe impl Send for Context {}

/// A new context for this algorithm; none without libcrypto, or when it refuses the algorithm.
pub(super) fn context(algorithm: Algorithm) -> Option<Context> {
    static API: OnceLock<Option<Api>> = OnceLock::new();
    let api = API.get_or_init(load).as_ref()?;
    let name = CString::new(algorithm.as_str()).ok()?;
    // SAFETY: `name` is a C string that outlives the call; the result is a static table or null.
    let method = unsafe { (api.by_name)(name.as_ptr()) };
    if method.is_null() {
        return None;
    }
    // SAFETY: takes no arguments; gives a context that is ours, or null.
    let raw = NonNull::new(unsafe { (api.new)() })?;
    // From here on Drop frees the context.
    let context = Context { api, raw, failed: false };
    // SAFETY: context and method are valid; no engine.
    let ready = unsafe { (api.init)(raw.as_ptr(), method, ptr::null_mut()) } == 1;
    ready.then_some(context)
}

fn load() -> Option<Api> {
    let library = library()?;
    // SAFETY: the types are those of OpenSSL's headers, the same in 1.1 and 3.
    unsafe {
        Some(Api {
            new: symbol(library, b"EVP_MD_CTX_new\0")?,
            free: symbol(library, b"EVP_MD_CTX_free\0")?,
            by_name: symbol(library, b"EVP_get_digestbyname\0")?,
            init: symbol(library, b"EVP_DigestInit_ex\0")?,
            update: symbol(library, b"EVP_DigestUpdate\0")?,
            finish: symbol(library, b"EVP_DigestFinal_ex\0")?,
        })
    }
}

// === impl Context ===

impl Context {
    pub(super) fn update(&mut self, bytes: &[u8]) {
        // SAFETY: the context is initialised; pointer and length are those of a slice.
        let done = unsafe { (self.api.update)(self.raw.as_ptr(), bytes.as_ptr().cast(), bytes.len()) };
        self.failed |= done != 1;
    }

    /// The hash; none when any step failed.
    pub(super) fn finish(self) -> Option<Vec<u8>> {
        let mut hash = vec![0; MAX_HASH];
        let mut len: c_uint = 0;
        // SAFETY: the buffer has room for the longest hash, and `len` is a valid place for its length.
        let done = unsafe { (self.api.finish)(self.raw.as_ptr(), hash.as_mut_ptr(), &raw mut len) };
        hash.truncate(len as usize);
        (done == 1 && !self.failed).then_some(hash)
    }
}

impl Drop for Context {
    fn drop(&mut self) {
        // SAFETY: the context is ours and is not used again.
        unsafe { (self.api.free)(self.raw.as_ptr()) }
    }
}
