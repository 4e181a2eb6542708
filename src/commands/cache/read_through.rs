//! The read-through endpoint in `larder cache status`.

use crate::admin::ReadThrough;
use crate::base::ByteSize;
use crate::commands::output::per_cent;
use std::fmt::Write;

/// A line for it, and one for each download under way.
pub(super) fn write(text: &mut String, it: &ReadThrough) {
    let _ = writeln!(
        text,
        "Read-through    {}: {} hits, {} joined, {} misses, {} passed on; {} of {} kept ({} images)",
        it.address,
        it.hits,
        it.joined,
        it.misses,
        it.passed,
        ByteSize(it.kept),
        ByteSize(it.limit),
        it.originals
    );
    for download in &it.downloads {
        let readers = if download.readers == 1 { "1 reads".to_owned() } else { format!("{} read", download.readers) };
        let part = per_cent(download.done, download.total);
        let _ = writeln!(text, "Reading through {}: {part} % of {}, {readers}", download.id, ByteSize(download.total));
    }
}
