//! The attributes of an image that a client may set, and the names that it may not use.

use crate::image::Visibility;
use std::collections::BTreeSet;

/// Names that only the server writes: a client that sends one is told "Attribute 'x' is read-only." (Glance's list;
/// `id` may be chosen when the image is made).
pub const READ_ONLY: [&str; 14] = [
    "created_at",
    "updated_at",
    "status",
    "checksum",
    "size",
    "virtual_size",
    "direct_url",
    "self",
    "file",
    "schema",
    "stores",
    "id",
    "os_hash_algo",
    "os_hash_value",
];

/// Names that mean something inside the server: "Attribute 'x' is reserved." (Glance's list).
pub const RESERVED: [&str; 3] = ["location", "deleted", "deleted_at"];

/// Names that begin so are the server's own (Glance tests the prefix without an underscore at its end).
pub const RESERVED_PREFIX: &str = "os_glance";

/// A base attribute with the value that it gets.
#[derive(Clone, Debug, PartialEq)]
pub enum Attribute {
    /// `name`
    Name(Option<String>),
    /// `visibility`
    Visibility(Visibility),
    /// `owner`
    Owner(Option<String>),
    /// `protected`
    Protected(bool),
    /// `os_hidden`
    Hidden(bool),
    /// `min_disk`, GiB
    MinDisk(i32),
    /// `min_ram`, MiB
    MinRam(i32),
    /// `disk_format`
    DiskFormat(Option<String>),
    /// `container_format`
    ContainerFormat(Option<String>),
    /// `tags`, all of them: what was there before goes
    Tags(BTreeSet<String>),
}

/// Whether `name` is reserved for the server.
pub fn is_reserved(name: &str) -> bool {
    RESERVED.contains(&name) || name.starts_with(RESERVED_PREFIX)
}

/// Whether `name` is a field of every image, and so no custom property.
pub fn is_base(name: &str) -> bool {
    READ_ONLY.contains(&name)
        || [
            "name",
            "visibility",
            "owner",
            "protected",
            "os_hidden",
            "min_disk",
            "min_ram",
            "disk_format",
            "container_format",
            "tags",
            "locations",
        ]
        .contains(&name)
}

// === impl Attribute ===

impl Attribute {
    /// The name in the API and the database.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Name(_) => "name",
            Self::Visibility(_) => "visibility",
            Self::Owner(_) => "owner",
            Self::Protected(_) => "protected",
            Self::Hidden(_) => "os_hidden",
            Self::MinDisk(_) => "min_disk",
            Self::MinRam(_) => "min_ram",
            Self::DiskFormat(_) => "disk_format",
            Self::ContainerFormat(_) => "container_format",
            Self::Tags(_) => "tags",
        }
    }
}
