//! The options of the S3 store, under Glance's names.

use crate::base::Secret;
use std::path::PathBuf;

/// `s3_store_…`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct S3Settings {
    /// `s3_store_host`: `https://` or `http://` and the server; without either, `http://`.
    pub host: String,
    /// `s3_store_region_name`; empty: that of an address of Amazon's, otherwise us-east-1.
    pub region_name: String,
    /// `s3_store_access_key`
    pub access_key: Secret,
    /// `s3_store_secret_key`
    pub secret_key: Secret,
    /// `s3_store_bucket`
    pub bucket: String,
    /// `s3_store_create_bucket_on_put`: make the bucket when data is written and there is none.
    pub create_bucket_on_put: bool,
    /// `s3_store_bucket_url_format`: where requests name the bucket.
    pub bucket_url_format: BucketUrlFormat,
    /// `s3_store_large_object_size`, MiB: from here on Glance writes in parts. It is shown and not used.
    pub large_object_size: u64,
    /// `s3_store_large_object_chunk_size`, MiB: the length of parts, 5 or more.
    pub large_object_chunk_size: u64,
    /// `s3_store_thread_pools`: parts of an image that are sent at the same time, at the most.
    pub thread_pools: usize,
    /// `s3_store_cacert`: PEM; only what these authorities have signed is trusted.
    pub cacert: Option<PathBuf>,
    /// `s3_store_enable_data_integrity_protection`: whether the two below count.
    pub enable_data_integrity_protection: bool,
    /// `s3_store_request_checksum_calculation`: send checksums that the server verifies.
    pub request_checksum_calculation: Checksums,
    /// `s3_store_response_checksum_validation`: taken, and not used.
    pub response_checksum_validation: Checksums,
}

/// Where requests name the bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum BucketUrlFormat {
    /// In the host name at Amazon, in the path elsewhere (boto's rule).
    #[default]
    Auto,
    /// In the host name.
    Virtual,
    /// In the path.
    Path,
}

/// When checksums are sent.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Checksums {
    /// Where S3 wants one.
    #[default]
    WhenRequired,
    /// Where S3 takes one.
    WhenSupported,
}

impl Default for S3Settings {
    fn default() -> Self {
        Self {
            host: String::new(),
            region_name: String::new(),
            access_key: Secret::default(),
            secret_key: Secret::default(),
            bucket: String::new(),
            create_bucket_on_put: false,
            bucket_url_format: BucketUrlFormat::Auto,
            large_object_size: 100,
            large_object_chunk_size: 10,
            thread_pools: 10,
            cacert: None,
            enable_data_integrity_protection: false,
            request_checksum_calculation: Checksums::WhenRequired,
            response_checksum_validation: Checksums::WhenRequired,
        }
    }
}

/// No such way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("no such value")]
pub struct UnknownWord;

macro_rules! words {
    ($kind:ident: $($value:ident = $word:literal),+) => {
        impl std::str::FromStr for $kind {
            type Err = UnknownWord;

            fn from_str(text: &str) -> Result<Self, UnknownWord> {
                match text.trim() {
                    $($word => Ok(Self::$value),)+
                    _ => Err(UnknownWord),
                }
            }
        }

        impl std::fmt::Display for $kind {
            fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(match self {
                    $(Self::$value => $word,)+
                })
            }
        }
    };
}

words!(BucketUrlFormat: Auto = "auto", Virtual = "virtual", Path = "path");
words!(Checksums: WhenRequired = "when_required", WhenSupported = "when_supported");
