//! A scrub pass that finds a damaged base, removes it and fetches its image again.

use super::{Deed, EIO, ENOSPC, KILL, UNREADABLE, disturb, world::World};
use std::{fs::File, os::unix::fs::FileExt};

struct Scrub;

impl Deed for Scrub {
    const NAME: &'static str = "scrub";
    const FROM_START: bool = false;
    const DAMAGES: bool = true;

    fn prepare(&mut self, world: &mut World) {
        world.ask(|it| it.client.queue(&it.target)).unwrap();
        world.prefetch();
        let base = File::options().read(true).write(true).open(world.base(&world.target)).unwrap();
        let then = base.metadata().unwrap().modified().unwrap();
        base.write_all_at(&[!world.content(&world.target)[4711]], 4711).unwrap();
        base.set_modified(then).unwrap();
    }

    fn act(&self, world: &World) {
        let _ = world.ask(|it| it.client.scrub());
    }

    fn check(&self, world: &World) {
        assert!(world.base(&world.target).exists() || world.is_queued(&world.target), "the wish is lost");
    }

    fn settle(&self, world: &World) {
        world.prefetch();
        world.ask(|it| it.client.scrub()).unwrap();
        world.prefetch();
        assert!(std::fs::read(world.base(&world.target)).unwrap() == world.content(&world.target));
        assert!(!world.is_queued(&world.target));
    }
}

#[test]
fn a_replacement_killed_at_any_call_loses_nothing() {
    disturb(Scrub, &[KILL]);
}

#[test]
fn a_replacement_with_an_error_at_any_call_loses_nothing() {
    disturb(Scrub, &[EIO, ENOSPC, UNREADABLE]);
}
