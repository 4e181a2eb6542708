//! A start with a damaged index.

use super::{Deed, EIO, ENOSPC, KILL, disturb, world::World};
use crate::support::files;

struct Index;

impl Deed for Index {
    const NAME: &'static str = "index";
    const FROM_START: bool = true;

    fn prepare(&mut self, world: &mut World) {
        if world.base(&world.target).exists() {
            world.ask(|it| it.client.delete_cached(&it.target)).unwrap();
        }
        world.ask(|it| it.client.queue(&it.target)).unwrap();
        world.stop();
        for aside in files(&world.at("state")).iter().filter(|it| it.contains(".damaged-")) {
            std::fs::remove_file(world.at("state").join(aside)).unwrap();
        }
        let index = rusqlite::Connection::open(world.at("state/index.db")).unwrap();
        index.execute_batch("DROP TABLE bases;").unwrap();
    }

    fn act(&self, _: &World) {}

    fn check(&self, world: &World) {
        assert!(world.is_queued(&world.target), "the queue is lost");
    }

    fn settle(&self, _: &World) {}
}

#[test]
fn an_exchange_of_the_index_killed_at_any_call_loses_nothing() {
    disturb(Index, &[KILL]);
}

#[test]
fn an_exchange_of_the_index_with_an_error_at_any_call_loses_nothing() {
    disturb(Index, &[EIO, ENOSPC]);
}
