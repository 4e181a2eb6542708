//! Plugins, on a real database and real folders.

use crate::catalogue::{
    Settings,
    service::{
        Fault, Inject, Plugin, Service,
        imports::tests::{ask, copy_to, direct, fail, property, staged, staging_files, with_stores, work},
        tests::{Fixture, fixture, raw, read_all, settings, upload},
    },
};
use crate::identity::Caller;
use crate::image::{Change, How, ImageId, NewImage, Status};
use flate2::{Compression, write::GzEncoder};
use std::{collections::BTreeMap, io::Write};

fn injecting(settings: &mut Settings, pairs: &[(&str, &str)]) {
    let pairs: BTreeMap<_, _> = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    settings.plugins.inject = Inject { properties: pairs, ..Inject::default() };
    settings.plugins.order.push(Plugin::InjectImageMetadata);
}

async fn with(change: impl FnOnce(&mut Settings)) -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = settings(dir.path());
    change(&mut settings);
    let service = Service::open(settings).await.unwrap();
    Fixture { dir, service }
}

fn gzip(data: &[u8]) -> Vec<u8> {
    let mut encoder = GzEncoder::new(Vec::new(), Compression::default());
    encoder.write_all(data).unwrap();
    encoder.finish().unwrap()
}

#[tokio::test]
async fn properties_are_injected_but_for_those_who_are_exempt() {
    let pairs = [("site", "north"), ("os_glance_import_task", "mine"), ("hw_disk_bus", "scsi")];
    for (role, injected) in [("member", true), ("Admin", false)] {
        let fixture = with(|it| injecting(it, &pairs)).await;
        let caller = Caller { roles: vec![role.to_lowercase()], ..Caller::admin() };
        let mut new = raw();
        new.properties.insert("hw_disk_bus".to_owned(), Some("ide".to_owned()));
        let id = fixture.service.create(&caller, new).await.unwrap().id;
        fixture.service.stage(&caller, &id, upload(b"data")).await.unwrap();
        fixture.service.import(&caller, &id, direct()).await.unwrap();
        assert_eq!(property(&fixture.show(&id).await, "site"), None);
        work(&fixture, &fixture.service).await;
        let image = fixture.show(&id).await;
        let found = ["site", "hw_disk_bus"].map(|it| property(&image, it));
        assert_eq!(found, if injected { [Some("north"), Some("scsi")] } else { [None, Some("ide")] });
        assert_eq!((image.status, property(&image, "os_glance_import_task")), (Status::Active, None));
    }
}

#[tokio::test]
async fn what_fails_injects_nothing() {
    let fixture = with(|it| {
        injecting(it, &[("site", "north")]);
        it.plugins.inject.ignore_user_roles.clear();
    })
    .await;
    let qcow2 = NewImage { disk_format: Some("qcow2".to_owned()), ..raw() };
    let id = fixture.service.create(&Caller::admin(), qcow2).await.unwrap().id;
    fail(&fixture, &id, b"no qcow2", "not accepted as disk_format qcow2").await;
    assert_eq!(property(&fixture.show(&id).await, "site"), None);
}

/// What the operator injects counts, what an import notes does not.
#[tokio::test]
async fn injected_properties_are_within_the_quota() {
    let fixture = with(|it| {
        injecting(it, &[("site", "north")]);
        it.plugins.inject.ignore_user_roles.clear();
        it.image_property_quota = Some(1);
    })
    .await;
    let mut new = raw();
    new.properties.insert("mine".to_owned(), Some("x".to_owned()));
    let id = fixture.service.create(&Caller::admin(), new).await.unwrap().id;
    fail(&fixture, &id, b"data", "The limit has been exceeded on the number of allowed image properties").await;
    let id = staged(&fixture, b"data").await;
    ask(&fixture, &id, direct()).await.unwrap();
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, property(&image, "site")), (Status::Active, Some("north")));
    let put = || Change::SetProperty { name: "mine".to_owned(), value: None, how: How::Put };
    let too_many = fixture.service.change(&Caller::admin(), &id, vec![put()]).await;
    assert!(matches!(too_many, Err(Fault::TooLarge(_))), "{too_many:?}");
    fixture.service.change(&Caller::admin(), &id, vec![Change::Remove("site".to_owned())]).await.unwrap();
    fixture.service.change(&Caller::admin(), &id, vec![put()]).await.unwrap();
}

async fn compressed(fixture: &Fixture, data: &[u8], container: &str) -> ImageId {
    let new = NewImage { container_format: Some(container.to_owned()), ..raw() };
    let id = fixture.service.create(&Caller::admin(), new).await.unwrap().id;
    fixture.service.stage(&Caller::admin(), &id, upload(data)).await.unwrap();
    ask(fixture, &id, direct()).await.unwrap();
    work(fixture, &fixture.service).await;
    id
}

#[tokio::test]
async fn what_is_compressed_is_stored_as_what_is_in_it() {
    let plugged = with(|it| it.plugins.order = vec![Plugin::NoOp, Plugin::ImageDecompression]).await;
    let plain = fixture().await;
    let disk: Vec<u8> = (0..2_000_000_u32).map(|it| (it / 777) as u8).collect();
    let packed = gzip(&disk);
    for (fixture, container, expected) in [
        (&plugged, "bare", &disk),
        (&plugged, "ovf", &disk),
        (&plugged, "compressed", &packed),
        (&plain, "bare", &packed),
    ] {
        let id = compressed(fixture, &packed, container).await;
        let image = fixture.show(&id).await;
        assert_eq!((image.status, image.size), (Status::Active, Some(expected.len() as u64)), "{container}");
        assert!(read_all(&fixture.service, &Caller::admin(), &id).await.unwrap() == *expected);
        assert_eq!(staging_files(fixture), Vec::<String>::new());
        // The hashes are those of what is stored.
        if container == "bare" {
            let direct = fixture.queued().await.id;
            fixture.put(&direct, expected).await.unwrap();
            let other = fixture.show(&direct).await;
            assert_eq!(
                (image.checksum, image.os_hash_value, image.virtual_size),
                (other.checksum, other.os_hash_value, other.virtual_size)
            );
        }
    }
}

#[tokio::test]
async fn bombs_and_what_is_too_large_leave_nothing() {
    let bomb = gzip(&vec![0; 8 << 20]);
    let fixture = with(|it| {
        it.plugins.order = vec![Plugin::ImageDecompression];
        it.plugins.decompression.ratio_limit = 20;
        it.plugins.decompression.ratio_free_size = 1 << 20;
    })
    .await;
    let id = fixture.queued().await.id;
    fail(&fixture, &id, &bomb, "[image_decompression] ratio_limit = 20").await;
    let small = gzip(b"small, and cut");
    fail(&fixture, &id, &small[..small.len() - 9], "the gzip data cannot be read").await;
    let fixture = with(|it| {
        it.plugins.order = vec![Plugin::ImageDecompression];
        it.image_size_cap = 4 << 20;
    })
    .await;
    let id = fixture.queued().await.id;
    fail(&fixture, &id, &bomb, "larger than 4.0 MiB").await;
}

#[tokio::test]
async fn copies_are_left_alone() {
    let dir = tempfile::tempdir().unwrap();
    let mut settings = with_stores(dir.path());
    settings.plugins.order = vec![Plugin::ImageDecompression];
    injecting(&mut settings, &[("site", "north")]);
    settings.plugins.inject.ignore_user_roles.clear();
    let service = Service::open(settings).await.unwrap();
    let fixture = Fixture { dir, service };
    let id = fixture.queued().await.id;
    let packed = gzip(b"data");
    fixture.put(&id, &packed).await.unwrap();
    ask(&fixture, &id, copy_to(&["slow"])).await.unwrap();
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.locations.len(), property(&image, "site")), (2, None));
    assert_eq!(std::fs::read(fixture.dir.path().join("slow").join(id.as_str())).unwrap(), packed);
}

/// A folder as a killed process leaves it, from an hour ago.
fn left_behind(fixture: &Fixture, id: &ImageId) -> std::path::PathBuf {
    let folder = fixture.dir.path().join("staging/.larder-plugins").join(format!("{id}.1.dead"));
    std::fs::create_dir_all(folder.join("converted")).unwrap();
    std::fs::write(folder.join("converted").join(id.as_str()), b"half of it").unwrap();
    let then = std::time::SystemTime::now() - std::time::Duration::from_secs(3600);
    std::fs::File::open(&folder).unwrap().set_modified(then).unwrap();
    folder
}

#[tokio::test]
async fn what_a_killed_process_left_goes_with_its_import_or_by_the_sweep() {
    let fixture = with(|it| it.plugins.order = vec![Plugin::ImageConversion]).await;
    let (waits, stray) = (staged(&fixture, b"data").await, fixture.queued().await.id);
    let [waiting, straying] = [&waits, &stray].map(|it| left_behind(&fixture, it));
    fixture.service.sweep_staging().await.unwrap();
    assert_eq!((waiting.exists(), straying.exists()), (true, false));
    ask(&fixture, &waits, direct()).await.unwrap();
    work(&fixture, &fixture.service).await;
    // A raw disk, which stays as it is.
    assert_eq!(fixture.show(&waits).await.status, Status::Active);
    assert!(!waiting.exists());
    let deleted = staged(&fixture, b"data").await;
    let folder = left_behind(&fixture, &deleted);
    fixture.service.delete(&Caller::admin(), &deleted).await.unwrap();
    assert!(!folder.exists());
}
