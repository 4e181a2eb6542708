//! What a node should have: pins, and whose turn it is.

use super::site::{Running, Site};
use crate::support::{larder, output, run, text};
use larder::{
    admin::{ClientError, ImageState, Priority, Status},
    image::ImageId,
};
use std::{
    fs,
    process::Command,
    time::{Duration, SystemTime},
};

fn command(site: &Site, args: &[&str]) -> Command {
    let mut command = larder(args);
    command.env("LARDER_SOCKET", &site.settings.admin.socket);
    command
}

/// On a thread of its own: the agent runs in this process.
async fn said(site: &Site, args: &[&str]) -> String {
    let mut command = command(site, args);
    tokio::task::spawn_blocking(move || run(&mut command)).await.unwrap()
}

fn make_old(site: &Site, id: &ImageId, days: u64) {
    let then = SystemTime::now() - Duration::from_secs(days * 86400);
    fs::File::open(site.base(id)).unwrap().set_modified(then).unwrap();
}

fn refused(result: Result<(), ClientError>) -> (u16, String) {
    match result {
        Err(ClientError::Refused { status, message }) => (status.as_u16(), message),
        other => panic!("not refused: {other:?}"),
    }
}

async fn is_kept_by_a_pass(site: &Site, agent: &Running, id: &ImageId) -> bool {
    make_old(site, id, 99);
    agent.client.prune(false).await.unwrap();
    site.base(id).exists()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pinned_image_is_fetched_kept_and_fetched_again() {
    let site = Site::new();
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    assert_eq!(said(&site, &["cache", "pin", id.as_str()]).await.trim(), format!("Pinned image {id}"));
    agent.wait_cached(&id).await;
    assert!(is_kept_by_a_pass(&site, &agent, &id).await);
    let why = said(&site, &["cache", "why", id.as_str()]).await;
    assert!(why.contains("pinned, until larder cache unpin") && why.contains("It is pinned"), "{why}");
    assert!(said(&site, &["cache", "status"]).await.contains("cached, pinned"));
    let (status, message) = refused(agent.client.delete_cached(&id).await);
    assert!(status == 409 && message.contains("pinned"), "{message}");
    assert_eq!(agent.client.delete_all_cached().await.unwrap(), 0);

    // It survives a restart, and brings back what somebody removed meanwhile.
    agent.stop().await;
    fs::remove_file(site.base(&id)).unwrap();
    let agent = site.start().await;
    agent.wait("it is back", |_| site.base(&id).exists()).await;
    agent.wait_cached(&id).await;
    assert!(agent.client.status().await.unwrap().images[0].pinned);
    // What a crash of nova left beside it is of no use.
    let part = site.base(&id).with_extension("part");
    fs::write(&part, "half").unwrap();
    fs::File::open(&part).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    assert!(is_kept_by_a_pass(&site, &agent, &id).await && !part.exists());

    let json = said(&site, &["cache", "unpin", "--json", id.as_str()]).await;
    assert_eq!(serde_json::from_str::<serde_json::Value>(&json).unwrap(), serde_json::json!({ "unpinned": [id] }));
    assert_eq!(refused(agent.client.unpin(&id).await).0, 404);
    assert!(!is_kept_by_a_pass(&site, &agent, &id).await);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_pin_of_no_image_is_refused_and_one_of_a_deleted_image_is_kept() {
    let site = Site::new();
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    let ghost = ImageId::from_random(7);
    assert_eq!(refused(agent.client.pin(&ghost).await).0, 404);
    let mut command = command(&site, &["cache", "pin", ghost.as_str()]);
    let out = tokio::task::spawn_blocking(move || output(&mut command)).await.unwrap();
    assert_eq!(out.status.code(), Some(1));
    assert!(text(&out.stderr).contains(&format!("cannot pin image {ghost}")), "{}", text(&out.stderr));
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    run(site.catalogue.larder(&["image", "delete"]).arg(id.as_str()));
    agent.client.pin(&id).await.unwrap();
    assert!(is_kept_by_a_pass(&site, &agent, &id).await);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_most_urgent_comes_first() {
    let mut site = Site::new();
    site.settings.prefetch_on_queue = false;
    site.settings.max_concurrent_fetches = 1;
    let ids: Vec<ImageId> = (0..5).map(|_| site.push_raw(1).0).collect();
    let agent = site.start().await;
    agent.client.queue(&ids[0]).await.unwrap();
    for (id, priority) in [(&ids[1], "low"), (&ids[2], "high"), (&ids[3], "100"), (&ids[4], "-100")] {
        let said = said(&site, &["cache", "queue", "--priority", priority, id.as_str()]).await;
        assert!(said.contains(&format!("Queued image {id} with priority ")), "{said}");
    }
    // Another one for what is queued already.
    agent.client.queue_with(&ids[4], Priority::try_from(7).unwrap()).await.unwrap();
    let expected = [3, 2, 4, 0, 1].map(|at| ids[at].clone());
    assert_eq!(agent.client.queued().await.unwrap(), expected);
    let status = agent.client.status().await.unwrap();
    assert_eq!(i32::from(status.images[0].priority), 100);
    let pass = agent.client.prefetch().await.unwrap();
    assert_eq!(pass.images.iter().map(|it| it.id.clone()).collect::<Vec<_>>(), expected);
    assert!(pass.images.iter().all(|it| it.state == ImageState::Cached), "{pass:?}");

    let mut wrong = command(&site, &["cache", "queue", "--priority", "101", ids[0].as_str()]);
    let out = tokio::task::spawn_blocking(move || output(&mut wrong)).await.unwrap();
    assert_eq!(out.status.code(), Some(2));
    assert!(text(&out.stderr).contains("from -100 to 100"), "{}", text(&out.stderr));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn pinned_bases_go_last_and_only_when_that_is_allowed() {
    for allowed in [false, true] {
        let mut site = Site::new();
        site.settings.cache_max_size = 17 << 20;
        site.settings.evict.min_age = 0;
        site.settings.evict.pinned_too = allowed;
        let ids: Vec<ImageId> = (0..4).map(|_| site.push_raw(8).0).collect();
        let agent = site.start().await;
        agent.client.pin(&ids[0]).await.unwrap();
        agent.wait_cached(&ids[0]).await;
        agent.client.queue(&ids[1]).await.unwrap();
        agent.wait_cached(&ids[1]).await;
        make_old(&site, &ids[0], 99);
        make_old(&site, &ids[1], 9);
        // The unpinned one goes for it, though it was used later.
        agent.client.queue(&ids[2]).await.unwrap();
        agent.wait_cached(&ids[2]).await;
        assert_eq!((site.base(&ids[0]).exists(), site.base(&ids[1]).exists()), (true, true), "there is room for three");
        agent.client.queue(&ids[3]).await.unwrap();
        agent.wait_cached(&ids[3]).await;
        assert!(site.base(&ids[0]).exists(), "pinned ones go last");
        assert!(!site.base(&ids[1]).exists());
        if allowed {
            // In the way of an image that needs all the room, it goes; being desired, it is queued again.
            let large = site.push_raw(16).0;
            agent.client.queue(&large).await.unwrap();
            let removed = |it: &Status| {
                let said = it.warnings.join("\n");
                said.contains("room") && said.contains(&ids[0].base_name())
            };
            agent.wait("it went", removed).await;
        }
        agent.stop().await;
    }
}
