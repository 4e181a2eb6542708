//! The same verbs on every database: what they say is the same. And several processes on one database.

use super::{project, query, raw, settings, upload};
use crate::catalogue::{
    Settings,
    service::{Fault, Service},
    tables::{self, processes::Process},
};
use crate::db::{
    self, DbError,
    scratch::{self, Scratch},
};
use crate::identity::Caller;
use crate::image::{
    Attribute, Change, How, Image, ImageId, NewImage, Status, Visibility,
    metadef::{Association, Details, Listing, NewNamespace, Object},
};
use serde_json::json;
use std::{
    collections::BTreeSet,
    fmt::Debug,
    path::Path,
    sync::{
        Arc, Barrier,
        atomic::{AtomicBool, Ordering},
    },
};

/// A service on a server's database.
async fn on(scratch: &Scratch, dir: &Path) -> Service {
    let database =
        db::Settings { connection: scratch.url.clone(), max_pool_size: 4, max_overflow: 6, ..db::Settings::default() };
    Service::open(Settings { database, ..settings(dir) }).await.unwrap()
}

fn id(n: u32) -> ImageId {
    format!("00000000-0000-4000-8000-{n:012}").parse().unwrap()
}

fn put(name: &str, value: &str) -> Change {
    Change::SetProperty { name: name.to_owned(), value: Some(value.to_owned()), how: How::Put }
}

/// What was said, step by step.
#[derive(Default)]
struct Said(Vec<String>);

impl Said {
    fn say(&mut self, what: &str, it: impl Debug) {
        self.0.push(format!("{what}: {it:?}"));
    }

    fn image(&mut self, what: &str, it: &Result<Image, Fault>) {
        match it {
            Ok(it) => self.say(what, (it.name.as_ref(), it.status, it.visibility, it.size, &it.tags, &it.properties)),
            Err(fault) => self.say(what, fault),
        }
    }
}

async fn names(service: &Service, caller: &Caller, text: &str) -> Result<Vec<Option<String>>, Fault> {
    let page = service.list(caller, &query(text)).await?;
    Ok(page.images.into_iter().map(|it| it.name).collect())
}

async fn make(service: &Service) {
    let names = [Some("alpha"), Some("Alpha"), Some("álpha"), Some("alpha "), None, Some("beta"), None, Some("gamma")];
    for (n, name) in (1..).zip(names) {
        let new = NewImage {
            id: Some(id(n)),
            name: name.map(str::to_owned),
            visibility: Some(
                [Visibility::Public, Visibility::Shared, Visibility::Private, Visibility::Community][n as usize % 4],
            ),
            min_ram: i32::try_from(n).unwrap() % 3,
            tags: [["word", "Word", "wörd"][n as usize % 3].to_owned(), "all".to_owned()].into(),
            properties: [
                ("os".to_owned(), Some(["linux", "Linux", "bsd"][n as usize % 3].to_owned())),
                ("none".to_owned(), None),
            ]
            .into(),
            owner: Some(Some(if n % 2 == 0 { "even" } else { "odd" }.to_owned())),
            ..raw()
        };
        service.create(&Caller::admin(), new).await.unwrap();
    }
    for n in [2, 5, 6] {
        service.upload(&Caller::admin(), &id(n), upload(&vec![b'x'; n as usize * 100])).await.unwrap();
    }
}

async fn lists(service: &Service, said: &mut Said) {
    for caller in [Caller::admin(), project("even"), project("odd"), project("Even"), project("guest")] {
        for text in [
            "",
            "name=alpha",
            "name=ALPHA",
            "name=in:alpha,beta",
            "name=in:%F0%9F%98%80",
            "name=😀",
            "tag=word",
            "tag=Word&tag=all",
            "tag=WORD",
            "os=linux",
            "os=LINUX",
            "OS=linux",
            "owner=even",
            "owner=EVEN",
            "visibility=community",
            "visibility=all",
            "visibility=shared",
            "visibility=private",
            "status=active",
            "status=in:active,queued",
            "size_min=300",
            "size_max=300",
            "min_ram=1",
            "disk_format=raw",
            "protected=false",
            "os_hidden=true",
            "id=00000000-0000-4000-8000-000000000003",
            "created_at=gt:2020-01-01T00:00:00Z",
            "updated_at=lt:2020-01-01T00:00:00Z",
            "member_status=all&visibility=shared",
            "limit=3",
            "checksum=x",
            "os_hash_algo=sha512",
        ] {
            said.say(&format!("{:?} lists {text}", caller.project), names(service, &caller, text).await);
        }
    }
}

/// Each order, page by page: every image once, and in the same order as all at once.
async fn pages(service: &Service) {
    for key in ["name", "status", "size", "id", "created_at", "updated_at", "disk_format", "container_format"] {
        for direction in ["asc", "desc"] {
            let sort = format!("visibility=all&sort={key}:{direction}");
            let whole = service.list(&Caller::admin(), &query(&sort)).await.unwrap().images;
            assert_eq!(whole.len(), 8, "{sort}");
            let (mut paged, mut marker) = (Vec::new(), String::new());
            loop {
                let page = service.list(&Caller::admin(), &query(&format!("{sort}&limit=3{marker}"))).await.unwrap();
                let Some(last) = page.images.last() else { break };
                marker = format!("&marker={}", last.id);
                paged.extend(page.images);
            }
            let ids = |it: &[Image]| it.iter().map(|it| it.id.to_string()).collect::<Vec<_>>();
            assert_eq!(ids(&paged), ids(&whole), "{sort}");
            let nothing_first = whole.first().is_some_and(|it| it.name.is_none());
            assert!(key != "name" || nothing_first == (direction == "asc"), "{sort}");
        }
    }
}

async fn changes(service: &Service, said: &mut Said) {
    let admin = Caller::admin();
    let long = "ж".repeat(255);
    for (what, changes) in [
        ("put", vec![put("a", "1"), put("os", "other"), Change::Remove("none".into())]),
        ("again", vec![put("none", "back"), Change::Remove("a".into())]),
        ("missing", vec![put("b", "1"), Change::Remove("missing".into())]),
        ("long", vec![Change::Set(Attribute::Name(Some(long.clone())), How::Replace), put(&long, &"ж".repeat(30_000))]),
        ("too long", vec![put(&"x".repeat(256), "1")]),
        ("too large", vec![put("large", &"x".repeat(65_536))]),
        ("four bytes", vec![put("face", "\u{1f600}")]),
        ("hidden", vec![Change::Set(Attribute::Hidden(true), How::Replace)]),
    ] {
        said.image(what, &service.change(&admin, &id(4), changes).await);
        said.image("shown", &service.show(&admin, &id(4)).await);
    }
    for tag in ["New", "new", "New"] {
        said.say("tag", service.add_tag(&admin, &id(4), tag).await);
    }
    said.say("untag", service.remove_tag(&admin, &id(4), "NEW").await);
    said.say("untag", service.remove_tag(&admin, &id(4), "New").await);
    said.image("shown", &service.show(&admin, &id(4)).await);
    said.say("deactivate", service.deactivate(&admin, &id(2)).await);
    said.say("reactivate", service.reactivate(&admin, &id(2)).await);
    said.say("delete", service.delete(&admin, &id(5)).await);
    said.say("delete", service.delete(&admin, &id(5)).await);
    let again = NewImage { id: Some(id(5)), ..raw() };
    said.image("create", &service.create(&admin, again).await);
    said.say("upload", service.upload(&admin, &id(2), upload(b"again")).await);
}

async fn members(service: &Service, said: &mut Said) {
    let (owner, guest) = (project("odd"), project("guest"));
    for member in ["guest", "visitor", "guest"] {
        let added = service.add_member(&owner, &id(1), member.to_owned()).await;
        said.say("member", added.map(|it| (it.project, it.status)));
    }
    said.say("pending", names(service, &guest, "member_status=pending&visibility=shared").await);
    said.say("answer", service.answer(&guest, &id(1), "guest", "accepted").await.map(|it| it.status));
    said.say("accepted", names(service, &guest, "").await);
    said.say("of others", names(service, &project("GUEST"), "").await);
    let all = service.members(&owner, &id(1)).await;
    said.say("members", all.map(|it| it.into_iter().map(|it| it.project).collect::<Vec<_>>()));
    for _ in 0..2 {
        said.say("unshare", service.remove_member(&owner, &id(1), "guest").await);
    }
    let again = service.add_member(&owner, &id(1), "guest".to_owned()).await;
    said.say("member", again.map(|it| it.status));
}

async fn definitions(service: &Service, said: &mut Said) {
    let admin = Caller::admin();
    let metadefs = service.metadefs(&admin);
    let new = NewNamespace {
        name: "N".to_owned(),
        owner: Some("odd".to_owned()),
        is_public: true,
        ..NewNamespace::default()
    };
    for _ in 0..2 {
        said.say("namespace", metadefs.create_namespace(new.clone()).await.is_ok());
    }
    said.say("not it", metadefs.namespace("n", None).await.is_ok());
    let object =
        |name: &str| Object { name: name.to_owned(), required: None, description: None, properties: None, times: None };
    said.say("object", metadefs.create_object("N", object("o")).await.is_ok());
    said.say("twice", metadefs.create_object("N", object("o")).await.is_ok());
    said.say("not it", metadefs.object("N", "O").await.is_ok());
    said.say("tags", metadefs.create_tags("N", vec!["b".to_owned(), "a".to_owned()], false).await.is_ok());
    said.say("tag", metadefs.update_tag("N", "a", "c").await.map(|it| it.name).ok());
    said.say("tag", metadefs.update_tag("N", "b", "c").await.is_ok());
    let schema = serde_json::Map::from_iter([("title".to_owned(), "t".into()), ("type".to_owned(), "string".into())]);
    said.say("property", metadefs.create_property("N", "p", &schema).await.is_ok());
    said.say("renamed", metadefs.update_property("N", "p", "q", &schema).await.is_ok());
    let properties = metadefs.properties("N").await.map(|it| it.keys().cloned().collect::<Vec<_>>());
    said.say("properties", properties.ok());
    let association = || Association { name: "OS::X".to_owned(), prefix: None, properties_target: None, times: None };
    said.say("associated", metadefs.associate("N", association()).await.is_ok());
    let types = metadefs.associations("N").await.map(|it| it.into_iter().map(|it| it.name).collect::<Vec<_>>());
    said.say("types", types.ok());
    said.say(
        "listed",
        metadefs.namespaces(&Listing { limit: Some(9), ..Listing::default() }).await.map(|it| it.0.len()).ok(),
    );
    said.say("deleted", metadefs.delete_namespace("N").await.is_ok());
    said.say("gone", metadefs.namespace("N", None).await.is_ok());
}

async fn transcript(service: &Service) -> Vec<String> {
    let mut said = Said::default();
    make(service).await;
    lists(service, &mut said).await;
    pages(service).await;
    changes(service, &mut said).await;
    members(service, &mut said).await;
    definitions(service, &mut said).await;
    said.0
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_database_says_the_same() {
    let dir = tempfile::tempdir().unwrap();
    let expected = transcript(&Service::open(settings(dir.path())).await.unwrap()).await;
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let said = transcript(&on(&scratch, dir.path()).await).await;
        for (said, expected) in said.iter().zip(&expected) {
            assert_eq!(said, expected, "{}", scratch.kind);
        }
        assert_eq!(said.len(), expected.len());
    }
}

/// Two processes have nothing in common but the database.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn two_processes_lose_no_change_of_each_other() {
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let processes = [on(&scratch, dir.path()).await, on(&scratch, dir.path()).await];
        processes[0].create(&Caller::admin(), NewImage { id: Some(id(1)), ..raw() }).await.unwrap();
        let tasks: Vec<_> = (0..40)
            .map(|n| {
                let service = processes[n % 2].clone();
                tokio::spawn(async move {
                    let caller = Caller::admin();
                    match n % 5 {
                        0 => service.add_tag(&caller, &id(1), &format!("t{n}")).await,
                        // The same property, too: it was there with some value.
                        1 => service.change(&caller, &id(1), vec![put("same", &n.to_string())]).await.map(drop),
                        _ => service.change(&caller, &id(1), vec![put(&format!("p{n}"), "x")]).await.map(drop),
                    }
                })
            })
            .collect();
        for task in tasks {
            task.await.unwrap().unwrap();
        }
        let image = processes[0].show(&Caller::admin(), &id(1)).await.unwrap();
        let expected: BTreeSet<String> = (0..40).filter(|n| n % 5 > 1).map(|n| format!("p{n}")).collect();
        let mut found: BTreeSet<String> = image.properties.keys().cloned().collect();
        assert!(found.remove("same"));
        assert_eq!((found, image.tags.len()), (expected, 8), "{}", scratch.kind);
    }
}

/// As another node of a cluster does it: no lock keeps it out.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_that_changed_since_it_was_read_is_not_overwritten() {
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let service = on(&scratch, dir.path()).await;
        let old = service.create(&Caller::admin(), NewImage { id: Some(id(1)), ..raw() }).await.unwrap();
        service.change(&Caller::admin(), &id(1), vec![Change::Set(Attribute::MinRam(7), How::Replace)]).await.unwrap();
        let cipher = service.cipher().clone();
        let stale = service.db().write::<_, DbError, _>(move |tx| {
            let after = Image { min_disk: 9, ..old.clone() };
            tables::images::update(tx, &cipher, &old, &after)
        });
        assert!(matches!(stale.await, Err(DbError::Contended)), "{}", scratch.kind);
        let image = service.show(&Caller::admin(), &id(1)).await.unwrap();
        assert_eq!((image.min_ram, image.min_disk), (7, 0));
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn one_upload_wins_and_one_project_is_a_member_once() {
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let processes = [on(&scratch, dir.path()).await, on(&scratch, dir.path()).await];
        let new = NewImage { id: Some(id(1)), owner: Some(Some("odd".to_owned())), ..raw() };
        processes[0].create(&Caller::admin(), new).await.unwrap();
        let (admin, owner, image) = (Caller::admin(), project("odd"), id(1));
        let (one, two) = tokio::join!(
            processes[0].upload(&admin, &image, upload(b"one")),
            processes[1].upload(&admin, &image, upload(b"two")),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert!(matches!(one.and(two), Err(Fault::Conflict(_))));
        let shown = processes[0].show(&admin, &image).await.unwrap();
        assert_eq!((shown.status, shown.size, shown.locations.len()), (Status::Active, Some(3), 1));
        let (one, two) = tokio::join!(
            processes[0].add_member(&owner, &image, "guest".to_owned()),
            processes[1].add_member(&owner, &image, "guest".to_owned()),
        );
        assert!(one.is_ok() != two.is_ok(), "{one:?} {two:?}");
        assert_eq!(scratch.lines("SELECT member FROM image_members"), ["guest"]);
    }
}

/// The first upload of a process and its first beat may be under way together.
#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_process_may_enter_itself_several_times_at_once() {
    const AT_ONCE: usize = 6;
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let service = on(&scratch, dir.path()).await;
        for round in 0..20 {
            let begun = Arc::new(Barrier::new(AT_ONCE));
            let process = Process { id: format!("process {round}"), ..Process::this() };
            let beats = (0..AT_ONCE).map(|_| {
                let (service, begun, process) = (service.clone(), Arc::clone(&begun), process.clone());
                let waited = AtomicBool::new(false);
                tokio::spawn(async move {
                    let beat = service.db().write::<_, DbError, _>(move |tx| {
                        // It may run again.
                        if !waited.swap(true, Ordering::SeqCst) {
                            begun.wait();
                        }
                        tables::processes::beat(tx, &process, chrono::Utc::now())
                    });
                    beat.await
                })
            });
            for beat in beats.collect::<Vec<_>>() {
                assert!(matches!(beat.await.unwrap(), Ok(())), "{}", scratch.kind);
            }
        }
        let all = scratch.lines("SELECT id FROM larder_processes WHERE id LIKE 'process %'");
        assert_eq!(all.len(), 20, "{}", scratch.kind);
    }
}

/// MySQL's key takes `a` and `A` for the same name.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn names_that_differ_by_case_never_overwrite_each_other() {
    let Some(scratch) = scratch::mysql() else { return };
    let dir = tempfile::tempdir().unwrap();
    let service = on(&scratch, dir.path()).await;
    let admin = Caller::admin();
    let properties = [("a".to_owned(), Some("1".to_owned()))].into();
    service.create(&admin, NewImage { id: Some(id(1)), properties, ..raw() }).await.unwrap();
    let refused = service.change(&admin, &id(1), vec![put("A", "2")]).await;
    assert!(matches!(refused, Err(Fault::Conflict(_))), "{refused:?}");
    assert_eq!(service.show(&admin, &id(1)).await.unwrap().properties["a"].as_deref(), Some("1"));
    // In the row of the one that goes.
    let changed = service.change(&admin, &id(1), vec![Change::Remove("a".to_owned()), put("A", "3")]).await.unwrap();
    assert_eq!(service.show(&admin, &id(1)).await.unwrap().properties, changed.properties);
    assert_eq!(scratch.lines("SELECT name FROM image_properties"), ["A"]);
}

/// The key of MySQL's table takes `p1` and `P1` for one member, and no table's key keeps two nodes from adding the same one.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_image_with_members_that_are_alike_can_be_deleted() {
    for scratch in scratch::servers() {
        let dir = tempfile::tempdir().unwrap();
        let service = on(&scratch, dir.path()).await;
        let (admin, owner) = (Caller::admin(), project("odd"));
        let new = NewImage { id: Some(id(1)), owner: Some(Some("odd".to_owned())), ..raw() };
        service.create(&admin, new).await.unwrap();
        service.add_member(&owner, &id(1), "p1".to_owned()).await.unwrap();
        let other = service.add_member(&owner, &id(1), "P1".to_owned()).await;
        assert_eq!(matches!(other, Err(Fault::Conflict(_))), scratch.kind == "mysql", "{other:?}");
        // A member that went leaves its row to one that is alike.
        service.remove_member(&owner, &id(1), "p1").await.unwrap();
        let _ = service.add_member(&owner, &id(1), "P1".to_owned()).await;
        let shown = service.members(&owner, &id(1)).await.unwrap();
        assert_eq!(shown.into_iter().map(|it| it.project).collect::<Vec<_>>(), ["P1"], "{}", scratch.kind);
        for _ in 0..2 {
            let (columns, now) = ("image_id, member, can_share, status, created_at, deleted", "CURRENT_TIMESTAMP");
            scratch.lines(&format!(
                "INSERT INTO image_members ({columns}) VALUES ('{}', 'p2', false, 'pending', {now}, false)",
                id(1)
            ));
        }
        service.remove_member(&owner, &id(1), "p2").await.unwrap();
        service.delete(&admin, &id(1)).await.unwrap();
        assert!(matches!(service.show(&admin, &id(1)).await, Err(Fault::NoImage(_))));
    }
}

/// What MySQL's keys take for the same is a conflict in words, not a failure.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn definitions_whose_names_differ_by_case_are_refused_where_the_database_does() {
    let Some(scratch) = scratch::mysql() else { return };
    let dir = tempfile::tempdir().unwrap();
    let service = on(&scratch, dir.path()).await;
    let admin = Caller::admin();
    let named = |name: &str| Association { name: name.to_owned(), ..Association::default() };
    let details = [
        Details {
            properties: Some(["a", "A"].map(|it| (it.to_owned(), json!({}))).into_iter().collect()),
            ..Details::default()
        },
        Details { associations: Some(["a", "A"].map(named).to_vec()), ..Details::default() },
        Details {
            objects: Some(["a", "A"].map(|it| Object { name: it.to_owned(), ..Object::default() }).to_vec()),
            ..Details::default()
        },
    ];
    for details in details {
        let new = NewNamespace { name: "n".to_owned(), details, ..NewNamespace::default() };
        let refused = service.metadefs(&admin).create_namespace(new).await;
        assert!(matches!(&refused, Err(Fault::Conflict(words)) if words.contains("=A ")), "{refused:?}");
    }
}
