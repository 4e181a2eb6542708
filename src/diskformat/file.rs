//! Inspects an image that is a file.

use super::{Inspection, Inspector, inspector::Wanted};
use std::io::{self, Read, Seek, SeekFrom};

/// Inspects a file by reading only what is needed of it, less than 1 MiB. Blocks.
pub fn inspect<F: Read + Seek>(file: &mut F) -> io::Result<Inspection> {
    let size = file.seek(SeekFrom::End(0))?;
    let mut inspector = Inspector::new();
    loop {
        let range = match inspector.wanted() {
            None => break,
            Some(Wanted::Bytes(range)) => range,
            Some(Wanted::End(length)) => size.saturating_sub(length)..size,
        };
        let wants_end = range.end >= size;
        if range.start < size {
            inspector.skip_to(range.start);
            file.seek(SeekFrom::Start(range.start))?;
            let mut bytes = Vec::new();
            file.take(range.end - range.start).read_to_end(&mut bytes)?;
            inspector.feed(&bytes);
        }
        if wants_end {
            break;
        }
    }
    Ok(inspector.finish_at(size))
}
