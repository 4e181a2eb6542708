//! Every point of the suite holds.

use super::{
    keepers,
    look::{KEEPER, Look},
    server, settings, site, soon_empty,
};
use larder::store::{
    Settings,
    conformance::{self, Extent, Report},
    open,
};

async fn conforms(settings: &Settings) {
    let store = open(settings).unwrap();
    let extent = Extent { largest: 16 << 20, ..Extent::default() };
    let report = conformance::check(&*store, &extent, |it| println!("{it:?}")).await;
    let Report::Tried(points) = &report else { panic!("{report:?}") };
    assert!(points.len() > 15, "{points:?}");
    assert_eq!(report.faults(), None);
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_swift() {
    let Some(server) = server().await else { return };
    conforms(&settings(server, "conforms")).await;
    soon_empty(server, "conforms").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn under_keystone() {
    let Some(site) = site().await else { return };
    conforms(&keepers(site, "conforms")).await;
    Look::of(site, KEEPER).soon_empty("conforms").await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn in_many_containers() {
    let Some(site) = site().await else { return };
    let mut many = keepers(site, "conforms-many");
    many.swift.multiple_containers_seed = 1;
    conforms(&many).await;
    let look = Look::of(site, KEEPER);
    let containers: Vec<String> =
        look.objects("").await.into_iter().filter(|it| it.starts_with("conforms-many")).collect();
    assert!(containers.len() > 1 && containers.iter().all(|it| it.starts_with("conforms-many_")), "{containers:?}");
    for container in containers {
        look.soon_empty(&container).await;
    }
}
