//! What an operator may set of the cache; the names are Glance's options.

use std::{fmt, path::PathBuf, str::FromStr, time::Duration};

/// Settings of the image cache.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `image_cache_dir`; none: no cache, and no cache API.
    pub image_cache_dir: Option<PathBuf>,
    /// `image_cache_driver`
    pub image_cache_driver: Driver,
    /// `image_cache_max_size`, bytes.
    pub image_cache_max_size: u64,
    /// `image_cache_stall_time`: how old an unfinished file is that `clean` removes.
    pub image_cache_stall_time: Duration,
    /// The flavor has caching: downloads are served from the cache, and fill it.
    pub caching: bool,
    /// The flavor has cachemanagement: the older paths of the cache API are there.
    pub managed: bool,
}

/// `image_cache_driver`: under which name this node's records stand in the database.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Driver {
    /// Under `worker_self_reference_url`, so that every node can tell who has what.
    #[default]
    CentralizedDb,
    /// Under a name that nobody but this cache folder knows.
    Sqlite,
    /// Likewise.
    Xattr,
}

/// Glance has no such driver.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("'{0}' is no driver of the image cache; there are centralized_db, sqlite and xattr")]
pub struct UnknownDriver(pub String);

// === impl Settings ===

impl Default for Settings {
    fn default() -> Self {
        Self {
            image_cache_dir: None,
            image_cache_driver: Driver::default(),
            image_cache_max_size: 10 << 30,
            image_cache_stall_time: Duration::from_secs(86_400),
            caching: false,
            managed: false,
        }
    }
}

// === impl Driver ===

impl FromStr for Driver {
    type Err = UnknownDriver;

    fn from_str(text: &str) -> Result<Self, UnknownDriver> {
        match text.trim().to_ascii_lowercase().as_str() {
            "centralized_db" => Ok(Self::CentralizedDb),
            "sqlite" => Ok(Self::Sqlite),
            "xattr" => Ok(Self::Xattr),
            _ => Err(UnknownDriver(text.chars().take(80).collect())),
        }
    }
}

impl fmt::Display for Driver {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::CentralizedDb => "centralized_db",
            Self::Sqlite => "sqlite",
            Self::Xattr => "xattr",
        })
    }
}
