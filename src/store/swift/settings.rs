//! The options of the Swift store, under Glance's names.

use crate::base::Secret;
use std::path::PathBuf;

/// `swift_store_…`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SwiftSettings {
    /// `swift_store_auth_version`: 3 for Keystone, 1 for Swift's own tempauth. Glance takes 3 alone.
    pub auth_version: String,
    /// `swift_store_auth_address`: Keystone, such as `https://keystone.example.org:5000/v3`.
    pub auth_address: String,
    /// `swift_store_user`: `project:user`.
    pub user: String,
    /// `swift_store_key`: the user's password.
    pub key: Secret,
    /// `swift_store_application_credential_id`; with its secret it is used in place of user and key.
    pub application_credential_id: String,
    /// `swift_store_application_credential_secret`
    pub application_credential_secret: Secret,
    /// `swift_store_config_file`: accounts by name, so that no key stands in location URLs.
    pub config_file: Option<PathBuf>,
    /// `default_swift_reference`: the account of that file that data is written to.
    pub default_reference: String,
    /// `swift_store_region`; empty: the first that Keystone names.
    pub region: String,
    /// `swift_store_endpoint`: the account's URL, in place of the one that Keystone names.
    pub endpoint: String,
    /// `swift_store_endpoint_type`: publicURL, internalURL or adminURL.
    pub endpoint_type: String,
    /// `swift_store_service_type`
    pub service_type: String,
    /// `swift_store_container`
    pub container: String,
    /// `swift_store_create_container_on_put`: make the container when data is written and there is none.
    pub create_container_on_put: bool,
    /// `swift_store_large_object_size`, units of 1,024,000 bytes: from here on Glance writes in segments. It is shown and not
    /// used.
    pub large_object_size: u64,
    /// `swift_store_large_object_chunk_size`, units of 1,024,000 bytes: the length of segments.
    pub large_object_chunk_size: u64,
    /// `swift_store_multiple_containers_seed`: digits of the image id that are added to the container's name, 0 to 32.
    pub multiple_containers_seed: usize,
    /// `swift_store_multi_tenant`: one container for each image in its owner's account; it is refused.
    pub multi_tenant: bool,
    /// `swift_store_retry_get_count`: how often a read that breaks off is taken up, if that is more than it is anyway.
    pub retry_get_count: u32,
    /// `swift_store_expire_soon_interval`: how long before its end a token is renewed, seconds; at least 10 and at most half
    /// of its life.
    pub expire_soon_interval: u64,
    /// `swift_store_cacert`: PEM; only what these authorities have signed is trusted.
    pub cacert: Option<PathBuf>,
    /// `swift_store_auth_insecure`: trust every server.
    pub auth_insecure: bool,
}

impl Default for SwiftSettings {
    fn default() -> Self {
        Self {
            auth_version: "3".to_owned(),
            auth_address: String::new(),
            user: String::new(),
            key: Secret::default(),
            application_credential_id: String::new(),
            application_credential_secret: Secret::default(),
            config_file: None,
            default_reference: "ref1".to_owned(),
            region: String::new(),
            endpoint: String::new(),
            endpoint_type: "publicURL".to_owned(),
            service_type: "object-store".to_owned(),
            container: "glance".to_owned(),
            create_container_on_put: false,
            large_object_size: 5120,
            large_object_chunk_size: 200,
            multiple_containers_seed: 0,
            multi_tenant: false,
            retry_get_count: 0,
            expire_soon_interval: 60,
            cacert: None,
            auth_insecure: false,
        }
    }
}

// === impl SwiftSettings ===

impl SwiftSettings {
    /// What Glance calls a MB in these options, bytes.
    pub const MB: u64 = 1_024_000;
}
