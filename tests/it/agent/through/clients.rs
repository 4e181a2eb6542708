//! OpenStack's own clients, sent to the node.

use super::{Node, noise, url};
use crate::{api::behind, clients::drive::Driver, support::rig};
use std::fs;

#[test]
fn they_upload_and_download_through_it() {
    let Some(keystone) = rig::keystone() else { return };
    let server = behind(keystone);
    let node = Node::over(&url(&server), "");
    let folder = tempfile::tempdir().unwrap();
    let (data, endpoint) = (noise(5 << 20), format!("http://{}", node.address));
    fs::write(folder.path().join("data"), &data).unwrap();
    let start = |program, user| Driver::start(program, user, folder.path(), (&keystone.auth_url, &endpoint));
    let (mut openstack, mut glance) = (start("openstack", "demo"), start("glance", "demo"));
    let created = openstack.run(&[
        "image",
        "create",
        "--file",
        "data",
        "--disk-format",
        "raw",
        "--container-format",
        "bare",
        "-f",
        "json",
        "seen",
    ]);
    assert_eq!(created.code, 0, "{created:?}");
    let id = serde_json::from_str::<serde_json::Value>(&created.out).unwrap()["id"].as_str().unwrap().to_owned();
    let mut run = |words: &[&str]| {
        let ended = if words[0].starts_with("image-") { glance.run(words) } else { openstack.run(words) };
        assert_eq!(ended.code, 0, "{words:?} {ended:?}");
        ended.out
    };
    assert!(run(&["image", "list", "-f", "value"]).contains(&id));
    run(&["image-download", "--file", "first", &id]);
    node.wait("it is kept", |it| it["originals"] == 1);
    run(&["image", "save", "--file", "second", &id]);
    run(&["image-download", "--file", "third", &id]);
    for name in ["first", "second", "third"] {
        assert!(fs::read(folder.path().join(name)).unwrap() == data, "{name}");
    }
    assert_eq!(node.counts(), [2, 0, 1, 0]);
    let other = start("glance", "alt_demo").run(&["image-download", "--file", "fourth", &id]);
    assert!(other.code != 0 && other.err.contains("404"), "{other:?}");
    run(&["image", "delete", &id]);
}
