//! Originals that the node keeps.

use super::{Node, Site, file, flip, noise, url};
use crate::{
    faults::disk_full::{Small, can_mount},
    support::{files, toll::Toll},
};
use std::{fs, os::unix::fs::PermissionsExt, thread};

#[test]
fn they_survive_kill_nine_and_what_was_under_way_does_not() {
    let mut site = Site::new("");
    let ((kept, data), (other, more)) = (site.image(2), site.image(4));
    assert!(site.node.data(&kept) == data);
    site.node.wait("it is kept", |it| it["originals"] == 1);
    let mode = fs::metadata(site.node.dir.path().join("state/originals")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    site.toll.hold(1 << 20);
    let stream = super::begin(site.node.address, &file(&other));
    site.node.wait_for_readers(1);
    assert_eq!(site.node.originals().len(), 3);
    site.node.agent.daemon.kill();
    drop(stream);
    site.toll.release();
    assert_eq!(site.node.originals().len(), 3, "nobody tidied up");
    site.node.agent.again();
    assert_eq!(site.node.originals(), [format!("{kept}.original"), format!("{kept}.pieces")]);
    assert!(site.node.data(&kept) == data);
    assert_eq!((site.toll.downloads(&kept), site.node.counts()), (1, [1, 0, 0, 0]));
    assert!(site.node.data(&other) == more);
    assert_eq!(site.toll.downloads(&other), 2);
}

#[test]
fn the_least_recently_used_goes_and_what_does_not_fit_is_streamed() {
    let site = Site::new("read_through_cache_size = 10MiB");
    let [(a, of_a), (b, of_b), (c, of_c), (big, of_big)] = [3, 4, 5, 11].map(|mib| site.image(mib));
    for (id, data) in [(&a, &of_a), (&b, &of_b), (&a, &of_a), (&c, &of_c)] {
        assert!(site.node.data(id) == *data);
        site.node.wait("the download is over", |it| it["downloads"].as_array().unwrap().is_empty());
    }
    let mut kept = [&a, &c].map(|id| format!("{id}.original"));
    kept.sort();
    let mut there = site.node.originals();
    there.retain(|it| it.ends_with(".original"));
    assert_eq!(there, kept);
    assert!(site.node.data(&big) == of_big);
    assert_eq!(site.node.counts(), [1, 0, 3, 1]);
    assert_eq!(site.node.status()["kept"], 8 << 20);
}

#[test]
fn a_damaged_one_is_not_served() {
    let site = Site::new("");
    let (id, data) = site.image(2);
    for damage in [1000, data.len() - 1] {
        assert!(site.node.data(&id) == data);
        site.node.wait("it is kept", |it| it["originals"] == 1);
        flip(&site.node.original(&id), damage);
    }
    assert!(site.node.data(&id) == data);
    assert_eq!((site.toll.downloads(&id), site.node.counts()), (3, [0, 0, 3, 0]));
    assert!(site.node.agent.daemon.log().contains("damaged on disk"), "{}", site.node.agent.daemon.log());
}

#[test]
fn an_image_that_is_another_one_now_is_fetched_again() {
    let site = Site::new("");
    let (id, data) = site.image(1);
    assert!(site.node.data(&id) == data);
    site.node.wait("it is kept", |it| it["originals"] == 1);
    // Another catalogue has other data under the same id.
    let second = crate::api::Server::start();
    let fields = serde_json::json!({"id": id, "disk_format": "raw", "container_format": "bare"});
    assert_eq!(second.create(fields), id);
    let other = noise((1 << 20) + 512);
    assert_eq!(second.put_file(&id, &[], &other).status, 204);
    let Site { node: Node { mut agent, address, dir }, server, toll } = site;
    assert!(agent.daemon.stop().success());
    let conf = dir.path().join("agent.conf");
    fs::write(&conf, fs::read_to_string(&conf).unwrap().replace(&toll.url(), &url(&second))).unwrap();
    agent.again();
    let node = Node { agent, address, dir };
    assert!(node.data(&id) == other);
    assert_eq!(node.counts(), [0, 0, 1, 0]);
    drop(server);
}

#[test]
fn a_full_disk_stops_nobody() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path().join("small"), 8);
    let originals = dir.path().join("small/originals");
    let server = crate::api::Server::start();
    let toll = Toll::before(&url(&server));
    let node = Node::over(&toll.url(), &format!("read_through_path = {}", originals.display()));
    let (old, first) = (server.upload(&noise(3 << 20)), noise(3 << 20));
    assert!(node.data(&old) == first);
    node.wait("it is kept", |it| it["originals"] == 1);
    // Somebody else takes the rest: what is kept makes room, and what does not fit even so is streamed.
    fs::write(dir.path().join("small/foreign"), vec![1; 3 << 20]).unwrap();
    let (middle, large) = (noise(4 << 20), noise(6 << 20));
    let ids = [&middle, &large].map(|it| server.upload(it));
    assert!(node.data(&ids[0]) == middle);
    node.wait("it is kept in the other's place", |it| it["originals"] == 1 && it["kept"] == 4 << 20);
    thread::scope(|scope| {
        let all = [(); 3].map(|()| scope.spawn(|| node.data(&ids[1])));
        all.into_iter().for_each(|it| assert!(it.join().unwrap() == large));
    });
    assert_eq!(node.counts()[3], 3);
    assert!(files(&originals).iter().all(|it| !it.ends_with(".part")));
    drop(small);
}

/// Copies that can be had again go before what instances may start from.
#[test]
fn originals_go_before_any_base() {
    if !can_mount() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let small = Small::mount(dir.path().join("small"), 64);
    let [instances, originals] = ["instances", "originals"].map(|it| dir.path().join("small").join(it));
    fs::create_dir(&instances).unwrap();
    let server = crate::api::Server::start();
    let node = Node::over(
        &url(&server),
        &format!(
            "instances_path = {}\nread_through_path = {}\ncache_evict_min_age = 0",
            instances.display(),
            originals.display()
        ),
    );
    let [first, second, third] = [20, 16, 36].map(|mib| server.upload(&noise(mib << 20)));
    assert_eq!(node.data(&first).len(), 20 << 20);
    node.wait("it is kept", |it| it["originals"] == 1);
    let base = |id: &str| instances.join("_base").join(id.parse::<larder::image::ImageId>().unwrap().base_name());
    node.agent.queue(&second);
    node.agent.wait_state(&second, "cached");
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(99 * 3600);
    fs::File::open(base(&second)).unwrap().set_modified(then).unwrap();
    // 28 MiB are free: it lacks 8, and either of the others would do.
    node.agent.queue(&third);
    node.agent.wait_state(&third, "cached");
    assert_eq!(files(&originals), [""; 0]);
    assert!(base(&second).exists() && base(&third).exists());
    let log = node.agent.daemon.log();
    assert!(log.contains("original images went for the room of bases"), "{log}");
    drop(small);
}
