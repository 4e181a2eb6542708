use super::{Fixture, fixture, project, query, raw};
use crate::catalogue::service::Fault;
use crate::identity::Caller;
use crate::image::{ImageId, NewImage, Status, Visibility};

async fn names(fixture: &Fixture, caller: &Caller, text: &str) -> Vec<String> {
    let page = fixture.service.list(caller, &query(text)).await.unwrap();
    let mut names: Vec<_> = page.images.into_iter().filter_map(|it| it.name).collect();
    names.sort();
    names
}

#[tokio::test]
async fn what_is_made_is_shown() {
    let fixture = fixture().await;
    let new = NewImage {
        name: Some("debian".into()),
        tags: ["a".into(), "b".into()].into(),
        properties: [("os_distro".to_owned(), Some("debian".to_owned())), ("empty".to_owned(), None)].into(),
        min_disk: 3,
        ..raw()
    };
    let made = fixture.service.create(&project("p"), new).await.unwrap();
    assert_eq!((made.status, made.owner.as_deref()), (Status::Queued, Some("p")));
    assert_eq!(fixture.service.show(&project("p"), &made.id).await.unwrap(), made);
}

#[tokio::test]
async fn an_id_is_used_once_for_ever() {
    let fixture = fixture().await;
    let id: ImageId = "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69".parse().unwrap();
    let new = NewImage { id: Some(id.clone()), ..raw() };
    fixture.service.create(&Caller::admin(), new.clone()).await.unwrap();
    assert!(matches!(fixture.service.create(&Caller::admin(), new.clone()).await, Err(Fault::Conflict(_))));
    fixture.service.delete(&Caller::admin(), &id).await.unwrap();
    assert!(matches!(fixture.service.show(&Caller::admin(), &id).await, Err(Fault::NoImage(_))));
    assert!(matches!(fixture.service.create(&Caller::admin(), new).await, Err(Fault::Conflict(_))));
}

#[tokio::test]
async fn projects_see_what_is_theirs_public_or_shared() {
    let fixture = fixture().await;
    let admin = Caller::admin();
    for visibility in Visibility::ALL {
        let new = NewImage {
            name: Some(visibility.to_string()),
            owner: Some(Some("a".into())),
            visibility: Some(visibility),
            ..NewImage::default()
        };
        let made = fixture.service.create(&admin, new).await.unwrap();
        let seen = fixture.service.show(&project("b"), &made.id).await.is_ok();
        assert_eq!(seen, matches!(visibility, Visibility::Public | Visibility::Community), "{visibility}");
        if visibility == Visibility::Shared {
            fixture.sql(&format!(
                "INSERT INTO image_members (image_id, member, can_share, created_at, deleted, status)
                 VALUES ('{}', 'c', 0, '2026-01-01 00:00:00.000000', 0, 'pending')",
                made.id
            ));
            assert!(fixture.service.show(&project("c"), &made.id).await.is_ok());
        }
    }
    assert_eq!(names(&fixture, &project("a"), "").await, ["community", "private", "public", "shared"]);
    assert_eq!(names(&fixture, &project("b"), "").await, ["public"]);
    assert_eq!(names(&fixture, &project("b"), "visibility=all").await, ["community", "public"]);
    assert_eq!(names(&fixture, &project("b"), "visibility=community").await, ["community"]);
    assert_eq!(names(&fixture, &project("c"), "").await, ["public"]);
    assert_eq!(names(&fixture, &project("c"), "member_status=pending").await, ["public", "shared"]);
    assert_eq!(names(&fixture, &project("c"), "member_status=all&visibility=shared").await, ["shared"]);
    assert_eq!(names(&fixture, &admin, "").await, ["private", "public", "shared"]);
    let nobody = fixture.service.list(&Caller::default(), &query("")).await;
    assert!(matches!(nobody, Err(Fault::Forbidden(_))), "{nobody:?}");
}

#[tokio::test]
async fn only_admins_make_images_for_others_or_for_all() {
    let fixture = fixture().await;
    let foreign = NewImage { owner: Some(Some("b".into())), ..raw() };
    assert!(matches!(fixture.service.create(&project("a"), foreign.clone()).await, Err(Fault::Forbidden(_))));
    let public = NewImage { visibility: Some(Visibility::Public), ..raw() };
    assert!(matches!(fixture.service.create(&project("a"), public.clone()).await, Err(Fault::Forbidden(_))));
    assert_eq!(fixture.service.create(&Caller::admin(), foreign).await.unwrap().owner.as_deref(), Some("b"));
    fixture.service.create(&Caller::admin(), public).await.unwrap();
}

#[tokio::test]
async fn records_keep_to_the_columns() {
    let fixture = fixture().await;
    let bad = [
        NewImage { name: Some("x".repeat(256)), ..raw() },
        NewImage { name: Some("🦀".into()), ..raw() },
        NewImage { disk_format: Some("floppy".into()), ..raw() },
        NewImage { container_format: Some("box".into()), ..raw() },
        NewImage { min_ram: -1, ..raw() },
        NewImage { tags: ["x".repeat(256)].into(), ..raw() },
        NewImage { properties: [("x".repeat(256), None)].into(), ..raw() },
        NewImage { properties: [("k".to_owned(), Some("x".repeat(65_536)))].into(), ..raw() },
    ];
    for new in bad {
        let error = fixture.service.create(&Caller::admin(), new).await.unwrap_err();
        assert!(matches!(error, Fault::Invalid(_)), "{error:?}");
    }
    let reserved = NewImage { properties: [("os_glance_x".to_owned(), None)].into(), ..raw() };
    assert!(matches!(fixture.service.create(&Caller::admin(), reserved).await, Err(Fault::Forbidden(_))));
}

#[tokio::test]
async fn pages_hold_every_image_once() {
    let fixture = fixture().await;
    for n in 0..23_u32 {
        let name = (n % 4 != 0).then(|| format!("image {}", n % 3));
        fixture.service.create(&Caller::admin(), NewImage { name, ..raw() }).await.unwrap();
    }
    for sort in ["", "&sort=name:asc", "&sort=name:desc,size:asc", "&sort_key=status&sort_dir=asc", "&sort=id:asc"] {
        let (mut seen, mut marker) = (Vec::new(), String::new());
        loop {
            let page = fixture.service.list(&Caller::admin(), &query(&format!("limit=5{sort}{marker}"))).await.unwrap();
            seen.extend(page.images.iter().map(|it| it.id.clone()));
            let Some(last) = page.images.last().filter(|_| page.more) else { break };
            marker = format!("&marker={}", last.id);
        }
        assert_eq!(seen.len(), 23, "{sort}");
        seen.sort();
        seen.dedup();
        assert_eq!(seen.len(), 23, "{sort}");
    }
    for marker in ["no-id", "9f3b3c9a-5f0e-4a4e-8f0a-2f1d3c4b5a69"] {
        let unknown = fixture.service.list(&Caller::admin(), &query(&format!("marker={marker}"))).await;
        assert!(matches!(unknown, Err(Fault::Invalid(_))));
    }
    assert!(fixture.service.list(&Caller::admin(), &query("limit=0")).await.unwrap().images.is_empty());
}

#[tokio::test]
async fn filters_hold_together() {
    let fixture = fixture().await;
    for n in 0..6_u32 {
        let new = NewImage {
            name: Some(format!("n{n}")),
            hidden: n == 5,
            protected: n % 2 == 0,
            min_disk: n.cast_signed(),
            tags: (0..n).map(|it| format!("t{it}")).collect(),
            properties: [("k".to_owned(), Some(format!("{}", n % 2)))].into(),
            ..raw()
        };
        fixture.service.create(&Caller::admin(), new).await.unwrap();
    }
    let admin = Caller::admin();
    for (text, expected) in [
        ("", &["n0", "n1", "n2", "n3", "n4"][..]),
        ("os_hidden=true", &["n5"]),
        ("name=in:n1,n3,n9", &["n1", "n3"]),
        ("name=N1", &[]),
        ("protected=false", &["n1", "n3"]),
        ("tag=t0&tag=t2", &["n3", "n4"]),
        ("k=0&tag=t0", &["n2", "n4"]),
        ("min_disk_min=2&min_disk_max=3", &["n2", "n3"]),
        ("size_min=0", &[]),
        ("created_at=gt:2020-01-01T00:00:00Z&name=n0", &["n0"]),
        ("created_at=lt:2020-01-01T00:00:00Z", &[]),
        ("status=queued&disk_format=raw&container_format=in:bare,ovf&name=eq:n2", &["n2"]),
        ("nothing=1", &[]),
    ] {
        assert_eq!(names(&fixture, &admin, text).await, expected, "{text}");
    }
}
