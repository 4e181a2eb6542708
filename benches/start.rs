//! From the start of the process to its first answer.

use crate::{
    report::bound,
    support::{daemon::Catalogue, free_port},
};
use std::{path::Path, time::Instant};

pub(crate) fn bench(dir: &Path) {
    let port = free_port();
    // The first start makes the database; operators wait for the others.
    drop(Catalogue::start_on(dir, port, ""));
    let times = (0..10).map(|_| {
        let start = Instant::now();
        let catalogue = Catalogue::start_on(dir, port, "");
        let time = start.elapsed();
        drop(catalogue);
        time.as_secs_f64() * 1e3
    });
    bound("catalogue: start to ready", times.fold(f64::MAX, f64::min), 50.0, "ms");
}
