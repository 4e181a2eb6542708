//! A start with a queue, and a pass over it: fetched, published, noted.

use super::{Deed, EIO, ENOSPC, KILL, UNOPENED, UNREADABLE, disturb, world::World};

struct Publish;

impl Deed for Publish {
    const NAME: &'static str = "publish";
    const FROM_START: bool = true;

    fn prepare(&mut self, world: &mut World) {
        if world.base(&world.target).exists() {
            world.ask(|it| it.client.delete_cached(&it.target)).unwrap();
        }
        world.ask(|it| it.client.queue(&it.target)).unwrap();
    }

    fn act(&self, world: &World) {
        let _ = world.ask(|it| it.client.prefetch());
    }

    fn check(&self, world: &World) {
        assert!(world.is_queued(&world.target) || world.base(&world.target).exists(), "the wish is lost");
    }

    fn settle(&self, world: &World) {
        world.prefetch();
        assert!(world.base(&world.target).exists() && !world.is_queued(&world.target));
    }
}

#[test]
fn a_publish_killed_at_any_call_loses_nothing() {
    disturb(Publish, &[KILL]);
}

#[test]
fn a_publish_with_an_error_at_any_call_loses_nothing() {
    disturb(Publish, &[EIO, ENOSPC]);
}

#[test]
fn a_publish_that_cannot_read_or_open_loses_nothing() {
    disturb(Publish, &[UNREADABLE, UNOPENED]);
}
