//! The catalogue's options. Names and meanings are Glance's.

use super::{
    ConfigError, http,
    identity::{self, Who},
    imports, logs,
    notifications::{self, Urls},
    options::Options,
    s3, signatures, swift,
    value::{As, BYTES, Kind, NO_LIMIT_BELOW_ZERO, Refused, Secret, Value, parsed},
};
use crate::catalogue;
use crate::db;
use crate::remote;
use crate::runtime::logging;
use crate::store;
use std::path::PathBuf;

/// Everything that `larder catalogue` is told.
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    /// The catalogue itself.
    pub settings: catalogue::Settings,
    /// Its log.
    pub logging: logging::Settings,
    pub(super) who: Who,
    /// Ids and kinds, in their order.
    pub(super) backends: Vec<(String, String)>,
    pub(super) default_backend: Option<String>,
    /// `node_staging_uri`, a folder.
    pub(super) staging_uri: Option<PathBuf>,
    /// `[os_glance_staging_store]`
    pub(super) staging_store: Option<PathBuf>,
    pub(super) urls: Urls,
    pub(super) key_manager: signatures::KeyManager,
}

/// What the ids of Glance's own stores begin with.
const RESERVED: &str = "os_glance_";

pub(super) const INTRO: &str = "Larder's catalogue. Every option stands here, commented out, at its default.\n\
    The names are Glance's: a glance-api.conf can be used in place of this file.";

pub(super) fn visit(options: &mut Options<'_>, it: &mut Catalogue) {
    options.section("DEFAULT");
    logs::visit(options, &mut it.logging);
    server(options, &mut it.settings);
    api(options, &mut it.settings);
    deletion(options, &mut it.settings);
    quotas(options, &mut it.settings);
    cache(options, &mut it.settings.cache);
    signatures::of_catalogue(options, &mut it.settings.signatures);
    identity::default_section(options, it);
    options.bind(
        "enabled_backends",
        &mut it.backends,
        "Stores by id, each with its type (file, http, s3, rbd, swift), such as fast:file, web:http. Each has its options in a section of its \
         id: those of its type as in [glance_store], store_description, and weight (of several places of an image that in the \
         heaviest store is read first). [glance_store] default_backend names the one that uploads go to when they name none. \
         Empty: the one store of [glance_store].",
    );
    notifications::default_section(options, it);
    imports::visit(options, it);
    options.section("paste_deploy");
    identity::paste_deploy(options, it);
    options.section("keystone_authtoken");
    identity::keystone_authtoken(options, it);
    options.section("oslo_policy");
    identity::oslo_policy(options, &mut it.settings.identity.policy);
    options.section("oslo_limit");
    identity::oslo_limit(options, &mut it.who);
    options.section("database");
    database(options, &mut it.settings.database);
    options.section("glance_store");
    options.bind(
        "default_backend",
        &mut it.default_backend,
        "The store of enabled_backends that uploads go to when they name none.",
    );
    store(options, &mut it.settings.store);
    options.section("import_filtering_opts");
    imports::filtering(options, &mut it.settings.import_filtering);
    imports::plugins(options, &mut it.settings.plugins, &mut it.settings.download_properties);
    let certificates = &mut it.settings.signatures.certificates;
    signatures::key_manager(options, certificates, &mut it.key_manager, signatures::USERS);
    options.section("task");
    options.bind(
        "task_time_to_live",
        &mut it.settings.task_time_to_live,
        "Hours for which a task can be looked at after its end.",
    );
    options.section("image_format");
    formats(options, &mut it.settings);
    options.section("fleet");
    fleet(options, &mut it.settings.fleet);
    http::sections(options, &mut it.settings);
    notifications::sections(options, it);
}

fn fleet(options: &mut Options<'_>, it: &mut catalogue::Fleet) {
    options.bind(
        "heartbeat_interval",
        &mut it.heartbeat_interval,
        "How often nodes' agents give a sign of life. A node counts as down after three of these without one. The same for \
         all catalogue processes of a site.",
    );
    options.bind(
        "job_lifetime",
        &mut it.job_lifetime,
        "What a node has not taken over of a job in this time is given up. The job can be looked at for as long again.",
    );
    options.bind("change_lifetime", &mut it.change_lifetime, "How long a change stays in the change feed.");
    options.bind("change_limit", &mut it.change_limit, "How many changes stay in the change feed at the most.");
}

fn server(options: &mut Options<'_>, settings: &mut catalogue::Settings) {
    options.bind("bind_host", &mut settings.bind_host, "Address to listen on.");
    options.bind("bind_port", &mut settings.bind_port, "Port to listen on; 0 takes a free one.");
    options.bind(
        "public_endpoint",
        &mut settings.public_endpoint,
        "What absolute links in answers begin with, such as https://images.example.org. Not set: the Host that the request names.",
    );
    http::default_section(options, settings);
    options.bind(
        "worker_self_reference_url",
        &mut settings.worker_self_reference_url,
        "Where the other nodes of the site reach this very one, past any balancer; the name of its image cache, too.",
    );
    options.bind(
        "process_lease",
        &mut settings.lease,
        "How long another catalogue process on the same database may be silent before its uploads count as broken off.",
    );
    options.bind(
        "metadata_source_path",
        &mut settings.metadata_source_path,
        "Folder of metadata definitions, for `larder catalogue metadefs load` and `export` without --path. Nothing in it: the \
         standard definitions in the program are loaded.",
    );
    options.bind("metrics", &mut settings.metrics, "Answer /metrics on the API's address, in Prometheus' text format.");
}

fn api(options: &mut Options<'_>, settings: &mut catalogue::Settings) {
    options.bind(
        "limit_param_default",
        &mut settings.limit_param_default,
        "Images on a page of a list when the request does not say.",
    );
    options.bind("api_limit_max", &mut settings.api_limit_max, "Images on a page at most, whatever the request says.");
    options.bind(
        "max_request_id_length",
        &mut settings.max_request_id_length,
        "Longest X-Openstack-Request-ID that is taken over.",
    );
    options.bind_as(
        "hashing_algorithm",
        &mut settings.hashing_algorithm,
        parsed("sha512, sha384, sha256, sha224, sha1 or md5"),
        "The hash in os_hash_algo and os_hash_value of new images.",
    );
    options.bind_as("image_size_cap", &mut settings.image_size_cap, BYTES, "The largest image that is taken.");
    options.bind(
        "metadata_encryption_key",
        &mut Secret(&mut As(&mut settings.metadata_encryption_key, LOCATION_KEY)),
        "Encrypt the URLs of locations in the database with this key (AES), as Glance does. The key cannot be changed \
         later; URLs that are there as they are go on working.",
    );
    options.bind(
        "show_image_direct_url",
        &mut settings.show_image_direct_url,
        "Show where an image's data lies as direct_url.",
    );
    options.bind(
        "show_multiple_locations",
        &mut settings.show_multiple_locations,
        "Show all places of an image's data as locations, and allow to change them by PATCH.",
    );
}

fn deletion(options: &mut Options<'_>, settings: &mut catalogue::Settings) {
    options.bind(
        "delayed_delete",
        &mut settings.delayed_delete,
        "Keep the data of deleted images until `larder catalogue scrub` (or glance-scrubber) removes it; until then \
         `larder catalogue scrub --restore ID` brings an image back. Without a scrubber the store fills up.",
    );
    options.bind(
        "scrub_time",
        &mut settings.scrub_time,
        "How long the data of a deleted image is kept at least, with delayed_delete.",
    );
    options.bind_as(
        "scrub_pool_size",
        &mut settings.scrub_pool_size,
        ONE_OR_MORE,
        "Images that the scrubber works on at the same time.",
    );
    options.bind("wakeup_time", &mut settings.wakeup_time, "The pause between two passes of the scrubber's daemon.");
}

/// A count of workers.
pub(super) const ONE_OR_MORE: Kind<usize> = Kind {
    takes: "a whole number from 1 up",
    read: |text| text.trim().parse().ok().filter(|it| *it > 0).ok_or_else(Refused::default),
    write: |value| Some(value.to_string()),
};

/// A count where -1, which is without end for oslo.db, ends while a client still waits.
const REPETITIONS: Kind<u32> = Kind {
    takes: "a number, or -1 for 120",
    read: |text| match text.trim() {
        "-1" => Ok(120),
        text => text.parse().map_err(|_| Refused::default()),
    },
    write: |value| Some(value.to_string()),
};

/// A key, or nothing.
const LOCATION_KEY: Kind<Option<catalogue::LocationKey>> = Kind {
    takes: "16, 24 or 32 characters",
    read: |text| match text {
        "" => Ok(None),
        text => text.parse().map(Some).map_err(|why| Refused(Some(why))),
    },
    write: |_| None,
};

fn quotas(options: &mut Options<'_>, settings: &mut catalogue::Settings) {
    options.bind_as(
        "image_property_quota",
        &mut settings.image_property_quota,
        NO_LIMIT_BELOW_ZERO,
        "Properties of an image at most.",
    );
    options.bind_as("image_tag_quota", &mut settings.image_tag_quota, NO_LIMIT_BELOW_ZERO, "Tags of an image at most.");
    options.bind_as(
        "image_member_quota",
        &mut settings.image_member_quota,
        NO_LIMIT_BELOW_ZERO,
        "Members of an image at most.",
    );
    options.bind_as(
        "image_location_quota",
        &mut settings.image_location_quota,
        NO_LIMIT_BELOW_ZERO,
        "Locations of an image at most.",
    );
    options.bind_as(
        "user_storage_quota",
        &mut settings.user_storage_quota,
        parsed("a whole number with or without B, KB, MB, GB or TB, which are powers of 1024"),
        "What the images of a project may take in all; 0 for no limit. use_keystone_limits takes its place.",
    );
}

fn cache(options: &mut Options<'_>, settings: &mut catalogue::service::CacheSettings) {
    options.bind(
        "image_cache_dir",
        &mut settings.image_cache_dir,
        "Folder of this node's image cache, which a flavor with caching or cachemanagement fills and serves downloads from. \
         Not set: no cache, and no cache API.",
    );
    options.bind_as(
        "image_cache_driver",
        &mut settings.image_cache_driver,
        parsed("centralized_db, sqlite or xattr"),
        "With centralized_db every node can tell which nodes have an image, by their worker_self_reference_url; with the others \
         each keeps that to itself. The records are in the database either way.",
    );
    options.bind_as(
        "image_cache_max_size",
        &mut settings.image_cache_max_size,
        BYTES,
        "What the cache may hold; the images that were not read for the longest time go first. A larger image is not cached.",
    );
    options.bind(
        "image_cache_stall_time",
        &mut settings.image_cache_stall_time,
        "How long nobody may have written to an unfinished file of the cache before it is removed.",
    );
}

fn formats(options: &mut Options<'_>, settings: &mut catalogue::Settings) {
    options.bind("container_formats", &mut settings.container_formats, "Values that container_format may have.");
    options.bind("disk_formats", &mut settings.disk_formats, "Values that disk_format may have.");
    options.bind(
        "require_image_format_match",
        &mut settings.require_image_format_match,
        "Refuse an upload whose content is recognised as another format than its disk_format.",
    );
    options.bind(
        "vmdk_allowed_types",
        &mut settings.vmdk_allowed_types,
        "createType of VMDK images that are taken; an empty list takes none.",
    );
    options.bind(
        "gpt_safety_checks_nonfatal",
        &mut settings.gpt_safety_checks_nonfatal,
        "Safety checks of partition tables that only warn.",
    );
}

fn database(options: &mut Options<'_>, settings: &mut db::Settings) {
    options.bind(
        "connection",
        &mut Secret(&mut settings.connection),
        "The database, as SQLAlchemy writes it: sqlite:////path/of/the/file, mysql+pymysql://user:password@host/glance \
         (options: charset, ssl_ca, ssl_cert, ssl_key, ssl_verify_cert, ssl_check_hostname, unix_socket) or \
         postgresql://user:password@host/glance (options: sslmode, sslrootcert, sslcert, sslkey, \
         host=/path/of/the/socket). Special characters in the password are %-encoded.",
    );
    options.bind("readers", &mut settings.readers, "SQLite: transactions that read at the same time.");
    options.bind(
        "busy_timeout",
        &mut settings.busy_timeout,
        "SQLite: how long a transaction waits for another program.",
    );
    servers(options, settings);
}

/// What holds for databases on servers.
fn servers(options: &mut Options<'_>, settings: &mut db::Settings) {
    options.bind(
        "max_pool_size",
        &mut settings.max_pool_size,
        "Connections to a database server; there are this many and those of max_overflow at the most.",
    );
    options.bind("max_overflow", &mut settings.max_overflow, "Further connections.");
    options.bind("pool_timeout", &mut settings.pool_timeout, "How long a transaction waits for a connection.");
    options.bind(
        "connection_recycle_time",
        &mut settings.connection_recycle_time,
        "Connections that are older are replaced.",
    );
    options.bind_as(
        "max_retries",
        &mut settings.max_retries,
        NO_LIMIT_BELOW_ZERO,
        "How often a server that does not answer is tried again at the start; -1 for ever.",
    );
    options.bind("retry_interval", &mut settings.retry_interval, "The time between these.");
    options.bind_as(
        "db_max_retries",
        &mut settings.db_max_retries,
        REPETITIONS,
        "How often a transaction is run again that the server broke off (a deadlock, a lost connection).",
    );
    options.bind(
        "db_retry_interval",
        &mut settings.db_retry_interval,
        "The longest time between these; the first repetitions follow at once.",
    );
    options.bind(
        "mysql_sql_mode",
        &mut settings.mysql_sql_mode,
        "MySQL: the mode of connections; empty for the server's own.",
    );
    options.bind_as(
        "mysql_wsrep_sync_wait",
        &mut settings.mysql_wsrep_sync_wait,
        NO_LIMIT_BELOW_ZERO,
        "Galera: which statements wait until the node has caught up with the others (wsrep_sync_wait: 1 for reads, so that \
         what was made on one node is found on all; 0 for none); -1 leaves the server's own.",
    );
}

/// The section of one of `enabled_backends`, under the name `glance_store`.
pub(super) fn backend(options: &mut Options<'_>, it: &mut store::Backend) {
    options.section("glance_store");
    options.bind("store_description", &mut it.description, "");
    options.bind("weight", &mut it.weight, "");
    match it.kind() {
        "http" => http_store(options, &mut it.settings),
        "s3" => s3::visit(options, &mut it.settings.s3),
        "rbd" => rbd_store(options, &mut it.settings.rbd),
        "swift" => swift::visit(options, &mut it.settings.swift),
        _ => file_store(options, &mut it.settings),
    }
}

/// `[glance_store]`, where there are no `enabled_backends`.
fn store(options: &mut Options<'_>, settings: &mut store::Settings) {
    options.bind("stores", &mut settings.stores, "Kinds of stores that data is read from: file, http, s3, rbd, swift.");
    options.bind("default_store", &mut settings.default_store, "The kind of store that uploads go to.");
    file_store(options, settings);
    http_store(options, settings);
    s3::visit(options, &mut settings.s3);
    rbd_store(options, &mut settings.rbd);
    swift::visit(options, &mut settings.swift);
}

fn rbd_store(options: &mut Options<'_>, settings: &mut store::RbdSettings) {
    options.bind(
        "rbd_store_pool",
        &mut settings.rbd_store_pool,
        "Pool in Ceph that images go to; those in other pools of the cluster are read too.",
    );
    options.bind(
        "rbd_store_user",
        &mut settings.rbd_store_user,
        "User in Ceph, without client.; without one admin. It needs mon 'profile rbd' and osd 'profile rbd pool=…'.",
    );
    options.bind(
        "rbd_store_ceph_conf",
        &mut settings.rbd_store_ceph_conf,
        "Configuration file of the cluster; without one Ceph looks for its own, as /etc/ceph/ceph.conf.",
    );
    options.bind(
        "rbd_store_chunk_size",
        &mut settings.rbd_store_chunk_size,
        "MiB of an object in Ceph; of other sizes than powers of two, the next smaller one is taken.",
    );
    options.bind(
        "rbd_thin_provisioning",
        &mut settings.rbd_thin_provisioning,
        "Do not write runs of zeros: they take no room in Ceph.",
    );
    options.bind(
        "rados_connect_timeout",
        &mut settings.rados_connect_timeout,
        "Seconds to wait for the cluster, and for each answer of it; 0 or less: 30 and 120, or what its configuration says.",
    );
}

fn file_store(options: &mut Options<'_>, settings: &mut store::Settings) {
    options.bind(
        "filesystem_store_datadir",
        &mut settings.filesystem_store_datadir,
        "Folder of the file store; an image's data is the file of its id in it. Of one of enabled_backends, the default is \
         /var/lib/glance/ and its id.",
    );
    options.bind(
        "filesystem_store_datadirs",
        &mut Folders(&mut settings.filesystem_store_datadirs),
        "Several folders instead of that one, each as path:priority in a line of its own. Data goes to the folder with the \
         highest priority that has room for it; of equals, to the one with the most room.",
    );
    options.bind(
        "filesystem_store_metadata_file",
        &mut settings.filesystem_store_metadata_file,
        "JSON file with the mounts of these folders on compute nodes, as {\"id\": …, \"mountpoint\": …} or a list of such; noted \
         with the locations of new images.",
    );
    options.bind_as(
        "filesystem_store_file_perm",
        &mut settings.filesystem_store_file_perm,
        parsed("a mode in octal digits, or 0 for what the umask gives"),
        "Mode of the files of images.",
    );
    options.bind(
        "filesystem_thin_provisioning",
        &mut settings.filesystem_thin_provisioning,
        "Make holes of runs of zeros.",
    );
    options.bind(
        "filesystem_store_chunk_size",
        &mut settings.filesystem_store_chunk_size,
        "What Glance reads at once, bytes. It is shown by /v2/info/stores/detail; blocks have 1 MiB here.",
    );
}

fn http_store(options: &mut Options<'_>, settings: &mut store::Settings) {
    options.bind(
        "https_ca_certificates_file",
        &mut settings.https_ca_certificates_file,
        "PEM file of the authorities that https:// locations are trusted by.",
    );
    options.bind(
        "https_insecure",
        &mut settings.https_insecure,
        "Without https_ca_certificates_file: read https:// locations without checking who answers. False: the system's authorities.",
    );
    options.bind(
        "http_proxy_information",
        &mut settings.http_proxy_information,
        "Proxies for http:// and https:// locations, such as http:10.0.0.1:3128.",
    );
}

/// `path:priority`, repeated; without one it is 0.
struct Folders<'a>(&'a mut Vec<store::DataDir>);

// === impl Folders ===

impl Value for Folders<'_> {
    fn read(&mut self, values: &[String]) -> Result<(), Refused> {
        let refused = |why: String| Refused(Some(why));
        let folder = |text: &str| {
            let (path, priority) = text.rsplit_once(':').unwrap_or((text, ""));
            let priority = match priority.trim() {
                "" => 0,
                it => it.parse().map_err(|_| refused(format!("'{it}' is no priority: it is a whole number")))?,
            };
            match path.trim() {
                "" => Err(refused("a folder has no path".to_owned())),
                path => Ok(store::DataDir { path: PathBuf::from(path), priority }),
            }
        };
        let texts = values.iter().map(|it| it.trim()).filter(|it| !it.is_empty());
        *self.0 = texts.map(folder).collect::<Result<_, _>>()?;
        Ok(())
    }

    fn write(&self) -> Vec<String> {
        self.0.iter().map(|it| format!("{}:{}", it.path.display(), it.priority)).collect()
    }

    fn takes(&self) -> String {
        "a path, with or without :priority; may be repeated".to_owned()
    }
}

// === impl Catalogue ===

impl Catalogue {
    /// Where nothing else is said of Barbican, it is trusted as Keystone is.
    pub(super) fn finish_key_manager(&mut self) {
        let keystone = &self.settings.identity.keystone.connection;
        let (cafile, insecure) = (keystone.cafile.clone(), keystone.insecure);
        let others = remote::Settings { cafile, insecure, ..remote::Settings::default() };
        self.settings.signatures.certificates.barbican = self.key_manager.settings(others);
    }

    /// The id of the store of `enabled_backends` that uploads go to; none without `enabled_backends`.
    pub(super) fn main_backend(&self) -> Result<Option<String>, ConfigError> {
        if self.backends.is_empty() {
            return Ok(None);
        }
        if let Some((id, kind)) = self.backends.iter().find(|it| !store::KINDS.contains(&it.1.as_str())) {
            return Err(ConfigError::BackendKind { id: id.clone(), kind: kind.clone() });
        }
        if let Some((id, _)) = self.backends.iter().find(|it| it.0.starts_with(RESERVED)) {
            return Err(ConfigError::ReservedBackend { id: id.clone() });
        }
        let only = || self.backends.first().filter(|_| self.backends.len() == 1).map(|it| &it.0);
        let id = self.default_backend.as_ref().or_else(only).ok_or(ConfigError::NoDefaultBackend)?;
        match self.backends.iter().find(|it| it.0 == *id) {
            Some((_, kind)) if store::BUILT.contains(&kind.as_str()) && kind != "http" => Ok(Some(id.clone())),
            Some((_, kind)) => Err(ConfigError::DefaultBackendKind { id: id.clone(), kind: kind.clone() }),
            None => Err(ConfigError::NoSuchBackend { id: id.clone() }),
        }
    }

    /// The stores, as yet without what their sections say.
    pub(super) fn plain_backends(&self) -> Vec<store::Backend> {
        let settings = |id: &str, kind: &str| store::Settings {
            default_store: kind.to_owned(),
            filesystem_store_datadir: PathBuf::from("/var/lib/glance").join(id),
            ..store::Settings::default()
        };
        let backend = |(id, kind): &(String, String)| store::Backend {
            id: id.clone(),
            description: String::new(),
            weight: 0,
            settings: settings(id, kind),
        };
        self.backends.iter().map(backend).collect()
    }
}
