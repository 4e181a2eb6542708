//! The image cache, on a real folder.

use super::{Fixture, project, raw, read_all, settings};
use crate::catalogue::{
    Settings,
    service::{CacheTarget, Fault, Service},
};
use crate::db::{self, scratch};
use crate::identity::Caller;
use crate::image::{Image, ImageId, NewImage, Visibility};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt};
use std::{fs, path::PathBuf, time::Duration};

const URL: &str = "http://one.example:9292";

/// A service whose downloads go through a cache of `max` bytes.
async fn caching(max: u64) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::open(with_cache(settings(dir.path()), dir.path().join("cache"), URL, max)).await.unwrap();
    Fixture { dir, service }
}

fn with_cache(mut settings: Settings, dir: PathBuf, url: &str, max: u64) -> Settings {
    settings.worker_self_reference_url = Some(url.to_owned());
    settings.cache.image_cache_dir = Some(dir);
    settings.cache.image_cache_max_size = max;
    settings.cache.caching = true;
    settings
}

fn data(length: usize, seed: usize) -> Vec<u8> {
    (0..length).map(|it| ((it / 5 + seed) % 253) as u8).collect()
}

impl Fixture {
    fn cached_file(&self, id: &ImageId) -> PathBuf {
        self.dir.path().join("cache").join(id.as_str())
    }

    async fn active(&self, data: &[u8]) -> Image {
        let id = self.queued().await.id;
        self.put(&id, data).await.unwrap();
        self.show(&id).await
    }

    /// All that the image has, and whatever a download left to be done is done.
    async fn fetch(&self, id: &ImageId) -> Vec<u8> {
        let got = read_all(&self.service, &Caller::admin(), id).await.unwrap();
        self.service.settle().await;
        got
    }

    fn rows(&self) -> i64 {
        self.count("SELECT count(*) FROM cached_images")
    }

    /// Nothing unfinished is left, or it goes at once: the thread that wrote it removes it.
    async fn assert_nothing_left(&self) {
        let left = || fs::read_dir(self.dir.path().join("cache/incomplete")).unwrap().count();
        for _ in 0..6000 {
            if left() == 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("{} files are left", left());
    }

    async fn state(&self) -> (Vec<ImageId>, Vec<ImageId>) {
        let state = self.service.cache_state(&Caller::admin()).await.unwrap();
        (state.cached.into_iter().map(|it| it.image).collect(), state.queued)
    }
}

#[tokio::test]
async fn the_second_download_does_without_the_store() {
    let fixture = caching(1 << 30).await;
    let data = data(3_500_000, 1);
    let image = fixture.active(&data).await;
    assert_eq!(fixture.fetch(&image.id).await, data);
    assert_eq!(fs::read(fixture.cached_file(&image.id)).unwrap(), data);
    let row = &fixture.service.cache_state(&Caller::admin()).await.unwrap().cached[0];
    assert_eq!((&row.image, row.size, row.hits, &row.checksum), (&image.id, 3_500_000, 0, &image.checksum));
    fs::remove_file(fixture.file(&image.id)).unwrap();
    assert_eq!(fixture.fetch(&image.id).await, data);
    let download = fixture.service.download(&Caller::admin(), &image.id).await.unwrap().unwrap();
    let part: Vec<Bytes> = download.read(1_000_000..2_500_000).await.unwrap().try_collect().await.unwrap();
    assert_eq!(part.concat(), data[1_000_000..2_500_000]);
    fixture.service.settle().await;
    let row = &fixture.service.cache_state(&Caller::admin()).await.unwrap().cached[0];
    assert!(row.hits == 2 && row.last_accessed > row.last_modified, "{row:?}");
}

#[tokio::test]
async fn a_part_fills_nothing() {
    let fixture = caching(1 << 30).await;
    let image = fixture.active(&data(10_000, 1)).await;
    let download = fixture.service.download(&Caller::admin(), &image.id).await.unwrap().unwrap();
    let _: Vec<Bytes> = download.read(0..9_999).await.unwrap().try_collect().await.unwrap();
    fixture.service.settle().await;
    assert_eq!(fixture.rows(), 0);
    fixture.assert_nothing_left().await;
}

#[tokio::test]
async fn of_many_first_downloads_those_given_up_do_no_harm() {
    let fixture = caching(1 << 30).await;
    let data = data(5_000_000, 3);
    let id = fixture.active(&data).await.id;
    for given_up in 0..4 {
        let mut streams = Vec::new();
        for _ in 0..4 {
            let download = fixture.service.download(&Caller::admin(), &id).await.unwrap().unwrap();
            let mut stream = download.read(0..download.size).await.unwrap();
            let first = stream.next().await.unwrap().unwrap();
            streams.push((stream, first));
        }
        drop(streams.remove(given_up));
        for (stream, first) in streams {
            let rest: Vec<Bytes> = stream.try_collect().await.unwrap();
            assert_eq!([vec![first], rest].concat().concat(), data);
        }
        fixture.service.settle().await;
        let file = fixture.cached_file(&id);
        assert!(!file.exists() || fs::read(&file).unwrap() == data);
        assert_eq!(i64::from(file.exists()), fixture.rows());
        fixture.assert_nothing_left().await;
        let both = CacheTarget { cached: true, queued: true };
        fixture.service.cache_clear(&Caller::admin(), both).await.unwrap();
    }
    assert_eq!(fixture.fetch(&id).await, data);
    assert_eq!(fs::read(fixture.cached_file(&id)).unwrap(), data);
}

#[tokio::test]
async fn data_that_is_not_the_images_is_not_cached() {
    let fixture = caching(1 << 30).await;
    let id = fixture.active(&data(100_000, 1)).await.id;
    fs::write(fixture.file(&id), data(100_000, 2)).unwrap();
    fixture.fetch(&id).await;
    assert!(!fixture.cached_file(&id).exists());
    assert_eq!(fixture.rows(), 0);
    fixture.assert_nothing_left().await;
}

#[tokio::test]
async fn what_is_too_large_is_not_cached_and_the_oldest_go_first() {
    let fixture = caching(250_000).await;
    let large = fixture.active(&data(250_001, 1)).await.id;
    assert_eq!(fixture.fetch(&large).await.len(), 250_001);
    assert_eq!(fixture.rows(), 0);
    let refused = fixture.service.cache_image(&Caller::admin(), &large).await;
    assert!(matches!(refused, Err(Fault::TooLarge(_))), "{refused:?}");
    let mut ids = Vec::new();
    for seed in 0..3 {
        let id = fixture.active(&data(100_000, seed)).await.id;
        fixture.fetch(&id).await;
        if seed == 1 {
            // The first one is read again, so that the second one is the oldest.
            fixture.fetch(&ids[0]).await;
        }
        ids.push(id);
    }
    let there: Vec<bool> = ids.iter().map(|it| fixture.cached_file(it).exists()).collect();
    assert_eq!((there, fixture.rows()), (vec![true, false, true], 2));
    // A file of which nothing is known does not stop a prune (Glance's loops for ever).
    let stranger = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    fs::write(fixture.cached_file(&stranger), [0; 90_000]).unwrap();
    let pruned = fixture.service.cache_prune(&Caller::admin()).await.unwrap();
    assert_eq!((pruned.files, pruned.bytes, fixture.rows()), (1, 90_000, 2));
}

#[tokio::test]
async fn files_that_were_there_are_verified_before_they_are_served() {
    let fixture = caching(1 << 30).await;
    let good = fixture.active(&data(100_000, 1)).await.id;
    let bad = fixture.active(&data(100_000, 2)).await.id;
    let short = fixture.active(&data(100_000, 3)).await.id;
    let unknown: ImageId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    fs::write(fixture.cached_file(&good), data(100_000, 1)).unwrap();
    for id in [&bad, &unknown] {
        fs::write(fixture.cached_file(id), [0; 100_000]).unwrap();
    }
    fs::write(fixture.cached_file(&short), [0; 10]).unwrap();
    fixture.sql(&format!(
        "INSERT INTO cached_images (image_id, last_accessed, last_modified, size, hits, checksum, node_reference_id)
         VALUES ('{bad}', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 100000, 7, NULL, 1),
                ('{good}', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 100000, 7, NULL, 1),
                ('00000000-0000-4000-8000-000000000002', '2026-01-01 00:00:00.000000', '2026-01-01 00:00:00.000000', 1, 7, NULL, 1)"
    ));
    assert_eq!(fixture.fetch(&bad).await, data(100_000, 2));
    fixture.service.review_cache().await.unwrap();
    assert_eq!(fixture.state().await.0, std::slice::from_ref(&good));
    for id in [&bad, &short, &unknown] {
        assert!(!fixture.cached_file(id).exists(), "{id}");
    }
    fs::remove_file(fixture.file(&good)).unwrap();
    assert_eq!(fixture.fetch(&good).await, data(100_000, 1));
    assert_eq!(fixture.count("SELECT hits FROM cached_images"), 8);
}

#[tokio::test]
async fn an_image_deleted_by_another_node_goes_at_the_next_look() {
    let fixture = caching(1 << 30).await;
    let id = fixture.active(&data(1000, 1)).await.id;
    fixture.fetch(&id).await;
    let base = settings(fixture.dir.path());
    let cache = fixture.dir.path().join("other");
    let other = Service::open(with_cache(base, cache, "http://two.example:9292", 1 << 30)).await.unwrap();
    read_all(&other, &Caller::admin(), &id).await.unwrap();
    other.settle().await;
    let nodes = fixture.service.cache_nodes(&Caller::admin(), &id).await.unwrap();
    assert_eq!(nodes, [URL, "http://two.example:9292"]);
    other.delete(&Caller::admin(), &id).await.unwrap();
    assert!(fixture.cached_file(&id).exists());
    assert_eq!(fixture.rows(), 1);
    // Nobody gets it meanwhile.
    let asked = fixture.service.download(&Caller::admin(), &id).await;
    assert!(matches!(asked, Err(Fault::NotFound(_) | Fault::NoImage(_))));
    fixture.service.review_cache().await.unwrap();
    assert!(!fixture.cached_file(&id).exists());
    assert_eq!(fixture.rows(), 0);
}

#[tokio::test]
async fn what_is_queued_is_fetched() {
    let fixture = caching(1 << 30).await;
    let admin = Caller::admin();
    let image = fixture.active(&data(2_000_000, 1)).await;
    let waiting = fixture.queued().await.id;
    let unknown: ImageId = "00000000-0000-4000-8000-000000000001".parse().unwrap();
    fixture.service.cache_image(&admin, &image.id).await.unwrap();
    assert!(matches!(fixture.service.cache_image(&admin, &waiting).await, Err(Fault::Invalid(_))));
    assert!(matches!(fixture.service.cache_image(&admin, &unknown).await, Err(Fault::NotFound(_) | Fault::NoImage(_))));
    // The older paths take what is no active image, and it waits.
    fixture.service.manage_queue(&admin, &waiting).await.unwrap();
    fixture.service.manage_queue(&admin, &unknown).await.unwrap();
    assert_eq!(fixture.state().await.1, [&image.id, &waiting, &unknown].map(Clone::clone));
    let done = fixture.service.prefetch().await.unwrap();
    assert_eq!((done.cached, done.failed.len()), (vec![image.id.clone()], 2));
    assert_eq!(fixture.state().await, (vec![image.id.clone()], vec![waiting.clone(), unknown.clone()]));
    assert_eq!(fs::read(fixture.cached_file(&image.id)).unwrap(), data(2_000_000, 1));
    fixture.put(&waiting, b"now it has data").await.unwrap();
    assert_eq!(fixture.service.prefetch().await.unwrap().cached, std::slice::from_ref(&waiting));
    fixture.service.cache_image(&admin, &waiting).await.unwrap();
    fixture.service.cache_delete(&admin, &unknown).await.unwrap();
    assert!(matches!(
        fixture.service.cache_delete(&admin, &unknown).await,
        Err(Fault::NotFound(_) | Fault::NoImage(_))
    ));
    fixture.service.cache_delete(&admin, &waiting).await.unwrap();
    assert_eq!(fixture.state().await, (vec![image.id.clone()], Vec::new()));
    fixture.service.delete(&admin, &image.id).await.unwrap();
    assert_eq!(fixture.state().await, (Vec::new(), Vec::new()));
}

#[tokio::test]
async fn leftovers_are_cleaned() {
    let fixture = caching(1 << 30).await;
    let cache = fixture.dir.path().join("cache");
    let old = std::time::SystemTime::now() - Duration::from_secs(90_000);
    for name in ["invalid/a", "incomplete/old", "incomplete/new"] {
        fs::write(cache.join(name), "x").unwrap();
    }
    let stalled = fs::File::options().append(true).open(cache.join("incomplete/old")).unwrap();
    stalled.set_modified(old).unwrap();
    drop(stalled);
    let cleaned = fixture.service.cache_clean(&Caller::admin()).await.unwrap();
    assert_eq!((cleaned.invalid, cleaned.stalled), (1, 1));
    assert!(cache.join("incomplete/new").exists() && !cache.join("incomplete/old").exists());
}

#[tokio::test]
async fn a_cached_file_that_fails_on_the_way_fails_nobody() {
    let fixture = caching(1 << 30).await;
    let data = data(9_000_000, 1);
    let id = fixture.active(&data).await.id;
    fixture.fetch(&id).await;
    let download = fixture.service.download(&Caller::admin(), &id).await.unwrap().unwrap();
    let mut stream = download.read(0..download.size).await.unwrap();
    let first = stream.next().await.unwrap().unwrap();
    fs::File::options().write(true).open(fixture.cached_file(&id)).unwrap().set_len(5_000_000).unwrap();
    let rest: Vec<Bytes> = stream.try_collect().await.unwrap();
    assert!([vec![first], rest].concat().concat() == data);
    assert_eq!(fixture.rows(), 0);
    assert!(!fixture.cached_file(&id).exists());
}

#[tokio::test]
async fn the_cache_gives_nothing_to_those_who_may_not_download() {
    let fixture = caching(1 << 30).await;
    let owner = project("owner");
    let new = NewImage { visibility: Some(Visibility::Private), ..raw() };
    let id = fixture.service.create(&owner, new).await.unwrap().id;
    fixture.put(&id, b"secret").await.unwrap();
    fixture.fetch(&id).await;
    assert!(fixture.cached_file(&id).exists());
    let reader = Caller { roles: vec!["reader".to_owned()], ..project("owner") };
    assert!(matches!(fixture.service.download(&reader, &id).await, Err(Fault::Forbidden(_))));
    assert!(matches!(
        fixture.service.download(&project("other"), &id).await,
        Err(Fault::NotFound(_) | Fault::NoImage(_))
    ));
    fixture.service.deactivate(&Caller::admin(), &id).await.unwrap();
    assert!(matches!(fixture.service.download(&owner, &id).await, Err(Fault::Forbidden(_))));
    // An admin gets a deactivated image, from the store.
    fs::write(fixture.file(&id), b"stored").unwrap();
    assert_eq!(fixture.fetch(&id).await, b"stored");
    for refused in [
        fixture.service.cache_state(&owner).await.err(),
        fixture.service.managed_state(&owner).await.err(),
        fixture.service.cache_image(&owner, &id).await.err(),
        fixture.service.cache_delete(&owner, &id).await.err(),
        fixture.service.cache_nodes(&owner, &id).await.err(),
        fixture.service.cache_clean(&owner).await.err(),
        fixture.service.cache_prune(&owner).await.err(),
        fixture.service.cache_clear(&owner, CacheTarget { cached: true, queued: true }).await.err(),
    ] {
        assert!(
            matches!(&refused, Some(Fault::Forbidden(words)) if words.starts_with("You are not authorized to complete ")),
            "{refused:?}"
        );
    }
    let hidden = fixture.service.cache_delete(&project("other"), &id).await;
    assert!(matches!(hidden, Err(Fault::NotFound(_) | Fault::NoImage(_))), "{hidden:?}");
    assert!(fixture.cached_file(&id).exists());
}

#[tokio::test]
async fn a_site_without_a_cache_has_none_and_one_without_a_name_is_told() {
    let fixture = super::fixture().await;
    let none = fixture.service.cache_state(&Caller::admin()).await;
    assert!(matches!(&none, Err(Fault::NotFound(words)) if words.contains("not supported at this site")), "{none:?}");
    let base = settings(fixture.dir.path());
    let mut nameless = with_cache(base, fixture.dir.path().join("cache"), URL, 1 << 30);
    nameless.worker_self_reference_url = None;
    let error = Service::open(nameless.clone()).await.err().unwrap();
    assert!(
        crate::base::chain(&error).to_string().contains("'worker_self_reference_url' needs to be set"),
        "{error:?}"
    );
    nameless.cache.image_cache_driver = "sqlite".parse().unwrap();
    let mut names = Vec::new();
    for _ in 0..2 {
        let service = Service::open(nameless.clone()).await.unwrap();
        let id = fixture.active(b"data").await.id;
        read_all(&service, &Caller::admin(), &id).await.unwrap();
        service.settle().await;
        let nodes = service.cache_nodes(&Caller::admin(), &id).await;
        assert!(matches!(nodes, Err(Fault::Conflict(_))), "{nodes:?}");
        names.push(fixture.count("SELECT count(*) FROM node_reference"));
    }
    // The folder keeps its name.
    assert_eq!((names, fixture.rows()), (vec![1, 1], 2));
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_server_keeps_the_records() {
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let base = with_cache(settings(dir.path()), dir.path().join("cache"), URL, 150_000);
        let database = db::Settings { connection: scratch.url.clone(), ..db::Settings::default() };
        let fixture = Fixture { service: Service::open(Settings { database, ..base }).await.unwrap(), dir };
        let admin = Caller::admin();
        let (one, two) = (fixture.active(&data(100_000, 1)).await, fixture.active(&data(100_000, 2)).await);
        for id in [&one.id, &one.id, &two.id] {
            fixture.fetch(id).await;
        }
        // The second one has displaced the first.
        let row = &fixture.service.cache_state(&admin).await.unwrap().cached[0];
        assert_eq!((&row.image, row.size, row.hits, &row.checksum), (&two.id, 100_000, 0, &two.checksum));
        assert_eq!(fixture.service.cache_nodes(&admin, &two.id).await.unwrap(), [URL], "{}", scratch.kind);
        assert_eq!(fixture.service.cache_nodes(&admin, &one.id).await.unwrap(), Vec::<String>::new());
        fixture.fetch(&two.id).await;
        let row = &fixture.service.cache_state(&admin).await.unwrap().cached[0];
        assert!(row.hits == 1 && row.last_accessed >= row.last_modified, "{}: {row:?}", scratch.kind);
        fixture.service.cache_delete(&admin, &two.id).await.unwrap();
        fs::write(fixture.cached_file(&one.id), data(100_000, 1)).unwrap();
        fixture.service.review_cache().await.unwrap();
        assert_eq!(fixture.state().await.0, std::slice::from_ref(&one.id), "{}", scratch.kind);
        fixture.service.delete(&admin, &one.id).await.unwrap();
        assert_eq!(fixture.state().await.0, Vec::<ImageId>::new());
    }
}
