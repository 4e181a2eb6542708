//! Beside a real Glance, on the same bucket.

use super::{bucket, servers, site::block_on};
use crate::{
    stores::in_turns::{Both, in_turns},
    support::rig::{self, S3},
};

fn on(s3: &S3, several: bool) {
    let Some(library) = rig::boto3() else { return };
    let S3 { url, access, secret } = s3;
    let options = format!(
        "s3_store_host = {url}\ns3_store_access_key = {access}\ns3_store_secret_key = {secret}\ns3_store_bucket = both\n\
         s3_store_create_bucket_on_put = true\ns3_store_large_object_size = 5\ns3_store_large_object_chunk_size = 5\n"
    );
    let objects = || block_on(bucket::objects(s3, "both"));
    in_turns(&Both { kind: "s3", options, several, library, large: (11 << 20) + 3, hidden: "", objects: &objects });
    block_on(bucket::soon_empty(s3, "both"));
}

#[test]
fn with_several_stores() {
    if let Some([(_, s3), _]) = servers() {
        on(&s3, true);
    }
}

#[test]
fn with_one_store_on_swift() {
    if let Some([_, (_, s3)]) = servers() {
        on(&s3, false);
    }
}
