//! From an image's record to what is to be fetched.

use crate::base::digest::Algorithm;
use crate::image::{
    ImageId,
    signature::{Signature, SignatureError, Signatures},
};
use crate::wire::image::RemoteImage;

/// What a site allows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    /// Take images that have no hash.
    pub allow_unverified: bool,
    /// What is not raw is converted.
    pub force_raw: bool,
    /// Which images must be signed.
    pub signatures: Signatures,
}

/// An image to fetch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    /// The image.
    pub id: ImageId,
    /// Its name at the centre.
    pub name: Option<String>,
    /// Bytes of data, when the record says.
    pub size: Option<u64>,
    /// What the content must be.
    pub disk_format: String,
    /// What the bytes must hash to, in lower-case hex; none only when unverified images are allowed.
    pub digest: Option<(Algorithm, String)>,
    /// The signature that its bytes must have.
    pub signature: Option<Signature>,
    /// Its md5, as the record has it.
    pub checksum: Option<String>,
    /// Room for the download, bytes.
    pub room_to_fetch: u64,
    /// Room for the raw image that is made of it, bytes; 0 when its bytes are the base.
    pub room_to_convert: u64,
}

/// Why an image is not fetched.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// Its data is not complete, or closed.
    #[error("its status is {0}, and only active images are fetched")]
    NotActive(String),
    /// The record does not say what it is.
    #[error("it has no disk_format: set one at the catalogue")]
    NoFormat,
    /// Nova boots nothing that is packed like this.
    #[error("its container_format is {0}, and Nova boots only from bare, ovf, ami, aki and ari")]
    Container(String),
    /// There is nothing to verify the bytes by.
    #[error(
        "it has neither os_hash_value nor checksum, so its bytes cannot be verified: upload it again, or set allow_unverified"
    )]
    NoHash,
    /// It is not signed as it must be.
    #[error(transparent)]
    Signature(#[from] SignatureError),
    /// A base without bytes would boot as a disk of zeros.
    #[error("it has no data: its size is 0")]
    Empty,
}

// === impl Order ===

impl Order {
    /// What its fetch needs at most while download and raw image are both there, bytes; with what file systems take to
    /// keep track of it.
    pub fn room(&self) -> u64 {
        with_overhead(self.room_to_fetch.saturating_add(self.room_to_convert))
    }

    /// The same when the raw image takes `raw` bytes.
    pub fn room_with(&self, raw: u64) -> u64 {
        with_overhead(self.room_to_fetch.saturating_add(raw))
    }

    /// The same when the raw image takes as much as the download, since nobody knows yet how much the disk holds: less
    /// than that is rare.
    pub fn room_at_first(&self) -> u64 {
        self.room_with(self.room_to_convert.min(self.room_to_fetch))
    }
}

// === impl Refused ===

impl Refused {
    /// Whether waiting alone may help.
    pub fn may_pass(&self) -> bool {
        matches!(self, Self::NotActive(status) if ["queued", "saving", "uploading", "importing"].contains(&status.as_str()))
    }
}

/// What is to be fetched for this image.
///
/// # Errors
/// [`Refused`] says what is wrong with the record.
pub fn order(id: &ImageId, image: &RemoteImage, terms: Terms) -> Result<Order, Refused> {
    if image.status != "active" {
        return Err(Refused::NotActive(image.status.chars().take(40).collect()));
    }
    let disk_format = image.disk_format.clone().ok_or(Refused::NoFormat)?;
    if let Some(container) = &image.container_format
        && !["bare", "ovf", "ami", "aki", "ari"].contains(&container.as_str())
    {
        return Err(Refused::Container(container.chars().take(40).collect()));
    }
    if image.size == Some(0) {
        return Err(Refused::Empty);
    }
    let digest = digest(image);
    if digest.is_none() && !terms.allow_unverified {
        return Err(Refused::NoHash);
    }
    let signature = terms.signatures.find(|name| image.extra.get(name).and_then(|it| it.as_str()))?;
    let raw = ["raw", "iso", "ami", "aki", "ari"].contains(&disk_format.as_str());
    let size = image.size.unwrap_or(0);
    let room_to_convert = if terms.force_raw && !raw { image.virtual_size.unwrap_or(size).max(size) } else { 0 };
    Ok(Order {
        id: id.clone(),
        name: image.name.clone(),
        size: image.size,
        disk_format,
        digest,
        signature,
        checksum: image.checksum.clone(),
        room_to_fetch: size,
        room_to_convert,
    })
}

/// Blocks are whole, and extents have to be written down somewhere.
pub fn with_overhead(bytes: u64) -> u64 {
    bytes.saturating_add(bytes / 2048).saturating_add(64 << 10)
}

/// What the image's bytes must hash to: `os_hash_value` if its algorithm can be computed here, else the md5; in lower-case hex.
pub fn digest(image: &RemoteImage) -> Option<(Algorithm, String)> {
    let strong = image.os_hash_algo.as_deref().and_then(|it| it.parse().ok()).zip(image.os_hash_value.as_deref());
    let weak = image.checksum.as_deref().map(|it| (Algorithm::Md5, it));
    let fits = |(algorithm, hex): &(Algorithm, &str)| {
        hex.len() == algorithm.hex_len() && hex.bytes().all(|it| it.is_ascii_hexdigit())
    };
    let found = strong.filter(fits).or(weak.filter(fits));
    found.map(|(algorithm, hex)| (algorithm, hex.to_ascii_lowercase()))
}
