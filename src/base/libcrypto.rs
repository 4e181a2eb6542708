//! The system's libcrypto (OpenSSL 1.1 or 3), found at run time, so that nothing is needed to build.
//!
//! Its users take only functions that have the same C signatures in both versions.
#![expect(unsafe_code, reason = "a C library that is opened at run time")]

use libloading::{Library, Symbol};
use std::{
    ffi::{c_int, c_void},
    ptr,
    sync::OnceLock,
};

const NAMES: [&str; 2] = ["libcrypto.so.3", "libcrypto.so.1.1"];

/// OPENSSL_INIT_NO_ATEXIT: its clean-up at exit would pull the ground from under work still running.
const NO_ATEXIT: u64 = 0x0008_0000;

/// The library, opened once and never closed; none where there is none.
pub(in crate::base) fn library() -> Option<&'static Library> {
    static LIBRARY: OnceLock<Option<Library>> = OnceLock::new();
    LIBRARY.get_or_init(|| NAMES.iter().find_map(|name| load(name))).as_ref()
}

fn load(name: &str) -> Option<Library> {
    // SAFETY: libcrypto's initialisers may run at any time in any thread; that is its documented contract.
    let library = unsafe { Library::new(name) }.ok()?;
    // SAFETY: the type is that of OpenSSL's headers, the same in 1.1 and 3.
    unsafe {
        if let Ok(init) = library.get::<unsafe extern "C" fn(u64, *const c_void) -> c_int>(b"OPENSSL_init_crypto\0") {
            init(NO_ATEXIT, ptr::null());
        }
    }
    Some(library)
}

/// A function of the library.
///
/// # Safety
/// `T` must be the function's type.
pub(in crate::base) unsafe fn symbol<T: Copy>(library: &'static Library, name: &[u8]) -> Option<T> {
    // SAFETY: handed to the caller; the library is never closed.
    let found: Symbol<'_, T> = unsafe { library.get(name) }.ok()?;
    Some(*found)
}
