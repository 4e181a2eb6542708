use super::{fixture, project, raw, settings};
use crate::catalogue::{
    Settings,
    service::{Fault, Service},
};
use crate::identity::Caller;
use crate::image::{Attribute, Change, How, Location, NewImage, NewLocation, Place, Status, Visibility};

fn put(name: &str, value: &str) -> Change {
    Change::SetProperty { name: name.to_owned(), value: Some(value.to_owned()), how: How::Put }
}

fn set(attribute: Attribute) -> Change {
    Change::Set(attribute, How::Replace)
}

#[tokio::test]
async fn all_changes_or_none() {
    let fixture = fixture().await;
    let admin = Caller::admin();
    let image = fixture.queued().await;
    let changes = vec![set(Attribute::Name(Some("new".into()))), put("a", "1"), Change::Remove("missing".into())];
    assert!(matches!(fixture.service.change(&admin, &image.id, changes).await, Err(Fault::Conflict(_))));
    assert_eq!(fixture.show(&image.id).await, image);
    let changes = vec![set(Attribute::Name(Some("new".into()))), put("a", "1"), set(Attribute::MinRam(9))];
    let changed = fixture.service.change(&admin, &image.id, changes).await.unwrap();
    assert_eq!(fixture.show(&image.id).await, changed);
    assert_eq!((changed.name.as_deref(), changed.min_ram), (Some("new"), 9));
    assert!(changed.updated_at > image.updated_at);
    // No change, no write.
    assert_eq!(fixture.service.change(&admin, &image.id, Vec::new()).await.unwrap(), changed);
}

#[tokio::test]
async fn a_removed_property_comes_back_in_its_old_row() {
    let fixture = fixture().await;
    let (admin, image) = (Caller::admin(), fixture.queued().await);
    for changes in [vec![put("a", "1")], vec![Change::Remove("a".into())], vec![put("a", "2")]] {
        fixture.service.change(&admin, &image.id, changes).await.unwrap();
    }
    assert_eq!(fixture.show(&image.id).await.properties["a"].as_deref(), Some("2"));
    assert_eq!(fixture.count("SELECT count(*) FROM image_properties"), 1);
    assert_eq!(fixture.count("SELECT count(*) FROM image_properties WHERE deleted = 0 AND deleted_at IS NULL"), 1);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn no_change_is_lost() {
    let fixture = fixture().await;
    let image = fixture.queued().await;
    let tasks: Vec<_> = (0..40)
        .map(|n| {
            let (service, id) = (fixture.service.clone(), image.id.clone());
            tokio::spawn(async move {
                let caller = Caller::admin();
                match n % 4 {
                    0 => service.add_tag(&caller, &id, &format!("t{n}")).await,
                    1 => service.change(&caller, &id, vec![set(Attribute::MinDisk(7))]).await.map(drop),
                    _ => service.change(&caller, &id, vec![put(&format!("p{n}"), "x")]).await.map(drop),
                }
            })
        })
        .collect();
    for task in tasks {
        task.await.unwrap().unwrap();
    }
    let image = fixture.show(&image.id).await;
    assert_eq!((image.properties.len(), image.tags.len(), image.min_disk), (20, 10, 7));
}

#[tokio::test]
async fn others_see_but_do_not_touch() {
    let fixture = fixture().await;
    let public = NewImage { visibility: Some(Visibility::Public), owner: Some(Some("a".into())), ..raw() };
    let image = fixture.service.create(&Caller::admin(), public).await.unwrap();
    let other = project("b");
    let forbidden = |fault: Fault| matches!(fault, Fault::Forbidden(_));
    assert!(forbidden(fixture.service.change(&other, &image.id, vec![put("a", "1")]).await.unwrap_err()));
    assert!(forbidden(fixture.service.delete(&other, &image.id).await.unwrap_err()));
    assert!(forbidden(fixture.service.add_tag(&other, &image.id, "x").await.unwrap_err()));
    assert!(forbidden(fixture.service.deactivate(&other, &image.id).await.unwrap_err()));
    let owner = project("a");
    fixture.service.change(&owner, &image.id, vec![put("a", "1")]).await.unwrap();
    let give = set(Attribute::Owner(Some("b".into())));
    assert!(forbidden(fixture.service.change(&owner, &image.id, vec![give]).await.unwrap_err()));
    let hide = set(Attribute::Visibility(Visibility::Private));
    fixture.service.change(&owner, &image.id, vec![hide]).await.unwrap();
    let publish = set(Attribute::Visibility(Visibility::Public));
    assert!(forbidden(fixture.service.change(&owner, &image.id, vec![publish]).await.unwrap_err()));
    assert!(matches!(fixture.service.delete(&other, &image.id).await, Err(Fault::NoImage(_))));
}

#[tokio::test]
async fn tags_come_and_go() {
    let fixture = fixture().await;
    let (admin, id) = (Caller::admin(), fixture.queued().await.id);
    for _ in 0..2 {
        fixture.service.add_tag(&admin, &id, "a").await.unwrap();
    }
    fixture.service.remove_tag(&admin, &id, "a").await.unwrap();
    assert!(matches!(fixture.service.remove_tag(&admin, &id, "a").await, Err(Fault::NotFound(_))));
    fixture.service.add_tag(&admin, &id, "a").await.unwrap();
    assert_eq!(fixture.show(&id).await.tags, ["a".to_owned()].into());
    assert!(matches!(fixture.service.add_tag(&admin, &id, &"x".repeat(256)).await, Err(Fault::Invalid(_))));
}

#[tokio::test]
async fn switching_off_and_on() {
    let fixture = fixture().await;
    let admin = Caller::admin();
    let new = NewImage { owner: Some(Some("a".into())), ..raw() };
    let id = fixture.service.create(&admin, new).await.unwrap().id;
    assert!(matches!(fixture.service.deactivate(&admin, &id).await, Err(Fault::Forbidden(_))));
    fixture.put(&id, b"data").await.unwrap();
    fixture.service.reactivate(&admin, &id).await.unwrap();
    for _ in 0..2 {
        fixture.service.deactivate(&project("a"), &id).await.unwrap();
    }
    assert_eq!(fixture.show(&id).await.status, Status::Deactivated);
    assert!(matches!(fixture.service.download(&project("a"), &id).await, Err(Fault::Forbidden(_))));
    assert!(fixture.service.download(&admin, &id).await.unwrap().is_some());
    fixture.service.reactivate(&project("a"), &id).await.unwrap();
    assert!(fixture.service.download(&project("a"), &id).await.unwrap().is_some());
    // Formats of an image with data stay.
    let change = set(Attribute::DiskFormat(Some("qcow2".into())));
    assert!(matches!(fixture.service.change(&admin, &id, vec![change]).await, Err(Fault::Forbidden(_))));
}

#[tokio::test]
async fn locations_are_not_for_clients() {
    let fixture = fixture().await;
    let (admin, id) = (Caller::admin(), fixture.queued().await.id);
    fixture.put(&id, b"data").await.unwrap();
    let url = fixture.show(&id).await.locations[0].url.clone();
    let new = |url: &str| NewLocation {
        location: Location { url: url.to_owned(), metadata: serde_json::Map::new() },
        validation: None,
    };
    let add = || Change::AddLocation { at: Place::Last, location: new("file:///etc/passwd") };
    assert!(matches!(fixture.service.change(&admin, &id, vec![add()]).await, Err(Fault::Forbidden(_))));

    let shown = Settings { show_multiple_locations: true, ..settings(fixture.dir.path()) };
    let service = Service::open(shown).await.unwrap();
    let refusal = async |change| service.change(&admin, &id, vec![change]).await.err();
    assert!(matches!(refusal(add()).await, Some(Fault::Invalid(_))));
    assert!(matches!(refusal(Change::RemoveLocation(Place::Last)).await, Some(Fault::Forbidden(_))));
    assert!(matches!(refusal(Change::RemoveLocation(Place::Index(5))).await, Some(Fault::Forbidden(_))));
    assert!(matches!(refusal(Change::ReplaceLocations(Vec::new())).await, Some(Fault::Forbidden(_))));
    assert!(matches!(refusal(Change::ReplaceLocations(vec![new("file:///x")])).await, Some(Fault::Invalid(_))));
    assert!(refusal(Change::ReplaceLocations(vec![new(&url)])).await.is_none());
    assert_eq!(fixture.show(&id).await.locations.len(), 1);
}
