//! The points, in the order in which they are tried: the plain ones first.

mod ending;
mod names;
mod reading;
mod writing;

use super::bench::{Bench, Wrong};
use futures_util::{FutureExt, future::BoxFuture};

/// One thing that must hold.
pub(super) struct Point {
    pub(super) name: &'static str,
    pub(super) claim: &'static str,
    pub(super) hold: for<'a> fn(&'a Bench<'a>) -> BoxFuture<'a, Result<(), Wrong>>,
}

macro_rules! point {
    ($name:literal, $claim:literal, $hold:path) => {
        Point { name: $name, claim: $claim, hold: |bench| $hold(bench).boxed() }
    };
}

pub(super) const ALL: &[Point] = &[
    point!("names", "the URLs of an image are told alike, and are the store's own", names::agree),
    point!("foreign", "URLs that are not the store's are refused", names::foreign),
    point!("absent", "of data that is not there, size, read and remove say so", ending::absent),
    point!("known-length", "data of any length comes back as it was written", writing::known_length),
    point!("unknown-length", "likewise when the length is not known before", writing::unknown_length),
    point!("empty", "an image may have no bytes", writing::empty),
    point!("wrong-length", "a wrong length is refused, or the data is what was written", writing::wrong_length),
    point!("unseen", "nothing is seen before the commit", writing::unseen),
    point!("once", "an image is written once: the second writer is told, the data stays", writing::once),
    point!("ranges", "any range comes back, and only that", reading::ranges),
    point!("beyond", "a range beyond the end is an error, not fewer bytes", reading::beyond),
    point!("many-readers", "several read at once", reading::many),
    point!("dropped-read", "a read may be dropped", reading::dropped),
    point!("many-writers", "several write at once", writing::many),
    point!("dropped-write", "an upload that is dropped leaves nothing", ending::dropped_write),
    point!("dropped-staged", "data that is dropped before its commit leaves nothing", ending::dropped_staged),
    point!("dropped-commit", "a commit that is dropped leaves all or nothing", ending::dropped_commit),
    point!("removed", "what is removed is gone, and can be written anew", ending::removed),
    point!("tidy", "tidying spares what is being written", ending::tidy),
];
