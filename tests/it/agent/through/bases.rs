//! Bases as a source of data.

use super::{Site, flip};
use crate::support::{disks, have};
use serde_json::json;

#[test]
fn a_base_of_a_raw_image_is_its_data() {
    let site = Site::new("");
    let (id, data) = site.image(18);
    site.node.agent.queue(&id);
    site.node.agent.wait_state(&id, "cached");
    assert!(site.node.data(&id) == data);
    assert_eq!((site.toll.downloads(&id), site.node.counts()), (1, [1, 0, 0, 0]));
    assert_eq!(site.node.originals(), [""; 0]);
    let part = crate::api::exchange(site.node.address, "GET", &super::file(&id), &[("Range", "bytes=17000000-")], b"");
    assert_eq!((part.status, part.body == data[17_000_000..]), (206, true));
    // A bit flips on the disk: the caller gets the image's data all the same, and the base is left to the scrubber.
    let base = site.node.agent.base(&id);
    flip(&base, 3 << 20);
    assert!(site.node.data(&id) == data);
    assert_eq!((site.toll.downloads(&id), site.node.counts()[2]), (2, 1));
    assert!(base.exists());
}

#[test]
fn a_base_that_was_converted_is_not() {
    if !have(&disks::TOOLS) {
        return;
    }
    let site = Site::new("");
    let dir = tempfile::tempdir().unwrap();
    let raw = disks::partitioned(dir.path(), "disk", 8);
    let data = std::fs::read(disks::qcow2(&raw, true)).unwrap();
    let id = site.server.create(json!({"disk_format": "qcow2", "container_format": "bare"}));
    assert_eq!(site.server.put_file(&id, &[], &data).status, 204);
    site.node.agent.queue(&id);
    site.node.agent.wait_state(&id, "cached");
    assert!(site.node.data(&id) == data);
    assert_eq!((site.toll.downloads(&id), site.node.counts()), (2, [0, 0, 1, 0]));
}

#[test]
fn a_base_that_was_not_converted_is() {
    if !have(&disks::TOOLS) {
        return;
    }
    let site = Site::new("force_raw_images = false");
    let dir = tempfile::tempdir().unwrap();
    let raw = disks::partitioned(dir.path(), "disk", 8);
    let data = std::fs::read(disks::qcow2(&raw, false)).unwrap();
    let id = site.server.create(json!({"disk_format": "qcow2", "container_format": "bare"}));
    assert_eq!(site.server.put_file(&id, &[], &data).status, 204);
    site.node.agent.queue(&id);
    site.node.agent.wait_state(&id, "cached");
    assert!(site.node.data(&id) == data);
    assert_eq!((site.toll.downloads(&id), site.node.counts()), (1, [1, 0, 0, 0]));
}
