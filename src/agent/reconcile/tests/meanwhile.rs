//! What happens while something else is under way.

use super::model::World;
use crate::admin::ImageState;
use crate::agent::reconcile::{Command, reconciler::Done};
use chrono::TimeDelta;
use std::time::Duration;

async fn settle(world: &mut World) {
    let (host, node) = (&mut world.host, world.node.as_mut().unwrap());
    node.settle(host.now, || host.restamp()).await;
}

/// A look that has seen the disk as it is now, and that the loop has not heard of yet.
async fn look(world: &mut World) -> Done {
    let node = &mut world.node.as_mut().unwrap().loop_;
    node.next_look = world.host.now;
    node.turn(world.host.now).await;
    loop {
        match node.work.join_next().await.unwrap().unwrap() {
            look @ Done::Looked(_) => return look,
            other => node.take_in(other).await,
        }
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_look_that_began_before_a_removal_brings_nothing_back() {
    let Some(mut world) = World::new(3).await else { return };
    let (gone, comes) = (world.images[0].clone(), world.images[1].clone());
    assert!(world.host.fetch(&gone));
    world.host.now += TimeDelta::hours(1);
    settle(&mut world).await;
    let is_known = |world: &World, base: &str| world.node.as_ref().unwrap().loop_.state.known.contains_key(base);
    assert!(is_known(&world, &gone.base_name()));

    let late = look(&mut world).await;
    let node = world.node.as_mut().unwrap();
    drop(node.ask(|reply| Command::DeleteCached(gone.clone(), reply)).await);
    drop(node.ask(|reply| Command::Queue(comes.clone(), None, reply)).await);
    settle(&mut world).await;
    assert!(!world.host.base(&gone.base_name()).exists() && world.host.base(&comes.base_name()).exists());
    let node = &mut world.node.as_mut().unwrap().loop_;
    node.take_in(late).await;
    assert!(!node.looking && node.state.known.contains_key(&comes.base_name()));
    let seen: Vec<&str> =
        node.state.look.as_ref().unwrap().bases.iter().map(|it| it.name.as_str()).filter(|it| it.len() == 40).collect();
    assert_eq!(seen, [comes.base_name()]);
    assert!(!is_known(&world, &gone.base_name()), "it is adopted again");
    settle(&mut world).await;
    assert!(!is_known(&world, &gone.base_name()) && is_known(&world, &comes.base_name()));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn a_pass_ends_though_the_index_cannot_be_written_and_the_record_is_made_later() {
    let Some(mut world) = World::new(4).await else { return };
    let id = world.images[0].clone();
    settle(&mut world).await;
    let node = world.node.as_mut().unwrap();
    drop(node.ask(|reply| Command::Queue(id.clone(), None, reply)).await);
    let other = rusqlite::Connection::open(world.settings.index_path()).unwrap();
    other.execute_batch("BEGIN IMMEDIATE").unwrap();
    let answer = node.ask(Command::Prefetch).await;
    settle(&mut world).await;
    let answer = tokio::time::timeout(Duration::from_secs(120), answer).await.expect("the pass never ends");
    let pass = answer.unwrap().unwrap();
    let ImageState::Failed { why, .. } = &pass.images[0].state else { panic!("{pass:?}") };
    assert!(why.contains("could not be noted") && why.contains(id.as_str()), "{why}");
    other.execute_batch("ROLLBACK").unwrap();
    world.host.now += TimeDelta::minutes(1);
    settle(&mut world).await;
    let state = &world.node.as_ref().unwrap().loop_.state;
    assert!(state.queue.is_empty() && state.known.contains_key(&id.base_name()), "{state:?}");
}
