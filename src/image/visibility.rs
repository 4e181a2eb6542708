//! Who sees an image.

use std::{fmt, str::FromStr};

/// Glance's four visibilities; the API's default is `Shared`.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash)]
pub enum Visibility {
    /// The owner only.
    Private,
    /// Everybody, listed for everybody.
    Public,
    /// The owner and the members.
    #[default]
    Shared,
    /// Everybody who knows the id; not listed for others by default.
    Community,
}

impl Visibility {
    /// All of them, in the order of Glance's schema.
    pub const ALL: [Self; 4] = [Self::Community, Self::Public, Self::Private, Self::Shared];

    /// The word of the API and the database.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Private => "private",
            Self::Public => "public",
            Self::Shared => "shared",
            Self::Community => "community",
        }
    }
}

impl fmt::Display for Visibility {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Visibility {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        Self::ALL.into_iter().find(|it| it.as_str() == text).ok_or_else(|| format!("'{text}' is not a visibility"))
    }
}
