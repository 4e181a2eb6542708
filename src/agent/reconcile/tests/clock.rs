//! Clocks that were wrong.

use super::model::World;
use chrono::TimeDelta;

/// What a clock that is years ahead stamps would be young for years.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_clock_that_was_ahead_keeps_nothing_for_ever() {
    for restarted in [false, true] {
        let Some(mut world) = World::new(1).await else { return };
        let (right, id) = (world.host.now, world.images[0].clone());
        world.host.now = right + TimeDelta::days(9999);
        assert!(world.host.fetch(&id));
        let disk = world.host.instance("i").join("disk");
        world.host.overlay(&disk, &id.base_name());
        world.host.now += TimeDelta::hours(1);
        world.rest().await;
        // Known, and seen in use.
        world.host.now += TimeDelta::hours(1);
        world.rest().await;
        world.host.remove_folder("i");
        if restarted {
            world.crash_at(right).await;
        }
        world.host.now = right;
        world.quiet().await.unwrap();
        assert!(!world.host.base(&id.base_name()).exists());
    }
}

/// The passes, and what was put off, do not wait for the moment that the clock had named before.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn nothing_waits_for_a_clock_that_was_set_back() {
    let Some(mut world) = World::new(2).await else { return };
    world.rest().await;
    world.host.now -= TimeDelta::days(30);
    world.rest().await;
    let node = world.node.as_ref().unwrap();
    let soon = world.host.now + TimeDelta::hours(1);
    let state = &node.loop_.state;
    assert!(state.next_prune.is_some_and(|it| it < soon) && state.next_prefetch.is_some_and(|it| it < soon));
    assert!(node.loop_.next_look < soon && state.started_at <= world.host.now);
    assert!(state.warnings.all().iter().any(|it| it.contains("the clock was set back")), "{:?}", state.warnings);
}
