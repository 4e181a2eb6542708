//! A buffer where the kernel can put blocks of a disk directly.

/// What O_DIRECT asks of addresses, offsets and lengths on any disk that is sold.
pub(super) const ALIGNMENT: usize = 4096;

/// Memory whose beginning is aligned.
#[derive(Debug)]
pub(super) struct Aligned {
    memory: Vec<u8>,
    start: usize,
    len: usize,
}

// === impl Aligned ===

impl Aligned {
    /// `len` zeros; a multiple of [`ALIGNMENT`].
    pub(super) fn new(len: usize) -> Self {
        let memory = vec![0_u8; len + ALIGNMENT];
        let start = memory.as_ptr().align_offset(ALIGNMENT).min(ALIGNMENT);
        Self { memory, start, len }
    }

    pub(super) fn get(&self) -> &[u8] {
        &self.memory[self.start..self.start + self.len]
    }

    pub(super) fn get_mut(&mut self) -> &mut [u8] {
        &mut self.memory[self.start..self.start + self.len]
    }
}
