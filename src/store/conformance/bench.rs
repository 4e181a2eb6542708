//! What the points are made of: each step says what is wrong in words.

use super::{Extent, pattern::Pattern};
use crate::base::{Batcher, chain};
use crate::image::ImageId;
use crate::store::{StagedData, Store, StoreError, Writing};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{
    ops::Range,
    sync::{Mutex, PoisonError},
    time::Duration,
};

/// Lengths of the pieces that data is handed over in, in turn: like what sockets give, and larger ones.
const PIECES: [u64; 5] = [70_001, 1, 16_384, (1 << 20) + 3, 300_007];

/// How long what was dropped may take to be gone, in steps.
const SETTLING: (u32, Duration) = (150, Duration::from_millis(100));

/// What is wrong with a store.
pub(super) type Wrong = String;

/// A store on which a point is tried, and the images that it was tried with.
pub(super) struct Bench<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) extent: &'a Extent,
    used: Mutex<Vec<ImageId>>,
}

// === impl Bench ===

impl<'a> Bench<'a> {
    pub(super) fn new(store: &'a dyn Store, extent: &'a Extent) -> Self {
        Self { store, extent, used: Mutex::default() }
    }

    /// A new image.
    pub(super) fn id(&self) -> ImageId {
        let id = ImageId::from_random(rand::random());
        self.used.lock().unwrap_or_else(PoisonError::into_inner).push(id.clone());
        id
    }

    /// Hands data over, up to `until`, in uneven pieces.
    pub(super) async fn fill(&self, writing: &mut dyn Writing, data: &Pattern, until: u64) -> Result<(), StoreError> {
        let (mut batcher, mut at) = (Batcher::default(), 0);
        for len in PIECES.iter().cycle() {
            let end = until.min(at + len);
            if let Some(batch) = batcher.push(Bytes::from(data.bytes(at..end))) {
                writing.write(batch).await?;
            }
            at = end;
            if at == until {
                break;
            }
        }
        match batcher.take() {
            Some(batch) => writing.write(batch).await,
            None => Ok(()),
        }
    }

    /// All of it is handed over, and safe.
    pub(super) async fn stage(
        &self,
        id: &ImageId,
        data: &Pattern,
        expected: Option<u64>,
    ) -> Result<Box<dyn StagedData>, StoreError> {
        let mut writing = self.store.write(id, expected).await?;
        self.fill(&mut *writing, data, data.len).await?;
        writing.finish().await
    }

    /// It is there for good; its URL.
    pub(super) async fn put(&self, id: &ImageId, data: &Pattern, expected: Option<u64>) -> Result<String, Wrong> {
        let failed = |step: &str, e: &StoreError| format!("{step} {} bytes failed: {}", data.len, chain(e));
        let staged = self.stage(id, data, expected).await.map_err(|e| failed("writing", &e))?;
        let url = staged.url().to_owned();
        staged.commit().await.map_err(|e| failed("committing", &e))?;
        Ok(url)
    }

    /// The whole of the data, and its size, are as they were written.
    pub(super) async fn same(&self, url: &str, data: &Pattern) -> Result<(), Wrong> {
        let size = self.store.size(url).await.map_err(|e| format!("its size cannot be had: {}", chain(&e)))?;
        if size != data.len {
            return Err(format!("{} bytes were written, and the size is told as {size}", data.len));
        }
        self.same_range(url, data, 0..data.len).await
    }

    /// A range of the data is as it was written.
    pub(super) async fn same_range(&self, url: &str, data: &Pattern, range: Range<u64>) -> Result<(), Wrong> {
        let failed = |e: StoreError| format!("reading bytes {range:?} of {} failed: {}", data.len, chain(&e));
        let mut blocks = self.store.read(url, range.clone()).await.map_err(failed)?;
        let mut at = range.start;
        while let Some(block) = blocks.next().await {
            let block = block.map_err(failed)?;
            if at + block.len() as u64 > range.end {
                return Err(format!("reading bytes {range:?} gives more than was asked for"));
            }
            if let Some(wrong) = data.differs(at, &block) {
                return Err(format!("reading bytes {range:?} of {}: byte {wrong} is wrong", data.len));
            }
            at += block.len() as u64;
        }
        if at != range.end {
            return Err(format!("reading bytes {range:?} ends at {at} without an error"));
        }
        Ok(())
    }

    /// No URL of the image has data: size, read and remove all say so.
    pub(super) async fn absent(&self, id: &ImageId) -> Result<(), Wrong> {
        for url in self.store.urls(id) {
            not_found("its size", self.store.size(&url).await.map(|it| format!("{it} bytes")))?;
            let read = match self.store.read(&url, 0..1).await {
                Ok(mut blocks) => blocks.next().await.unwrap_or_else(|| Ok(Bytes::new())),
                Err(e) => Err(e),
            };
            not_found("reading it", read.map(|it| format!("{} bytes", it.len())))?;
            not_found("removing it", self.store.remove(&url).await.map(|()| "success".to_owned()))?;
        }
        Ok(())
    }

    /// Likewise, as soon as what was dropped is cleared away.
    pub(super) async fn soon_absent(&self, id: &ImageId) -> Result<(), Wrong> {
        let mut found = Ok(());
        for _ in 0..SETTLING.0 {
            // Asked for its size alone: removing is what must not be needed.
            found = Ok(());
            for url in self.store.urls(id) {
                found = found.and(not_found("its size", self.store.size(&url).await.map(|it| format!("{it} bytes"))));
            }
            if found.is_ok() {
                return Ok(());
            }
            tokio::time::sleep(SETTLING.1).await;
        }
        found
    }

    /// The image can be written as if it had never been tried, and has the new data then. What was dropped may need a
    /// moment to be gone.
    pub(super) async fn fresh(&self, id: &ImageId) -> Result<(), Wrong> {
        self.soon_absent(id).await?;
        let data = Pattern::new(100_003);
        let mut tried = Ok(String::new());
        for _ in 0..SETTLING.0 {
            tried = self.put(id, &data, Some(data.len)).await;
            if tried.is_ok() {
                break;
            }
            tokio::time::sleep(SETTLING.1).await;
        }
        let url = tried.map_err(|why| format!("it cannot be written again: {why}"))?;
        self.same(&url, &data).await
    }

    /// Removes all that the point wrote.
    pub(super) async fn sweep(&self) -> Result<(), Wrong> {
        let used = std::mem::take(&mut *self.used.lock().unwrap_or_else(PoisonError::into_inner));
        let mut swept = Ok(());
        for url in used.iter().flat_map(|id| self.store.urls(id)) {
            match self.store.remove(&url).await {
                Ok(()) | Err(StoreError::NotFound { .. }) => {}
                Err(e) => swept = Err(format!("what was written at the end of the trial stays: {}", chain(&e))),
            }
        }
        swept
    }
}

/// Of data that is not there.
pub(super) fn not_found(what: &str, answer: Result<String, StoreError>) -> Result<(), Wrong> {
    match answer {
        Err(StoreError::NotFound { .. }) => Ok(()),
        Err(other) => Err(format!("{what}: there is no data, and the error says another thing: {}", chain(&other))),
        Ok(got) => Err(format!("{what}: there should be no data, and the answer is {got}")),
    }
}
