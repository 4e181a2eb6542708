//! The catalogue goes, and comes back, or another one does.

use super::site::{Fleet, LONG, Site, bases, cache, connected, exists, named, wait};
use crate::support::{daemon::Agent, toll::Toll, wait_until};
use larder::wire::fleet::{Action, ItemState};
use std::{fs, time::Instant};

/// Nothing but the change feed tells of images.
const BY_FEED: &str = "catalogue_check_interval = 0\ngone_image_minimum_age = 0";

#[test]
fn the_fleet_converges_after_the_catalogue_was_away_and_says_so_once() {
    let mut site = Site::new();
    let (first, second) = (site.push("first", 1), site.push("second", 1));
    let a = site.node("a", "", "");
    let mut b = site.node("b", "", "");
    [&a, &b].into_iter().for_each(connected);
    let fleet = Fleet::of(&site);
    site.catalogue.daemon.kill();
    wait(&a, "it is lost", |it| it["fleet"]["state"] == "lost");
    // What happens meanwhile is told later: a queued image, and a node that starts without the catalogue.
    a.queue(&second);
    b.daemon.kill();
    b.again();
    wait(&b, "it is lost too", |it| it["fleet"]["state"] == "lost");
    let fails = |it: &serde_json::Value| it["images"].as_array().is_some_and(|it| it[0]["state"] == "failed");
    wait(&a, "fetching fails", fails);
    site.catalogue.again();
    let back = Instant::now();
    [&a, &b].into_iter().for_each(connected);
    let job = fleet.job(Action::Queue, &[&first], named(&["a", "b"]));
    fleet.wait_item(&job, "a", &first, ItemState::Done);
    fleet.wait_item(&job, "b", &first, ItemState::Done);
    println!("two nodes were back and did a job {:?} after the catalogue's return", back.elapsed());
    wait_until("the catalogue knows the second", LONG, || {
        fleet.images("a").iter().any(|it| it.image.as_str() == second)
    });
    let log = a.daemon.log();
    assert_eq!(log.matches("is not in the fleet").count(), 1, "{log}");
    assert_eq!(log.matches("in the fleet again").count(), 1, "{log}");
}

#[test]
fn another_catalogue_in_its_place_gets_the_node_and_removes_nothing() {
    let mut site = Site::new();
    let ids: Vec<String> = (0..3).map(|it| site.push(&format!("i{it}"), 1)).collect();
    let a = site.node("a", BY_FEED, "");
    cache(&a, &ids.iter().collect::<Vec<_>>());
    connected(&a);
    let fleet = Fleet::of(&site);
    site.catalogue.daemon.kill();
    for name in ["catalogue.db", "catalogue.db-wal", "catalogue.db-shm"] {
        let _ = fs::rename(site.tmp.path().join("centre").join(name), site.tmp.path().join(name));
    }
    site.catalogue.again();
    fleet.wait_node("a", "registered", |it| it.summary.held == 3);
    connected(&a);
    // Another feed: everything is looked at, and nothing believed.
    let why = |it: &serde_json::Value| {
        it["last_check"]["why"].as_str().is_some_and(|it| it.contains("lists no image at all"))
    };
    wait(&a, "it is seen to be empty", why);
    assert_eq!(bases(&a).len(), 3);
    assert_eq!(fleet.images("a").len(), 3);
}

#[test]
fn the_feed_tells_of_a_deleted_image_also_after_it_was_cut() {
    let mut site = Site::new();
    let ids: Vec<String> = (0..3).map(|it| site.push(&format!("i{it}"), 1)).collect();
    let a = site.node("a", BY_FEED, "");
    cache(&a, &ids.iter().collect::<Vec<_>>());
    connected(&a);
    let start = Instant::now();
    site.delete(&ids[0]);
    wait_until("its base goes", LONG, || !exists(&a.base(&ids[0])));
    println!("a base went {:?} after its image", start.elapsed());
    site.catalogue.daemon.kill();
    wait(&a, "the feed is cut", |it| it["fleet"]["follows"] == false);
    site.catalogue.again();
    // It may not be there again yet.
    site.delete(&ids[1]);
    wait_until("its base goes", LONG, || !exists(&a.base(&ids[1])));
    // Deactivated: the last one of all, and believed, since the feed named it.
    assert_eq!(site.call("POST", &format!("/v2/images/{}/actions/deactivate", ids[2])), 204);
    wait_until("its base goes", LONG, || !exists(&a.base(&ids[2])));
}

#[test]
fn rules_are_kept_while_the_catalogue_is_away() {
    let mut site = Site::new();
    let mut a = site.node("a", "", "");
    connected(&a);
    let fleet = Fleet::of(&site);
    let version = fleet.put_rule("golden", serde_json::json!({"match": {"tags": ["golden"]}}));
    wait(&a, "it has the rules", |it| it["fleet"]["rules_version"] == version);
    fleet.wait_node("a", "known to have them", |it| it.rules_version == version);
    site.catalogue.daemon.kill();
    a.daemon.kill();
    a.again();
    let status = wait(&a, "it is lost", |it| it["fleet"]["state"] == "lost");
    assert_eq!(status["fleet"]["rules_version"], version);
}

#[test]
fn an_agent_whose_registration_was_not_answered_is_in_at_once() {
    let tmp = tempfile::tempdir().unwrap();
    std::fs::create_dir(tmp.path().join("centre")).unwrap();
    // A silent agent would be in after 90 s.
    let catalogue = crate::support::daemon::Catalogue::start(&tmp.path().join("centre"), "");
    let network = Toll::before(&catalogue.url());
    network.hold(0);
    fs::create_dir(tmp.path().join("a")).unwrap();
    let mut a = Agent::start(&tmp.path().join("a"), &network.url(), "[fleet]\nnode_name = a");
    let registered = || catalogue.daemon.log().contains("a node registered");
    wait_until("it registers", LONG, registered);
    // Its first process has not heard of it, and the second one knows no session.
    a.daemon.kill();
    network.cut();
    let start = Instant::now();
    a.again();
    connected(&a);
    assert!(start.elapsed().as_secs() < 60, "{:?}", start.elapsed());
}

#[test]
fn two_agents_of_one_name_are_told() {
    let site = Site::new();
    let a = site.node("same", "", "");
    connected(&a);
    let extra = "[fleet]\nnode_name = SAME";
    let b = Agent::start(&site.folder("other"), &site.catalogue.url(), extra);
    let status = wait(&b, "it is refused", |it| it["fleet"]["state"] == "lost");
    let why = status["fleet"]["why"].as_str().unwrap();
    assert!(why.contains("another agent is registered as same"), "{why}");
    connected(&a);
}
