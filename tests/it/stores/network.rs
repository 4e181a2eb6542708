//! What tests of bad networks share.

use bytes::Bytes;
use futures_util::{TryStreamExt, stream};
use larder::{
    base::digest::Algorithm,
    image::ImageId,
    store::{IngestError, Limits, Store, StoreError, ingest},
};
use std::io;

pub(super) const LIMITS: Limits = Limits { size_cap: 1 << 40, expected: None, hash: Algorithm::Sha512, also: None };

/// Writes an image as the catalogue does.
pub(super) async fn put(store: &dyn Store, id: &ImageId, data: &[u8]) -> Result<(), IngestError> {
    let pieces: Vec<_> = data.chunks(90_001).map(|it| Ok::<_, io::Error>(Bytes::copy_from_slice(it))).collect();
    let staged = ingest(stream::iter(pieces), store, id, LIMITS).await?;
    staged.commit().await.map(drop).map_err(IngestError::Store)
}

/// The first `len` bytes.
pub(super) async fn get(store: &dyn Store, url: &str, len: u64) -> Result<Vec<u8>, StoreError> {
    let blocks: Vec<Bytes> = store.read(url, 0..len).await?.try_collect().await?;
    Ok(blocks.concat())
}

/// Of no other image.
pub(super) fn id() -> ImageId {
    ImageId::from_random(rand::random())
}
