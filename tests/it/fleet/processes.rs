//! Several catalogue processes on one database.

use super::{Node, PATIENCE, client, image, name};
use crate::{
    api::Server,
    support::database::{Scratch, mysql, postgres},
};
use futures_util::StreamExt;
use larder::wire::fleet::{Action, Event, JobState, NewJob, Selector, Targets};
use tokio::time::timeout;

/// A node speaks to one, the operator to another; what one is told, all know.
async fn are_one(make: fn() -> Option<Scratch>) {
    let Some(scratch) = tokio::task::spawn_blocking(make).await.unwrap() else { return };
    let images = tempfile::tempdir().unwrap();
    let (url, folder) = (scratch.url.clone(), images.path().to_owned());
    let servers = tokio::task::spawn_blocking(move || [Server::beside(&url, &folder), Server::beside(&url, &folder)]);
    let servers = servers.await.unwrap();
    let (first, second) = (client(&servers[0]), client(&servers[1]));
    let mut node = Node::new(&first, "n1", "site=x");
    node.beat().await.unwrap();
    let mut feed = second.listen(None, Some(&name("n1"))).await.unwrap();
    let ask = NewJob { action: Action::Pin, images: vec![image(1)], nodes: Targets::All(true), priority: 3 };
    let job = first.make_job(&ask).await.unwrap();
    let told = timeout(PATIENCE, feed.next()).await.unwrap().unwrap().unwrap();
    assert_eq!((told.event, told.job.as_ref()), (Event::Work, Some(&job.id)), "told by the other process");
    // A balancer sends each beat elsewhere.
    node.catalogue = second.clone();
    assert_eq!(node.beat().await.unwrap().work.len(), 1);
    node.catalogue = first.clone();
    node.beat().await.unwrap();
    assert_eq!(second.job(&job.id).await.unwrap().state, JobState::Done);
    let holders = second.image_nodes(&image(1)).await.unwrap();
    assert!(holders.len() == 1 && holders[0].held.pinned);
    assert_eq!(second.nodes(&Selector::default()).await.unwrap()[0].summary.held, 1);
    drop(feed);
    tokio::task::spawn_blocking(move || drop((servers, images, scratch))).await.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_one_on_mariadb() {
    are_one(mysql).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn they_are_one_on_postgresql() {
    are_one(postgres).await;
}
