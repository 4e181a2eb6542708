//! Every point of the suite holds.

use super::{server, settings, soon_empty};
use larder::store::{
    conformance::{self, Extent, Report},
    open,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_swift() {
    let Some(server) = server().await else { return };
    let store = open(&settings(server, "conforms")).unwrap();
    let extent = Extent { largest: 16 << 20, ..Extent::default() };
    let report = conformance::check(&*store, &extent, |it| println!("{it:?}")).await;
    let Report::Tried(points) = &report else { panic!("{report:?}") };
    assert!(points.len() > 15, "{points:?}");
    assert_eq!(report.faults(), None);
    soon_empty(server, "conforms").await;
}
