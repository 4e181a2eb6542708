//! What an operator may set; the names are Glance's options.

use crate::base::digest::Algorithm;
use crate::catalogue::service::{CacheSettings, PluginSettings, SignatureSettings};
use crate::catalogue::tables::LocationKey;
use crate::db;
use crate::http;
use crate::identity::{self, protection, quota};
use crate::image::ImportMethod;
use crate::messaging;
use crate::store;
use ipnet::IpNet;
use std::{path::PathBuf, time::Duration};

/// Settings of the catalogue. The default of each field is the default of Glance's option of that name.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `bind_host`
    pub bind_host: String,
    /// `bind_port`; 0 takes a free port.
    pub bind_port: u16,
    /// `backlog`: connections that the kernel keeps until they are accepted.
    pub backlog: u32,
    /// Limits of the server.
    pub server: http::server::Settings,
    /// `[cors]`
    pub cors: http::cors::Settings,
    /// `[oslo_middleware] enable_proxy_headers_parsing`: believe what a proxy in front says of the request.
    pub enable_proxy_headers_parsing: bool,
    /// `[oslo_middleware] max_request_body_size`: bytes of a JSON document; data has limits of its own.
    pub max_request_body_size: usize,
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
    /// The cache of this node: `image_cache_dir` and its like.
    pub cache: CacheSettings,
    /// `worker_self_reference_url`: where the other nodes of a site reach this very one.
    pub worker_self_reference_url: Option<String>,
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
    /// `delayed_delete`: a deleted image's data stays until the scrubber removes it.
    pub delayed_delete: bool,
    /// `scrub_time`: how long it stays at least.
    pub scrub_time: Duration,
    /// `scrub_pool_size`: images that are scrubbed at the same time.
    pub scrub_pool_size: usize,
    /// `wakeup_time`: the pause of the scrubber's daemon.
    pub wakeup_time: Duration,
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
    /// `user_storage_quota`: what a project may store.
    pub user_storage_quota: quota::StorageQuota,
    /// `enabled_import_methods`, in their order.
    pub import_methods: Vec<ImportMethod>,
    /// Where data waits for its import: `[os_glance_staging_store] filesystem_store_datadir` with several stores, otherwise
    /// `node_staging_uri`.
    pub staging_folder: PathBuf,
    /// `[wsgi] task_pool_threads`: imports that a process works on at the same time.
    pub import_limit: usize,
    /// `do_secure_hash`: data at a location that the locations API adds is read, for its hashes; those that came with it are
    /// compared before the image is active.
    pub do_secure_hash: bool,
    /// `http_retries`: how often such data is read again when that breaks off.
    pub http_retries: u32,
    /// `[import_filtering_opts]`
    pub import_filtering: store::ImportFiltering,
    /// `[glance_download_properties] extra_properties`: what the names of properties begin with that come with an image
    /// from another region.
    pub download_properties: Vec<String>,
    /// What happens to the data of imports, and its settings.
    pub plugins: PluginSettings,
    /// `verify_signatures` and what belongs to it.
    pub signatures: SignatureSettings,
    /// `[oslo_messaging_notifications]`, `[oslo_messaging_rabbit]` and what belongs to them.
    pub notifications: messaging::Settings,
    /// `[task] task_time_to_live`: hours that a task is kept after its end.
    pub task_time_to_live: u32,
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
    /// `[healthcheck]`
    pub healthcheck: Healthcheck,
    /// `[fleet]`
    pub fleet: Fleet,
    /// `metadata_source_path`: the folder of metadata definitions.
    pub metadata_source_path: PathBuf,
    /// Serve `/metrics` on the API's address.
    pub metrics: bool,
}

/// `[healthcheck]`; the defaults are what Glance's `api-paste.ini` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Healthcheck {
    /// `backends`, each asked in this order.
    pub backends: Vec<Backend>,
    /// `detailed`
    pub detailed: bool,
    /// `disable_by_file_path`: while this file exists, `/healthcheck` says 503.
    pub disable_by_file_path: Option<PathBuf>,
    /// `disable_by_file_paths`: the same, for a process that listens on this port.
    pub disable_by_file_paths: Vec<(u16, PathBuf)>,
    /// `enable_by_file_paths`: while one of them is missing, `/healthcheck` says 503.
    pub enable_by_file_paths: Vec<PathBuf>,
    /// `allowed_source_ranges`: who is answered; empty for everybody.
    pub allowed_source_ranges: Vec<IpNet>,
    /// `ignore_proxied_requests`
    pub ignore_proxied_requests: bool,
}

/// `[fleet]`: nodes' agents, jobs, and the change feed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fleet {
    /// `heartbeat_interval`: what agents are told, from 1 second; a node is down after three without a beat.
    pub heartbeat_interval: Duration,
    /// `job_lifetime`: what a node has not taken over by then is given up; the job can be looked at for as long again.
    pub job_lifetime: Duration,
    /// `change_lifetime`: how long a change stays in the feed.
    pub change_lifetime: Duration,
    /// `change_limit`: how many changes stay in it at the most.
    pub change_limit: u64,
}

/// What a healthcheck looks at; the names are oslo.middleware's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Backend {
    /// `disable_by_file`
    DisableByFile,
    /// `disable_by_files_ports`
    DisableByFilesPorts,
    /// `enable_by_files`
    EnableByFiles,
}

fn words(text: &str) -> Vec<String> {
    text.split(',').map(str::to_owned).collect()
}

// === impl Healthcheck ===

impl Default for Healthcheck {
    fn default() -> Self {
        Self {
            backends: vec![Backend::DisableByFile],
            detailed: false,
            disable_by_file_path: Some(PathBuf::from("/etc/glance/healthcheck_disable")),
            disable_by_file_paths: Vec::new(),
            enable_by_file_paths: Vec::new(),
            allowed_source_ranges: Vec::new(),
            ignore_proxied_requests: false,
        }
    }
}

// === impl Fleet ===

impl Default for Fleet {
    fn default() -> Self {
        Self {
            heartbeat_interval: Duration::from_secs(30),
            job_lifetime: Duration::from_secs(7 * 86_400),
            change_lifetime: Duration::from_secs(7 * 86_400),
            change_limit: 100_000,
        }
    }
}

impl Fleet {
    /// Seconds from beat to beat.
    pub fn interval(&self) -> u64 {
        self.heartbeat_interval.as_secs().max(1)
    }

    /// Seconds of silence after which a node counts as down.
    pub fn patience(&self) -> u64 {
        self.interval().saturating_mul(3)
    }
}

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            bind_host: "0.0.0.0".to_owned(),
            bind_port: 9292,
            backlog: http::server::BACKLOG,
            server: http::server::Settings::default(),
            cors: http::cors::Settings::default(),
            enable_proxy_headers_parsing: false,
            max_request_body_size: 1 << 20,
            identity: identity::Settings::default(),
            protection: protection::Settings::default(),
            limits: None,
            database: db::Settings::default(),
            store: store::Settings::default(),
            cache: CacheSettings::default(),
            worker_self_reference_url: None,
            lease: Duration::from_secs(60),
            public_endpoint: None,
            limit_param_default: 25,
            api_limit_max: 1000,
            max_request_id_length: 64,
            hashing_algorithm: Algorithm::Sha512,
            image_size_cap: 1 << 40,
            metadata_encryption_key: None,
            delayed_delete: false,
            scrub_time: Duration::ZERO,
            scrub_pool_size: 1,
            wakeup_time: Duration::from_secs(300),
            show_image_direct_url: false,
            show_multiple_locations: false,
            image_property_quota: Some(128),
            image_tag_quota: Some(128),
            image_member_quota: Some(128),
            image_location_quota: Some(10),
            user_storage_quota: quota::StorageQuota::default(),
            import_methods: ImportMethod::DEFAULT.to_vec(),
            staging_folder: PathBuf::from("/tmp/staging/"),
            import_limit: 16,
            do_secure_hash: true,
            http_retries: 3,
            import_filtering: store::ImportFiltering::default(),
            download_properties: words("hw_,trait:,os_distro,os_secure_boot,os_type"),
            plugins: PluginSettings::default(),
            signatures: SignatureSettings::default(),
            notifications: messaging::Settings::default(),
            task_time_to_live: 48,
            container_formats: words("ami,ari,aki,bare,ovf,ova,docker,compressed"),
            disk_formats: words("ami,ari,aki,vhd,vhdx,vmdk,raw,qcow2,vdi,iso,ploop"),
            require_image_format_match: true,
            vmdk_allowed_types: words("streamOptimized,monolithicSparse"),
            gpt_safety_checks_nonfatal: Vec::new(),
            healthcheck: Healthcheck::default(),
            fleet: Fleet::default(),
            metadata_source_path: PathBuf::from("/etc/glance/metadefs/"),
            metrics: true,
        }
    }
}
