//! From the queue to the base, and what keeps an image from getting there.

use super::site::{Site, state};
use crate::support::{have, run, wait_until};
use larder::{
    admin::{ClientError, ImageState},
    agent::{ImagesType, base_dir::BaseDir},
    base::ofd_lock::OfdLock,
    image::ImageId,
};
use std::{
    fs,
    os::unix::fs::{FileExt, MetadataExt, PermissionsExt},
    process::Command,
    time::{Duration, SystemTime},
};

#[tokio::test(flavor = "multi_thread")]
async fn a_raw_image_becomes_the_base_byte_for_byte_with_its_holes() {
    let site = Site::new();
    let (id, file) = site.push_raw(8);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    let base = site.base(&id);
    assert!(fs::read(&base).unwrap() == fs::read(&file).unwrap());
    let meta = fs::metadata(&base).unwrap();
    assert!(meta.blocks() * 512 <= (5 << 20), "the hole is kept: {} blocks", meta.blocks());
    assert_eq!(meta.permissions().mode() & 0o777, 0o644);
    assert!(meta.modified().unwrap().elapsed().unwrap().as_secs() < 60, "its last use is now");
    assert_eq!(site.names(), [id.base_name()]);
    assert_eq!(agent.client.queued().await.unwrap(), []);
    let cached = agent.client.cached().await.unwrap();
    assert_eq!((cached.len(), cached[0].image_id.as_str(), cached[0].size), (1, id.as_str(), 8 << 20));
    assert!(cached[0].checksum.is_some());
    let why = agent.client.why(&id).await.unwrap();
    assert!(why.story[0].contains("verified its sha512"), "{:?}", why.story);

    // Asked for again: it is there, and counts as used.
    fs::File::open(&base).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    agent.client.queue(&id).await.unwrap();
    agent.wait("it is touched", |_| fs::metadata(&base).unwrap().mtime() > 1000).await;
    agent.wait_cached(&id).await;

    // What a crash of the node has cut is said.
    fs::OpenOptions::new().write(true).open(&base).unwrap().set_len(4096).unwrap();
    fs::File::open(&base).unwrap().set_modified(SystemTime::UNIX_EPOCH).unwrap();
    agent.client.queue(&id).await.unwrap();
    let cut = |it: &larder::admin::Status| it.warnings.iter().any(|it| it.contains("has 4096 bytes"));
    agent.wait("it is noticed", cut).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_qcow2_image_is_made_raw() {
    if !have(&["qemu-img"]) {
        return;
    }
    let site = Site::new();
    let (_, raw) = site.push_raw(16);
    let qcow2 = site.tmp.path().join("disk.qcow2");
    run(Command::new("qemu-img").args(["convert", "-c", "-O", "qcow2"]).args([&raw, &qcow2]));
    let id = site.push(&qcow2);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(&raw).unwrap());
    assert_eq!(site.names(), [id.base_name()]);
    agent.stop().await;

    // Without force_raw_images it stays what it is.
    let mut keep = Site::new();
    keep.settings.force_raw_images = false;
    let id = keep.push(&qcow2);
    let agent = keep.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    assert!(fs::read(keep.base(&id)).unwrap() == fs::read(&qcow2).unwrap());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn bytes_that_are_not_the_images_are_never_visible() {
    let site = Site::new();
    let (bad, _) = site.push_raw(3);
    let (good, _) = site.push_raw(2);
    let stored = site.catalogue.images().join(bad.as_str());
    let file = fs::OpenOptions::new().write(true).open(&stored).unwrap();
    file.write_all_at(b"?", 2 << 20).unwrap();
    let agent = site.start().await;
    agent.client.queue(&bad).await.unwrap();
    agent.client.queue(&good).await.unwrap();
    let why = agent.wait_failed(&bad).await;
    assert!(why.contains("the bytes are not the image's: their sha512 is"), "{why}");
    agent.wait_cached(&good).await;
    assert_eq!(site.names(), [good.base_name()]);
    let story = agent.client.why(&bad).await.unwrap().story;
    assert!(story.iter().any(|it| it.contains("has failed")), "{story:?}");

    // It is tried again by itself.
    let (_, original) = site.push_raw(3);
    fs::copy(&original, &stored).unwrap();
    agent.wait_cached(&bad).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_that_is_none_is_refused_at_once_or_fails_without_holding_others_up() {
    let mut site = Site::new();
    let (good, _) = site.push_raw(2);
    let ghost = ImageId::from_random(7);
    let agent = site.start().await;
    match agent.client.queue(&ghost).await {
        Err(ClientError::Refused { status, message }) => {
            assert_eq!(status.as_u16(), 404);
            assert!(message.contains(ghost.as_str()), "{message}");
        }
        other => panic!("{other:?}"),
    }
    // While nobody can tell, it is queued.
    site.catalogue.daemon.stop();
    agent.client.queue(&ghost).await.unwrap();
    agent.client.queue(&good).await.unwrap();
    assert_eq!(agent.client.queued().await.unwrap(), [ghost.clone(), good.clone()]);
    let why = agent.wait_failed(&good).await;
    assert!(why.contains("did not answer properly"), "{why}");
    site.catalogue.again();
    agent.wait_cached(&good).await;
    let pass = agent.client.prefetch().await.unwrap();
    assert_eq!(pass.images.len(), 1);
    let ImageState::Failed { why, retry_at, .. } = &pass.images[0].state else { panic!("{pass:?}") };
    assert!(why.contains("does not exist"), "{why}");
    let wait = retry_at.unwrap() - chrono::Utc::now();
    assert!(wait > chrono::TimeDelta::hours(4), "what time does not mend is tried rarely: {wait}");
    agent.client.delete_queued(&ghost).await.unwrap();
    assert_eq!(site.names(), [good.base_name()]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_image_without_a_hash_takes_a_decision() {
    let mut site = Site::new();
    let (id, _) = site.push_raw(2);
    site.catalogue.daemon.stop();
    let database = rusqlite::Connection::open(site.tmp.path().join("centre/catalogue.db")).unwrap();
    database.execute("UPDATE images SET checksum = NULL, os_hash_value = NULL", []).unwrap();
    drop(database);
    site.catalogue.again();
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let why = agent.wait_failed(&id).await;
    assert!(why.contains("cannot be verified") && why.contains("allow_unverified"), "{why}");
    assert_eq!(site.names(), [""; 0]);
    agent.stop().await;
    site.settings.allow_unverified = true;
    let agent = site.start().await;
    let pass = agent.client.prefetch().await.unwrap();
    assert_eq!(pass.images[0].state, ImageState::Cached);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn with_rbd_nothing_is_published_and_the_status_says_why() {
    let mut site = Site::new();
    site.settings.images_type = ImagesType::Rbd;
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let pass = agent.client.prefetch().await.unwrap();
    assert!(matches!(&pass.images[0].state, ImageState::Failed { why, .. } if why.contains("rbd")), "{pass:?}");
    let status = agent.client.status().await.unwrap();
    assert!(status.idle_because.unwrap().contains("images_type is rbd"));
    assert_eq!(site.names(), [""; 0]);
    assert_eq!(agent.client.queued().await.unwrap(), [id]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn nova_holding_the_lock_is_waited_for_and_others_go_on() {
    let mut site = Site::new();
    site.settings.max_concurrent_fetches = 1;
    let (held, _) = site.push_raw(2);
    let (free, _) = site.push_raw(3);
    let agent = site.start().await;
    let path = site.tmp.path().join("instances/locks").join(format!("nova-{}", held.base_name()));
    let lock = OfdLock::try_lock(&path, None).unwrap().unwrap();
    agent.client.queue(&held).await.unwrap();
    agent.client.queue(&free).await.unwrap();
    agent.wait_cached(&free).await;
    agent.wait("it waits", |it| state(it, &held) == Some(&ImageState::WaitingForLock)).await;
    assert_eq!(site.names(), [free.base_name()]);
    drop(lock);
    agent.wait_cached(&held).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn too_little_room_says_how_much() {
    let mut site = Site::new();
    site.settings.cache_min_free = 1 << 60;
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let status = agent.wait("it is held", |it| matches!(state(it, &id), Some(ImageState::Held { .. }))).await;
    let Some(ImageState::Held { why }) = state(&status, &id) else { unreachable!() };
    assert!(why.contains("no room in") && why.contains("2.1 MiB") && why.contains("cache_min_free"), "{why}");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn content_that_is_not_the_declared_format_is_refused() {
    if !have(&["qemu-img"]) {
        return;
    }
    let site = Site::new();
    let backing = site.tmp.path().join("overlay.qcow2");
    run(Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-b", "/etc/hostname", "-F", "raw"])
        .arg(&backing));
    // The catalogue would refuse such an upload, so it is put into its store behind its back.
    let (id, _) = site.push_raw(1);
    let bytes = fs::read(&backing).unwrap();
    fs::write(site.catalogue.images().join(id.as_str()), &bytes).unwrap();
    let database = rusqlite::Connection::open(site.tmp.path().join("centre/catalogue.db")).unwrap();
    let sum = run(Command::new("sha512sum").arg(&backing));
    let sum = sum.split_whitespace().next().unwrap();
    let change = "UPDATE images SET size = ?1, os_hash_value = ?2, disk_format = 'qcow2'";
    database.execute(change, (bytes.len() as i64, sum)).unwrap();
    drop(database);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    let why = agent.wait_failed(&id).await;
    assert!(why.contains("backing file"), "{why}");
    assert_eq!(site.names(), [""; 0]);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_restart_finds_the_queue_and_adopts_what_nova_fetched() {
    let mut site = Site::new();
    site.settings.prefetch_on_queue = false;
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.stop().await;
    // Meanwhile nova fetches another one; one that a crash left is in its way.
    let novas = "f".repeat(40);
    let folder = site.tmp.path().join("instances/_base");
    fs::write(folder.join(&novas), vec![7; 4096]).unwrap();
    let hour_ago = SystemTime::now() - std::time::Duration::from_secs(3600);
    fs::File::open(folder.join(&novas)).unwrap().set_modified(hour_ago).unwrap();
    fs::write(folder.join(format!(".larder-{novas}.fetch")), "half").unwrap();

    site.settings.prefetch_on_queue = true;
    let agent = site.start().await;
    agent.wait_cached(&id).await;
    let status = agent.wait("it is adopted", |it| it.images.iter().any(|it| it.base == novas)).await;
    let said = status.warnings.join("\n");
    assert!(said.contains(&format!("adopted the base {novas}")) && said.contains("which a crash had left"), "{said}");
    agent.stop().await;

    // A damaged index costs nothing but what only it knew.
    let index = site.settings.index_path();
    // Its thread closes the file after the agent has ended, and removes the log then.
    wait_until("the index is closed", Duration::from_secs(60), || !index.with_extension("db-wal").exists());
    fs::write(&index, "rubbish, not a database").unwrap();
    let _ = fs::remove_file(index.with_extension("db-wal"));
    fs::remove_file(site.base(&id)).unwrap();
    let agent = site.start().await;
    let status = agent.wait("it is adopted again", |it| it.images.iter().any(|it| it.base == novas)).await;
    assert!(status.warnings.join("\n").contains("was damaged"), "{:?}", status.warnings);
    assert_eq!(status.images.len(), 1);
    fs::remove_file(folder.join(&novas)).unwrap();
    agent.wait("its record is dropped", |it| it.images.is_empty()).await;
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_second_agent_on_the_directory_is_refused_with_the_firsts_pid() {
    let mut site = Site::new();
    let agent = site.start().await;
    site.settings.state_path = site.tmp.path().join("state-2");
    let error = larder::agent::build(site.settings.clone()).await.unwrap_err();
    let text = larder::base::chain(&error).to_string();
    assert!(text.contains(&std::process::id().to_string()), "{text}");
    agent.stop().await;
    let free = || BaseDir::open(site.settings.base_dir.clone()).is_ok();
    wait_until("it is given up", Duration::from_secs(60), free);
}
