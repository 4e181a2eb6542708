//! Every point of the suite holds, on each server.

use super::{bucket, servers, settings};
use larder::store::{
    conformance::{self, Extent, Report},
    open,
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn on_each_server() {
    let Some(servers) = tokio::task::spawn_blocking(servers).await.unwrap() else { return };
    for (name, server) in servers {
        let store = open(&settings(&server, "conforms")).unwrap();
        let extent = Extent { largest: 16 << 20, ..Extent::default() };
        let report = conformance::check(&*store, &extent, |it| println!("{name}: {it:?}")).await;
        let Report::Tried(points) = &report else { panic!("{report:?}") };
        assert!(points.len() > 15, "{points:?}");
        assert_eq!(report.faults(), None, "{name}");
        bucket::soon_empty(&server, "conforms").await;
    }
}
