//! Looks at the bytes of an image as they pass by.

use super::{Inspection, recognise};
use recognise::Captured;
use std::ops::Range;

/// Bytes kept of every image's beginning: the furthest fixed mark (ISO's, at 32 KiB) and text descriptors fit.
const HEAD: usize = 64 * 1024;
/// Likewise of a VHDX, up to the end of its first region table.
const VHDX_HEAD: usize = 256 * 1024;
/// Likewise of a sparse VMDK, whose descriptor follows its header.
const VMDK_HEAD: usize = 256 * 1024;
/// Bytes kept of every image's end: marker, footer and end-of-stream of a streamOptimized VMDK.
const TAIL: usize = 1536;

/// A streaming inspector: feed it the image from its first byte, in chunks of any size.
///
/// It holds less than 1 MiB whatever the image, never panics, and its result does not depend on the chunks.
#[derive(Clone, Debug)]
pub struct Inspector {
    position: u64,
    head: Vec<u8>,
    limit: usize,
    region: Option<Region>,
    tail: Vec<u8>,
}

/// A part of the stream behind the head.
#[derive(Clone, Debug)]
struct Region {
    offset: u64,
    length: usize,
    data: Vec<u8>,
    kind: Kind,
}

/// What an inspector still needs.
#[derive(Debug)]
pub(super) enum Wanted {
    /// These bytes.
    Bytes(Range<u64>),
    /// So many bytes of the end.
    End(u64),
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Kind {
    VhdxMetadata,
    VhdxSize,
}

impl Region {
    fn is_full(&self) -> bool {
        self.data.len() >= self.length
    }

    fn end(&self) -> u64 {
        self.offset.saturating_add(self.length as u64)
    }
}

impl Default for Inspector {
    fn default() -> Self {
        Self::new()
    }
}

impl Inspector {
    /// An inspector at the first byte.
    pub fn new() -> Self {
        Self { position: 0, head: Vec::new(), limit: HEAD, region: None, tail: Vec::new() }
    }

    /// Takes the next bytes of the image.
    pub fn feed(&mut self, mut chunk: &[u8]) {
        self.keep_tail(chunk);
        while !chunk.is_empty() {
            let taken = self.take(chunk).clamp(1, chunk.len());
            self.position = self.position.saturating_add(taken as u64);
            chunk = &chunk[taken..];
        }
    }

    /// Whether more bytes can tell nothing but the size of the whole.
    ///
    /// A caller that knows the size may stop feeding and call [`Inspector::finish_at`].
    pub fn settled(&self) -> bool {
        self.wanted().is_none()
    }

    /// The result, where all bytes were fed.
    pub fn finish(self) -> Inspection {
        let size = self.position;
        self.finish_at(size)
    }

    /// The result for an image of `size` bytes of which the rest was not fed since the inspector was settled.
    pub fn finish_at(self, size: u64) -> Inspection {
        let (mut metadata, mut vhdx_size) = (None, None);
        match self.region {
            Some(region) if region.kind == Kind::VhdxMetadata => metadata = Some(region.data),
            Some(region) => vhdx_size = Some(region.data),
            None => {}
        }
        recognise::all(&Captured { head: self.head, tail: self.tail, metadata, vhdx_size, size })
    }

    /// The bytes that are still needed, for callers that can seek.
    pub(super) fn wanted(&self) -> Option<Wanted> {
        if self.head.len() < self.limit {
            return Some(Wanted::Bytes(self.position..self.limit as u64));
        }
        if recognise::vmdk::has_footer(&self.head) {
            return Some(Wanted::End(TAIL as u64));
        }
        let region = self.region.as_ref().filter(|it| !it.is_full())?;
        let next = region.offset.saturating_add(region.data.len() as u64);
        (next >= self.position).then(|| Wanted::Bytes(next..region.end()))
    }

    /// Bytes of the image that are held.
    #[cfg(test)]
    pub(super) fn held(&self) -> usize {
        self.head.capacity() + self.tail.capacity() + self.region.as_ref().map_or(0, |it| it.data.capacity())
    }

    /// Goes on at `offset`, for callers that can seek. Only to the start of what is [`wanted`](Self::wanted), or nearer.
    pub(super) fn skip_to(&mut self, offset: u64) {
        if self.head.len() >= self.limit && offset > self.position {
            self.position = offset;
            self.tail.clear();
        }
    }

    /// Takes bytes up to the next point where something is decided; returns how many.
    fn take(&mut self, chunk: &[u8]) -> usize {
        if self.head.len() < self.limit {
            let taken = chunk.len().min(self.limit - self.head.len());
            self.head.extend_from_slice(&chunk[..taken]);
            if self.head.len() == self.limit {
                self.head_is_full();
            }
            return taken;
        }
        let position = self.position;
        let Some(region) = self.region.as_mut().filter(|it| !it.is_full()) else { return chunk.len() };
        let next = region.offset.saturating_add(region.data.len() as u64);
        let Some(gap) = next.checked_sub(position) else { return chunk.len() };
        if gap > 0 {
            return usize::try_from(gap).unwrap_or(usize::MAX).min(chunk.len());
        }
        let taken = chunk.len().min(region.length - region.data.len());
        region.data.extend_from_slice(&chunk[..taken]);
        if region.is_full() && region.kind == Kind::VhdxMetadata {
            self.find_vhdx_size();
        }
        taken
    }

    /// Decides whether the format needs a longer head, or a region behind it.
    fn head_is_full(&mut self) {
        if self.limit == HEAD {
            if recognise::vhdx::matches(&self.head) {
                self.limit = VHDX_HEAD;
            } else if let Some(end) = recognise::vmdk::descriptor_end(&self.head) {
                self.limit = end.clamp(HEAD, VMDK_HEAD);
            }
        } else if let Some(offset) = recognise::vhdx::metadata_offset(&self.head) {
            let length = recognise::vhdx::METADATA;
            self.region = Some(Region { offset, length, data: Vec::new(), kind: Kind::VhdxMetadata });
        }
    }

    /// Replaces the metadata table by the place of the disk's size, unless the table itself holds it.
    fn find_vhdx_size(&mut self) {
        let Some(region) = &self.region else { return };
        if let Some(at) = recognise::vhdx::size_offset(&region.data).filter(|at| *at >= region.length as u64) {
            let offset = region.offset.saturating_add(at);
            self.region = Some(Region { offset, length: 8, data: Vec::new(), kind: Kind::VhdxSize });
        }
    }

    fn keep_tail(&mut self, chunk: &[u8]) {
        let newest = &chunk[chunk.len().saturating_sub(TAIL)..];
        let surplus = (self.tail.len() + newest.len()).saturating_sub(TAIL);
        self.tail.drain(..surplus);
        self.tail.extend_from_slice(newest);
    }
}
