//! What an operator may set; the names are Glance's options.

use crate::base::digest::Algorithm;
use crate::catalogue::tables::LocationKey;
use crate::db;
use crate::http;
use crate::identity::{self, protection, quota};
use crate::store;
use std::{path::PathBuf, time::Duration};

/// Settings of the catalogue. The default of each field is the default of Glance's option of that name.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `bind_host`
    pub bind_host: String,
    /// `bind_port`; 0 takes a free port.
    pub bind_port: u16,
    /// Limits of the server.
    pub server: http::server::Settings,
    /// Who asks, and what they may: `[paste_deploy]`, `[keystone_authtoken]`, `[oslo_policy]`.
    pub identity: identity::Settings,
    /// `property_protection_file`, `property_protection_rule_format`
    pub protection: protection::Settings,
    /// `[oslo_limit]`, with `use_keystone_limits`; none without.
    pub limits: Option<quota::Settings>,
    /// `[database]`
    pub database: db::Settings,
    /// `[glance_store]`
    pub store: store::Settings,
    /// How long another catalogue process on this database may be silent before its uploads count as broken off.
    pub lease: Duration,
    /// `public_endpoint`: what links in answers begin with; otherwise the request's own host.
    pub public_endpoint: Option<String>,
    /// `limit_param_default`
    pub limit_param_default: usize,
    /// `api_limit_max`
    pub api_limit_max: usize,
    /// `max_request_id_length`
    pub max_request_id_length: usize,
    /// `hashing_algorithm`: that of `os_hash_value`.
    pub hashing_algorithm: Algorithm,
    /// `image_size_cap`, bytes.
    pub image_size_cap: u64,
    /// `metadata_encryption_key`: the URLs of locations are encrypted with it in the database.
    pub metadata_encryption_key: Option<LocationKey>,
    /// `show_image_direct_url`
    pub show_image_direct_url: bool,
    /// `show_multiple_locations`
    pub show_multiple_locations: bool,
    /// `image_property_quota`; none for no limit (-1 in the file).
    pub image_property_quota: Option<u64>,
    /// `image_tag_quota`
    pub image_tag_quota: Option<u64>,
    /// `image_member_quota`
    pub image_member_quota: Option<u64>,
    /// `image_location_quota`
    pub image_location_quota: Option<u64>,
    /// `user_storage_quota`: bytes that a project may store; 0 for no limit.
    pub user_storage_quota: u64,
    /// `[image_format] container_formats`
    pub container_formats: Vec<String>,
    /// `[image_format] disk_formats`
    pub disk_formats: Vec<String>,
    /// `[image_format] require_image_format_match`
    pub require_image_format_match: bool,
    /// `[image_format] vmdk_allowed_types`
    pub vmdk_allowed_types: Vec<String>,
    /// `[image_format] gpt_safety_checks_nonfatal`
    pub gpt_safety_checks_nonfatal: Vec<String>,
    /// `[healthcheck] disable_by_file_path`: while this file exists, `/healthcheck` says 503.
    pub healthcheck_disable_by_file_path: Option<PathBuf>,
    /// `metadata_source_path`: the folder of metadata definitions.
    pub metadata_source_path: PathBuf,
    /// Serve `/metrics` on the API's address.
    pub metrics: bool,
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind_host: "0.0.0.0".to_owned(),
            bind_port: 9292,
            server: http::server::Settings::default(),
            identity: identity::Settings::default(),
            protection: protection::Settings::default(),
            limits: None,
            database: db::Settings::default(),
            store: store::Settings::default(),
            lease: Duration::from_secs(60),
            public_endpoint: None,
            limit_param_default: 25,
            api_limit_max: 1000,
            max_request_id_length: 64,
            hashing_algorithm: Algorithm::Sha512,
            image_size_cap: 1 << 40,
            metadata_encryption_key: None,
            show_image_direct_url: false,
            show_multiple_locations: false,
            image_property_quota: Some(128),
            image_tag_quota: Some(128),
            image_member_quota: Some(128),
            image_location_quota: Some(10),
            user_storage_quota: 0,
            container_formats: words("ami,ari,aki,bare,ovf,ova,docker,compressed"),
            disk_formats: words("ami,ari,aki,vhd,vhdx,vmdk,raw,qcow2,vdi,iso,ploop"),
            require_image_format_match: true,
            vmdk_allowed_types: words("streamOptimized,monolithicSparse"),
            gpt_safety_checks_nonfatal: Vec::new(),
            healthcheck_disable_by_file_path: Some(PathBuf::from("/etc/glance/healthcheck_disable")),
            metadata_source_path: PathBuf::from("/etc/glance/metadefs/"),
            metrics: true,
        }
    }
}
