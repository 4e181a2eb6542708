//! Reads and writes that are under way while nobody waits.
//!
//! librbd gets memory that belongs to [`Pending`], which lives until librbd calls back, and holds the image that long.

use super::{
    error::CephError,
    library::{Functions, RawCompletion},
    opened::Opened,
};
use bytes::Bytes;
use nix::{errno::Errno, libc::iovec};
use std::{
    ffi::{c_int, c_void},
    future::Future,
    ptr,
    sync::Arc,
};
use tokio::sync::oneshot;

/// Something under way.
struct Pending {
    call: &'static str,
    ceph: &'static Functions,
    data: Data,
    done: oneshot::Sender<Result<Data, CephError>>,
    /// Closed after this, and not in the thread that calls back.
    _image: Arc<Opened>,
}

/// What librbd has for so long.
enum Data {
    None,
    Read(Vec<u8>),
    Write { _pieces: Vec<Bytes>, _vectors: Vec<iovec> },
}

/// What was begun.
struct Begun {
    call: &'static str,
    receiver: oneshot::Receiver<Result<Data, CephError>>,
}

// SAFETY: the vectors point into the pieces beside them, which nobody writes to.
unsafe impl Send for Data {}

// === impl Opened ===

impl Opened {
    /// Starts to read; the future is done when the data is there.
    pub(in crate::store::rbd) fn read(
        self: &Arc<Self>,
        at: u64,
        length: usize,
    ) -> impl Future<Output = Result<Vec<u8>, CephError>> + Send + use<> {
        let mut buffer = vec![0; length];
        let to = buffer.as_mut_ptr().cast();
        let begun = self.begin("rbd_aio_read", Data::Read(buffer), |image, completion| {
            // SAFETY: `to` is the buffer in the Pending of this completion.
            unsafe { (image.ceph().rbd_aio_read)(image.raw, at, length, to, completion) }
        });
        async move {
            match begun.end().await? {
                Data::Read(buffer) => Ok(buffer),
                _ => Err(CephError::new("rbd_aio_read", Errno::EIO)),
            }
        }
    }

    /// Starts to write; the future is done when the data is safe.
    pub(in crate::store::rbd) fn write(
        self: &Arc<Self>,
        at: u64,
        pieces: Vec<Bytes>,
    ) -> impl Future<Output = Result<(), CephError>> + Send + use<> {
        let vector = |it: &Bytes| iovec { iov_base: it.as_ptr().cast_mut().cast(), iov_len: it.len() };
        let vectors: Vec<iovec> = pieces.iter().map(vector).collect();
        let (from, count) = (vectors.as_ptr(), c_int::try_from(vectors.len()).unwrap_or(c_int::MAX));
        let data = Data::Write { _pieces: pieces, _vectors: vectors };
        let begun = self.begin("rbd_aio_writev", data, |image, completion| {
            // SAFETY: the vectors and what they point to are in the Pending of this completion; all is only read.
            unsafe { (image.ceph().rbd_aio_writev)(image.raw, from, count, at, completion) }
        });
        async move { begun.end().await.map(drop) }
    }

    /// Done when all that was written before is safe.
    pub(in crate::store::rbd) fn flush(self: &Arc<Self>) -> impl Future<Output = Result<(), CephError>> + Send + use<> {
        let begun = self.begin("rbd_aio_flush", Data::None, |image, completion| {
            // SAFETY: nothing but the completion goes in.
            unsafe { (image.ceph().rbd_aio_flush)(image.raw, completion) }
        });
        async move { begun.end().await.map(drop) }
    }

    fn begin(
        self: &Arc<Self>,
        call: &'static str,
        data: Data,
        start: impl FnOnce(&Opened, RawCompletion) -> c_int,
    ) -> Begun {
        let (sender, receiver) = oneshot::channel();
        let ceph = self.ceph();
        let pending = Box::into_raw(Box::new(Pending { call, ceph, data, done: sender, _image: Arc::clone(self) }));
        let mut completion = ptr::null_mut();
        // SAFETY: `completion` is written; `pending` is given to `completed`, which is called once, or taken back below.
        let made = unsafe { (ceph.rbd_aio_create_completion)(pending.cast(), completed, &raw mut completion) };
        let started = if made < 0 { made } else { start(self, completion) };
        if started < 0 {
            // Not begun, so that `completed` is never called.
            if made >= 0 {
                // SAFETY: it was created above, and is not in use.
                unsafe { (ceph.rbd_aio_release)(completion) };
            }
            // SAFETY: it comes from the Box above.
            let pending = unsafe { Box::from_raw(pending) };
            let _ = pending.done.send(Err(CephError::new(call, Errno::from_raw(started.wrapping_neg()))));
        }
        Begun { call, receiver }
    }
}

// === impl Begun ===

impl Begun {
    async fn end(self) -> Result<Data, CephError> {
        self.receiver.await.unwrap_or(Err(CephError::new(self.call, Errno::EIO)))
    }
}

/// librbd is done with it. Runs in a thread of librbd: nothing here waits or panics.
extern "C" fn completed(completion: RawCompletion, pending: *mut c_void) {
    // SAFETY: it is what `begin` gave away, and librbd calls once.
    let pending = unsafe { Box::from_raw(pending.cast::<Pending>()) };
    let Pending { call, ceph, data, done, _image } = *pending;
    // SAFETY: the completion is this call's, and is given back once.
    let result = unsafe {
        let result = (ceph.rbd_aio_get_return_value)(completion);
        (ceph.rbd_aio_release)(completion);
        result
    };
    let outcome = match data {
        _ if result < 0 => Err(Errno::from_raw(i32::try_from(result.wrapping_neg()).unwrap_or_default())),
        // The range was checked: less than all of it means that the image got shorter.
        Data::Read(buffer) if result.unsigned_abs() != buffer.len() => Err(Errno::EINVAL),
        data => Ok(data),
    };
    // Who asked may have gone.
    let _ = done.send(outcome.map_err(|errno| CephError::new(call, errno)));
}
