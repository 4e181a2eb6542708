//! What every store must do, tried on this one.

use crate::support::rig::{Ceph, ceph};
use bytes::Bytes;
use futures_util::TryStreamExt;
use larder::base::Batch;
use larder::image::ImageId;
use larder::store::{
    RbdSettings, Settings, Store,
    conformance::{Extent, Report, check},
    open,
};
use std::sync::Arc;

pub(super) fn settings(ceph: &Ceph) -> RbdSettings {
    RbdSettings {
        rbd_store_user: Some("glance".to_owned()),
        rbd_store_ceph_conf: Some(ceph.conf()),
        ..RbdSettings::default()
    }
}

pub(super) fn store(rbd: RbdSettings) -> Arc<dyn Store> {
    open(&Settings { default_store: "rbd".to_owned(), rbd, ..Settings::default() }).unwrap()
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn all_that_a_store_must_do_holds() {
    let Some(ceph) = ceph() else { return };
    for (rbd_store_chunk_size, rbd_thin_provisioning) in [(8, false), (1, true)] {
        let store = store(RbdSettings { rbd_store_chunk_size, rbd_thin_provisioning, ..settings(ceph) });
        let extent = Extent { largest: 20 << 20, ..Extent::default() };
        let report = check(&*store, &extent, |it| println!("{:?} {}: {:?}", it.took, it.point, it.wrong)).await;
        assert!(matches!(report, Report::Tried(_)));
        assert_eq!(report.faults(), None);
    }
}

/// What Ceph has no more reads as zeros.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn what_is_removed_while_it_is_read_ends_in_an_error() {
    let Some(ceph) = ceph() else { return };
    let store = store(settings(ceph));
    let id: ImageId = ImageId::from_random(rand::random());
    let mut writing = store.write(&id, None).await.unwrap();
    for _ in 0..24 {
        writing.write(Batch::from(Bytes::from(vec![7; 1 << 20]))).await.unwrap();
    }
    let staged = writing.finish().await.unwrap();
    let url = staged.url().to_owned();
    staged.commit().await.unwrap();
    let mut blocks = store.read(&url, 0..24 << 20).await.unwrap();
    let first = blocks.try_next().await.unwrap().unwrap();
    assert!(first.iter().all(|it| *it == 7));
    store.remove(&url).await.unwrap();
    let mut got = first.len();
    let end = loop {
        match blocks.try_next().await {
            Ok(Some(block)) => got += block.len(),
            end => break end,
        }
    };
    assert!(end.is_err() && got < 24 << 20, "{got}");
}
