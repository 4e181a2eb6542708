//! The record of an image.

use crate::image::{ImageId, Status, Visibility};
use chrono::{DateTime, Utc};
use std::{
    borrow::Cow,
    collections::{BTreeMap, BTreeSet},
};

/// An image as the catalogue knows it; the fields are Glance's (facts: its `images` table and API).
#[derive(Clone, Debug, PartialEq)]
pub struct Image {
    /// The id; never used again, not even after deletion.
    pub id: ImageId,
    /// At most 255 characters.
    pub name: Option<String>,
    /// Where it is in its life.
    pub status: Status,
    /// Who sees it.
    pub visibility: Visibility,
    /// The project that owns it; none when an admin without a project made it.
    pub owner: Option<String>,
    /// Refuses deletion.
    pub protected: bool,
    /// Left out of listings unless asked for.
    pub hidden: bool,
    /// GiB of disk that a flavor must have.
    pub min_disk: i32,
    /// MiB of memory that a flavor must have.
    pub min_ram: i32,
    /// `raw`, `qcow2`…; none until the client says.
    pub disk_format: Option<String>,
    /// `bare`, `ovf`…; none until the client says.
    pub container_format: Option<String>,
    /// Bytes of data.
    pub size: Option<u64>,
    /// Bytes that a guest sees.
    pub virtual_size: Option<u64>,
    /// md5 of the data, 32 hex digits.
    pub checksum: Option<String>,
    /// The algorithm of `os_hash_value`: `sha512` unless configured otherwise.
    pub os_hash_algo: Option<String>,
    /// Hash of the data, in hex.
    pub os_hash_value: Option<String>,
    /// When it was made, UTC.
    pub created_at: DateTime<Utc>,
    /// When it was last changed, UTC.
    pub updated_at: DateTime<Utc>,
    /// Free words on it.
    pub tags: BTreeSet<String>,
    /// Custom properties; a null one is kept as null.
    pub properties: BTreeMap<String, Option<String>>,
    /// Where its data is.
    pub locations: Vec<Location>,
}

/// A place where an image's data is.
#[derive(Clone, Debug, PartialEq)]
pub struct Location {
    /// For the file store `file:///datadir/<image id>`.
    pub url: String,
    /// What the store says of it, such as `{"store": "fast"}`.
    pub metadata: serde_json::Map<String, serde_json::Value>,
}

impl Location {
    /// The id of the store that it is in, as noted there.
    pub fn store(&self) -> Option<&str> {
        self.metadata.get("store").and_then(serde_json::Value::as_str)
    }

    /// The URL for clients: see [`shown_url`].
    pub fn shown_url(&self) -> Cow<'_, str> {
        shown_url(&self.url)
    }
}

/// A location URL without the keys that Glance writes into those of Swift stores (`swift+https://user:key@auth/…`), and old
/// releases of it into those of S3 stores (`s3+https://access:secret@host/bucket/id`).
pub fn shown_url(url: &str) -> Cow<'_, str> {
    let (scheme, rest) = url.split_once("://").unwrap_or(("", url));
    let keys = matches!(scheme, "s3" | "s3+http" | "s3+https" | "swift" | "swift+http" | "swift+https");
    match rest.rsplit_once('@') {
        // A secret may have slashes in it.
        Some((_, rest)) if keys => format!("{scheme}://{rest}").into(),
        _ => Cow::Borrowed(url),
    }
}
