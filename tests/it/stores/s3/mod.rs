//! The S3 store, on Ceph's gateway and on Swift.

pub(super) mod bucket;
mod conforms;
mod glance;
mod killed;
mod network;
mod servers;
pub(super) mod site;

use crate::support::rig::{self, S3};
use larder::store::{S3Settings, Settings};

/// Both real servers.
pub(super) fn servers() -> Option<[(&'static str, S3); 2]> {
    Some([("ceph", rig::ceph_s3()?.clone()), ("swift", rig::swift_s3()?)])
}

/// A store of this server in a bucket of its own.
pub(super) fn settings(server: &S3, bucket: &str) -> Settings {
    let s3 = S3Settings {
        host: server.url.clone(),
        access_key: server.access.into(),
        secret_key: server.secret.into(),
        bucket: bucket.to_owned(),
        create_bucket_on_put: true,
        large_object_chunk_size: 5,
        ..S3Settings::default()
    };
    Settings { default_store: "s3".to_owned(), s3, ..Settings::default() }
}
