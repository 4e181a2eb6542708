use crate::base::digest::{Algorithm, Hasher};
use crate::image::ImageId;
use crate::store::{
    DataDir, FilePerm, IngestError, Limits, OpenError, Settings, Staged, Store, StoreError,
    conformance::{self, Report},
    ingest, open,
};
use bytes::Bytes;
use futures_util::{Stream, StreamExt, TryStreamExt, stream};
use proptest::prelude::*;
use std::{fs, io, os::unix::fs::PermissionsExt, path::Path, sync::Arc, time::Duration};

const LIMITS: Limits = Limits { size_cap: 1 << 40, expected: None, hash: Algorithm::Sha512, also: None };

fn id(last: u8) -> ImageId {
    format!("7c1d4a0e-3d4c-4b0e-9c58-0000000000{last:02x}").parse().unwrap()
}

fn settings(folder: &Path) -> Settings {
    Settings { filesystem_store_datadir: folder.to_owned(), ..Settings::default() }
}

fn names(folder: &Path) -> Vec<String> {
    let mut names: Vec<_> =
        fs::read_dir(folder).unwrap().map(|it| it.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

/// Dropped work goes on in other threads for a moment.
async fn settled_empty(folder: &Path) {
    for _ in 0..3000 {
        if names(folder).is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    panic!("left behind: {:?}", names(folder));
}

fn chunks(data: &[u8], size: usize) -> impl Stream<Item = Result<Bytes, io::Error>> + Send + use<> {
    stream::iter(data.chunks(size).map(|it| Ok(Bytes::copy_from_slice(it))).collect::<Vec<_>>())
}

async fn put(store: &dyn Store, id: &ImageId, data: &[u8], limits: Limits) -> Result<Staged, IngestError> {
    ingest(chunks(data, 70_001), store, id, limits).await
}

async fn get(store: &dyn Store, url: &str, range: std::ops::Range<u64>) -> Result<Vec<u8>, StoreError> {
    let blocks: Vec<Bytes> = store.read(url, range).await?.try_collect().await?;
    Ok(blocks.concat())
}

fn noise(len: usize) -> Vec<u8> {
    let mut state = 7_u64;
    (0..len)
        .map(|_| {
            state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
            (state >> 56) as u8
        })
        .collect()
}

/// Every point holds, and nothing is left in the folders.
async fn conforms(settings: &Settings, folders: &[&Path]) {
    let store = open(settings).unwrap();
    let report = conformance::check(&*store, &conformance::Extent::default(), |_| {}).await;
    let Report::Tried(points) = &report else { panic!("{report:?}") };
    assert!(points.len() > 15, "{points:?}");
    assert_eq!(report.faults(), None);
    for folder in folders {
        settled_empty(folder).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_conforms() {
    let dir = tempfile::tempdir().unwrap();
    conforms(&settings(dir.path()), &[dir.path()]).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn the_file_store_conforms_with_holes_and_several_folders() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        Settings { filesystem_thin_provisioning: true, ..several(dir.path(), &[("a", 1), ("b", 1), ("c", -5)]) };
    conforms(&settings, &["a", "b", "c"].map(|it| dir.path().join(it)).each_ref().map(|it| it.as_path())).await;
}

#[tokio::test]
async fn a_store_that_only_gives_is_told_as_such() {
    let store = open(&Settings { default_store: "http".to_owned(), ..Settings::default() }).unwrap();
    assert_eq!(conformance::check(&*store, &conformance::Extent::default(), |_| {}).await, Report::ReadOnly);
}

#[tokio::test]
async fn an_image_is_visible_once_it_is_committed() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("images");
    let store = open(&settings(&folder)).unwrap();
    let data = noise(3_500_000);
    let staged = put(&*store, &id(1), &data, LIMITS).await.unwrap();
    let url = format!("file://{}/{}", folder.display(), id(1));
    assert_eq!(staged.url(), url);
    assert_eq!((names(&folder).len(), names(&folder)[0].starts_with(".larder-")), (1, true));
    assert!(matches!(store.size(&url).await, Err(StoreError::NotFound { .. })));

    let facts = staged.commit().await.unwrap();
    assert_eq!(names(&folder), [id(1).to_string()]);
    assert_eq!(
        (facts.size, facts.hash_algo, facts.inspection.format),
        (3_500_000, Algorithm::Sha512, crate::diskformat::Format::Raw)
    );
    for (algorithm, sum) in [(Algorithm::Md5, &facts.checksum), (Algorithm::Sha512, &facts.hash_value)] {
        let mut pure = Hasher::pure(algorithm);
        pure.update(&data);
        assert_eq!(&pure.finish().unwrap(), sum);
    }
    assert_eq!(store.size(&url).await.unwrap(), 3_500_000);
    assert_eq!(store.url(&id(1)), url);
    assert!(get(&*store, &url, 0..3_500_000).await.unwrap() == data);
    assert!(get(&*store, &url, 1_048_000..2_100_000).await.unwrap() == data[1_048_000..2_100_000]);
    assert!(get(&*store, &url, 9..9).await.unwrap().is_empty());
    assert!(matches!(get(&*store, &url, 0..3_500_001).await, Err(StoreError::Short { size: 3_500_000, .. })));
    assert!(store.room().await.unwrap().unwrap().free > 0);

    store.remove(&url).await.unwrap();
    assert!(names(&folder).is_empty());
    assert!(matches!(store.remove(&url).await, Err(StoreError::NotFound { .. })));
}

#[tokio::test]
async fn a_store_of_glance_is_adopted_in_place() {
    let dir = tempfile::tempdir().unwrap();
    let (real, link) = (dir.path().join("real"), dir.path().join("link"));
    fs::create_dir(&real).unwrap();
    fs::write(real.join(id(1).as_str()), b"from glance").unwrap();
    std::os::unix::fs::symlink(&real, &link).unwrap();
    let store = open(&settings(&link)).unwrap();
    for url in [format!("file://{}/{}", link.display(), id(1)), format!("filesystem://{}/{}", real.display(), id(1))] {
        assert_eq!(get(&*store, &url, 0..11).await.unwrap(), b"from glance", "{url}");
    }
}

fn several(dir: &Path, ranks: &[(&str, i64)]) -> Settings {
    let folder = |(name, priority): &(&str, i64)| DataDir { path: dir.join(name), priority: *priority };
    Settings { filesystem_store_datadirs: ranks.iter().map(folder).collect(), ..settings(&dir.join("not-used")) }
}

#[tokio::test]
async fn of_several_folders_the_first_with_room_is_written_to_and_all_are_read() {
    let dir = tempfile::tempdir().unwrap();
    let mounts = dir.path().join("mounts.json");
    let (fast, slow) = (dir.path().join("fast"), dir.path().join("slow"));
    fs::write(&mounts, format!(r#"[{{"id": "nfs-1", "mountpoint": "{}"}}]"#, fast.display())).unwrap();
    let settings = Settings {
        filesystem_store_metadata_file: Some(mounts.clone()),
        ..several(dir.path(), &[("slow", 5), ("fast", 20), ("slow", 5)])
    };
    let store = open(&settings).unwrap();
    assert!(!dir.path().join("not-used").exists());
    let staged = put(&*store, &id(1), b"in the fast one", LIMITS).await.unwrap();
    let url = staged.url().to_owned();
    staged.commit().await.unwrap();
    assert_eq!(url, format!("file://{}/{}", fast.display(), id(1)));
    assert_eq!((names(&fast).len(), names(&slow).len()), (1, 0));
    assert_eq!(store.metadata(&url)["id"], "nfs-1");

    // Glance, or another order, has put this one there.
    fs::write(slow.join(id(2).as_str()), b"in the slow one").unwrap();
    let url = format!("file://{}/{}", slow.display(), id(2));
    assert!(store.owns(&url) && store.urls(&id(2)).contains(&url));
    assert!(store.metadata(&url).is_empty(), "it is on no mount");
    assert_eq!(get(&*store, &url, 0..15).await.unwrap(), b"in the slow one");
    store.remove(&url).await.unwrap();
    assert!(names(&slow).is_empty());

    let limits = Limits { expected: Some(1 << 60), size_cap: 1 << 61, ..LIMITS };
    let full = put(&*store, &id(3), b"x", limits).await.unwrap_err();
    assert!(matches!(full, IngestError::Store(StoreError::Full { wanted: Some(_), .. })), "{full}");
    assert_eq!((names(&fast).len(), names(&slow).len()), (1, 0));
}

#[test]
fn folders_and_mounts_that_cannot_be_used_are_refused() {
    let dir = tempfile::tempdir().unwrap();
    assert!(matches!(open(&several(dir.path(), &[("a", 1), ("a", 2)])), Err(OpenError::SameFolder { .. })));
    std::os::unix::fs::symlink(dir.path().join("a"), dir.path().join("b")).unwrap();
    assert!(matches!(open(&several(dir.path(), &[("a", 1), ("b", 1)])), Err(OpenError::SameFolder { .. })));
    let file = dir.path().join("mounts.json");
    let settings = Settings { filesystem_store_metadata_file: Some(file.clone()), ..settings(&dir.path().join("a")) };
    let refused = || match open(&settings) {
        Err(OpenError::Metadata { path, what }) => {
            assert_eq!(path, file);
            what
        }
        other => panic!("{:?}", other.map(|_| ())),
    };
    assert!(refused().contains("cannot be read"));
    for (text, why) in [("{", "no JSON"), ("[1]", "mountpoint"), (r#"{"id": "x"}"#, "mountpoint"), ("7", "mountpoint")]
    {
        fs::write(&file, text).unwrap();
        assert!(refused().contains(why), "{text}");
    }
    fs::write(&file, " ".repeat(2 << 20)).unwrap();
    assert!(refused().contains("1 MiB"));
    fs::write(&file, r#"{"id": "x", "mountpoint": "/mnt"}"#).unwrap();
    open(&settings).unwrap();
}

#[tokio::test]
async fn nothing_outside_the_folder_is_touched() {
    let dir = tempfile::tempdir().unwrap();
    let folder = dir.path().join("images");
    let store = open(&settings(&folder)).unwrap();
    let secret = dir.path().join("secret");
    fs::write(&secret, b"secret").unwrap();
    fs::create_dir(folder.join("sub")).unwrap();
    fs::write(folder.join("sub/x"), b"x").unwrap();
    fs::write(folder.join(".hidden"), b"x").unwrap();
    std::os::unix::fs::symlink(&secret, folder.join("link")).unwrap();
    nix::unistd::mkfifo(&folder.join("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let f = folder.display();
    let urls = [
        format!("file://{f}/../secret"),
        format!("file://{}", secret.display()),
        format!("file://{f}/sub/x"),
        format!("file://{f}/sub"),
        format!("file://{f}/link"),
        format!("file://{f}/fifo"),
        format!("file://{f}/.hidden"),
        format!("file://{f}/"),
        format!("file://{f}"),
        format!("file://host{f}/x"),
        format!("{f}/x"),
        "file://".to_owned(),
        "file:///".to_owned(),
        "rbd://images/x".to_owned(),
        format!("file://{f}/a\0b"),
    ];
    for url in urls {
        let error = get(&*store, &url, 0..1).await.unwrap_err();
        assert!(matches!(error, StoreError::Foreign { .. }), "{url}: {error:?}");
        if !url.contains("/link") && !url.contains("/fifo") {
            assert!(store.remove(&url).await.is_err(), "{url}");
        }
    }
    assert_eq!(fs::read(&secret).unwrap(), b"secret");
}

#[tokio::test]
async fn sizes_are_checked_and_nothing_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&settings(dir.path())).unwrap();
    let data = noise(2_000_000);
    let with = |size_cap, expected| Limits { size_cap, expected, ..LIMITS };
    let short = put(&*store, &id(1), &data, with(1 << 40, Some(2_000_001))).await.unwrap_err();
    assert_eq!(short.to_string(), "Size mismatch: expected 2000001 bytes, got 2000000 bytes");
    let long = put(&*store, &id(1), &data, with(1 << 40, Some(1_999_999))).await.unwrap_err();
    assert!(long.to_string().starts_with("Size exceeds: expected "), "{long}");
    let over = put(&*store, &id(1), &data, with(1_999_999, None)).await.unwrap_err();
    assert!(matches!(over, IngestError::TooLarge { expected: None, .. }));
    let early = put(&*store, &id(1), &[], with(100, Some(101))).await.unwrap_err();
    assert!(matches!(early, IngestError::TooLarge { expected: Some(101), .. }));
    let broken = chunks(&data, 100_000).take(7).chain(stream::iter([Err(io::Error::other("reset"))]));
    let broken = ingest(broken, &*store, &id(1), LIMITS).await.unwrap_err();
    assert_eq!(broken.to_string(), "the data stopped coming after 700000 bytes");
    settled_empty(dir.path()).await;
    // The whole of it fits, and so does nothing at all.
    put(&*store, &id(1), &data, with(2_000_000, Some(2_000_000))).await.unwrap().commit().await.unwrap();
    let empty = put(&*store, &id(2), &[], LIMITS).await.unwrap().commit().await.unwrap();
    assert_eq!((empty.size, empty.checksum.as_str()), (0, "d41d8cd98f00b204e9800998ecf8427e"));
}

#[tokio::test]
async fn an_image_is_written_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&settings(dir.path())).unwrap();
    let first = put(&*store, &id(1), b"first", LIMITS).await.unwrap();
    let second = put(&*store, &id(1), b"second", LIMITS).await.unwrap();
    first.commit().await.unwrap();
    assert!(matches!(second.commit().await, Err(StoreError::Duplicate { .. })));
    let third = put(&*store, &id(1), b"third", LIMITS).await.unwrap_err();
    assert!(matches!(third, IngestError::Store(StoreError::Duplicate { .. })));
    assert_eq!(get(&*store, &store.url(&id(1)), 0..5).await.unwrap(), b"first");
    assert_eq!(names(dir.path()), [id(1).to_string()]);
}

#[tokio::test]
async fn only_leftovers_of_the_dead_are_removed() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&settings(dir.path())).unwrap();
    let alive = put(&*store, &id(1), b"alive", LIMITS).await.unwrap();
    let dead = format!(".larder-{}-0123456789abcdef.part", id(2));
    for name in [&dead, ".larder-notes", ".hidden.part", id(3).as_str()] {
        fs::write(dir.path().join(name), b"x").unwrap();
    }
    let again = open(&settings(dir.path())).unwrap();
    let left = names(dir.path());
    assert!(!left.contains(&dead) && left.len() == 4, "{left:?}");
    alive.commit().await.unwrap();
    assert_eq!(get(&*again, &store.url(&id(1)), 0..5).await.unwrap(), b"alive");
}

#[tokio::test]
async fn modes_and_holes_are_as_configured() {
    let dir = tempfile::tempdir().unwrap();
    let with = Settings {
        filesystem_store_file_perm: "640".parse().unwrap(),
        filesystem_thin_provisioning: true,
        ..settings(dir.path())
    };
    let store = open(&with).unwrap();
    let mut data = vec![0; 8 << 20];
    data[5 << 20] = 1;
    put(&*store, &id(1), &data, LIMITS).await.unwrap().commit().await.unwrap();
    let meta = fs::metadata(dir.path().join(id(1).as_str())).unwrap();
    assert_eq!(meta.permissions().mode() & 0o7777, 0o640);
    assert!(std::os::unix::fs::MetadataExt::blocks(&meta) * 512 < 1 << 20);
    assert!(get(&*store, &store.url(&id(1)), 0..8 << 20).await.unwrap() == data);
    for (text, mode) in [("0", None), ("-1", None), ("0640", Some(0o640)), ("644", Some(0o644))] {
        assert_eq!(text.parse::<FilePerm>().unwrap().mode(), mode);
    }
    for text in ["rw", "680", "77777", ""] {
        assert!(text.parse::<FilePerm>().is_err(), "{text}");
    }
}

#[test]
fn every_back_end_of_glance_is_named() {
    let with = |kind: &str| open(&Settings { default_store: kind.into(), ..Settings::default() }).err().unwrap();
    for kind in ["cinder", "vmware"] {
        assert!(matches!(with(kind), OpenError::NotBuilt { .. }), "{kind}");
    }
    assert_eq!(
        with("nfs").to_string(),
        "'nfs' is no kind of store; known are file, http, rbd, swift, s3, cinder, vmware"
    );
}

#[test]
fn a_folder_that_cannot_be_is_named() {
    let dir = tempfile::tempdir().unwrap();
    fs::write(dir.path().join("file"), b"").unwrap();
    let folder = dir.path().join("file/images");
    let error = open(&settings(&folder)).err().unwrap();
    assert_eq!(error.to_string(), format!("the folder of the file store, {}, cannot be made", folder.display()));
}

#[tokio::test]
async fn announced_data_that_cannot_fit_is_refused_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = open(&settings(dir.path())).unwrap();
    let limits = Limits { size_cap: u64::MAX, expected: Some(1 << 60), ..LIMITS };
    let error = put(&*store, &id(1), b"x", limits).await.unwrap_err();
    let IngestError::Store(StoreError::Full { path, wanted, .. }) = &error else { panic!("{error:?}") };
    assert_eq!((path.as_path(), *wanted), (dir.path(), Some(1 << 60)));
    assert!(names(dir.path()).is_empty());
}

/// A small file system at `at`; none (and a word why) where mounting is not allowed.
fn small_mount(at: &Path, options: &str, flags: nix::mount::MsFlags) -> bool {
    match nix::mount::mount(Some("tmpfs"), at, Some("tmpfs"), flags, Some(options)) {
        Ok(()) => true,
        Err(e) => {
            assert!(std::env::var_os("CI").is_none_or(|it| it != "true"), "mounting a tmpfs: {e}");
            println!("skipped: mounting a tmpfs: {e}");
            false
        }
    }
}

struct Unmount<'a>(&'a Path);

impl Drop for Unmount<'_> {
    fn drop(&mut self) {
        let _ = nix::mount::umount2(self.0, nix::mount::MntFlags::MNT_DETACH);
    }
}

#[tokio::test]
async fn a_full_disk_says_so_and_works_again_when_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    if !small_mount(dir.path(), "size=3m", nix::mount::MsFlags::empty()) {
        return;
    }
    let _unmount = Unmount(dir.path());
    let store = open(&settings(dir.path())).unwrap();
    let data = noise(2_000_000);
    put(&*store, &id(1), &data, LIMITS).await.unwrap().commit().await.unwrap();
    let error = put(&*store, &id(2), &noise(9_000_000), LIMITS).await.unwrap_err();
    let IngestError::Store(full @ StoreError::Full { .. }) = &error else { panic!("{error:?}") };
    assert!(full.to_string().starts_with(&format!("the store at {} is full: ", dir.path().display())), "{full}");
    assert_eq!(names(dir.path()), [id(1).to_string()]);
    store.remove(&store.url(&id(1))).await.unwrap();
    put(&*store, &id(2), &data, LIMITS).await.unwrap().commit().await.unwrap();
}

#[tokio::test]
async fn a_read_only_disk_denies_writes_and_serves_reads() {
    let dir = tempfile::tempdir().unwrap();
    if !small_mount(dir.path(), "size=3m", nix::mount::MsFlags::empty()) {
        return;
    }
    let _unmount = Unmount(dir.path());
    fs::write(dir.path().join(id(1).as_str()), b"here").unwrap();
    assert!(small_mount(dir.path(), "size=3m", nix::mount::MsFlags::MS_REMOUNT | nix::mount::MsFlags::MS_RDONLY));
    let store = open(&settings(dir.path())).unwrap();
    assert_eq!(get(&*store, &store.url(&id(1)), 0..4).await.unwrap(), b"here");
    let error = put(&*store, &id(2), b"x", LIMITS).await.unwrap_err();
    assert!(matches!(error, IngestError::Store(StoreError::Denied { .. })), "{error:?}");
    assert!(matches!(store.remove(&store.url(&id(1))).await, Err(StoreError::Denied { .. })));
}

/// Drops the future of an upload after `polls` polls, wherever that is.
async fn cancel_after(store: Arc<dyn Store>, polls: usize, data: Vec<u8>) -> bool {
    let upload = async move {
        let body = chunks(&data, 50_000).then(|it| async {
            tokio::task::yield_now().await;
            it
        });
        ingest(body, &*store, &id(9), LIMITS).await.unwrap().commit().await.unwrap();
    };
    let mut upload = Box::pin(upload);
    for _ in 0..polls {
        if futures_util::poll!(&mut upload).is_ready() {
            return true;
        }
        tokio::time::sleep(Duration::from_micros(300)).await;
    }
    false
}

#[test]
fn dropping_an_upload_anywhere_leaves_all_or_nothing() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
    let dir = tempfile::tempdir().unwrap();
    let store = open(&settings(dir.path())).unwrap();
    let data = noise(2_500_000);
    let (mut completed, mut polls) = (0, 0);
    while completed < 3 {
        polls += 1;
        let done = runtime.block_on(cancel_after(store.clone(), polls, data.clone()));
        runtime.block_on(async {
            if done {
                completed += 1;
                assert!(fs::read(dir.path().join(id(9).as_str())).unwrap() == data);
                store.remove(&store.url(&id(9))).await.unwrap();
            }
            settled_empty(dir.path()).await;
        });
    }
    assert!(polls > 50, "{polls}");
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(16))]
    #[test]
    fn any_range_of_any_data_comes_back(len in 0_usize..3_000_000, cut in 1_usize..400_000, a in 0.0..1.0_f64, b in 0.0..1.0_f64, sparse: bool) {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&Settings { filesystem_thin_provisioning: sparse, ..settings(dir.path()) }).unwrap();
        let mut data = noise(len);
        data.iter_mut().skip(len / 3).take(len / 2).for_each(|it| *it = 0);
        let (a, b) = ((a * len as f64) as usize, (b * len as f64) as usize);
        let (start, end) = (a.min(b), a.max(b));
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let back = runtime.block_on(async {
            let staged = ingest(chunks(&data, cut), &*store, &id(1), LIMITS).await.unwrap();
            staged.commit().await.unwrap();
            get(&*store, &store.url(&id(1)), start as u64..end as u64).await.unwrap()
        });
        prop_assert!(back == data[start..end]);
    }

    #[test]
    fn no_url_panics_or_escapes(url in "(file|filesystem)?(://)?[a-z./~%\\\\ -]{0,40}") {
        let dir = tempfile::tempdir().unwrap();
        let store = open(&settings(&dir.path().join("in"))).unwrap();
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        prop_assert!(runtime.block_on(store.size(&url)).is_err());
    }
}
