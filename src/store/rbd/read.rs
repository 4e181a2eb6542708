//! Reading: some blocks are asked for ahead.

use super::{
    ceph::{CephError, Cluster, Image, Opened, Pool},
    site::{At, Site},
};
use crate::store::{Blocks, StoreError};
use async_stream::try_stream;
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use nix::errno::Errno;
use std::{ops::Range, pin::pin, sync::Arc};

/// Bytes of a block.
const BLOCK: u64 = 1 << 20;

/// Blocks on their way.
const DEPTH: usize = 8;

/// An image that is read.
struct Source {
    site: Arc<Site>,
    at: At,
    url: String,
    image: Arc<Opened>,
}

/// Opens what a URL names, to read.
pub(super) fn open(cluster: &Arc<Cluster>, at: &At) -> Result<Image, CephError> {
    Pool::open(cluster, &at.pool)?.image_to_read(&at.image, at.snap.as_deref())
}

pub(super) async fn read(site: Arc<Site>, at: At, url: &str, range: Range<u64>) -> Result<Blocks, StoreError> {
    let to_open = at.clone();
    let opened = site.link.work(move |cluster, _| {
        let image = open(cluster, &to_open)?;
        Ok((image.size()?, Opened::new(image)))
    });
    let (size, image) = opened.await.map_err(|error| site.failed("read", &at, url, error))?;
    if range.end > size || range.start > range.end {
        return Err(StoreError::Short { url: url.to_owned(), size, wanted: range.end.max(range.start) });
    }
    let source = Arc::new(Source { site, at, url: url.to_owned(), image: Arc::new(image) });
    let asked = Arc::clone(&source);
    let starts = stream::iter((range.start..range.end).step_by(BLOCK as usize));
    let blocks = starts.map(move |start| {
        let source = Arc::clone(&asked);
        let end = range.end.min(start + BLOCK);
        async move { source.block(start, (end - start) as usize).await }
    });
    let checked = try_stream! {
        let mut blocks = pin!(blocks.buffered(DEPTH));
        let mut held: Option<Bytes> = None;
        while let Some(block) = blocks.next().await {
            if let Some(ready) = held.replace(block?) {
                yield ready;
            }
        }
        if let Some(last) = held {
            source.is_still_there().await?;
            yield last;
        }
    };
    Ok(checked.boxed())
}

// === impl Source ===

impl Source {
    async fn block(&self, start: u64, length: usize) -> Result<Bytes, StoreError> {
        let block = self.site.link.answer(self.image.read(start, length)).await;
        block.map(Bytes::from).map_err(|error| self.site.failed("read", &self.at, &self.url, error))
    }

    /// An error when the image was removed since it was opened: what is missing reads as zeros. The objects of an image go
    /// after its snapshot, so that all that was read before this is right when the snapshot is there.
    async fn is_still_there(&self) -> Result<(), StoreError> {
        let (image, snap) = (Arc::clone(&self.image), self.at.snap.clone());
        let check = self.site.link.work(move |_, _| {
            let wanted = snap.map(|it| image.snap_id(&it)).transpose()?;
            let header = format!("rbd_header.{}", image.id()?);
            let snaps = image.pool().exec(&header, "get_snapcontext", &[])?;
            let gone = CephError::new("get_snapcontext", Errno::ENOENT);
            wanted.is_none_or(|it| ids(&snaps).any(|id| id == it)).then_some(()).ok_or(gone)
        });
        check.await.map_err(|error| self.site.failed("read", &self.at, &self.url, error))
    }
}

/// The snapshots of a `SnapContext` as Ceph encodes it: its number, how many there are, and the id of each.
fn ids(context: &[u8]) -> impl Iterator<Item = u64> {
    context
        .get(12..)
        .unwrap_or_default()
        .chunks_exact(8)
        .map(|it| it.iter().rev().fold(0, |id, byte| id << 8 | u64::from(*byte)))
}

#[cfg(test)]
mod tests {
    #[test]
    fn snapshots_are_found_in_a_context() {
        // get_snapcontext of Ceph 16 for an image with the snapshots 9 and 4.
        let mut context = vec![9, 0, 0, 0, 0, 0, 0, 0, 2, 0, 0, 0];
        assert_eq!(super::ids(&context).count(), 0);
        context.extend([9, 0, 0, 0, 0, 0, 0, 0, 4, 1, 0, 0, 0, 0, 0, 0]);
        assert_eq!(super::ids(&context).collect::<Vec<_>>(), [9, 260]);
        assert_eq!(super::ids(&[1, 2]).count(), 0);
    }
}
