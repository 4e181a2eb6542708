//! Over the admin socket: protection of what is used, Glance's cache API, single passes.

use super::site::{Site, state};
use crate::support::{have, run};
use larder::{
    admin::{ClientError, ImageState},
    agent::{prefetch_once, prune_once},
};
use std::{fs, path::Path, process::Command, time::SystemTime};
use tokio_util::sync::CancellationToken;

#[tokio::test(flavor = "multi_thread")]
async fn what_an_instance_uses_stays() {
    if !have(&["qemu-img"]) {
        return;
    }
    let site = Site::new();
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    let instance = site.tmp.path().join("instances/7c1d1f2e-6a0f-4d0c-9a51-3f4c2b1a0d9e");
    fs::create_dir(&instance).unwrap();
    let disk = instance.join("disk");
    run(Command::new("qemu-img")
        .args(["create", "-q", "-f", "qcow2", "-F", "raw", "-b"])
        .arg(site.base(&id))
        .arg(&disk));

    let refused = |result: Result<(), ClientError>| match result.unwrap_err() {
        ClientError::Refused { status, message } => (status.as_u16(), message),
        other => panic!("{other}"),
    };
    let (status, message) = refused(agent.client.delete_cached(&id).await);
    assert_eq!(status, 409);
    assert!(message.contains(disk.to_str().unwrap()), "{message}");
    assert_eq!(agent.client.delete_all_cached().await.unwrap(), 0);
    let old = SystemTime::now() - std::time::Duration::from_secs(3 * 86400);
    fs::File::open(site.base(&id)).unwrap().set_modified(old).unwrap();
    let pruned = agent.client.prune(false).await.unwrap();
    assert_eq!(pruned.removed, []);
    let kept = pruned.kept.iter().find(|it| it.base == id.base_name()).unwrap();
    assert!(kept.in_use && kept.id.as_ref() == Some(&id), "{kept:?}");
    agent.wait("the evidence is seen", |it| it.bases.iter().any(|it| it.in_use) && it.room.disk_growth > 0).await;
    let why = agent.client.why(&id).await.unwrap();
    assert!(why.evidence[0].contains(disk.to_str().unwrap()), "{why:?}");

    fs::remove_dir_all(&instance).unwrap();
    assert_eq!(agent.client.prune(false).await.unwrap().removed, [], "it was used a moment ago");
    fs::File::open(site.base(&id)).unwrap().set_modified(old).unwrap();
    agent.client.delete_cached(&id).await.unwrap();
    assert_eq!(site.names(), [""; 0]);
    assert_eq!(agent.client.cached().await.unwrap(), []);
    assert_eq!(refused(agent.client.delete_cached(&id).await).0, 404);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn old_and_unused_bases_are_pruned() {
    let site = Site::new();
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    assert_eq!(agent.client.prune(false).await.unwrap().removed, [], "young");
    let old = SystemTime::now() - std::time::Duration::from_secs(2 * 86400);
    fs::File::open(site.base(&id)).unwrap().set_modified(old).unwrap();
    let dry = agent.client.prune(true).await.unwrap();
    assert_eq!((dry.removed.len(), dry.removed[0].id.as_ref()), (1, Some(&id)));
    assert_eq!(site.names(), [id.base_name()], "a dry run removes nothing");
    let pruned = agent.client.prune(false).await.unwrap();
    assert!(pruned.freed > 0 && pruned.removed.len() == 1, "{pruned:?}");
    assert_eq!(site.names(), [""; 0]);
    let status = agent.client.status().await.unwrap();
    assert_eq!(state(&status, &id), None);
    assert_eq!(status.last_prune.unwrap().removed.len(), 1);
    agent.stop().await;
}

/// Status and body of a request over the socket.
fn curl(socket: &Path, method: &str, path: &str, header: &str) -> (String, String) {
    let mut command = Command::new("curl");
    command.args(["-s", "-X", method, "-H", header, "-w", "\n%{http_code}", "--unix-socket"]);
    let output = run(command.arg(socket).arg(format!("http://agent{path}")));
    let (body, status) = output.rsplit_once('\n').unwrap();
    (status.to_owned(), body.to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn glances_cache_api_answers_as_glances_does() {
    if !have(&["curl"]) {
        return;
    }
    let mut site = Site::new();
    site.settings.prefetch_on_queue = false;
    let (id, _) = site.push_raw(2);
    let agent = site.start().await;
    let ask = |method: &str, path: &str, header: &str| {
        let (socket, words) = (site.settings.admin.socket.clone(), [method, path, header].map(str::to_owned));
        async move {
            let asked = tokio::task::spawn_blocking(move || curl(&socket, &words[0], &words[1], &words[2]));
            asked.await.unwrap()
        }
    };
    let cache = format!("/v2/cache/{id}");
    assert_eq!(ask("PUT", &cache, "A: b").await.0, "202");
    assert_eq!(ask("PUT", "/v2/cache/no-id", "A: b").await.0, "404");
    let expected = format!(r#"{{"cached_images":[],"queued_images":["{id}"]}}"#);
    assert_eq!(ask("GET", "/v2/cache", "A: b").await, ("200".to_owned(), expected));
    assert_eq!(ask("DELETE", &cache, "A: b").await.0, "204");
    assert_eq!(ask("DELETE", &cache, "A: b").await.0, "404");
    assert_eq!(ask("PUT", &format!("/v2/queued_images/{id}"), "A: b").await.0, "200");
    assert_eq!(ask("DELETE", "/v2/cache", "x-image-cache-clear-target: nothing").await.0, "400");
    assert_eq!(ask("DELETE", "/v2/cache", "x-image-cache-clear-target: cache").await.0, "204");
    assert_eq!(agent.client.queued().await.unwrap(), std::slice::from_ref(&id));
    assert_eq!(ask("DELETE", "/v2/queued_images", "A: b").await, ("200".to_owned(), r#"{"num_deleted":1}"#.to_owned()));
    assert_eq!(ask("DELETE", "/v2/cached_images", "A: b").await, ("200".to_owned(), r#"{"num_deleted":0}"#.to_owned()));
    let pruned = r#"{"total_files_pruned":0,"total_bytes_pruned":0}"#.to_owned();
    assert_eq!(ask("POST", "/v2/cache/prune", "A: b").await, ("200".to_owned(), pruned));
    assert_eq!(ask("GET", "/nothing", "A: b").await.0, "404");
    assert_eq!(ask("PUT", "/status", "A: b").await.0, "405");
    assert!(ask("GET", "/metrics", "A: b").await.1.contains("larder_base_free_bytes"));
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_single_pass_works_with_and_without_an_agent() {
    let mut site = Site::new();
    site.settings.prefetch_on_queue = false;
    let (first, _) = site.push_raw(2);
    let (second, _) = site.push_raw(3);
    let shutdown = CancellationToken::new();
    let agent = site.start().await;
    agent.client.queue(&first).await.unwrap();
    let pass = prefetch_once(site.settings.clone(), &shutdown).await.unwrap();
    assert_eq!((pass.images.len(), &pass.images[0].state), (1, &ImageState::Cached));
    agent.client.queue(&second).await.unwrap();
    agent.stop().await;

    // A program that another test starts has the stopped agent's socket and lock, too, until it is executed.
    let began = std::time::Instant::now();
    let pass = loop {
        match prefetch_once(site.settings.clone(), &shutdown).await {
            Ok(pass) => break pass,
            Err(error) => assert!(began.elapsed().as_secs() < 60, "{error:?}"),
        }
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    };
    assert_eq!((&pass.images[0].id, &pass.images[0].state), (&second, &ImageState::Cached));
    let old = SystemTime::now() - std::time::Duration::from_secs(2 * 86400);
    fs::File::open(site.base(&first)).unwrap().set_modified(old).unwrap();
    assert_eq!(prune_once(site.settings.clone(), true, &shutdown).await.unwrap().removed.len(), 1);
    assert_eq!(site.names().len(), 2);
    assert_eq!(prune_once(site.settings.clone(), false, &shutdown).await.unwrap().removed.len(), 1);
    assert_eq!(site.names(), [second.base_name()]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_changed_configuration_counts_at_once_and_a_broken_one_not_at_all() {
    let site = Site::new();
    let file = site.tmp.path().join("agent.conf");
    fs::write(&file, "300").unwrap();
    let (settings, read) = (site.settings.clone(), file.clone());
    let read_again = move || {
        let text = fs::read_to_string(&read).map_err(|error| error.to_string())?;
        let prune_interval = text.trim().parse().map_err(|_| format!("'{text}' is no number"))?;
        let state_path = "/elsewhere".into();
        Ok(larder::agent::Settings { prune_interval, state_path, ..settings.clone() })
    };
    let (hang_up, hangups) = tokio::sync::mpsc::channel(1);
    let agent = larder::agent::build(site.settings.clone()).await.unwrap().bind().unwrap();
    let agent = agent.configured_by(vec![file.clone()], hangups, read_again);
    let agent = site.run(agent);
    assert!(agent.client.status().await.unwrap().next_prune.is_some());

    // The file's folder is watched.
    fs::write(site.tmp.path().join("new"), "0").unwrap();
    fs::rename(site.tmp.path().join("new"), &file).unwrap();
    let status = agent.wait("pruning is off", |it| it.next_prune.is_none()).await;
    assert!(status.warnings.iter().any(|it| it.contains("state_path has changed")), "{:?}", status.warnings);
    fs::write(&file, "much").unwrap();
    hang_up.send(()).await.unwrap();
    agent.wait("the error is said", |it| it.warnings.iter().any(|it| it.contains("'much' is no number"))).await;
    assert_eq!(agent.client.status().await.unwrap().next_prune, None);
    fs::write(&file, "100").unwrap();
    hang_up.send(()).await.unwrap();
    agent.wait("pruning is on", |it| it.next_prune.is_some()).await;
    agent.stop().await;
}
