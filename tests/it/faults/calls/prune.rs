//! A prune pass over an old base, one in use and a pinned one.

use super::{Deed, EIO, ENOSPC, KILL, UNREADABLE, disturb, world::World};
use std::{
    fs::File,
    time::{Duration, SystemTime},
};

struct Prune;

impl Deed for Prune {
    const NAME: &'static str = "prune";
    const FROM_START: bool = false;

    fn prepare(&mut self, world: &mut World) {
        world.ask(|it| it.client.queue(&it.target)).unwrap();
        world.prefetch();
        let base = File::options().append(true).open(world.base(&world.target)).unwrap();
        base.set_modified(SystemTime::now() - Duration::from_secs(200_000)).unwrap();
    }

    fn act(&self, world: &World) {
        let _ = world.ask(|it| it.client.prune(false));
    }

    fn check(&self, world: &World) {
        let there = world.base(&world.target).exists();
        let base = world.target.base_name();
        assert_eq!(world.status().images.iter().any(|it| it.base == base), there, "the record is not as the disk is");
    }

    fn settle(&self, world: &World) {
        world.ask(|it| it.client.prune(false)).unwrap();
        assert!(!world.base(&world.target).exists());
    }
}

#[test]
fn a_prune_pass_killed_at_any_call_loses_nothing() {
    disturb(Prune, &[KILL]);
}

#[test]
fn a_prune_pass_with_an_error_at_any_call_loses_nothing() {
    disturb(Prune, &[EIO, ENOSPC, UNREADABLE]);
}
