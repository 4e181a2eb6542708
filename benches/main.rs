//! `cargo bench`: speed and memory of the real `larder`, each as a ratio to what a plain loop reaches in the same run.
//!
//! `cargo bench -- NAME…` runs those whose name contains one of the words. `BENCH_DIR` names the folder for the data
//! (default: the system's temporary folder; about 8 GiB are used and removed again).

#![allow(clippy::unwrap_used, clippy::expect_used, missing_docs, reason = "a bench says what failed by failing")]

mod client;
mod conversion;
mod download;
mod engines;
mod fleet;
mod imports;
mod limits;
mod list;
mod memory;
mod prefetch;
mod prune;
mod report;
mod requests;
mod scrub;
mod start;
#[path = "../tests/it/support/mod.rs"]
mod support;
mod upload;

use std::path::{Path, PathBuf};

/// A bench, given a folder of its own.
type Bench = fn(&Path);

const ALL: &[(&str, Bench)] = &[
    ("upload", upload::bench),
    ("download", download::bench),
    ("prefetch", prefetch::bench),
    ("conversion", conversion::bench),
    ("scrub", scrub::bench),
    ("prune", prune::bench),
    ("idle", prune::idle),
    ("list", list::bench),
    ("start", start::bench),
    ("memory", memory::bench),
    ("imports", imports::bench),
    ("requests", requests::bench),
    ("fleet", fleet::bench),
];

fn main() {
    let words: Vec<String> = std::env::args().skip(1).filter(|word| !word.starts_with('-')).collect();
    let root = std::env::var_os("BENCH_DIR").map_or_else(std::env::temp_dir, PathBuf::from);
    println!("{:<44} {:>14} {:>14} {:>8} {:>8}", "what", "larder", "limit", "ratio", "aim");
    for (name, bench) in ALL {
        if words.is_empty() || words.iter().any(|word| name.contains(word.as_str())) {
            let dir = tempfile::Builder::new().prefix("larder-bench-").tempdir_in(&root).unwrap();
            bench(dir.path());
        }
    }
}
