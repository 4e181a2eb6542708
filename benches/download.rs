//! A download from the page cache, against 1 MiB pread + socket write.

use crate::{
    client::{Client, create, upload},
    limits::{blocks, length, pread_and_send},
    report::{best, rate},
    support::daemon::Catalogue,
};
use std::path::Path;

pub(crate) fn bench(dir: &Path) {
    let blocks = blocks(64);
    let bytes = length(&blocks, 16);
    let catalogue = Catalogue::start(dir, "");
    let mut client = Client::connect(catalogue.port);
    let id = create(&mut client, "download");
    upload(&mut client, &id, blocks.iter().cycle().take(64 * 16), bytes);
    let file = catalogue.images().join(&id);
    let limit = best(5, || assert_eq!(pread_and_send(&file), bytes));
    let ours = best(5, || {
        client.send_head("GET", &format!("/v2/images/{id}/file"), "");
        let head = client.read_head();
        assert_eq!((head.status, head.length), (200, bytes));
        client.drain(bytes);
    });
    rate("download 1 GiB (1 MiB pread + socket)", bytes, ours, limit, 0.8);
}
