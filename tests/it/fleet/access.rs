//! Who may, behind a real Keystone.

use super::{Node, image, name};
use crate::{
    api::behind,
    identity::admin::Cloud,
    support::rig::{self, PASSWORD},
};
use larder::{
    remote::{Auth, Catalogue, Password, Settings},
    wire::fleet::{Action, Event, NewJob, Selector, Targets},
};
use serde_json::json;
use url::Url;

#[tokio::test(flavor = "multi_thread")]
async fn agents_speak_for_nodes_and_admins_steer_them() {
    let Some(keystone) = tokio::task::spawn_blocking(rig::keystone).await.unwrap() else { return };
    let server = tokio::task::spawn_blocking(|| behind(keystone)).await.unwrap();
    let as_user = |user: &str, project: &str| {
        let password = Password {
            auth_url: keystone.auth_url.clone(),
            username: Some(user.into()),
            password: PASSWORD.into(),
            project_name: Some(project.into()),
            ..Password::default()
        };
        let endpoint = Some(Url::parse(&format!("http://{}", server.address)).unwrap());
        Catalogue::new(Settings { endpoint, auth: Auth::Password(password), ..Settings::default() }).unwrap()
    };
    let (agent, _) = Cloud::new(&keystone.auth_url).service_user(&["service"]).await;
    let (agents, admin, demo, reader) =
        (as_user(&agent, "service"), as_user("admin", "admin"), as_user("demo", "demo"), as_user("reader", "demo"));
    let ask = NewJob { action: Action::Queue, images: vec![image(1)], nodes: Targets::All(true), priority: 0 };

    // A service is an agent, and does not steer.
    let mut node = Node::new(&agents, "n1", "site=x");
    node.beat().await.unwrap();
    assert!(agents.nodes(&Selector::default()).await.unwrap_err().is_denied());
    assert!(agents.make_job(&ask).await.unwrap_err().is_denied());
    assert!(agents.forget_node(&name("n1")).await.unwrap_err().is_denied());
    assert!(agents.rules(Some(&name("n1"))).await.unwrap().rules.is_empty());
    assert!(agents.image_nodes(&image(1)).await.unwrap().is_empty());

    // An admin does.
    assert_eq!(admin.nodes(&Selector::default()).await.unwrap()[0].name, name("n1"));
    let job = admin.make_job(&ask).await.unwrap();
    assert!(job.user.is_some(), "it says who asked");
    let work = node.beat().await.unwrap().work;
    assert_eq!(work.len(), 1);

    // Projects do neither, and learn nothing; not even what changes.
    for nobody in [&demo, &reader] {
        let denied = [
            nobody.nodes(&Selector::default()).await.map(drop),
            nobody.node(&name("n1")).await.map(drop),
            nobody.node_images(&name("n1")).await.map(drop),
            nobody.image_nodes(&image(1)).await.map(drop),
            nobody.make_job(&ask).await.map(drop),
            nobody.jobs(1).await.map(drop),
            nobody.job(&job.id).await.map(drop),
            nobody.cancel_job(&job.id).await.map(drop),
            nobody.rules(None).await.map(drop),
            nobody.delete_rule(&"r".parse().unwrap()).await,
            nobody.changes(None, None).await.map(drop),
            nobody.listen(None, None).await.map(drop),
            nobody.forget_node(&name("n1")).await,
            Node::new(nobody, "n2", "").register().await,
            nobody.heartbeat(&name("n1"), &node.next()).await.map(drop),
        ];
        for (number, outcome) in denied.into_iter().enumerate() {
            assert!(outcome.as_ref().is_err_and(|it| it.status().is_some_and(|it| it == 403)), "{number}: {outcome:?}");
        }
    }
    let address = server.address;
    let strange =
        tokio::task::spawn_blocking(move || crate::api::exchange(address, "GET", "/larder/v1/nodes", &[], b""));
    assert_eq!(strange.await.unwrap().status, 401);

    // The feed names a project's image by its id, and says no more.
    let secret = demo
        .create(
            &json!({"name": "top secret", "disk_format": "raw", "container_format": "bare", "visibility": "private"}),
        )
        .await
        .unwrap();
    let page = agents.changes(Some(0), None).await.unwrap();
    let told = page.changes.iter().find(|it| it.image.as_ref().is_some_and(|it| it.as_str() == secret.id)).unwrap();
    assert_eq!(told.event, Event::ImageCreated);
    assert!(!serde_json::to_string(&page).unwrap().contains("top secret"));

    // A name stays with its user until an admin forgets it.
    let (other, _) = Cloud::new(&keystone.auth_url).service_user(&["service"]).await;
    let other = as_user(&other, "service");
    let refused = Node::new(&other, "n1", "").register().await.unwrap_err();
    assert!(refused.is_denied() && refused.to_string().contains("larder node forget n1"), "{refused}");
    Node::new(&other, "n2", "").register().await.unwrap();
    admin.forget_node(&name("n1")).await.unwrap();
    Node::new(&other, "n1", "").register().await.unwrap();
    assert!(node.register().await.unwrap_err().is_denied());
}
