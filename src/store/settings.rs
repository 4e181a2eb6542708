//! Settings of the stores, under Glance's names.

use crate::store::{FilePerm, RbdSettings, S3Settings, SwiftSettings};
use std::{collections::BTreeMap, path::PathBuf};

/// The options of `[glance_store]`.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `stores`: the kinds that data is read from.
    pub stores: Vec<String>,
    /// `default_store`: the kind that uploads go to.
    pub default_store: String,
    /// `filesystem_store_datadir`: the folder of the file store; `<folder>/<image id>` is an image's data.
    pub filesystem_store_datadir: PathBuf,
    /// `filesystem_store_datadirs`: the folders instead of that one; empty: there is one.
    pub filesystem_store_datadirs: Vec<DataDir>,
    /// `filesystem_store_metadata_file`: JSON that says where the folders are mounted on compute nodes.
    pub filesystem_store_metadata_file: Option<PathBuf>,
    /// `filesystem_store_file_perm`: the mode of image files; 0 leaves what the umask gives.
    pub filesystem_store_file_perm: FilePerm,
    /// `filesystem_thin_provisioning`: runs of zeros become holes.
    pub filesystem_thin_provisioning: bool,
    /// `https_ca_certificates_file`: PEM; only what these authorities have signed is trusted.
    pub https_ca_certificates_file: Option<PathBuf>,
    /// `https_insecure`: without such a file, trust every server.
    pub https_insecure: bool,
    /// `http_proxy_information`: proxies by the scheme of the URLs that they are for.
    pub http_proxy_information: BTreeMap<String, String>,
    /// `filesystem_store_chunk_size`: what Glance reads at once, bytes; it is shown (`/v2/info/stores/detail`) and not used.
    pub filesystem_store_chunk_size: u64,
    /// `s3_store_…`
    pub s3: S3Settings,
    /// The options of the rbd store.
    pub rbd: RbdSettings,
    /// `swift_store_…`
    pub swift: SwiftSettings,
    /// `enabled_backends`, in their order; empty: there is one store, that of the options above.
    pub backends: Vec<Backend>,
    /// `default_backend`: the id of the one that uploads go to.
    pub default_backend: String,
}

/// One folder of a file store that has several.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataDir {
    /// The folder.
    pub path: PathBuf,
    /// Data goes to the folder with the highest one that has room for it.
    pub priority: i64,
}

/// One store of `enabled_backends`.
#[derive(Clone, Debug, PartialEq)]
pub struct Backend {
    /// Its id.
    pub id: String,
    /// `store_description`: for people; may be empty.
    pub description: String,
    /// `weight`: of several places of an image, that in the heaviest store comes first.
    pub weight: i64,
    /// Its options; its kind is their `default_store`.
    pub settings: Settings,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stores: vec!["file".to_owned(), "http".to_owned()],
            default_store: "file".to_owned(),
            filesystem_store_datadir: PathBuf::from("/var/lib/glance/images"),
            filesystem_store_datadirs: Vec::new(),
            filesystem_store_metadata_file: None,
            filesystem_store_file_perm: FilePerm::default(),
            filesystem_thin_provisioning: false,
            https_ca_certificates_file: None,
            https_insecure: true,
            filesystem_store_chunk_size: 65_536,
            s3: S3Settings::default(),
            rbd: RbdSettings::default(),
            swift: SwiftSettings::default(),
            backends: Vec::new(),
            default_backend: String::new(),
            http_proxy_information: BTreeMap::new(),
        }
    }
}

// === impl Settings ===

impl Settings {
    /// The folders of the file store, whichever option names them.
    pub fn datadirs(&self) -> Vec<DataDir> {
        match &self.filesystem_store_datadirs[..] {
            [] => vec![DataDir { path: self.filesystem_store_datadir.clone(), priority: 0 }],
            several => several.to_vec(),
        }
    }

    /// The store of `enabled_backends` with this id.
    pub fn backend(&self, id: &str) -> Option<&Backend> {
        self.backends.iter().find(|it| it.id == id)
    }
}

// === impl Backend ===

impl Backend {
    /// `file`, `http`…
    pub fn kind(&self) -> &str {
        &self.settings.default_store
    }

    /// Nothing is ever written there.
    pub fn is_read_only(&self) -> bool {
        self.kind() == "http"
    }
}
