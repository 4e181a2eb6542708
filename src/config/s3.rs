//! The options of the S3 store.

use super::{
    options::Options,
    value::{Kind, Refused, parsed},
};
use crate::store::S3Settings;

/// Words of both options of checksums.
const CHECKSUMS: &str = "when_required or when_supported";

/// The parts that are sent at once.
const POOLS: Kind<usize> = Kind {
    takes: "a whole number from 1 up",
    read: |text| text.trim().parse().ok().filter(|it| *it > 0).ok_or_else(Refused::default),
    write: |value| Some(value.to_string()),
};

pub(super) fn visit(options: &mut Options<'_>, it: &mut S3Settings) {
    options.bind(
        "s3_store_host",
        &mut it.host,
        "S3 store: the server, such as https://s3.example.org or https://s3.eu-west-1.amazonaws.com; without https:// or \
         http://, the latter.",
    );
    options.bind(
        "s3_store_region_name",
        &mut it.region_name,
        "Its region. Empty: the one in an address of Amazon's, otherwise us-east-1.",
    );
    options.bind("s3_store_access_key", &mut it.access_key, "Access key.");
    options.bind("s3_store_secret_key", &mut it.secret_key, "Secret key.");
    options.bind("s3_store_bucket", &mut it.bucket, "The bucket; an image's data is the object of its id in it.");
    options.bind(
        "s3_store_create_bucket_on_put",
        &mut it.create_bucket_on_put,
        "Make the bucket when an image is written and there is none.",
    );
    options.bind_as(
        "s3_store_bucket_url_format",
        &mut it.bucket_url_format,
        parsed("auto, virtual or path"),
        "Where requests name the bucket: in the host name (virtual) or in the path; auto: in the host name at Amazon only.",
    );
    options.bind(
        "s3_store_large_object_size",
        &mut it.large_object_size,
        "MB from which on Glance writes in parts. It is shown by /v2/info/stores/detail; here all that is longer than a part is \
         written in parts, so that little of it is in memory.",
    );
    options.bind(
        "s3_store_large_object_chunk_size",
        &mut it.large_object_chunk_size,
        "Length of the parts in MB, 5 or more. They are longer where 10000 of them would not be enough.",
    );
    options.bind_as(
        "s3_store_thread_pools",
        &mut it.thread_pools,
        POOLS,
        "Parts of an image that are sent at the same time, as far as these have 40 MB in all.",
    );
    options.bind(
        "s3_store_cacert",
        &mut it.cacert,
        "PEM file of the authorities that the server is trusted by. Not set: the system's.",
    );
    options.bind(
        "s3_store_enable_data_integrity_protection",
        &mut it.enable_data_integrity_protection,
        "Let the two options below count.",
    );
    options.bind_as(
        "s3_store_request_checksum_calculation",
        &mut it.request_checksum_calculation,
        parsed(CHECKSUMS),
        "With when_supported, a CRC32C goes with what is written, for the server to verify.",
    );
    options.bind_as(
        "s3_store_response_checksum_validation",
        &mut it.response_checksum_validation,
        parsed(CHECKSUMS),
        "Taken, and not used: what is read is compared with the image's own hash by whoever it is for.",
    );
}
