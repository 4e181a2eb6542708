//! Imports, on a real database and real folders.

use super::{InPlace, NewImport, order::Order};
use crate::base::digest::Algorithm;
use crate::catalogue::{
    Settings,
    service::{
        Fault, Service, Upload,
        tests::{Fixture, fixture, raw, read_all, settings, upload},
    },
    tables::imports,
    workers,
};
use crate::db::{DbError, Tx};
use crate::identity::Caller;
use crate::image::{Image, ImageId, Import, ImportMethod, NewImage, Status, Targets, task::Task};
use crate::store::Backend;
use serde_json::json;
use std::{path::Path, time::Duration};

fn import(method: ImportMethod, targets: Targets) -> NewImport {
    let import = Import { method, uri: None, elsewhere: None, targets, all_must_succeed: true };
    NewImport { import, document: json!({"method": {"name": method.as_str()}}), request: "req-1".to_owned() }
}

pub(in crate::catalogue::service) fn direct() -> NewImport {
    import(ImportMethod::GlanceDirect, Targets::Default)
}

pub(super) fn copy_to(stores: &[&str]) -> NewImport {
    import(ImportMethod::CopyImage, these(stores))
}

/// Has the data imported, which fails with these words and leaves nothing.
pub(super) async fn fail(fixture: &Fixture, id: &ImageId, data: &[u8], words: &str) {
    fixture.service.stage(&Caller::admin(), id, upload(data)).await.unwrap();
    ask(fixture, id, direct()).await.unwrap();
    work(fixture, &fixture.service).await;
    let image = fixture.show(id).await;
    assert_eq!((image.status, image.size, image.locations.len()), (Status::Queued, None, 0));
    let tasks = fixture.service.tasks_of(&Caller::admin(), id).await.unwrap();
    let told: Vec<_> = tasks.into_iter().filter_map(|it| it.message).collect();
    assert!(told.iter().any(|it| it.contains(words)), "{told:?}");
    assert_eq!(staging_files(fixture), Vec::<String>::new());
    fixture.assert_no_bytes().await;
}

fn these(stores: &[&str]) -> Targets {
    Targets::These(stores.iter().map(|it| (*it).to_owned()).collect())
}

/// fast, slow and a read-only store.
pub(super) fn with_stores(dir: &Path) -> Settings {
    let mut settings = settings(dir);
    let backend = |id: &str, kind: &str| {
        let mut own = settings.store.clone();
        own.filesystem_store_datadir = dir.join(id);
        kind.clone_into(&mut own.default_store);
        Backend { id: id.to_owned(), description: String::new(), weight: 0, settings: own }
    };
    settings.store.backends = vec![backend("fast", "file"), backend("slow", "file"), backend("web", "http")];
    "fast".clone_into(&mut settings.store.default_backend);
    settings
}

async fn several() -> Fixture {
    let dir = tempfile::tempdir().unwrap();
    let service = Service::open(with_stores(dir.path())).await.unwrap();
    Fixture { dir, service }
}

/// Works off what waits.
pub(in crate::catalogue::service) async fn work(fixture: &Fixture, service: &Service) {
    service.take_imports().await.unwrap();
    for _ in 0..3000 {
        if fixture.count("SELECT count(*) FROM larder_imports") == 0 && service.uploading().is_empty() {
            return;
        }
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    panic!("an import does not end: {}", fixture.text("SELECT order_json FROM larder_imports"));
}

pub(super) async fn staged(fixture: &Fixture, data: &[u8]) -> ImageId {
    let id = fixture.queued().await.id;
    fixture.service.stage(&Caller::admin(), &id, upload(data)).await.unwrap();
    id
}

pub(super) async fn ask(fixture: &Fixture, id: &ImageId, new: NewImport) -> Result<(), Fault> {
    fixture.service.import(&Caller::admin(), id, new).await
}

pub(super) async fn task(fixture: &Fixture, id: &ImageId) -> Task {
    fixture.service.tasks_of(&Caller::admin(), id).await.unwrap().pop().unwrap()
}

pub(super) fn property<'a>(image: &'a Image, name: &str) -> Option<&'a str> {
    image.properties.get(name).and_then(Option::as_deref)
}

pub(in crate::catalogue::service) fn staging_files(fixture: &Fixture) -> Vec<String> {
    let names = std::fs::read_dir(fixture.dir.path().join("staging")).unwrap();
    let names = names.map(|it| it.unwrap().file_name().into_string().unwrap());
    names.filter(|it| !it.starts_with('.')).collect()
}

fn stores_of(image: &Image) -> Vec<&str> {
    image.locations.iter().filter_map(|it| it.store()).collect()
}

#[tokio::test]
async fn staged_data_becomes_the_images() {
    let fixture = fixture().await;
    let data = vec![7; 3_000_000];
    let id = staged(&fixture, &data).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, image.size, image.checksum), (Status::Uploading, Some(3_000_000), None));
    assert_eq!(staging_files(&fixture), [id.to_string()]);
    ask(&fixture, &id, direct()).await.unwrap();
    let image = fixture.show(&id).await;
    let lock = property(&image, "os_glance_import_task").unwrap().to_owned();
    assert_eq!((image.status, task(&fixture, &id).await.id), (Status::Importing, lock));
    assert!(matches!(ask(&fixture, &id, direct()).await, Err(Fault::Conflict(_))));
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, image.size, image.virtual_size), (Status::Active, Some(3_000_000), Some(3_000_000)));
    assert!(image.checksum.is_some() && image.os_hash_value.is_some_and(|it| it.len() == 128));
    let left: Vec<_> = fixture.show(&id).await.properties.into_iter().collect();
    let empty = |name: &str| (name.to_owned(), Some(String::new()));
    assert_eq!(left, [empty("os_glance_failed_import"), empty("os_glance_importing_to_stores")]);
    assert_eq!(read_all(&fixture.service, &Caller::admin(), &id).await.unwrap(), data);
    assert_eq!(staging_files(&fixture), Vec::<String>::new());
    let task = task(&fixture, &id).await;
    assert_eq!((task.status.as_str(), task.kind.as_str()), ("success", "api_image_import"));
    assert_eq!(task.result, Some(json!({"image_id": id}).to_string()));
    assert_eq!(task.message.as_deref(), Some("Copied 2 MiB"));
    assert!(task.input.unwrap().contains(r#""backend":[null]"#) && task.expires_at.is_some());
    assert_eq!(fixture.count("SELECT count(*) FROM larder_staged"), 0);
    assert!(matches!(ask(&fixture, &id, direct()).await, Err(Fault::Conflict(_))));
}

#[tokio::test]
async fn staging_that_fails_leaves_nothing() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    let short = Upload { expected: Some(9), ..upload(b"short") };
    assert!(matches!(fixture.service.stage(&Caller::admin(), &id, short).await, Err(Fault::Invalid(_))));
    assert_eq!(fixture.show(&id).await.status, Status::Queued);
    assert_eq!((staging_files(&fixture).len(), fixture.count("SELECT count(*) FROM larder_uploads")), (0, 0));
    fixture.service.stage(&Caller::admin(), &id, upload(b"whole")).await.unwrap();
    let again = fixture.service.stage(&Caller::admin(), &id, upload(b"again")).await;
    assert!(matches!(again, Err(Fault::Conflict(_))));
    // Deleting removes what is staged.
    fixture.service.delete(&Caller::admin(), &id).await.unwrap();
    assert_eq!(staging_files(&fixture), Vec::<String>::new());
}

#[tokio::test]
async fn data_that_is_not_its_format_is_refused() {
    let fixture = fixture().await;
    let qcow2 = NewImage { disk_format: Some("qcow2".to_owned()), ..raw() };
    let id = fixture.service.create(&Caller::admin(), qcow2).await.unwrap().id;
    fixture.service.stage(&Caller::admin(), &id, upload(b"no qcow2 at all")).await.unwrap();
    ask(&fixture, &id, direct()).await.unwrap();
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, image.size, image.locations.len()), (Status::Queued, None, 0));
    let task = task(&fixture, &id).await;
    assert_eq!(task.status, "failure");
    assert!(task.message.unwrap().contains("not accepted as disk_format qcow2"));
    assert_eq!(staging_files(&fixture), Vec::<String>::new());
    fixture.assert_no_bytes().await;
}

#[tokio::test]
async fn data_goes_to_all_stores_that_are_asked_for() {
    let fixture = several().await;
    for (targets, expected) in
        [(Targets::Default, vec!["fast"]), (Targets::All, vec!["fast", "slow"]), (these(&["slow"]), vec!["slow"])]
    {
        let id = staged(&fixture, b"data").await;
        ask(&fixture, &id, import(ImportMethod::GlanceDirect, targets)).await.unwrap();
        let importing = expected.join(",");
        assert_eq!(property(&fixture.show(&id).await, "os_glance_importing_to_stores"), Some(importing.as_str()));
        work(&fixture, &fixture.service).await;
        let image = fixture.show(&id).await;
        assert_eq!((image.status, stores_of(&image)), (Status::Active, expected.clone()));
        for store in expected {
            assert_eq!(std::fs::read(fixture.dir.path().join(store).join(id.as_str())).unwrap(), b"data");
        }
    }
    let id = staged(&fixture, b"data").await;
    let tape = import(ImportMethod::GlanceDirect, these(&["tape"]));
    assert!(matches!(ask(&fixture, &id, tape).await, Err(Fault::Conflict(_))));
}

#[tokio::test]
async fn a_store_that_fails_is_the_end_of_it_or_is_noted() {
    let fixture = several().await;
    for (all, blocked) in [(true, "slow"), (false, "slow"), (true, "web"), (false, "web")] {
        let id = staged(&fixture, b"data").await;
        // Nothing can be written to where a folder stands.
        std::fs::create_dir_all(fixture.dir.path().join("slow").join(id.as_str())).unwrap();
        let mut new = import(ImportMethod::GlanceDirect, these(&["fast", blocked]));
        new.import.all_must_succeed = all;
        ask(&fixture, &id, new).await.unwrap();
        work(&fixture, &fixture.service).await;
        let (image, task) = (fixture.show(&id).await, task(&fixture, &id).await);
        let without = if all { format!("fast,{blocked}") } else { blocked.to_owned() };
        assert_eq!(property(&image, "os_glance_failed_import"), Some(without.as_str()));
        assert_eq!(property(&image, "os_glance_importing_to_stores"), Some(""));
        let stands = fixture.dir.path().join("fast").join(id.as_str()).exists();
        if all {
            assert_eq!((image.status, stands, task.status.as_str()), (Status::Queued, false, "failure"));
            assert!(task.message.unwrap().contains(blocked));
            // It can be tried again.
            fixture.service.stage(&Caller::admin(), &id, upload(b"more")).await.unwrap();
        } else {
            assert_eq!((image.status, stores_of(&image), stands), (Status::Active, vec!["fast"], true));
            assert_eq!(task.status, "success");
        }
    }
}

#[tokio::test]
async fn an_image_is_copied_to_further_stores() {
    let fixture = several().await;
    let id = fixture.queued().await.id;
    fixture.put(&id, b"data").await.unwrap();
    let copy = |targets| import(ImportMethod::CopyImage, targets);
    assert!(matches!(ask(&fixture, &id, copy(these(&["fast"]))).await, Err(Fault::Invalid(_))));
    assert!(matches!(ask(&fixture, &id, direct()).await, Err(Fault::Conflict(_))));
    ask(&fixture, &id, copy(Targets::All)).await.unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Active);
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, stores_of(&image)), (Status::Active, vec!["fast", "slow"]));
    assert_eq!(std::fs::read(fixture.dir.path().join("slow").join(id.as_str())).unwrap(), b"data");
    assert!(!fixture.dir.path().join("staging").join(id.as_str()).exists());
    // Nothing is left to do.
    ask(&fixture, &id, copy(Targets::All)).await.unwrap();
    assert_eq!(fixture.count("SELECT count(*) FROM larder_imports"), 0);
}

#[tokio::test]
async fn a_damaged_image_is_not_copied() {
    let fixture = several().await;
    let id = fixture.queued().await.id;
    fixture.put(&id, b"data").await.unwrap();
    std::fs::write(fixture.dir.path().join("fast").join(id.as_str()), b"dat4").unwrap();
    ask(&fixture, &id, import(ImportMethod::CopyImage, these(&["slow"]))).await.unwrap();
    work(&fixture, &fixture.service).await;
    let (image, task) = (fixture.show(&id).await, task(&fixture, &id).await);
    assert_eq!((image.status, stores_of(&image)), (Status::Active, vec!["fast"]));
    assert!(task.message.unwrap().contains("damaged"));
    assert!(!fixture.dir.path().join("slow").join(id.as_str()).exists());
    assert!(fixture.dir.path().join("fast").join(id.as_str()).exists());
}

/// Data whose hash nobody has told, as that of a location of the web.
#[tokio::test]
async fn a_copy_tells_what_was_not_known_of_the_data() {
    let fixture = several().await;
    let id = fixture.queued().await.id;
    fixture.put(&id, b"data").await.unwrap();
    let before = fixture.show(&id).await;
    let forget = "UPDATE images SET checksum = NULL, os_hash_algo = NULL, os_hash_value = NULL, virtual_size = NULL";
    for (format, stores) in [("raw", vec!["fast", "slow"]), ("qcow2", vec!["fast"])] {
        fixture.sql(forget);
        fixture.sql(&format!("UPDATE images SET disk_format = '{format}'"));
        ask(&fixture, &id, copy_to(&["slow"])).await.unwrap();
        work(&fixture, &fixture.service).await;
        let after = fixture.show(&id).await;
        assert_eq!((after.status, stores_of(&after)), (Status::Active, stores.clone()));
        let known = |it: &Image| (it.checksum.clone(), it.os_hash_value.clone(), it.virtual_size);
        if stores.len() > 1 {
            assert_eq!(known(&after), known(&before));
            fixture.service.delete_from_store(&Caller::admin(), "slow", &id).await.unwrap();
        } else {
            assert_eq!(known(&after), (None, None, None));
            assert!(task(&fixture, &id).await.message.unwrap().contains("not accepted as disk_format qcow2"));
        }
    }
}

#[tokio::test]
async fn tasks_are_shown_to_their_owners() {
    let fixture = fixture().await;
    let id = staged(&fixture, b"data").await;
    ask(&fixture, &id, direct()).await.unwrap();
    work(&fixture, &fixture.service).await;
    fixture.sql("UPDATE images SET visibility = 'public'");
    let reader =
        Caller { is_admin: false, project: Some("p".to_owned()), roles: vec!["reader".to_owned()], ..Caller::admin() };
    for (owner, count) in [("q", 0), ("p", 1)] {
        fixture.sql(&format!("UPDATE tasks SET owner = '{owner}'"));
        assert_eq!(fixture.service.tasks_of(&reader, &id).await.unwrap().len(), count, "{owner}");
        assert_eq!(fixture.service.tasks_of(&Caller::admin(), &id).await.unwrap().len(), 1);
    }
}

/// An import as a process leaves it that is killed; with objects that stand already, or without.
async fn killed(fixture: &Fixture, standing: bool) -> ImageId {
    let id = staged(fixture, b"data").await;
    ask(fixture, &id, direct()).await.unwrap();
    fixture.sql(
        "INSERT OR IGNORE INTO larder_processes (id, host, pid, pid_started, beat_at)
         VALUES ('dead', 'another machine', 1, 1, '2026-01-01 00:00:00.000000')",
    );
    fixture.sql("UPDATE larder_imports SET process_id = 'dead', attempts = 1");
    if standing {
        let file = fixture.file(&id);
        std::fs::write(&file, b"what the other one wrote").unwrap();
        fixture.sql(&format!(r#"UPDATE larder_imports SET urls = '["file://{}"]'"#, file.display()));
    }
    id
}

#[tokio::test]
async fn another_process_goes_on_with_what_a_dead_one_left() {
    for standing in [false, true] {
        let fixture = fixture().await;
        let id = killed(&fixture, standing).await;
        fixture.service.take_imports().await.unwrap();
        assert_eq!(fixture.show(&id).await.status, Status::Importing);
        let next = Service::open(settings(fixture.dir.path())).await.unwrap();
        workers::recover(&next).await.unwrap();
        work(&fixture, &next).await;
        assert_eq!(fixture.show(&id).await.status, Status::Active);
        assert_eq!(read_all(&next, &Caller::admin(), &id).await.unwrap(), b"data");
        assert_eq!(fixture.files(), [id.to_string()]);
        assert_eq!(staging_files(&fixture), Vec::<String>::new());
    }
}

#[tokio::test]
async fn work_that_lost_its_import_touches_nothing() {
    let fixture = fixture().await;
    let id = killed(&fixture, true).await;
    let me = fixture.service.process().id.clone();
    let find = {
        let id = id.clone();
        move |tx: &Tx<'_>| imports::find(tx, &id)
    };
    let row = fixture.service.db().read::<_, DbError, _>(find).await.unwrap().unwrap();
    // Another process has it; then its own, by a later claim.
    for (process, attempts) in [("dead", 1), (me.as_str(), 2)] {
        fixture.sql(&format!("UPDATE larder_imports SET process_id = '{process}', attempts = {attempts}"));
        fixture.service.work_on(&row).await.unwrap();
        assert_eq!(fixture.show(&id).await.status, Status::Importing);
        assert_eq!(staging_files(&fixture), [id.to_string()]);
        assert_eq!(fixture.count("SELECT attempts FROM larder_imports"), attempts);
        assert!(fixture.file(&id).exists());
    }
}

#[tokio::test]
async fn an_import_that_breaks_off_again_and_again_ends() {
    let fixture = fixture().await;
    let id = killed(&fixture, false).await;
    fixture.sql("UPDATE larder_imports SET process_id = NULL, attempts = 5");
    work(&fixture, &fixture.service).await;
    assert_eq!(fixture.show(&id).await.status, Status::Queued);
    assert!(task(&fixture, &id).await.message.unwrap().contains("broke off 5 times"));
}

#[tokio::test]
async fn data_of_another_folder_is_left_to_those_who_have_it_for_a_while() {
    let fixture = fixture().await;
    let id = killed(&fixture, false).await;
    fixture.sql("UPDATE larder_imports SET process_id = NULL, staging_id = 'another folder'");
    fixture.service.take_imports().await.unwrap();
    assert_eq!(fixture.count("SELECT attempts FROM larder_imports"), 1);
    fixture.sql("UPDATE larder_imports SET created_at = '2026-01-01 00:00:00.000000'");
    work(&fixture, &fixture.service).await;
    assert_eq!(fixture.show(&id).await.status, Status::Queued);
    assert!(task(&fixture, &id).await.message.unwrap().contains("No catalogue process"));
}

#[tokio::test]
async fn staged_data_that_is_gone_ends_the_import() {
    let fixture = fixture().await;
    let id = staged(&fixture, b"data").await;
    std::fs::remove_file(fixture.dir.path().join("staging").join(id.as_str())).unwrap();
    ask(&fixture, &id, direct()).await.unwrap();
    work(&fixture, &fixture.service).await;
    assert_eq!(fixture.show(&id).await.status, Status::Queued);
    assert!(task(&fixture, &id).await.message.unwrap().contains("not there any more"));
}

#[tokio::test]
async fn deleting_an_image_ends_its_import() {
    for standing in [false, true] {
        let fixture = fixture().await;
        let id = killed(&fixture, standing).await;
        fixture.sql("UPDATE larder_imports SET process_id = NULL");
        fixture.service.delete(&Caller::admin(), &id).await.unwrap();
        work(&fixture, &fixture.service).await;
        fixture.assert_no_bytes().await;
        assert_eq!(staging_files(&fixture), Vec::<String>::new());
        assert_eq!(fixture.text("SELECT status FROM tasks"), "failure");
        assert_eq!(fixture.text("SELECT status FROM images"), "deleted");
    }
}

#[tokio::test]
async fn a_staging_that_was_killed_is_undone() {
    let fixture = fixture().await;
    let id = fixture.queued().await.id;
    fixture.sql(&format!("UPDATE images SET status = 'uploading' WHERE id = '{id}'"));
    fixture.sql(
        "INSERT INTO larder_processes (id, host, pid, pid_started, beat_at)
         VALUES ('dead', 'another machine', 1, 1, '2026-01-01 00:00:00.000000')",
    );
    fixture.sql(&format!(
        "INSERT INTO larder_uploads (image_id, process_id, started_at)
         VALUES ('{id}', 'dead', '2026-01-01 00:00:00.000000')"
    ));
    let early = ask(&fixture, &id, direct()).await;
    assert!(matches!(early, Err(Fault::Conflict(words)) if words.contains("still being staged")));
    workers::recover(&fixture.service).await.unwrap();
    assert_eq!(fixture.show(&id).await.status, Status::Queued);
    fixture.service.stage(&Caller::admin(), &id, upload(b"again")).await.unwrap();
}

#[tokio::test]
async fn only_staged_data_that_nothing_waits_for_is_swept() {
    let fixture = fixture().await;
    let waits = staged(&fixture, b"waits").await;
    let stray = fixture.queued().await.id;
    let folder = fixture.dir.path().join("staging");
    std::fs::write(folder.join(stray.as_str()), b"stray").unwrap();
    std::fs::write(folder.join("notes.txt"), b"somebody else's").unwrap();
    let (strange, old) = ("11111111-2222-4333-8444-555555555555", "21111111-2222-4333-8444-555555555555");
    for name in [strange, old] {
        std::fs::write(folder.join(name), b"of another database?").unwrap();
    }
    for name in [waits.as_str(), stray.as_str(), "notes.txt", strange, old] {
        let age = if name == old { 100_000 } else { 3600 };
        let then = std::time::SystemTime::now() - Duration::from_secs(age);
        let file = std::fs::File::options().append(true).open(folder.join(name)).unwrap();
        file.set_modified(then).unwrap();
    }
    fixture.service.sweep_staging().await.unwrap();
    let mut left = staging_files(&fixture);
    left.sort();
    let mut expected = [waits.to_string(), "notes.txt".to_owned(), strange.to_owned()];
    expected.sort();
    assert_eq!(left, expected);
}

#[tokio::test]
async fn an_image_that_a_glance_left_importing_is_freed() {
    let fixture = fixture().await;
    let left = async |updated: &str, task: Option<&str>| {
        let id = fixture.queued().await.id;
        fixture.sql(&format!("UPDATE images SET status = 'importing', updated_at = '{updated}' WHERE id = '{id}'"));
        if let Some(updated) = task {
            fixture.sql(&format!(
                "INSERT INTO image_properties (image_id, name, value, created_at, deleted)
                 VALUES ('{id}', 'os_glance_import_task', '{id}', '2026-01-01 00:00:00', 0)"
            ));
            fixture.sql(&format!(
                "INSERT INTO tasks (id, type, status, owner, created_at, updated_at, deleted)
                 VALUES ('{id}', 'api_image_import', 'processing', '', '2026-01-01 00:00:00', '{updated}', 0)"
            ));
        }
        id
    };
    let (old, new) = ("2026-01-01 00:00:00.000000", "2100-01-01 00:00:00.000000");
    let (dead, silent, fresh, busy) =
        (left(old, None).await, left(old, Some(old)).await, left(new, None).await, left(old, Some(new)).await);
    fixture.service.free_stuck().await.unwrap();
    for (id, status) in [
        (dead, Status::Queued),
        (silent.clone(), Status::Queued),
        (fresh, Status::Importing),
        (busy, Status::Importing),
    ] {
        assert_eq!(fixture.show(&id).await.status, status);
    }
    assert!(!fixture.show(&silent).await.properties.contains_key("os_glance_import_task"));
    assert_eq!(fixture.text(&format!("SELECT status FROM tasks WHERE id = '{silent}'")), "failure");
}

/// Data that stands in a store and is to be read there, for an image that waits for it or is active with it.
async fn in_place(fixture: &Fixture, wanted: Option<(Algorithm, &str)>) -> ImageId {
    let id = staged(fixture, b"data").await;
    ask(fixture, &id, direct()).await.unwrap();
    std::fs::write(fixture.file(&id), b"data").unwrap();
    let wanted = wanted.map(|it| (it.0.to_string(), it.1.to_owned()));
    let (active, url) = (wanted.is_none(), format!("file://{}", fixture.file(&id).display()));
    let order = InPlace { sealed_url: url.clone(), size: 4, wanted, signed: false };
    let order = Order::to_measure(order, None).to_json().unwrap();
    fixture.sql(&format!("UPDATE larder_imports SET staging_id = NULL, order_json = '{order}'"));
    if active {
        fixture.sql("UPDATE images SET status = 'active', size = 4");
        fixture.sql(&format!(
            "INSERT INTO image_locations (image_id, value, meta_data, status, created_at, updated_at, deleted)
             VALUES ('{id}', '{url}', '{{}}', 'active', '2026-01-01', '2026-01-01', 0)"
        ));
    }
    id
}

const MD5_OF_DATA: &str = "8d777f385d3dfec8815d20f7496026dc";

#[tokio::test]
async fn data_is_hashed_where_it_is() {
    for wanted in [None, Some((Algorithm::Md5, MD5_OF_DATA))] {
        let fixture = fixture().await;
        let id = in_place(&fixture, wanted).await;
        // Whoever began with it is dead.
        fixture.sql(
            "INSERT INTO larder_processes (id, host, pid, pid_started, beat_at)
             VALUES ('dead', 'another machine', 1, 1, '2026-01-01 00:00:00.000000')",
        );
        fixture.sql("UPDATE larder_imports SET process_id = 'dead', attempts = 1");
        workers::recover(&fixture.service).await.unwrap();
        work(&fixture, &fixture.service).await;
        let image = fixture.show(&id).await;
        assert_eq!((image.status, image.size, image.locations.len()), (Status::Active, Some(4), 1));
        assert_eq!(image.checksum.as_deref(), Some(MD5_OF_DATA));
        let digits = wanted.map_or(128, |_| 32);
        assert_eq!(image.os_hash_value.map(|it| it.len()), Some(digits), "{:?}", image.os_hash_algo);
        assert_eq!(property(&fixture.show(&id).await, "os_glance_import_task"), None);
        assert_eq!(task(&fixture, &id).await.status, "success");
        assert_eq!(read_all(&fixture.service, &Caller::admin(), &id).await.unwrap(), b"data");
    }
}

#[tokio::test]
async fn data_that_is_not_what_was_told_goes() {
    let fixture = fixture().await;
    let id = in_place(&fixture, Some((Algorithm::Md5, "00000000000000000000000000000000"))).await;
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, image.size, image.locations.len()), (Status::Queued, None, 0));
    assert_eq!((image.checksum, image.os_hash_value), (None, None));
    assert!(task(&fixture, &id).await.message.unwrap().contains("not matched"));
    fixture.assert_no_bytes().await;
}

#[tokio::test]
async fn data_that_cannot_be_read_leaves_an_active_image_as_it_is() {
    let fixture = fixture().await;
    let id = in_place(&fixture, None).await;
    std::fs::remove_file(fixture.file(&id)).unwrap();
    work(&fixture, &fixture.service).await;
    let image = fixture.show(&id).await;
    assert_eq!((image.status, image.locations.len(), image.os_hash_value), (Status::Active, 1, None));
    assert_eq!(task(&fixture, &id).await.status, "failure");
}

#[tokio::test]
async fn data_of_an_image_that_was_deleted_meanwhile_goes_with_it() {
    let fixture = fixture().await;
    let id = in_place(&fixture, Some((Algorithm::Md5, MD5_OF_DATA))).await;
    fixture.service.delete(&Caller::admin(), &id).await.unwrap();
    work(&fixture, &fixture.service).await;
    fixture.assert_no_bytes().await;
}
