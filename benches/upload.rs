//! An upload, against md5 ∥ sha512 ∥ write on three threads from memory.

use crate::{
    client::{Client, create, upload},
    limits::{blocks, hashes_and_write, length},
    report::{best, rate},
    support::daemon::Catalogue,
};
use std::path::Path;

const ROUNDS: usize = 16;

pub(crate) fn bench(dir: &Path) {
    let blocks = blocks(64);
    let bytes = length(&blocks, ROUNDS);
    let plain = dir.join("plain");
    // Both write where blocks have been allocated before: the first touch of a thin disk is its own story.
    hashes_and_write(&plain, &blocks, ROUNDS);
    std::fs::remove_file(&plain).unwrap();
    let catalogue = Catalogue::start(dir, "");
    let mut client = Client::connect(catalogue.port);
    let (mut limit, mut ours) = (std::time::Duration::MAX, std::time::Duration::MAX);
    for round in 0..3 {
        limit = limit.min(best(1, || hashes_and_write(&plain, &blocks, ROUNDS)));
        std::fs::remove_file(&plain).unwrap();
        let id = create(&mut client, &format!("upload-{round}"));
        let body = blocks.iter().cycle().take(blocks.len() * ROUNDS);
        ours = ours.min(best(1, || upload(&mut client, &id, body.clone(), bytes)));
        assert_eq!(client.call("DELETE", &format!("/v2/images/{id}"), None).0, 204);
    }
    rate("upload 1 GiB (md5 | sha512 | write)", bytes, ours, limit, 0.85);
}
