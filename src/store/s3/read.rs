//! Reading: range requests, each sent once.

use super::{address, bucket::Bucket, fault};
use crate::store::{
    StoreError,
    resume::{Broken, Pieces, Ranged},
};
use futures_util::{FutureExt, StreamExt, future::BoxFuture};
use opendal::{Error, ErrorKind};
use std::ops::Range;

/// An object that a location URL names.
pub(super) struct Source {
    pub(super) bucket: Bucket,
    pub(super) key: String,
    /// As it was asked for.
    pub(super) url: String,
    /// The store's name.
    pub(super) store: String,
}

impl Ranged for Source {
    fn ask(&self, range: Range<u64>) -> BoxFuture<'_, Result<Pieces, Broken>> {
        async move {
            let (url, store, asked) = (self.url.clone(), self.store.clone(), range.clone());
            let broken = move |error: Error| broken((&url, &store), &asked, &error);
            let opened = async { self.bucket.op.reader(&self.key).await?.into_stream(range).await };
            let stream = opened.await.map_err(&broken)?;
            Ok(stream.map(move |it| it.map(|it| it.to_bytes()).map_err(&broken)).boxed())
        }
        .boxed()
    }

    fn shown(&self) -> String {
        address::shown(&self.url)
    }
}

fn broken((url, store): (&str, &str), asked: &Range<u64>, error: &Error) -> Broken {
    if error.kind() == ErrorKind::RangeNotSatisfied {
        let error = StoreError::Short { url: address::shown(url), size: asked.start, wanted: asked.end };
        return Broken { error, again: false };
    }
    // A server that breaks off says nothing about it, whatever the kind.
    let settled = matches!(error.kind(), ErrorKind::NotFound | ErrorKind::PermissionDenied | ErrorKind::ConfigInvalid);
    Broken { error: fault::of("read", url, store, error), again: !settled }
}
