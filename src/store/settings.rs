//! Settings of the stores, under Glance's names.

use crate::image::Location;
use crate::store::FilePerm;
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
    /// `filesystem_store_file_perm`: the mode of image files; 0 leaves what the umask gives.
    pub filesystem_store_file_perm: FilePerm,
    /// `filesystem_thin_provisioning`: runs of zeros become holes.
    pub filesystem_thin_provisioning: bool,
    /// `https_ca_certificates_file`: PEM; only what these authorities have signed is trusted.
    pub https_ca_certificates_file: Option<PathBuf>,
    /// `https_insecure`: without such a file, trust every server.
    pub https_insecure: bool,
    /// The ids that `enabled_backends` gives the kinds; empty without it.
    pub ids: BTreeMap<String, String>,
    /// `http_proxy_information`: proxies by the scheme of the URLs that they are for.
    pub http_proxy_information: BTreeMap<String, String>,
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            stores: vec!["file".to_owned(), "http".to_owned()],
            default_store: "file".to_owned(),
            filesystem_store_datadir: PathBuf::from("/var/lib/glance/images"),
            filesystem_store_file_perm: FilePerm::default(),
            filesystem_thin_provisioning: false,
            https_ca_certificates_file: None,
            https_insecure: true,
            ids: BTreeMap::new(),
            http_proxy_information: BTreeMap::new(),
        }
    }
}

// === impl Settings ===

impl Settings {
    /// A place of data with this URL, and with the id that `enabled_backends` gives its store, which Glance notes too: its
    /// scrubber and its answers look for it there.
    pub fn located(&self, url: String) -> Location {
        let scheme = url.split_once("://").map_or("", |it| it.0);
        let kind = match scheme {
            "filesystem" => "file",
            "https" => "http",
            other => other,
        };
        let id = self.ids.get(kind).map(|id| ("store".to_owned(), id.as_str().into()));
        Location { metadata: id.into_iter().collect(), url }
    }
}
