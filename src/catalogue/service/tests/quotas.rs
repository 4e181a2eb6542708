use super::{fixture, raw, settings, upload};
use crate::catalogue::{
    Settings,
    service::{Fault, Service, Upload},
};
use crate::http::keystone::Credentials;
use crate::identity::{
    Caller,
    quota::{self, StorageQuota},
};
use crate::image::{Change, How, NewImage, Status};
use bytes::Bytes;
use futures_util::{StreamExt, stream};
use tokio::sync::oneshot;

async fn limited(dir: &std::path::Path) -> Service {
    let settings = Settings {
        image_property_quota: Some(2),
        image_tag_quota: Some(1),
        image_size_cap: 1000,
        user_storage_quota: StorageQuota::new(1500),
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
async fn uploads_at_the_same_time_share_what_is_left() {
    let dir = tempfile::tempdir().unwrap();
    let service = limited(dir.path()).await;
    let admin = Caller::admin();
    let first = service.create(&admin, raw()).await.unwrap().id;
    let second = service.create(&admin, raw()).await.unwrap().id;
    let ((began, begins), (go_on, goes_on)) = (oneshot::channel(), oneshot::channel());
    let body = stream::once(async move {
        let _ = began.send(());
        let _ = goes_on.await;
        Ok(Bytes::from_static(&[1; 1000]))
    });
    let waiting = Upload { body: body.boxed(), expected: Some(1000), store: None };
    let uploading = {
        let (service, admin, id) = (service.clone(), admin.clone(), second.clone());
        tokio::spawn(async move { service.upload(&admin, &id, waiting).await })
    };
    begins.await.unwrap();
    service.upload(&admin, &first, upload(&[1; 1000])).await.unwrap();
    go_on.send(()).unwrap();
    assert!(matches!(uploading.await.unwrap(), Err(Fault::TooLarge(_))), "together they are over the quota");
    assert_eq!(service.show(&admin, &second).await.unwrap().status, Status::Queued);
    assert!(!dir.path().join("images").join(second.as_str()).exists(), "nothing of it is kept");
    service.upload(&admin, &second, upload(&[1; 500])).await.unwrap();
}

#[tokio::test]
async fn keystones_limits_stand_in_place_of_the_quota() {
    let dir = tempfile::tempdir().unwrap();
    // Nobody listens there; callers without a project have no limits.
    let mut limits = quota::Settings::default();
    limits.connection.credentials = Credentials {
        auth_url: "http://127.0.0.1:1".to_owned(),
        username: Some("u".to_owned()),
        project_name: Some("p".to_owned()),
        ..Credentials::default()
    };
    let settings =
        Settings { user_storage_quota: StorageQuota::new(1500), limits: Some(limits), ..settings(dir.path()) };
    let service = Service::open(settings).await.unwrap();
    for _ in 0..2 {
        let id = service.create(&Caller::admin(), raw()).await.unwrap().id;
        service.upload(&Caller::admin(), &id, upload(&[1; 1000])).await.unwrap();
    }
}

#[tokio::test]
async fn what_is_over_a_quota_may_become_less() {
    let fixture = fixture().await;
    let properties = (0..5).map(|n| (format!("p{n}"), None)).collect();
    let id = fixture.service.create(&Caller::admin(), NewImage { properties, ..raw() }).await.unwrap().id;
    let service = limited(fixture.dir.path()).await;
    service.change(&Caller::admin(), &id, vec![Change::Remove("p0".into())]).await.unwrap();
}
