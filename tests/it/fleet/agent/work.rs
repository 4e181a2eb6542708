//! Jobs, from the catalogue to the bases and back.

use super::site::{Fleet, Site, bases, cache, connected, exists, named, wait};
use crate::support::run;
use larder::wire::fleet::{Action, HeldImage, HeldState, ItemState, NodeState, Targets};
use std::{fs, os::unix::fs::FileExt};

#[test]
fn two_nodes_do_a_job_and_say_what_came_of_it() {
    let site = Site::new();
    let (good, bad) = (site.push("good", 2), site.push("bad", 2));
    let stored = site.catalogue.images().join(&bad);
    let original = fs::read(&stored).unwrap();
    fs::File::options().write(true).open(&stored).unwrap().write_all_at(b"?", 1 << 20).unwrap();
    let a = site.node("a", "", "labels = site:x,rack:1");
    let b = site.node("B", "", "labels = site:x,rack:2");
    let c = site.node("c", "", "labels = site:y");
    cache(&a, &[&good]);
    [&a, &b, &c].into_iter().for_each(connected);
    let fleet = Fleet::of(&site);
    // The inventory has arrived.
    let held = |node: &str| fleet.images(node).iter().any(|it| it.state == HeldState::Cached && it.size == 2 << 20);
    crate::support::wait_until("the catalogue knows what a has", super::site::LONG, || held("a"));
    assert!(!held("b"));
    // With what its bytes are, and what its disk has.
    let digest = |it: &HeldImage| it.digest.clone().unwrap_or_default();
    let whole = format!("blake3:{}", blake3::hash(&fs::read(a.base(&good)).unwrap()).to_hex());
    assert_eq!(digest(&fleet.images("a")[0]), whole);
    fleet.wait_node("a", "known with its space", |it| it.summary.total > 0 && it.summary.free > 0);
    let shown = run(&mut site.catalogue.larder(&["image", "where", &good]));
    assert!(shown.contains(&whole[..19]), "{shown}");

    let job = fleet.job(Action::Queue, &[&good, &bad], Targets::Selector("site=x".parse().unwrap()));
    assert_eq!(fleet.wait_item(&job, "a", &good, ItemState::Existing), None);
    assert_eq!(fleet.wait_item(&job, "b", &good, ItemState::Done), None);
    for node in ["a", "b"] {
        let why = fleet.wait_item(&job, node, &bad, ItemState::Failed).unwrap();
        assert!(why.contains("their sha512 is"), "{why}");
    }
    assert!(exists(&b.base(&good)) && !exists(&b.base(&bad)) && bases(&c).is_empty());
    // The agents try again by themselves, and what comes of that takes the place of the failure.
    fs::write(&stored, original).unwrap();
    for node in ["a", "b"] {
        fleet.wait_item(&job, node, &bad, ItemState::Done);
    }
    assert_eq!(fleet.wait_job(&job).len(), 4);
    let rest = |it: &serde_json::Value| it["fleet"]["open_work"] == 0 && it["fleet"]["untold_results"] == 0;
    wait(&a, "nothing is left to do", rest);
}

#[test]
fn pins_and_removals_are_jobs_too() {
    let site = Site::new();
    let image = site.push("image", 1);
    let a = site.node("a", "", "");
    connected(&a);
    let fleet = Fleet::of(&site);
    let result = |action| {
        let job = fleet.job(action, &[&image], Targets::All(true));
        fleet.wait_job(&job).remove(0).state
    };
    assert_eq!(result(Action::Pin), ItemState::Done);
    assert!(exists(&a.base(&image)));
    assert_eq!(result(Action::Pin), ItemState::Existing);
    let pinned = || fleet.images("a").iter().any(|it| it.pinned);
    crate::support::wait_until("the catalogue knows that it is pinned", super::site::LONG, pinned);
    assert_eq!(result(Action::Unpin), ItemState::Done);
    assert_eq!(result(Action::Unpin), ItemState::Existing);
    assert_eq!(result(Action::Remove), ItemState::Done);
    assert!(!exists(&a.base(&image)));
    assert_eq!(result(Action::Remove), ItemState::Existing);
    assert_eq!(result(Action::Queue), ItemState::Done);
}

#[test]
fn a_node_that_is_down_does_it_when_it_is_back() {
    let site = Site::new();
    let image = site.push("image", 1);
    let mut a = site.node("a", "", "");
    connected(&a);
    let fleet = Fleet::of(&site);
    a.daemon.kill();
    fleet.wait_node("a", "down", |it| it.state == NodeState::Down);
    let job = fleet.job(Action::Queue, &[&image], named(&["a"]));
    assert_eq!(fleet.item(&job, "a", &image).unwrap().0, ItemState::NodeDown);
    a.again();
    fleet.wait_item(&job, "a", &image, ItemState::Done);
    assert!(exists(&a.base(&image)));
}

#[test]
fn work_that_was_taken_over_survives_a_kill() {
    let site = Site::new();
    let (image, gone) = (site.push("image", 1), site.push("gone", 1));
    // What is queued waits for the next pass, which does not come.
    let patient = "prefetch_on_queue = false\ncache_prefetcher_interval = 0";
    let mut a = site.node("a", patient, "");
    connected(&a);
    let fleet = Fleet::of(&site);
    let queue = fleet.job(Action::Queue, &[&image, &gone], named(&["a"]));
    fleet.wait_item(&queue, "a", &image, ItemState::Handed);
    wait(&a, "it is queued", |it| it["images"].as_array().is_some_and(|it| it.len() == 2));
    a.daemon.kill();
    // The same session again, though the node is not down yet.
    a.again();
    connected(&a);
    assert_eq!(fleet.item(&queue, "a", &image).unwrap().0, ItemState::Handed);
    // Taken out by an operator on the node: the job hears of it.
    crate::support::run(&mut a.larder(&["cache", "delete-queued-image", "-f", &gone]));
    let why = fleet.wait_item(&queue, "a", &gone, ItemState::Failed).unwrap();
    assert!(why.contains("taken out of the node's queue"), "{why}");
    a.daemon.kill();
    drop(a);
    let a = site.node("a", "", "");
    fleet.wait_item(&queue, "a", &image, ItemState::Done);
    assert!(exists(&a.base(&image)) && !exists(&a.base(&gone)));
}
