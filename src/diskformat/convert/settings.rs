//! What a conversion may use.

use std::{path::PathBuf, time::Duration};

/// Limits of a conversion.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Settings {
    /// The program with the subcommand `convert-worker`; this program itself if none.
    pub worker: Option<PathBuf>,
    /// `qemu-img`, for the formats that are not read natively; looked for in the usual places if none.
    pub qemu_img: Option<PathBuf>,
    /// Threads of a conversion; one per core, but no more than 8, if 0.
    pub threads: usize,
    /// Bytes of memory (address space) that a conversion may map. qemu-img needs 512 MiB.
    pub memory_limit: u64,
    /// CPU time of all threads of a conversion.
    pub cpu_limit: Duration,
    /// How long a conversion may go without progress.
    pub stall_timeout: Duration,
    /// The largest disk that is converted, bytes; a header may claim anything.
    pub virtual_size_limit: u64,
    /// Bytes that stay free on the target's file system: a conversion that would take them is stopped.
    pub keep_free: u64,
    /// Whether a conversion gives way to everything else on the machine (nice 19, idle I/O class).
    pub idle: bool,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            worker: None,
            qemu_img: None,
            threads: 0,
            memory_limit: 1 << 30,
            cpu_limit: Duration::from_secs(4 * 3600),
            stall_timeout: Duration::from_secs(600),
            virtual_size_limit: 16 << 40,
            keep_free: 0,
            idle: false,
        }
    }
}
