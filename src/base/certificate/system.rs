//! Signatures by the system's libcrypto: its EVP_PKEY interface.
#![expect(unsafe_code, reason = "a C library that is opened at run time")]

use crate::base::libcrypto::{library, symbol};
use std::{
    ffi::{c_int, c_long, c_void},
    ptr::{self, NonNull},
    sync::OnceLock,
};

struct Api {
    key: unsafe extern "C" fn(*mut *mut c_void, *mut *const u8, c_long) -> *mut c_void,
    key_free: unsafe extern "C" fn(*mut c_void),
    new: unsafe extern "C" fn(*mut c_void, *mut c_void) -> *mut c_void,
    free: unsafe extern "C" fn(*mut c_void),
    init: unsafe extern "C" fn(*mut c_void) -> c_int,
    verify: unsafe extern "C" fn(*mut c_void, *const u8, usize, *const u8, usize) -> c_int,
    /// What went wrong stays with the thread, and would be found by whoever asks there next.
    forget: unsafe extern "C" fn(),
}

/// There is no libcrypto, or it does not know the key.
pub(super) struct Unable {
    /// Whether there is one.
    pub(super) there: bool,
}

/// Frees what it holds.
struct Held {
    raw: NonNull<c_void>,
    free: unsafe extern "C" fn(*mut c_void),
}

/// Whether `key`, a SubjectPublicKeyInfo in DER of DSA or an elliptic curve, has signed this digest.
pub(super) fn verify(key: &[u8], digest: &[u8], signature: &[u8]) -> Result<bool, Unable> {
    static API: OnceLock<Option<Api>> = OnceLock::new();
    let api = API.get_or_init(load).as_ref().ok_or(Unable { there: false })?;
    let done = try_verify(api, key, digest, signature).ok_or(Unable { there: true });
    // SAFETY: takes no arguments.
    unsafe { (api.forget)() };
    done
}

fn try_verify(api: &'static Api, key: &[u8], digest: &[u8], signature: &[u8]) -> Option<bool> {
    let len = c_long::try_from(key.len()).ok()?;
    let mut at = key.as_ptr();
    // SAFETY: `at` and `len` are those of a slice; with null a new key is made, ours, or null.
    let key = Held::new(unsafe { (api.key)(ptr::null_mut(), &raw mut at, len) }, api.key_free)?;
    // SAFETY: the key is valid and outlives the context, which is dropped first; no engine.
    let context = Held::new(unsafe { (api.new)(key.raw.as_ptr(), ptr::null_mut()) }, api.free)?;
    // SAFETY: the context is valid.
    if unsafe { (api.init)(context.raw.as_ptr()) } != 1 {
        return None;
    }
    // SAFETY: the context is ready; pointers and lengths are those of slices.
    let result = unsafe {
        (api.verify)(context.raw.as_ptr(), signature.as_ptr(), signature.len(), digest.as_ptr(), digest.len())
    };
    // 0: another signature; negative: malformed.
    Some(result == 1)
}

fn load() -> Option<Api> {
    let library = library()?;
    // SAFETY: the types are those of OpenSSL's headers, the same in 1.1 and 3.
    unsafe {
        Some(Api {
            key: symbol(library, b"d2i_PUBKEY\0")?,
            key_free: symbol(library, b"EVP_PKEY_free\0")?,
            new: symbol(library, b"EVP_PKEY_CTX_new\0")?,
            free: symbol(library, b"EVP_PKEY_CTX_free\0")?,
            init: symbol(library, b"EVP_PKEY_verify_init\0")?,
            verify: symbol(library, b"EVP_PKEY_verify\0")?,
            forget: symbol(library, b"ERR_clear_error\0")?,
        })
    }
}

// === impl Held ===

impl Held {
    fn new(raw: *mut c_void, free: unsafe extern "C" fn(*mut c_void)) -> Option<Self> {
        Some(Self { raw: NonNull::new(raw)?, free })
    }
}

impl Drop for Held {
    fn drop(&mut self) {
        // SAFETY: it is ours and is not used again.
        unsafe { (self.free)(self.raw.as_ptr()) }
    }
}
