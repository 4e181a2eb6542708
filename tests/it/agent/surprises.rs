//! Where nova surprises: what its own manager would lose, leave or spoil.

use super::{
    node::{DAY, Node, overlay, why, x},
    site::{Running, Site, state},
};
use crate::support::{disks::noise, files, have, have_root, larder, output, run, text};
use larder::{
    admin::{ImageState, Status},
    base::ofd_lock::OfdLock,
    image::ImageId,
};
use std::{
    collections::BTreeSet,
    fs::{self, File},
    os::unix::fs::MetadataExt,
    path::{Path, PathBuf},
    process::Command,
    time::{Duration, SystemTime},
};

fn make_old(path: &Path, seconds: u64) {
    File::open(path).unwrap().set_modified(SystemTime::now() - Duration::from_secs(seconds)).unwrap();
}

/// A compute node's folders, without anybody who owns them.
struct Host(tempfile::TempDir);

impl Host {
    fn new() -> Self {
        let host = Self(tempfile::tempdir().unwrap());
        fs::create_dir_all(host.at("_base")).unwrap();
        let conf = format!(
            "[DEFAULT]\ninstances_path = {d}/instances\nstate_path = {d}/state\nadmin_socket = {d}/agent.sock\n\
             libvirt_directories = {d}/libvirt\ncache_min_free = 0\n[fleet]\nfleet = false\n\
             [glance]\nendpoint_override = http://127.0.0.1:1\n",
            d = host.0.path().display()
        );
        fs::write(host.0.path().join("agent.conf"), conf).unwrap();
        host
    }

    fn at(&self, place: &str) -> PathBuf {
        let path = self.0.path().join("instances").join(place);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        path
    }

    /// A file that was used two days ago.
    fn put(&self, name: &str) -> PathBuf {
        let path = self.at(&format!("_base/{name}"));
        fs::write(&path, vec![0xeb; 64 << 10]).unwrap();
        make_old(&path, 2 * DAY);
        path
    }

    fn names(&self) -> BTreeSet<String> {
        files(&self.at("_base")).into_iter().filter(|it| !it.starts_with(".larder")).collect()
    }

    /// One pass of the real program.
    fn prune(&self) -> String {
        let args = ["agent", "--config-file", "agent.conf", "--nova-config-file", "none.conf", "prune"];
        let out = output(larder(&args).current_dir(self.0.path()));
        let said = text(&out.stdout) + &text(&out.stderr);
        assert!(out.status.success(), "{said}");
        said
    }
}

/// Nova's manager follows `disk` by one level, in directories that its database lists, and knows the first ephemeral only.
#[test]
fn what_novas_manager_would_lose_stays() {
    if !have(&["qemu-img"]) {
        return;
    }
    let host = Host::new();
    let places = [
        ("7c1d/disk.rescue", x(1)),
        ("7c1d_resize/disk", x(2)),
        ("evacuated-from-here/disk", x(3)),
        ("7c1d/disk.eph0", "ephemeral_1_0706d66".into()),
        ("7c1d/disk.eph1", "ephemeral_2_0706d66".into()),
        ("7c1d/disk.swap", "swap_512".into()),
        ("of-an-old-release/disk", format!("{}_20", x(5))),
        // Unshelved: its image is another one than what its disk stands on.
        ("unshelved/disk", x(6)),
    ];
    for (place, base) in &places {
        overlay(&host.at(place), host.put(base), "raw");
    }
    let middle = host.at("deep/middle.qcow2");
    overlay(&middle, host.put(&x(4)), "raw");
    overlay(&host.at("deep/disk"), &middle, "qcow2");
    let stays: BTreeSet<String> = places.into_iter().map(|it| it.1).chain([x(4)]).collect();
    let said = host.prune();
    assert_eq!(host.names(), stays, "{said}");
    for it in &stays {
        let age = host.at(&format!("_base/{it}")).metadata().unwrap().modified().unwrap().elapsed();
        assert!(age.is_ok_and(|it| it.as_secs() < DAY), "{it} was used now, for nova's manager too");
    }
}

/// Its manager never looks at `X_5`, `X.part` and `X.converted`, takes any forty characters for its own, and unlinks locks.
#[test]
fn what_novas_manager_would_leave_goes_and_what_is_not_novas_stays() {
    let host = Host::new();
    let goes = [
        x(1),
        format!("{}_5", x(2)),
        format!("{}_20", x(2)),
        format!("{}_sm", x(2)),
        format!("{}.part", x(3)),
        format!("{}.converted", x(3)),
        "swap_1024".into(),
        "ephemeral_20_40d1d2c".into(),
    ];
    let stays =
        ["Z".repeat(40), format!(".{}.Xy12Ab", x(4)), "README".into(), format!("{}_backup", x(5)), "swap_1G".into()];
    goes.iter().chain(&stays).for_each(|it| drop(host.put(it)));
    fs::create_dir(host.at(&format!("_base/{}", x(6)))).unwrap();
    let said = host.prune();
    assert_eq!(host.names(), stays.into_iter().collect::<BTreeSet<_>>(), "{said}");
    assert!(host.at(&format!("_base/{}", x(6))).is_dir());
    for it in &goes {
        let of = it.split_once('.').map_or(it.as_str(), |it| it.0);
        assert!(
            host.at(&format!("locks/nova-{of}")).exists(),
            "who waits for the lock of {of} must not be alone with it"
        );
    }
}

/// Flat disks, kernels beside them and Ploop's are copies; an encrypted disk and a foreign format are read by nobody.
#[test]
fn copies_keep_nothing_and_raise_no_doubt() {
    if !have(&["qemu-img"]) {
        return;
    }
    let host = Host::new();
    let base = host.put(&x(1));
    for copy in ["flat/disk", "flat/kernel", "flat/ramdisk"] {
        fs::copy(&base, host.at(copy)).unwrap();
    }
    fs::write(host.at("flat/disk.info"), r#"{"/i/flat/disk": "raw"}"#).unwrap();
    fs::write(host.at("flat/console.log"), b"QFI\xfb").unwrap();
    let ploop = host.at("ploop/disk/root.hds");
    run(Command::new("qemu-img").args(["create", "-q", "-f", "parallels"]).arg(&ploop).arg("1M"));
    fs::write(host.at("ploop/disk/DiskDescriptor.xml"), "<Parallels_disk_image/>").unwrap();
    let mut luks = Command::new("qemu-img");
    luks.args(["create", "-q", "-f", "luks", "--object", "secret,id=s,data=x", "-o", "key-secret=s,iter-time=10"]);
    run(luks.arg(host.at("encrypted/disk")).arg("1M"));
    let said = host.prune();
    assert_eq!(host.names(), BTreeSet::new(), "{said}");
    assert!(!said.contains("doubt"), "{said}");
}

/// Here the base is a place where something is mounted, which no unlink takes.
#[tokio::test]
async fn a_base_that_cannot_be_removed_is_said_and_holds_nobody_up() {
    if !have(&["mount", "umount"]) || !have_root() {
        return;
    }
    let node = Node::new();
    let (stuck, other) = (node.put(&x(1), 2 * DAY), node.tmp.path().join("other"));
    node.put(&x(2), 2 * DAY);
    fs::copy(&stuck, &other).unwrap();
    make_old(&other, 2 * DAY);
    run(Command::new("mount").arg("--bind").args([&other, &stuck]));
    let pruned = node.prune().await;
    run(Command::new("umount").arg("-l").arg(&stuck));
    let said = why(&pruned, &x(1));
    assert!(said.starts_with("could not be removed: ") && said.contains("busy"), "{said}");
    assert_eq!(node.names(), [x(1)]);
}

fn comes(status: &Status, id: &ImageId) -> bool {
    matches!(state(status, id), Some(ImageState::Fetching { done, total: Some(_), .. }) if *done > 0)
}

/// Nova's pre-caching takes no lock: its base may appear while the agent holds it.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_nova_makes_meanwhile_stays_as_it_is() {
    let mut site = Site::new();
    site.settings.prefetch_bandwidth = 4 << 20;
    let (id, _) = site.push_raw(16);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait("bytes come", |it| comes(it, &id)).await;
    let novas = site.tmp.path().join("novas");
    noise(&novas, 16 << 20, 5);
    let inode = novas.metadata().unwrap().ino();
    fs::rename(&novas, site.base(&id)).unwrap();
    agent.wait_cached(&id).await;
    assert_eq!(site.base(&id).metadata().unwrap().ino(), inode, "nova's stays");
    assert_eq!(site.names(), [id.base_name()], "and nothing of the agent's");

    // What is there is not waited for: the start of an instance has its lock, and others must not wait for the agent.
    let lock = site.tmp.path().join("instances/locks").join(format!("nova-{}", id.base_name()));
    let nova = OfdLock::try_lock(&lock, None).unwrap().expect("the agent holds it no more");
    make_old(&site.base(&id), 2 * DAY);
    agent.client.queue(&id).await.unwrap();
    let is_touched = |_: &Status| {
        site.base(&id).metadata().unwrap().modified().unwrap().elapsed().is_ok_and(|it| it.as_secs() < DAY)
    };
    agent.wait("it is touched", is_touched).await;
    agent.wait_cached(&id).await;
    drop(nova);
    agent.stop().await;
}

/// Raw images of odd length are the base byte for byte, also where they end in a hole.
#[tokio::test(flavor = "multi_thread")]
async fn a_raw_image_of_odd_length_is_not_padded() {
    let site = Site::new();
    let image = site.tmp.path().join("odd.raw");
    noise(&image, (1 << 20) + 4097, 3);
    File::options().write(true).open(&image).unwrap().set_len((1 << 20) + 300_007).unwrap();
    let id = site.push(&image);
    let agent = site.start().await;
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    assert!(fs::read(site.base(&id)).unwrap() == fs::read(&image).unwrap());
    assert!(fs::symlink_metadata(site.base(&id)).unwrap().is_file(), "a link would be copied as one");
    agent.stop().await;
}

async fn cached(site: &Site, agent: &Running) -> ImageId {
    let (id, _) = site.push_raw(2);
    agent.client.queue(&id).await.unwrap();
    agent.wait_cached(&id).await;
    id
}

/// Where nova prunes too, it goes by mtime alone.
#[tokio::test(flavor = "multi_thread")]
async fn what_is_to_stay_is_touched_before_nova_removes_it() {
    if !have(&["qemu-img"]) {
        return;
    }
    let mut site = Site::new();
    site.settings.nova_removes_after = Some(86_400);
    let agent = site.start().await;
    let (pinned, rescue, unused) =
        (cached(&site, &agent).await, cached(&site, &agent).await, cached(&site, &agent).await);
    agent.client.pin(&pinned).await.unwrap();
    let disk = site.tmp.path().join("instances/7c1d/disk.rescue");
    fs::create_dir(disk.parent().unwrap()).unwrap();
    overlay(&disk, site.base(&rescue), "raw");
    let all = [&pinned, &rescue, &unused];
    let ages =
        || all.map(|id| site.base(id).metadata().unwrap().modified().unwrap().elapsed().unwrap().as_secs() / 3600);
    let looks = async || {
        // The disk is looked at before this is answered.
        agent.client.why(&pinned).await.unwrap();
        agent.client.why(&pinned).await.unwrap();
    };
    all.iter().for_each(|id| make_old(&site.base(id), 11 * 3600));
    looks().await;
    assert_eq!(ages(), [11, 11, 11], "there is time");
    all.iter().for_each(|id| make_old(&site.base(id), 13 * 3600));
    looks().await;
    assert_eq!(ages(), [0, 0, 13]);
    agent.stop().await;
}

fn damage(status: &Status, base: &str) -> Option<String> {
    status.bases.iter().find(|it| it.base == base)?.verified.as_ref()?.damage.clone()
}

/// A copy from another host goes straight to its final name; when it breaks off, nova uses it, and guests read zeros.
#[tokio::test(flavor = "multi_thread")]
async fn a_base_that_broke_off_is_found_by_its_length() {
    if !have(&["qemu-img"]) {
        return;
    }
    let mut site = Site::new();
    site.settings.scrub_rate = 0;
    let (_, raw) = site.push_raw(3);
    let qcow2 = |name: &str| {
        let path = site.tmp.path().join(name);
        run(Command::new("qemu-img").args(["convert", "-O", "qcow2"]).args([&raw, &path]));
        site.push(&path)
    };
    let (idle, used, whole) = (qcow2("a"), qcow2("b"), qcow2("c"));
    let folder = site.tmp.path().join("instances/_base");
    fs::create_dir(&folder).unwrap();
    for (id, length) in [(&idle, 1 << 20), (&used, 1 << 20), (&whole, 3 << 20)] {
        fs::copy(&raw, site.base(id)).unwrap();
        File::options().write(true).open(site.base(id)).unwrap().set_len(length).unwrap();
        make_old(&site.base(id), 3600);
    }
    let empty = folder.join("e".repeat(40));
    File::create(&empty).unwrap();
    make_old(&empty, 3600);
    let disk = site.tmp.path().join("instances/7c1d/disk");
    fs::create_dir(disk.parent().unwrap()).unwrap();
    overlay(&disk, site.base(&used), "raw");
    let agent = site.start().await;
    let status = agent
        .wait("all are read", |it| {
            let good = it.bases.iter().any(|it| it.base == whole.base_name() && it.verified.is_some());
            let said = it.warnings.iter().any(|it| it.contains("it is empty"));
            good && said
                && damage(it, &used.base_name()).is_some()
                && site.base(&idle).metadata().is_ok_and(|it| it.len() == 3 << 20)
        })
        .await;
    let said = status.warnings.join("\n");
    assert!(
        said.contains(&format!("removed the damaged base {}", "e".repeat(40))) && said.contains("it is empty"),
        "{said}"
    );
    assert!(said.contains("it has 1048576 bytes, and the image's disk has 3145728"), "{said}");
    assert!(fs::read(site.base(&idle)).unwrap() == fs::read(&raw).unwrap(), "fetched again");
    assert_eq!(damage(&status, &whole.base_name()), None);
    assert_eq!(site.base(&used).metadata().unwrap().len(), 1 << 20, "in use: only said");

    // That is not forgotten when the catalogue is away and a pass reads it again.
    let mut site = site;
    site.catalogue.daemon.kill();
    agent.client.scrub().await.unwrap();
    let status = agent.client.status().await.unwrap();
    assert!(damage(&status, &used.base_name()).is_some(), "{status:#?}");
    agent.stop().await;
}
