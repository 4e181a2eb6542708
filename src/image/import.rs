//! Imports: data that the server fetches or takes over by itself, behind the request that asked for it.

use crate::image::ImageId;
use std::{fmt, str::FromStr};

/// Where the data of an import comes from; the names are Glance's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ImportMethod {
    /// What was staged before.
    GlanceDirect,
    /// A web server.
    WebDownload,
    /// A store that has the image already.
    CopyImage,
    /// A Glance of another region.
    GlanceDownload,
}

/// There is no such method.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is no import method of this version; it has glance-direct, web-download, copy-image and glance-download"
)]
pub struct UnknownMethod(pub String);

/// Which stores the data goes to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Targets {
    /// That of uploads.
    Default,
    /// All that take data.
    All,
    /// These, by their ids.
    These(Vec<String>),
}

/// An image of another region, for `glance-download`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Elsewhere {
    /// The region, as Keystone's catalogue names it.
    pub region: String,
    /// `public`, `internal` or `admin`: which of its addresses.
    pub interface: String,
    /// The image there.
    pub image: ImageId,
}

/// What is asked for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Import {
    /// Where the data comes from.
    pub method: ImportMethod,
    /// The address of it, for `web-download`.
    pub uri: Option<String>,
    /// The image of another region, for `glance-download`; or what is wrong with what was sent, in words.
    pub elsewhere: Option<Result<Elsewhere, String>>,
    /// Where it goes.
    pub targets: Targets,
    /// One store that fails is enough for the whole to fail; else the others go on.
    pub all_must_succeed: bool,
}

// === impl ImportMethod ===

impl ImportMethod {
    /// All of them.
    pub const ALL: [Self; 4] = [Self::GlanceDirect, Self::WebDownload, Self::CopyImage, Self::GlanceDownload];
    /// Those that Glance enables when it is not told.
    pub const DEFAULT: [Self; 3] = [Self::GlanceDirect, Self::WebDownload, Self::CopyImage];

    /// The word of the API.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::GlanceDirect => "glance-direct",
            Self::WebDownload => "web-download",
            Self::CopyImage => "copy-image",
            Self::GlanceDownload => "glance-download",
        }
    }
}

impl fmt::Display for ImportMethod {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for ImportMethod {
    type Err = UnknownMethod;

    fn from_str(text: &str) -> Result<Self, UnknownMethod> {
        let unknown = || UnknownMethod(text.chars().take(80).collect());
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(unknown)
    }
}
