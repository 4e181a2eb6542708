//! What a call to Ceph ended with.

use nix::errno::Errno;
use std::ffi::{CString, c_int};

/// A call that failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{call} ended with {errno}")]
pub(in crate::store::rbd) struct CephError {
    /// The C function, or what took its place.
    pub(in crate::store::rbd) call: &'static str,
    pub(in crate::store::rbd) errno: Errno,
}

// === impl CephError ===

impl CephError {
    pub(in crate::store::rbd) fn new(call: &'static str, errno: Errno) -> Self {
        Self { call, errno }
    }

    pub(in crate::store::rbd) fn is(&self, errno: Errno) -> bool {
        self.errno == errno
    }
}

/// A result as C gives it: negative is an errno.
pub(super) fn check(call: &'static str, result: c_int) -> Result<usize, CephError> {
    usize::try_from(result).map_err(|_| CephError::new(call, Errno::from_raw(result.wrapping_neg())))
}

/// A name for C.
pub(super) fn text(call: &'static str, name: &str) -> Result<CString, CephError> {
    CString::new(name).map_err(|_| CephError::new(call, Errno::EINVAL))
}
