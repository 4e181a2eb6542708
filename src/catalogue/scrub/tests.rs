//! Passes, restores and purges on every database.

use super::{RestoreError, Scrubber};
use crate::base::chain;
use crate::catalogue::{
    Settings,
    manage::{self, Purge, TablePurged},
    service::{
        Service,
        tests::{raw, settings, upload},
    },
    tables::pending,
};
use crate::db::{self, DbError, scratch};
use crate::identity::Caller;
use crate::image::{Change, ImageId, Member, Place, Status};
use std::path::{Path, PathBuf};
use tokio_util::sync::CancellationToken;

struct Site {
    settings: Settings,
    service: Service,
}

impl Site {
    async fn open(dir: &Path, database: Option<db::Settings>) -> Self {
        let key = "0123456789abcdef".parse().unwrap();
        let mut settings = Settings {
            delayed_delete: true,
            show_multiple_locations: true,
            metadata_encryption_key: Some(key),
            scrub_pool_size: 3,
            ..settings(dir)
        };
        settings.database = database.unwrap_or(settings.database);
        let service = Service::open(settings.clone()).await.unwrap();
        Self { settings, service }
    }

    fn file(&self, id: &ImageId) -> PathBuf {
        self.settings.store.filesystem_store_datadir.join(id.as_str())
    }

    async fn scrubber(&self) -> Scrubber {
        Scrubber::open(&self.settings).await.unwrap()
    }

    async fn deleted(&self, data: &[u8]) -> ImageId {
        let (admin, mut new) = (Caller::admin(), raw());
        new.tags = ["t".to_owned()].into();
        new.properties = [("a".to_owned(), Some("1".to_owned()))].into();
        new.owner = Some(Some("p".to_owned()));
        let id = self.service.create(&admin, new).await.unwrap().id;
        self.service.upload(&admin, &id, upload(data)).await.unwrap();
        self.service.add_member(&admin, &id, "m".to_owned()).await.unwrap();
        self.service.delete(&admin, &id).await.unwrap();
        id
    }

    /// Images that are due, and whether a page of them reads the same.
    async fn due(&self) -> u64 {
        let (found, listed) = self
            .service
            .db()
            .read::<_, DbError, _>(|tx| {
                let now = chrono::Utc::now();
                Ok((pending::count(tx, now)?.0, pending::due(tx, now, "", 1000)?.len()))
            })
            .await
            .unwrap();
        assert_eq!(found, listed as u64);
        found
    }

    async fn script(&self, sql: &'static str) {
        self.service.db().write::<_, DbError, _>(move |tx| tx.script(sql)).await.unwrap();
    }

    async fn purge(&self, images: bool) -> Vec<(&'static str, u64, u64)> {
        let what = Purge::new(1, -1, images).unwrap();
        let rehearsed = manage::purge(&self.settings.database, what, true).await.unwrap();
        let done = manage::purge(&self.settings.database, what, false).await.unwrap();
        assert_eq!(rehearsed, done);
        done.into_iter().map(|TablePurged { table, rows, needed }| (table, rows, needed)).collect()
    }
}

async fn lives(site: &Site) {
    let (admin, never) = (Caller::admin(), CancellationToken::new());
    let scrubber = site.scrubber().await;
    let (back, stuck, plain) =
        (site.deleted(b"back").await, site.deleted(b"stuck").await, site.deleted(b"plain").await);
    assert_eq!(site.due().await, 3);

    let restored = scrubber.restore(back.as_str()).await.unwrap();
    assert_eq!((restored.locations, restored.warnings.len()), (1, 0));
    let image = site.service.show(&admin, &back).await.unwrap();
    assert_eq!((image.status, image.tags.len(), image.properties.len()), (Status::Active, 1, 1));
    assert_eq!(image.locations[0].url, format!("file://{}", site.file(&back).display()));
    let members: Vec<Member> = site.service.members(&admin, &back).await.unwrap();
    assert_eq!(members.len(), 1);
    assert!(matches!(scrubber.restore(back.as_str()).await, Err(RestoreError::Status(it)) if it == "active"));

    // Nobody removes a folder as a file, not even root.
    std::fs::remove_file(site.file(&stuck)).unwrap();
    std::fs::create_dir(site.file(&stuck)).unwrap();
    let rehearsed = scrubber.rehearse().await.unwrap();
    assert_eq!((rehearsed.scrubbed, rehearsed.bytes), (2, 10));
    let report = scrubber.pass(&never).await.unwrap();
    assert_eq!((report.scrubbed, report.failed), (1, 1), "{:?}", report.failures);
    assert_eq!((site.due().await, site.file(&plain).exists()), (1, false));
    std::fs::remove_dir(site.file(&stuck)).unwrap();
    let report = scrubber.pass(&never).await.unwrap();
    assert_eq!((report.scrubbed, report.failed, site.due().await), (1, 0, 0));
    assert!(matches!(scrubber.restore(stuck.as_str()).await, Err(RestoreError::Status(it)) if it == "deleted"));

    // Two scrubbers, and restores between them.
    let mut ids = Vec::new();
    for n in 0..24_u8 {
        ids.push(site.deleted(&[n]).await);
    }
    let other = site.scrubber().await;
    let restores = async {
        let mut back = Vec::new();
        for id in ids.iter().rev().take(8) {
            match scrubber.restore(id.as_str()).await {
                Ok(_) => back.push(id.clone()),
                Err(RestoreError::Status(_) | RestoreError::NoData { .. }) => {}
                Err(error) => panic!("{}", chain(&error)),
            }
        }
        back
    };
    let (one, two, back) = tokio::join!(scrubber.pass(&never), other.pass(&never), restores);
    assert_eq!((one.unwrap().failures, two.unwrap().failures, site.due().await), (vec![], vec![], 0));
    for id in &ids {
        assert_eq!(site.file(id).exists(), back.contains(id));
        assert_eq!(site.service.show(&admin, id).await.is_ok(), back.contains(id));
    }
}

/// A location that an image has no more waits for the scrubber, and goes with the image.
async fn removed_locations_wait(site: &Site) {
    let (admin, never) = (Caller::admin(), CancellationToken::new());
    let id = site.service.create(&admin, raw()).await.unwrap().id;
    site.service.upload(&admin, &id, upload(b"data")).await.unwrap();
    let other = ImageId::from_random(rand::random());
    std::fs::write(site.file(&other), b"data").unwrap();
    let url = format!("file://{}", site.file(&other).display());
    let sql = format!(
        "INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted)
         VALUES ('{id}', '{url}', '{{}}', 'active', '2026-01-02 03:04:05', '2026-01-02 03:04:05', false)"
    );
    site.service.db().write::<_, DbError, _>(move |tx| tx.script(&sql)).await.unwrap();
    let image = site.service.change(&admin, &id, vec![Change::RemoveLocation(Place::Index(1))]).await.unwrap();
    assert_eq!(image.locations.len(), 1);
    site.service.remove_leftovers(None).await.unwrap();
    assert_eq!(site.scrubber().await.pass(&never).await.unwrap().scrubbed, 0);
    assert!(site.file(&other).exists(), "it waits");

    // Long before its image is deleted.
    site.script("UPDATE image_locations SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL").await;
    site.service.delete(&admin, &id).await.unwrap();
    assert_eq!(site.scrubber().await.restore(id.as_str()).await.unwrap().locations, 1);
    assert_eq!(site.service.show(&admin, &id).await.unwrap().locations, image.locations, "it does not come back");
    site.service.delete(&admin, &id).await.unwrap();
    site.service.remove_leftovers(None).await.unwrap();
    assert!(site.file(&other).exists() && site.file(&id).exists());
    assert_eq!(site.scrubber().await.pass(&never).await.unwrap().scrubbed, 1);
    assert!(!site.file(&other).exists() && !site.file(&id).exists());
}

async fn ends(site: &Site) {
    site.deleted(b"data").await;
    site.script("UPDATE images SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL").await;
    for sql in [
        "UPDATE image_locations SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL",
        "UPDATE image_properties SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL",
        "UPDATE image_tags SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL",
        "UPDATE image_members SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL",
        "INSERT INTO tasks (id, type, status, owner, created_at, deleted_at, deleted)
         VALUES ('t', 'import', 'success', 'p', '2026-01-02 03:04:05', '2026-01-02 03:04:05', true)",
        "INSERT INTO task_info (task_id) VALUES ('t')",
    ] {
        site.script(sql).await;
    }
    let (_, waiting) = (site.purge(true).await, site.purge(false).await);
    assert!(waiting[0] == ("task_info", 1, 0) && waiting[5] == ("tasks", 1, 0), "{waiting:?}");
    let gone = waiting[1].1;
    assert!(
        gone > 0 && waiting[2] == ("image_tags", gone, 0) && waiting[4] == ("image_members", gone, 0),
        "{waiting:?}"
    );
    assert_eq!(waiting[3], ("image_locations", gone - 1, 1));
    assert_eq!(site.purge(true).await, [("images", gone - 1, 1)]);
    site.scrubber().await.pass(&CancellationToken::new()).await.unwrap();
    site.script("UPDATE image_locations SET deleted_at = '2026-01-02 03:04:05' WHERE deleted_at IS NOT NULL").await;
    assert_eq!(site.purge(false).await[3], ("image_locations", 1, 0));
    assert_eq!(site.purge(true).await, [("images", 1, 0)]);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn deleted_images_live_and_end_the_same_on_every_database() {
    let dir = tempfile::tempdir().unwrap();
    let site = Site::open(dir.path(), None).await;
    lives(&site).await;
    ends(&site).await;
    removed_locations_wait(&site).await;
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let database = db::Settings { connection: scratch.url.clone(), ..db::Settings::default() };
        let site = Site::open(dir.path(), Some(database)).await;
        lives(&site).await;
        ends(&site).await;
        removed_locations_wait(&site).await;
    }
}
