//! Many nodes of one catalogue; `LARDER_TEST_AGENTS` says how many.

use super::site::{Fleet, LONG, Site, connected, exists};
use crate::support::{daemon::Agent, wait_until};
use larder::wire::fleet::{Action, ItemState, NodeState, Targets};
use std::time::Instant;

#[test]
fn they_register_fetch_by_one_job_lose_and_regain_the_catalogue() {
    let count: usize = std::env::var("LARDER_TEST_AGENTS").ok().and_then(|it| it.parse().ok()).unwrap_or(8);
    let mut site = Site::new();
    let image = site.push("image", 1);
    let start = Instant::now();
    let agents: Vec<Agent> = (0..count).map(|it| site.node(&format!("n{it:03}"), "", "labels = site:x")).collect();
    let fleet = Fleet::of(&site);
    let all_up = || fleet.nodes().iter().filter(|it| it.state == NodeState::Up).count() == count;
    wait_until("all are registered", LONG, all_up);
    println!("{count} agents had registered {:?} after the start of the first", start.elapsed());

    let start = Instant::now();
    let job = fleet.job(Action::Queue, &[&image], Targets::Selector("site=x".parse().unwrap()));
    let items = fleet.wait_job(&job);
    assert_eq!(items.iter().filter(|it| it.state == ItemState::Done).count(), count, "{items:?}");
    println!("one job over {count} nodes took {:?}", start.elapsed());
    assert!(agents.iter().all(|it| exists(&it.base(&image))));

    site.catalogue.daemon.kill();
    let lost = |it: &Agent| it.status()["fleet"]["state"] == "lost";
    wait_until("all have noticed", LONG, || agents.iter().all(lost));
    site.catalogue.again();
    let start = Instant::now();
    agents.iter().for_each(connected);
    println!("{count} agents were back, and followed the feed, {:?} after the catalogue's return", start.elapsed());
    let job = fleet.job(Action::Remove, &[&image], Targets::Selector("site=x".parse().unwrap()));
    let items = fleet.wait_job(&job);
    assert_eq!(items.iter().filter(|it| it.state == ItemState::Done).count(), count, "{items:?}");
    assert!(!agents.iter().any(|it| exists(&it.base(&image))));
}
