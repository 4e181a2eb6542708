use super::{Attribute, Change, ChangeError, How, Image, ImageId, NewImage, Status, Visibility, attribute};
use chrono::{DateTime, Utc};
use proptest::prelude::{Just, Strategy, any, prop_oneof, proptest};

fn image() -> Image {
    let now: DateTime<Utc> = "2026-01-02T03:04:05Z".parse().unwrap();
    NewImage::default().into_image(ImageId::from_random(7), Some("p".into()), now)
}

fn put(name: &str, value: &str, how: How) -> Change {
    Change::SetProperty { name: name.into(), value: Some(value.into()), how }
}

#[test]
fn a_new_image_takes_the_callers_project_unless_it_names_one() {
    let now = Utc::now();
    let owner = |owner: Option<Option<&str>>| {
        let new = NewImage { owner: owner.map(|it| it.map(str::to_owned)), ..NewImage::default() };
        new.into_image(ImageId::from_random(1), Some("p".into()), now).owner
    };
    assert_eq!(owner(None).as_deref(), Some("p"));
    assert_eq!(owner(Some(Some("q"))).as_deref(), Some("q"));
    assert_eq!((owner(Some(None)), owner(Some(Some("")))), (None, None));
    assert_eq!(image().visibility, Visibility::Shared);
}

#[test]
fn adding_replacing_and_removing_properties() {
    let mut it = image();
    assert_eq!(put("a", "1", How::Replace).apply(&mut it, true), Err(ChangeError::Missing("a".into())));
    put("a", "1", How::AddNew).apply(&mut it, true).unwrap();
    assert_eq!(put("a", "2", How::AddNew).apply(&mut it, true), Err(ChangeError::AlreadyPresent("a".into())));
    put("a", "2", How::Put).apply(&mut it, true).unwrap();
    put("a", "3", How::Replace).apply(&mut it, true).unwrap();
    assert_eq!(it.properties["a"].as_deref(), Some("3"));
    Change::Remove("a".into()).apply(&mut it, true).unwrap();
    assert_eq!(Change::Remove("a".into()).apply(&mut it, true), Err(ChangeError::Missing("a".into())));
    assert_eq!(it, image());
}

#[test]
fn base_attributes_are_there_and_stay() {
    let mut it = image();
    let name = || Attribute::Name(Some("x".into()));
    let again = Change::Set(name(), How::AddNew).apply(&mut it, true);
    assert_eq!(again, Err(ChangeError::AlreadyPresent("name".into())));
    for how in [How::Put, How::Replace] {
        Change::Set(name(), how).apply(&mut it, false).unwrap();
    }
    for name in ["name", "status", "id", "tags", "locations", "owner"] {
        assert_eq!(Change::Remove(name.into()).apply(&mut it, true), Err(ChangeError::NotRemovable(name.into())));
        assert!(attribute::is_base(name));
    }
}

#[test]
fn owners_are_changed_by_admins_and_formats_before_data() {
    let mut it = image();
    for how in [How::Put, How::Replace] {
        let give = Change::Set(Attribute::Owner(Some("q".into())), how);
        assert_eq!(give.apply(&mut it, false), Err(ChangeError::OwnerByNonAdmin));
        give.apply(&mut it.clone(), true).unwrap();
    }
    let format = Change::Set(Attribute::DiskFormat(Some("raw".into())), How::Replace);
    for status in Status::ALL {
        it.status = status;
        let allowed = matches!(status, Status::Queued | Status::Importing);
        assert_eq!(format.apply(&mut it.clone(), true).is_ok(), allowed, "{status}");
    }
}

#[test]
fn reserved_names() {
    for name in ["location", "deleted", "deleted_at", "os_glance", "os_glance_import_task", "os_glancex"] {
        assert!(attribute::is_reserved(name), "{name}");
    }
    assert!(!attribute::is_reserved("os_distro"));
}

#[test]
fn the_status_table_is_glances() {
    use Status::{Active, Deactivated, Deleted, Importing, Killed, PendingDelete, Queued, Saving, Uploading};
    let table: [(Status, &[Status]); 9] = [
        (Queued, &[Saving, Uploading, Importing, Active, Deleted]),
        (Saving, &[Active, Killed, Deleted, Queued]),
        (Uploading, &[Importing, Queued, Deleted]),
        (Importing, &[Active, Deleted, Queued]),
        (Active, &[PendingDelete, Deleted, Deactivated]),
        (Killed, &[Deleted]),
        (PendingDelete, &[Deleted, Active]),
        (Deactivated, &[Active, Deleted]),
        (Deleted, &[]),
    ];
    for (from, targets) in table {
        for to in Status::ALL {
            assert_eq!(from.become_(to).is_ok(), targets.contains(&to), "{from} → {to}");
        }
        assert_eq!(from.as_str().parse::<Status>().unwrap(), from);
    }
}

fn change() -> impl Strategy<Value = Change> {
    let how = || prop_oneof![Just(How::Put), Just(How::AddNew), Just(How::Replace)];
    let name = || proptest::sample::select(vec!["a", "b", "c", "name", "status"]);
    prop_oneof![
        (name(), any::<Option<u8>>(), how()).prop_map(|(name, value, how)| Change::SetProperty {
            name: name.into(),
            value: value.map(|it| it.to_string()),
            how
        }),
        name().prop_map(|it| Change::Remove(it.into())),
        (any::<bool>(), how()).prop_map(|(it, how)| Change::Set(Attribute::Protected(it), how)),
        (proptest::option::of("[a-z]{0,3}"), how()).prop_map(|(it, how)| Change::Set(Attribute::Owner(it), how)),
        (proptest::collection::btree_set("[a-z]", 0..3), how())
            .prop_map(|(it, how)| Change::Set(Attribute::Tags(it), how)),
        (any::<i32>(), how()).prop_map(|(it, how)| Change::Set(Attribute::MinDisk(it), how)),
    ]
}

proptest! {
    /// A refused change leaves the record as it was; an accepted one is visible, and touches nothing but its object.
    #[test]
    fn changes_are_whole(changes in proptest::collection::vec(change(), 0..20), admin in any::<bool>()) {
        let mut it = image();
        for change in changes {
            let before = it.clone();
            let outcome = change.apply(&mut it, admin);
            match (&change, outcome) {
                (_, Err(_)) => assert_eq!(it, before),
                (Change::SetProperty { name, value, .. }, Ok(())) => {
                    assert_eq!(it.properties.get(name), Some(value));
                    it.properties.remove(name);
                    let mut rest = before.clone();
                    rest.properties.remove(name);
                    assert_eq!(it, rest);
                    it.properties.insert(name.clone(), value.clone());
                }
                (Change::Remove(name), Ok(())) => assert!(before.properties.contains_key(name) && !it.properties.contains_key(name)),
                (Change::Set(..), Ok(())) => assert_eq!(it.properties, before.properties),
                (other, Ok(())) => panic!("{other:?}"),
            }
        }
        assert!(admin || it.owner.as_deref() == Some("p"));
    }

    /// However an image goes through its life, it ends only by deletion, and a deleted one stays so.
    #[test]
    fn lives_end_in_deletion(steps in proptest::collection::vec(proptest::sample::select(Status::ALL.to_vec()), 0..40)) {
        let mut status = Status::Queued;
        for to in steps {
            let before = status;
            match status.become_(to) {
                Ok(next) => { assert!(before.targets().contains(&next)); status = next; }
                Err(refused) => assert_eq!((refused.from, refused.to), (before, to)),
            }
            assert!(before != Status::Deleted || status == Status::Deleted);
            assert!(status == Status::Deleted || status.become_(Status::Deleted).is_ok());
        }
    }

    #[test]
    fn ids_are_read_back(bits in any::<u128>(), text in ".{0,50}") {
        let id = ImageId::from_random(bits);
        assert_eq!(id.as_str().parse::<ImageId>().unwrap(), id);
        if let Ok(id) = text.parse::<ImageId>() { assert_eq!(id.as_str(), text); }
    }
}

#[test]
fn keys_in_urls_of_old_releases_are_not_shown() {
    let shown = |url: &str| {
        let location = crate::image::Location { url: url.to_owned(), metadata: serde_json::Map::new() };
        location.shown_url().into_owned()
    };
    assert_eq!(shown("s3+https://ACCESS:SEC/RET@s3.example.org/glance/id"), "s3+https://s3.example.org/glance/id");
    for url in ["s3://s3.example.org/glance/id", "file:///images/a@b", "https://user:key@example.org/x", ""] {
        assert_eq!(shown(url), url);
    }
}
