//! Flipped bits in `_base`: found, replaced when nothing uses the base, reported when something does.

use super::{
    node::overlay,
    site::{Running, Site},
};
use crate::support::{
    LARDER,
    daemon::{Agent, Catalogue},
    disks, have, larder, output, text,
};
use larder::{
    admin::{ScrubOutcome, Scrubbed, ScrubbedBase, Status, Verified},
    agent::lists::{FileId, Lists, Trust},
    image::ImageId,
};
use std::{
    fs::{self, File},
    os::unix::fs::{FileExt, MetadataExt},
    path::Path,
    process::{Child, Command, Stdio},
    time::{Duration, SystemTime},
};

/// A site whose agent reads as fast as it can.
fn site() -> Site {
    let mut site = Site::new();
    site.settings.scrub_rate = 0;
    site
}

/// As a disk does it: one bit, and nothing else says so.
fn flip(path: &Path, at: u64) {
    let file = File::options().read(true).write(true).open(path).unwrap();
    let mtime = file.metadata().unwrap().modified().unwrap();
    let mut byte = [0];
    file.read_exact_at(&mut byte, at).unwrap();
    file.write_all_at(&[byte[0] ^ 0x20], at).unwrap();
    file.set_modified(mtime).unwrap();
    file.sync_all().unwrap();
}

fn an_hour_old(path: &Path) {
    File::open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(3600)).unwrap();
}

async fn cached(site: &Site, agent: &Running, mib: usize) -> (ImageId, std::path::PathBuf) {
    let (id, file) = site.push_raw(mib);
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    (id, file)
}

fn of<'a>(scrubbed: &'a Scrubbed, id: &ImageId) -> &'a ScrubbedBase {
    scrubbed.bases.iter().find(|it| it.base == id.base_name()).unwrap_or_else(|| panic!("{scrubbed:#?}"))
}

fn verified(status: &Status, base: &str) -> Option<Verified> {
    status.bases.iter().find(|it| it.base == base)?.verified.clone()
}

fn lists(site: &Site) -> Lists {
    Lists::open(site.settings.pieces_path()).unwrap()
}

fn file_id(path: &Path) -> FileId {
    FileId::from(&fs::symlink_metadata(path).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_fetched_has_a_list_whose_root_is_its_blake3() {
    let site = site();
    let agent = site.start().await;
    let mut images = vec![cached(&site, &agent, 40).await, cached(&site, &agent, 16).await];
    if have(&["qemu-img"]) {
        let (_, raw) = site.push_raw(20);
        let qcow2 = site.tmp.path().join("disk.qcow2");
        crate::support::run(Command::new("qemu-img").args(["convert", "-O", "qcow2"]).args([&raw, &qcow2]));
        let id = site.push(&qcow2);
        agent.client.queue(&id).await.unwrap();
        agent.wait_cached(&id).await;
        images.push((id, raw));
    }
    for (id, file) in &images {
        let (pieces, label) = lists(&site).load(&id.base_name(), file_id(&site.base(id))).unwrap().unwrap();
        assert_eq!(pieces.root(), blake3::hash(&fs::read(file).unwrap()).to_hex().as_str());
        assert_eq!(label.trust, Trust::Fetched);
        let status = agent.client.status().await.unwrap();
        assert_eq!(verified(&status, &id.base_name()).unwrap().how, "fetched");
    }
    let scrubbed = agent.client.scrub().await.unwrap();
    assert_eq!((scrubbed.good, scrubbed.bases.len()), (images.len() as u64, images.len()));
    let status = agent.wait("it is noted", |it| it.last_scrub.is_some()).await;
    assert!(status.bases.iter().filter_map(|it| it.verified.as_ref()).all(|it| it.how == "scrubbed"), "{status:#?}");
    let (gone, _) = &images[0];
    agent.client.delete_cached(gone).await.unwrap();
    assert!(!lists(&site).bases().unwrap().contains(&gone.base_name()), "the list goes with its base");
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_base_that_nothing_uses_is_fetched_again() {
    let site = site();
    let agent = site.start().await;
    let (good, _) = cached(&site, &agent, 2).await;
    let (bad, file) = cached(&site, &agent, 40).await;
    flip(&site.base(&bad), (17 << 20) + 5);
    let before = file_id(&site.base(&bad));
    let scrubbed = agent.client.scrub().await.unwrap();
    assert!(matches!(of(&scrubbed, &good).outcome, ScrubOutcome::Good { .. }), "{scrubbed:#?}");
    let ScrubOutcome::Damaged { damage, removed, then } = &of(&scrubbed, &bad).outcome else { panic!("{scrubbed:#?}") };
    assert_eq!(damage, "piece 2 of 3 (bytes 16777216 to 33554431) is not what it was");
    assert!(*removed && then.contains("was fetched again and verified"), "{then}");
    assert!(fs::read(site.base(&bad)).unwrap() == fs::read(&file).unwrap() && file_id(&site.base(&bad)) != before);
    let status = agent.client.status().await.unwrap();
    assert!(status.warnings.iter().any(|it| it.contains("removed the damaged base")), "{:?}", status.warnings);
    assert_eq!(agent.client.scrub().await.unwrap().good, 2);
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_damaged_base_in_use_is_reported_and_replaced_when_it_is_free() {
    if !have(&["qemu-img"]) {
        return;
    }
    let site = site();
    let agent = site.start().await;
    let (id, file) = cached(&site, &agent, 20).await;
    let disk = site.tmp.path().join("instances/7c1d5a0e/disk");
    fs::create_dir(disk.parent().unwrap()).unwrap();
    overlay(&disk, site.base(&id), "raw");
    flip(&site.base(&id), 19 << 20);
    let before = fs::metadata(site.base(&id)).unwrap();
    for _ in 0..2 {
        let scrubbed = agent.client.scrub().await.unwrap();
        let ScrubOutcome::Damaged { removed: false, then, .. } = &of(&scrubbed, &id).outcome else {
            panic!("{scrubbed:#?}")
        };
        assert!(then.contains("kept: in use") && then.contains("7c1d5a0e/disk"), "{then}");
    }
    let after = fs::metadata(site.base(&id)).unwrap();
    assert_eq!(
        (before.ino(), before.mtime_nsec(), before.ctime_nsec()),
        (after.ino(), after.mtime_nsec(), after.ctime_nsec())
    );
    let marked = |it: &Status| verified(it, &id.base_name()).is_some_and(|it| it.damage.is_some());
    agent.wait("it is marked", |it| marked(it) && it.bases.iter().any(|it| it.in_use)).await;
    let why = agent.client.why(&id).await.unwrap().story.join("\n");
    assert!(why.contains("DAMAGED, found at") && why.contains("piece 2 of 2"), "{why}");
    let said = crate::support::run(
        Command::new(LARDER).args(["cache", "status", "--socket"]).arg(&site.settings.admin.socket),
    );
    assert!(said.contains(&format!("DAMAGED: {}: piece 2 of 2", id.base_name())), "{said}");

    // A start finds that in its records; when the instance is gone, so is the damage.
    agent.stop().await;
    let agent = site.start().await;
    agent.wait("it is marked", |it| verified(it, &id.base_name()).is_some_and(|it| it.damage.is_some())).await;
    fs::remove_dir_all(disk.parent().unwrap()).unwrap();
    agent
        .wait("it is replaced", |it| {
            verified(it, &id.base_name()).is_some_and(|it| it.damage.is_none()) && site.base(&id).exists()
        })
        .await;
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(file).unwrap());
    agent.stop().await;
}

/// A process that has a file open for writing; ended with the test.
struct Writer(Child);

impl Writer {
    fn of(path: &Path) -> Self {
        let file = File::options().append(true).open(path).unwrap();
        Self(Command::new("sleep").arg("600").stdin(Stdio::null()).stdout(file).spawn().unwrap())
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_being_written_or_kept_is_not_touched() {
    let mut site = site();
    site.settings.scrub_replace = false;
    let agent = site.start().await;
    let (id, _) = cached(&site, &agent, 2).await;
    flip(&site.base(&id), 5);
    let writer = Writer::of(&site.base(&id));
    let scrubbed = agent.client.scrub().await.unwrap();
    let ScrubOutcome::Unclear { why } = &of(&scrubbed, &id).outcome else { panic!("{scrubbed:#?}") };
    assert!(why.contains("is writing it"), "{why}");
    drop(writer);
    let scrubbed = agent.client.scrub().await.unwrap();
    let ScrubOutcome::Damaged { removed: false, then, .. } = &of(&scrubbed, &id).outcome else {
        panic!("{scrubbed:#?}")
    };
    assert_eq!(then, "kept: scrub_replace is off");
    assert!(site.base(&id).exists());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_nova_fetched_is_read_once_and_compared_with_the_catalogue() {
    let site = site();
    fs::create_dir(site.tmp.path().join("instances/_base")).unwrap();
    let (right, file) = site.push_raw(18);
    let (wrong, original) = site.push_raw(3);
    let unknown = "f".repeat(40);
    fs::copy(&file, site.base(&right)).unwrap();
    fs::copy(&original, site.base(&wrong)).unwrap();
    flip(&site.base(&wrong), 2 << 20);
    let foreign = site.tmp.path().join("instances/_base").join(&unknown);
    fs::write(&foreign, vec![7; 4096]).unwrap();
    [&site.base(&right), &site.base(&wrong), &foreign].iter().for_each(|it| an_hour_old(it));
    let agent = site.start().await;
    let how = |it: &Status, base: &str| verified(it, base).map(|it| it.how);
    let status = agent
        .wait("all are read", |it| {
            how(it, &right.base_name()).as_deref() == Some("catalogue")
                && how(it, &unknown).as_deref() == Some("first_seen")
                && how(it, &wrong.base_name()).as_deref() == Some("fetched")
        })
        .await;
    assert!(status.images.iter().any(|it| it.id.as_ref() == Some(&right)), "its image is known now: {status:#?}");
    assert!(status.warnings.iter().any(|it| it.contains("removed the damaged base") && it.contains("its sha512 is")));
    assert!(fs::read(site.base(&wrong)).unwrap() == fs::read(&original).unwrap());
    let (_, label) = lists(&site).load(&right.base_name(), file_id(&site.base(&right))).unwrap().unwrap();
    assert_eq!(label.trust, Trust::Catalogue);

    // What nobody can vouch for is compared with what it was at first.
    flip(&foreign, 100);
    let scrubbed = agent.client.scrub().await.unwrap();
    let it = scrubbed.bases.iter().find(|it| it.base == unknown).unwrap();
    let ScrubOutcome::Damaged { removed: true, then, .. } = &it.outcome else { panic!("{scrubbed:#?}") };
    assert!(then.contains("nova fetches it when it is needed"), "{then}");
    assert!(!foreign.exists());
    agent.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_lost_list_is_made_again_and_another_file_gets_its_own() {
    let site = site();
    let agent = site.start().await;
    let (id, file) = cached(&site, &agent, 3).await;
    agent.stop().await;
    an_hour_old(&site.base(&id));
    lists(&site).remove(&id.base_name());
    let agent = site.start().await;
    agent.wait("it is read again", |it| verified(it, &id.base_name()).is_some_and(|it| it.how == "catalogue")).await;
    assert!(lists(&site).bases().unwrap().contains(&id.base_name()));

    // Somebody puts the same image there by hand, and somebody else a damaged list.
    let aside = site.tmp.path().join("aside");
    fs::copy(&file, &aside).unwrap();
    an_hour_old(&aside);
    fs::rename(&aside, site.base(&id)).unwrap();
    let before = lists(&site).load(&id.base_name(), file_id(&site.base(&id))).unwrap();
    assert!(before.is_none(), "that list is of another file");
    assert_eq!(agent.client.scrub().await.unwrap().good, 1);
    let list = site.settings.pieces_path().join(format!("{}.base", id.base_name()));
    fs::write(&list, "rubbish").unwrap();
    assert_eq!(agent.client.scrub().await.unwrap().good, 1);
    assert!(lists(&site).load(&id.base_name(), file_id(&site.base(&id))).unwrap().is_some());
    agent.stop().await;
}

#[test]
fn the_command_tells_by_its_exit_code_with_and_without_an_agent() {
    let dir = tempfile::tempdir().unwrap();
    let catalogue = Catalogue::start(dir.path(), "");
    let disk = dir.path().join("disk.raw");
    disks::noise(&disk, 20 << 20, 3);
    let push = ["image", "push", "--quiet", "--name", "x", disk.to_str().unwrap()];
    let id = crate::support::run(&mut catalogue.larder(&push)).trim().to_owned();
    let mut agent = Agent::start(dir.path(), &catalogue.url(), "scrub_rate = 0");
    agent.queue(&id);
    agent.wait_state(&id, "cached");
    let scrub = |more: &[&str]| {
        let mut command = larder(&["agent", "--config-file", "agent.conf", "--nova-config-file", "nova.conf", "scrub"]);
        let out = output(command.args(more).current_dir(dir.path()));
        (out.status.code(), text(&out.stdout) + &text(&out.stderr))
    };
    let (code, said) = scrub(&[]);
    assert!(code == Some(0) && said.contains("Read 1 base, 20.0 MiB: 1 good, 0 damaged"), "{code:?} {said}");
    flip(&agent.base(&id), 3);
    let (code, said) = scrub(&[]);
    let words = ["DAMAGED: piece 1 of 2 (bytes 0 to 16777215) is not what it was", "was fetched again and verified"];
    assert!(code == Some(1) && words.iter().all(|it| said.contains(it)), "{code:?} {said}");
    agent.wait_state(&id, "cached");
    assert!(fs::read(agent.base(&id)).unwrap() == fs::read(&disk).unwrap());

    // Alone, it does all of that itself before it ends.
    assert!(agent.daemon.stop().success());
    flip(&agent.base(&id), 17 << 20);
    let (code, said) = scrub(&["--json"]);
    let json: serde_json::Value =
        serde_json::from_str(&said[said.find("{\n").unwrap()..=said.rfind("\n}").unwrap() + 1]).unwrap();
    let base = &json["bases"][0];
    assert!(code == Some(1) && base["outcome"] == "damaged" && base["removed"] == true, "{code:?} {said}");
    assert!(base["then"].as_str().unwrap().contains("was fetched again and verified"), "{said}");
    assert!(fs::read(agent.base(&id)).unwrap() == fs::read(&disk).unwrap());
    let (code, said) = scrub(&[]);
    assert!(code == Some(0) && said.contains("1 good"), "{code:?} {said}");
}
