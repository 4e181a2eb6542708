//! One download for all who ask.

use super::{Site, begin, broken, file, rest_of};
use crate::support::chaos::{Chaos, Fault};
use std::{io::Read, thread};

/// Answers up to here pass, so that a download has begun and is not over.
const BEGUN: u64 = 1 << 20;

#[test]
fn ten_first_requests_are_one_download() {
    let site = Site::new("prefetch_bandwidth = 1KiB");
    let (id, data) = site.image(8);
    let node = &site.node;
    site.toll.hold(BEGUN);
    thread::scope(|scope| {
        let mut all = vec![scope.spawn(|| node.data(&id))];
        node.wait("bytes come", |it| it["downloads"][0]["done"].as_u64() > Some(0));
        all.extend((0..9).map(|_| scope.spawn(|| node.data(&id))));
        node.wait_for_readers(10);
        assert_eq!(node.status()["downloads"][0]["total"], data.len());
        site.toll.release();
        for one in all {
            assert!(one.join().unwrap() == data);
        }
    });
    assert_eq!((site.toll.downloads(&id), node.counts()), (1, [0, 9, 1, 0]));
    let status = node.status();
    assert_eq!((status["fetched"].as_u64(), status["served"].as_u64()), (Some(8 << 20), Some(80 << 20)));
    // From now on it is on the node.
    node.wait("it is kept", |it| it["originals"] == 1);
    assert!(node.data(&id) == data);
    assert_eq!((site.toll.downloads(&id), node.counts()), (1, [1, 9, 1, 0]));
    let metrics = crate::support::run(
        std::process::Command::new("curl")
            .args(["-s", "--unix-socket"])
            .arg(node.dir.path().join("agent.sock"))
            .arg("http://localhost/metrics"),
    );
    assert!(metrics.contains("larder_read_through_requests_total{result=\"joined\"} 9"), "{metrics}");
    let said = crate::support::run(&mut node.agent.larder(&["cache", "status"]));
    assert!(said.contains("1 hits, 9 joined, 1 misses, 0 passed on; 8.0 MiB of 20.0 GiB kept (1 images)"), "{said}");
}

#[test]
fn neither_slow_callers_nor_those_who_leave_stop_the_others() {
    let site = Site::new("");
    let (id, data) = site.image(24);
    let node = &site.node;
    site.toll.hold(BEGUN);
    // The first one's request is the download.
    let mut leaves = begin(node.address, &file(&id));
    leaves.read_exact(&mut [0; 1000]).unwrap();
    let slow = begin(node.address, &file(&id));
    node.wait_for_readers(2);
    thread::scope(|scope| {
        let other = scope.spawn(|| node.data(&id));
        node.wait_for_readers(3);
        drop(leaves);
        site.toll.release();
        assert!(other.join().unwrap() == data);
    });
    let (length, bytes) = rest_of(slow);
    assert_eq!(length, data.len());
    assert!(bytes == data);
    assert_eq!(site.toll.downloads(&id), 1);
}

#[test]
fn a_download_that_breaks_off_breaks_all_and_the_next_begins_anew() {
    let site = Site::new("");
    let (id, data) = site.image(8);
    let node = &site.node;
    site.toll.hold(BEGUN);
    thread::scope(|scope| {
        let all = [(); 3].map(|()| scope.spawn(|| broken(node.address, &file(&id))));
        node.wait_for_readers(3);
        site.toll.cut();
        for one in all {
            let (length, bytes) = one.join().unwrap();
            assert_eq!(length, data.len());
            assert!(bytes.len() < data.len() && data.starts_with(&bytes), "{}", bytes.len());
        }
    });
    node.wait("nothing is left of it", |it| it["downloads"].as_array().unwrap().is_empty());
    assert_eq!(node.originals(), [""; 0]);
    assert!(node.data(&id) == data);
    assert_eq!(site.toll.downloads(&id), 2);
    assert!(node.agent.daemon.log().contains("broke off"), "{}", node.agent.daemon.log());
}

#[test]
fn nobody_takes_for_whole_what_is_not_the_image() {
    let site = Site::new("");
    let chaos = Chaos::before(&super::url(&site.server));
    let node = super::Node::over(&chaos.url(), "");
    let (id, data) = site.image(2);
    chaos.always(Fault::Corrupt(1_000_000));
    let (length, bytes) = broken(node.address, &file(&id));
    assert_eq!(length, data.len());
    assert!(bytes.len() < length, "all of it came, and it is wrong");
    node.wait("the download is over", |it| it["downloads"].as_array().unwrap().is_empty());
    assert_eq!(node.originals(), [""; 0]);
    chaos.always(Fault::None);
    assert!(node.data(&id) == data);
    assert!(node.agent.daemon.log().contains("and the image's is"), "{}", node.agent.daemon.log());
}
