use super::{fixture, raw, settings, upload};
use crate::catalogue::{
    Settings,
    service::{Fault, Service, Upload},
};
use crate::identity::Caller;
use crate::image::{Change, How, NewImage};

async fn limited(dir: &std::path::Path) -> Service {
    let settings = Settings {
        image_property_quota: Some(2),
        image_tag_quota: Some(1),
        image_size_cap: 1000,
        user_storage_quota: 1500,
        ..settings(dir)
    };
    Service::open(settings).await.unwrap()
}

#[tokio::test]
async fn properties_and_tags_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let service = limited(dir.path()).await;
    let admin = Caller::admin();
    let properties = |count: usize| (0..count).map(|n| (format!("p{n}"), None)).collect();
    let many = NewImage { properties: properties(3), ..raw() };
    assert!(matches!(service.create(&admin, many).await, Err(Fault::TooLarge(_))));
    let id = service.create(&admin, NewImage { properties: properties(2), ..raw() }).await.unwrap().id;
    let more = || vec![Change::SetProperty { name: "q".into(), value: None, how: How::Put }];
    assert!(matches!(service.change(&admin, &id, more()).await, Err(Fault::TooLarge(_))));
    let swap = [vec![Change::Remove("p0".into())], more()].concat();
    service.change(&admin, &id, swap).await.unwrap();
    service.add_tag(&admin, &id, "a").await.unwrap();
    assert!(matches!(service.add_tag(&admin, &id, "b").await, Err(Fault::TooLarge(_))));
}

#[tokio::test]
async fn bytes_are_counted() {
    let dir = tempfile::tempdir().unwrap();
    let service = limited(dir.path()).await;
    let admin = Caller::admin();
    let mut ids = Vec::new();
    for _ in 0..3 {
        ids.push(service.create(&admin, raw()).await.unwrap().id);
    }
    let too_large = |outcome| matches!(outcome, Err(Fault::TooLarge(_)));
    assert!(too_large(service.upload(&admin, &ids[0], upload(&[1; 1001])).await));
    let announced = Upload { expected: Some(1001), ..upload(&[1; 10]) };
    assert!(too_large(service.upload(&admin, &ids[0], announced).await));
    service.upload(&admin, &ids[0], upload(&[1; 1000])).await.unwrap();
    // 500 bytes are left to the project.
    assert!(too_large(service.upload(&admin, &ids[1], upload(&[1; 501])).await));
    service.upload(&admin, &ids[1], upload(&[1; 500])).await.unwrap();
    assert!(too_large(service.upload(&admin, &ids[2], upload(&[1; 1])).await));
    service.delete(&admin, &ids[0]).await.unwrap();
    service.upload(&admin, &ids[2], upload(&[1; 1000])).await.unwrap();
}

#[tokio::test]
async fn what_is_over_a_quota_may_become_less() {
    let fixture = fixture().await;
    let properties = (0..5).map(|n| (format!("p{n}"), None)).collect();
    let id = fixture.service.create(&Caller::admin(), NewImage { properties, ..raw() }).await.unwrap().id;
    let service = limited(fixture.dir.path()).await;
    service.change(&Caller::admin(), &id, vec![Change::Remove("p0".into())]).await.unwrap();
}
