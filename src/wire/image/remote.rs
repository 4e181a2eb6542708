//! An image as a catalogue answers it.

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// What a client reads of an image: lenient, since old and foreign catalogues leave fields out.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RemoteImage {
    /// The id, as the catalogue writes it.
    pub id: String,
    /// At most 255 characters.
    #[serde(default)]
    pub name: Option<String>,
    /// `active`, `queued`…
    pub status: String,
    /// `raw`, `qcow2`…
    #[serde(default)]
    pub disk_format: Option<String>,
    /// `bare`, `ovf`…
    #[serde(default)]
    pub container_format: Option<String>,
    /// Bytes of data.
    #[serde(default)]
    pub size: Option<u64>,
    /// Bytes that a guest sees.
    #[serde(default)]
    pub virtual_size: Option<u64>,
    /// md5 of the data, in hex.
    #[serde(default)]
    pub checksum: Option<String>,
    /// The algorithm of `os_hash_value`.
    #[serde(default)]
    pub os_hash_algo: Option<String>,
    /// Hash of the data, in hex.
    #[serde(default)]
    pub os_hash_value: Option<String>,
    /// `public`, `private`, `shared` or `community`.
    #[serde(default)]
    pub visibility: Option<String>,
    /// The project that owns it.
    #[serde(default)]
    pub owner: Option<String>,
    /// Refuses deletion.
    #[serde(default)]
    pub protected: bool,
    /// Left out of listings unless asked for.
    #[serde(default)]
    pub os_hidden: bool,
    /// GiB of disk that a flavor must have.
    #[serde(default)]
    pub min_disk: i64,
    /// MiB of memory that a flavor must have.
    #[serde(default)]
    pub min_ram: i64,
    /// Free words on it.
    #[serde(default)]
    pub tags: Vec<String>,
    /// `2026-11-20T09:25:30Z`
    #[serde(default)]
    pub created_at: Option<String>,
    /// Likewise.
    #[serde(default)]
    pub updated_at: Option<String>,
    /// Custom properties, links, and whatever else there is.
    #[serde(flatten)]
    pub extra: Map<String, Value>,
}
