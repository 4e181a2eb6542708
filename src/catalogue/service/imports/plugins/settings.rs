//! Which plugins there are, and what an operator may set of them; the names are Glance's where Glance has them.

use crate::diskformat::convert::Output;
use std::{collections::BTreeMap, fmt, path::PathBuf, str::FromStr, time::Duration};

/// A step between an import's data and the stores.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plugin {
    /// Nothing.
    NoOp,
    /// Properties of the operator's.
    InjectImageMetadata,
    /// What is compressed is stored as what is in it.
    ImageDecompression,
    /// Disks are stored in one format.
    ImageConversion,
    /// What a format's own metadata says becomes properties.
    ImageIntrospection,
}

/// There is no such plugin.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no import plugin of this version; it has {known}. Glance's plugins of a site's own are Python, and are not loaded", known = Plugin::ALL.map(Plugin::as_str).join(", "))]
pub struct UnknownPlugin(pub String);

/// Settings of the plugins.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Settings {
    /// `[image_import_opts] image_import_plugins`, in their order.
    pub order: Vec<Plugin>,
    /// `[inject_metadata_properties]`
    pub inject: Inject,
    /// `[image_decompression]`
    pub decompression: Decompression,
    /// `[image_conversion]`
    pub conversion: Conversion,
    /// `[image_introspection] uploads`: uploads are looked at like imports.
    pub introspects_uploads: bool,
}

/// `[inject_metadata_properties]`
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Inject {
    /// `inject`: the properties.
    pub properties: BTreeMap<String, String>,
    /// `ignore_user_roles`: images of callers who have one of these get none.
    pub ignore_user_roles: Vec<String>,
}

/// `[image_decompression]`, Larder's own: a small file may stand for any number of bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Decompression {
    /// `ratio_limit`: how many bytes may come of one; 0 for any number.
    pub ratio_limit: u64,
    /// `ratio_free_size`: so many bytes may come of any data.
    pub ratio_free_size: u64,
}

/// `[image_conversion]`; all but the format are Larder's own.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Conversion {
    /// `output_format`
    pub output_format: Output,
    /// `memory_limit`: address space of a conversion, bytes; qemu-img needs 512 MiB.
    pub memory_limit: u64,
    /// `cpu_limit`: CPU time of all its threads.
    pub cpu_limit: Duration,
    /// `time_limit`: how long it may take.
    pub time_limit: Duration,
    /// `max_conversions`: how many a process runs at the same time.
    pub max_conversions: usize,
    /// `qemu_img`: the program; looked for in the usual places if none.
    pub qemu_img: Option<PathBuf>,
}

// === impl Plugin ===

impl Plugin {
    /// All of them.
    pub const ALL: [Self; 5] = [
        Self::NoOp,
        Self::InjectImageMetadata,
        Self::ImageDecompression,
        Self::ImageConversion,
        Self::ImageIntrospection,
    ];

    /// The word of the configuration.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::NoOp => "no_op",
            Self::InjectImageMetadata => "inject_image_metadata",
            Self::ImageDecompression => "image_decompression",
            Self::ImageConversion => "image_conversion",
            Self::ImageIntrospection => "image_introspection",
        }
    }
}

impl fmt::Display for Plugin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Plugin {
    type Err = UnknownPlugin;

    fn from_str(text: &str) -> Result<Self, UnknownPlugin> {
        let unknown = || UnknownPlugin(text.chars().take(80).collect());
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(unknown)
    }
}

// === impl Inject ===

impl Default for Inject {
    fn default() -> Self {
        Self { properties: BTreeMap::new(), ignore_user_roles: vec!["admin".to_owned()] }
    }
}

// === impl Decompression ===

impl Default for Decompression {
    fn default() -> Self {
        Self { ratio_limit: 200, ratio_free_size: 1 << 30 }
    }
}

// === impl Conversion ===

impl Default for Conversion {
    fn default() -> Self {
        Self {
            output_format: Output::Raw,
            memory_limit: 1 << 30,
            cpu_limit: Duration::from_secs(4 * 3600),
            time_limit: Duration::from_secs(4 * 3600),
            max_conversions: 2,
            qemu_img: None,
        }
    }
}
