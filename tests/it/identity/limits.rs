//! Unified limits against a real Keystone.

use crate::{identity::admin::Cloud, support::rig};
use http::Method;
use larder::identity::{
    keystone::{Connection, Credentials},
    quota::{LimitError, Limits, Resource, Settings, Usage},
};
use serde_json::json;
use std::time::Duration;

fn settings(url: &str, user: &str) -> Settings {
    let credentials = Credentials {
        auth_url: url.to_owned(),
        username: Some(user.to_owned()),
        password: rig::PASSWORD.into(),
        system_scope: Some("all".to_owned()),
        ..Credentials::default()
    };
    Settings {
        connection: Connection { credentials, ..Connection::default() },
        endpoint_service_type: Some("image".to_owned()),
        endpoint_region_name: Some("RegionOne".to_owned()),
        cache_time: Duration::from_secs(1),
        ..Settings::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn limits_are_keystones() {
    let Some(keystone) = rig::keystone() else { return };
    let cloud = Cloud::new(&keystone.auth_url);
    let (admin, project) = (cloud.admin().await, cloud.id("projects", "demo").await);
    let system = cloud.scoped("admin", json!({"system": {"all": true}})).await.token;
    let (name, id) = cloud.service_user(&["service"]).await;
    let reader = cloud.id("roles", "reader").await;
    cloud.done(Method::PUT, &format!("/system/users/{id}/roles/{reader}"), &system, None).await;
    let service = cloud.done(Method::GET, "/services?type=image", &admin, None).await;
    let service = service["services"][0]["id"].as_str().unwrap().to_owned();
    let registered = |name: &str, limit: i64| json!({"service_id": service, "region_id": "RegionOne", "resource_name": name, "default_limit": limit});
    let all = json!({"registered_limits": [registered("image_size_total", 1000), registered("image_count_total", -1)]});
    cloud.done(Method::POST, "/registered_limits", &system, Some(all)).await;

    let limits = Limits::new(settings(&keystone.auth_url, &name)).unwrap();
    let usage = |resource, current, delta| Usage { resource, current, delta };
    let within = [usage(Resource::ImageSizeTotal, 400, 600), usage(Resource::ImageCountTotal, 10_000, 1)];
    limits.enforce(&project, &within).await.unwrap();
    let error = limits.enforce(&project, &[usage(Resource::ImageSizeTotal, 400, 601)]).await.unwrap_err();
    assert_eq!(
        error.to_string(),
        format!(
            "Project {project} is over a limit for [Resource image_size_total is over limit of 1000 due to current usage \
             400 and delta 601]"
        )
    );
    // What nobody registered may not be used.
    let nothing = limits.enforce(&project, &[usage(Resource::ImageStageTotal, 0, 1)]).await;
    assert!(matches!(nothing, Err(LimitError::Over { .. })));

    // A project's own limit comes before the common one, for this project only, and soon.
    let own = json!({"limits": [{"service_id": service, "region_id": "RegionOne", "project_id": project,
        "resource_name": "image_size_total", "resource_limit": 5}]});
    cloud.done(Method::POST, "/limits", &system, Some(own)).await;
    tokio::time::sleep(Duration::from_millis(1100)).await;
    assert!(limits.enforce(&project, &[usage(Resource::ImageSizeTotal, 0, 6)]).await.is_err());
    limits.enforce(&project, &[usage(Resource::ImageSizeTotal, 0, 5)]).await.unwrap();
    let other = cloud.id("projects", "alt_demo").await;
    limits.enforce(&other, &[usage(Resource::ImageSizeTotal, 0, 6)]).await.unwrap();

    // The endpoint can be named by its id, and must be the only one.
    let endpoints = cloud.done(Method::GET, &format!("/endpoints?service_id={service}"), &admin, None).await;
    let id = endpoints["endpoints"][0]["id"].as_str().unwrap().to_owned();
    let by_id = Settings { endpoint_id: Some(id), endpoint_service_type: None, ..settings(&keystone.auth_url, &name) };
    assert!(Limits::new(by_id).unwrap().enforce(&other, &[usage(Resource::ImageSizeTotal, 0, 1001)]).await.is_err());
    for wrong in [
        Settings { endpoint_id: Some("../x".to_owned()), ..settings(&keystone.auth_url, &name) },
        Settings { endpoint_service_type: Some("volume".to_owned()), ..settings(&keystone.auth_url, &name) },
        Settings { endpoint_service_type: None, ..settings(&keystone.auth_url, &name) },
        Settings { endpoint_region_name: Some("Nowhere".to_owned()), ..settings(&keystone.auth_url, &name) },
    ] {
        let answer = Limits::new(wrong).unwrap().enforce(&other, &[]).await;
        assert!(matches!(answer, Err(LimitError::Endpoint(_))), "{answer:?}");
    }
    let nobody = Limits::new(settings(&keystone.auth_url, "nobody")).unwrap();
    assert!(matches!(nobody.enforce(&other, &[]).await, Err(LimitError::Keystone(_))));
}
