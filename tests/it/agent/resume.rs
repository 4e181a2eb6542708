//! A network that cuts, stalls and lies between the agent and the catalogue.

use super::site::{Running, Site, endpoint, state};
use crate::support::chaos::{Chaos, Fault};
use larder::{admin::ImageState, image::ImageId};
use std::{fs, path::Path, time::Duration};

/// A site whose agent sees the catalogue through the proxy only.
fn behind(site: &mut Site) -> Chaos {
    let chaos = Chaos::before(&site.catalogue.url());
    site.settings.catalogue = endpoint(&chaos.url());
    chaos
}

async fn fetched(site: &Site, agent: &Running, id: &ImageId, file: &Path) {
    agent.client.queue(id).await.unwrap();
    agent.wait_cached(id).await;
    assert!(fs::read(site.base(id)).unwrap() == fs::read(file).unwrap());
    assert_eq!(site.names(), [id.base_name()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_transfer_that_is_cut_goes_on_from_there() {
    let mut site = Site::new();
    let (id, file) = site.push_raw(16);
    let chaos = behind(&mut site);
    // Each connection dies after some MiB: only by going on can it end.
    chaos.always(Fault::CutAfter(5 << 20));
    let agent = site.start().await;
    fetched(&site, &agent, &id, &file).await;
    assert!(chaos.connections() >= 4, "{}", chaos.connections());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_without_ranges_is_asked_for_all_again() {
    let mut site = Site::new();
    let (id, file) = site.push_raw(16);
    let chaos = behind(&mut site);
    chaos.next(vec![Fault::CutAfter(5 << 20)]);
    chaos.always(Fault::Strip("range"));
    chaos.next(vec![Fault::CutAfter(5 << 20), Fault::Strip("range")]);
    let agent = site.start().await;
    fetched(&site, &agent, &id, &file).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_server_that_falls_silent_is_left() {
    let mut site = Site::new();
    site.settings.fetch_idle_timeout = Duration::from_millis(700);
    let (id, file) = site.push_raw(16);
    let chaos = behind(&mut site);
    chaos.next(vec![Fault::StallAfter(5 << 20), Fault::StallAfter(1 << 20)]);
    let agent = site.start().await;
    fetched(&site, &agent, &id, &file).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_byte_on_the_way_is_noticed_and_the_next_try_is_good() {
    let mut site = Site::new();
    let (id, file) = site.push_raw(16);
    let chaos = behind(&mut site);
    chaos.next(vec![Fault::Corrupt(9 << 20)]);
    let agent = site.start().await;
    // The proxy's one connection serves the question whether the image exists as well, so the fetch uses it too.
    agent.client.queue(&id).await.unwrap();
    agent
        .wait("it fails or is there", |it| {
            matches!(state(it, &id), Some(ImageState::Failed { .. } | ImageState::Cached))
        })
        .await;
    fetched(&site, &agent, &id, &file).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn taken_out_of_the_queue_a_fetch_leaves_nothing() {
    let mut site = Site::new();
    site.settings.fetch_idle_timeout = Duration::from_secs(60);
    let (id, file) = site.push_raw(16);
    let chaos = behind(&mut site);
    chaos.always(Fault::StallAfter(5 << 20));
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let fetching = |it: Option<&ImageState>| matches!(it, Some(ImageState::Fetching { done, total: Some(_), .. }) if *done > 4 << 20);
    agent.wait("bytes have come", |it| fetching(state(it, &id))).await;
    assert_eq!(site.names().len(), 1, "a staging file");
    // Nova's spawns of this image wait for the agent meanwhile.
    let lock = site.tmp.path().join("instances/locks").join(format!("nova-{}", id.base_name()));
    assert!(larder::base::ofd_lock::OfdLock::is_held(&lock).unwrap());
    agent.client.delete_queued(&id).await.unwrap();
    agent.wait("nothing is left", |it| it.images.is_empty() && site.names().is_empty()).await;
    agent.wait("the lock is free", |_| !larder::base::ofd_lock::OfdLock::is_held(&lock).unwrap()).await;

    // So does the end of the agent, which keeps its place in the queue.
    agent.client.queue(&id).await.unwrap();
    agent.wait("bytes have come", |it| fetching(state(it, &id))).await;
    agent.stop().await;
    assert_eq!(site.names(), [""; 0]);
    chaos.always(Fault::None);
    let agent = site.start().await;
    agent.wait_cached(&id).await;
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(file).unwrap());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_lock_is_given_back_when_the_transfer_takes_too_long() {
    let mut site = Site::new();
    site.settings.fetch_idle_timeout = Duration::from_secs(60);
    site.settings.lock_hold = Duration::from_millis(500);
    let (id, file) = site.push_raw(16);
    let chaos = behind(&mut site);
    chaos.always(Fault::StallAfter(5 << 20));
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait("it is staged", |_| !site.names().is_empty()).await;
    let lock = site.tmp.path().join("instances/locks").join(format!("nova-{}", id.base_name()));
    agent.wait("the lock is free", |_| !larder::base::ofd_lock::OfdLock::is_held(&lock).unwrap()).await;
    // Nova makes it itself; that one stays, and nothing of ours is left.
    fs::write(site.base(&id), "nova's").unwrap();
    chaos.always(Fault::None);
    agent.wait_cached(&id).await;
    assert_eq!(fs::read(site.base(&id)).unwrap(), b"nova's");
    assert_ne!(fs::read(file).unwrap(), b"nova's");
    assert_eq!(site.names(), [id.base_name()]);
    agent.stop().await;
}
