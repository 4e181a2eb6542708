//! Who gives room, and who does not have to.

use super::model::World;
use crate::agent::{Settings, base_dir::Staging, plan::evict::Marks, reconcile::Command};
use chrono::TimeDelta;

/// An image of the model's, with what a fetch of it is promised beyond its bytes.
const PROMISED: u64 = 4096 + 2 + (64 << 10);

/// What an image lacked under the old limit is no reason to remove anything under the new one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_raised_limit_costs_no_base() {
    let Some(mut world) = World::new(5).await else { return };
    let [unused, wanted] = [0, 1].map(|it| world.images[it].clone());
    assert!(world.host.fetch(&unused));
    world.host.now += TimeDelta::hours(1);
    world.rest().await;
    let evict = |min_age| Marks { min_age, ..Marks::default() };
    let full = Settings { cache_max_size: PROMISED + 4000, evict: evict(864_000), ..world.settings.clone() };
    let wide = Settings { cache_max_size: 0, evict: evict(0), ..world.settings.clone() };
    let node = world.node.as_mut().unwrap();
    node.loop_.obey(Command::Reconfigure(Box::new(full))).await;
    drop(node.ask(|reply| Command::Queue(wanted.clone(), None, reply)).await);
    world.rest().await;
    let held = world.node.as_ref().unwrap().loop_.state.put_off.get(&wanted).and_then(|it| it.held.clone());
    assert!(held.is_some_and(|it| it.missing.bytes > 0), "it waits for room that nobody may give");
    world.node.as_mut().unwrap().loop_.obey(Command::Reconfigure(Box::new(wide))).await;
    world.rest().await;
    assert!(world.host.base(&wanted.base_name()).exists(), "it is tried at once");
    assert!(world.host.base(&unused.base_name()).exists(), "there was room without that");
}

/// What an interrupted fetch has left can be had again, and nothing starts from it.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn partial_downloads_go_before_any_base() {
    let Some(mut world) = World::new(6).await else { return };
    let [unused, failed, wanted] = [0, 1, 2].map(|it| world.images[it].clone());
    assert!(world.host.fetch(&unused));
    world.host.now += TimeDelta::hours(1);
    world.rest().await;
    // Its fetch has failed, and is tried again some time later.
    world.host.centre.delete(&failed);
    drop(world.node.as_mut().unwrap().ask(|reply| Command::Queue(failed.clone(), None, reply)).await);
    world.rest().await;
    let part = world.node.as_ref().unwrap().loop_.dir.staging(&failed, Staging::Fetch);
    std::fs::write(&part, vec![1; 128 << 10]).unwrap();
    let loop_ = &mut world.node.as_mut().unwrap().loop_;
    loop_.partials.left(&failed, 128 << 10);
    let evict = Marks { min_age: 0, high: 100, low: 100, ..Marks::default() };
    let cache_max_size = PROMISED + (128 << 10);
    let small = Settings { cache_max_size, evict, ..world.settings.clone() };
    loop_.obey(Command::Reconfigure(Box::new(small))).await;
    drop(world.node.as_mut().unwrap().ask(|reply| Command::Queue(wanted.clone(), None, reply)).await);
    world.rest().await;
    assert!(!part.exists() && world.host.base(&wanted.base_name()).exists());
    assert!(world.host.base(&unused.base_name()).exists(), "that was enough");
    let state = &world.node.as_ref().unwrap().loop_.state;
    assert!(state.queued(&failed).is_some(), "it stays in the queue");
    let said = state.warnings.all().join("\n");
    assert!(
        said.contains(&format!("what interrupted fetches had left, for its room, 128.0 KiB in all: {failed}")),
        "{said}"
    );
}
