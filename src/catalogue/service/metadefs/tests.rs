use crate::catalogue::service::Fault;
use crate::catalogue::service::tests::fixture;
use crate::identity::Caller;
use crate::image::metadef::{Listing, NewNamespace};

fn reader(project: &str) -> Caller {
    Caller { project: Some(project.to_owned()), roles: vec!["reader".to_owned()], ..Caller::default() }
}

fn new(name: &str, owner: &str, is_public: bool) -> NewNamespace {
    NewNamespace { name: name.to_owned(), owner: Some(owner.to_owned()), is_public, ..NewNamespace::default() }
}

#[tokio::test]
async fn others_see_what_is_public_and_change_nothing() {
    let it = fixture().await;
    let admin = Caller::admin();
    for namespace in [new("open", "mine", true), new("closed", "mine", false)] {
        it.service.metadefs(&admin).create_namespace(namespace).await.unwrap();
    }
    let listing = Listing { limit: Some(10), ..Listing::default() };
    for (project, sees) in [("mine", 2), ("other", 1)] {
        let caller = reader(project);
        let metadefs = it.service.metadefs(&caller);
        assert_eq!(metadefs.namespaces(&listing).await.unwrap().0.len(), sees);
        assert_eq!(metadefs.namespace("closed", None).await.is_ok(), sees == 2);
        assert!(metadefs.tags("open", &Listing::default()).await.is_ok());
        let marker = Listing { marker: Some("closed".to_owned()), ..listing.clone() };
        assert_eq!(metadefs.namespaces(&marker).await.is_ok(), sees == 2);
        let hidden = metadefs.delete_namespace("closed").await;
        assert_eq!(matches!(hidden, Err(Fault::NotFound(_))), sees == 1, "{hidden:?}");
        assert!(matches!(metadefs.delete_namespace("open").await, Err(Fault::Forbidden(_))));
        assert!(matches!(metadefs.create_tag("open", "t").await, Err(Fault::Forbidden(_))));
        assert!(matches!(metadefs.create_namespace(new("x", project, true)).await, Err(Fault::Forbidden(_))));
    }
    let nobody = Caller { project: Some("mine".to_owned()), ..Caller::default() };
    assert!(it.service.metadefs(&nobody).namespace("open", None).await.is_err());
}
