//! A change of an image, as data, and its application to the record.

use crate::image::{Attribute, Image, Location, Status};

/// One operation of a PATCH.
#[derive(Clone, Debug, PartialEq)]
pub enum Change {
    /// `add` or `replace` of a base attribute.
    Set(Attribute, How),
    /// `add` or `replace` of a custom property.
    SetProperty {
        /// At most 255 characters.
        name: String,
        /// A null is kept as null.
        value: Option<String>,
        /// Whether it must, may or may not be there.
        how: How,
    },
    /// `remove` of a custom property, or of a base attribute (which is always refused).
    Remove(String),
    /// `add` of `/locations/<n>` or `/locations/-`.
    AddLocation {
        /// Where it goes in the list.
        at: Place,
        /// The new one.
        location: NewLocation,
    },
    /// `replace` of `/locations`.
    ReplaceLocations(Vec<NewLocation>),
    /// `remove` of `/locations/<n>` or `/locations/-`.
    RemoveLocation(Place),
}

/// A place in the list of locations.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// From 0.
    Index(usize),
    /// `-`: the end of the list, or its last one.
    Last,
    /// Neither: whoever may change locations is told so.
    Nowhere,
}

/// What a setting expects to find.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum How {
    /// v2.1 `add`: there or not.
    Put,
    /// v2.0 `add`: not there yet.
    AddNew,
    /// `replace`: there already.
    Replace,
}

/// A location as a client gives it.
#[derive(Clone, Debug, PartialEq)]
pub struct NewLocation {
    /// Where the data is, and what the client says of it.
    pub location: Location,
    /// `validation_data`: what the data's hashes are, by the client's word.
    pub validation: Option<Validation>,
}

/// The hashes of data that the server has not read.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Validation {
    /// md5, hex.
    pub checksum: Option<String>,
    /// Must be the server's algorithm.
    pub os_hash_algo: String,
    /// Hex.
    pub os_hash_value: String,
}

/// Why a change does not apply to an image as it is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ChangeError {
    /// v2.0 `add` of something that is there.
    #[error("Property {0} already present.")]
    AlreadyPresent(String),
    /// `replace` or `remove` of something that is not there.
    #[error("Property {0} does not exist.")]
    Missing(String),
    /// `remove` of a base attribute.
    #[error("Property {0} may not be removed.")]
    NotRemovable(String),
    /// A format of an image that has data.
    #[error("Attribute {0} can be only replaced for a queued image.")]
    NotQueued(&'static str),
    /// Only an admin gives images away.
    #[error("Owner can't be updated by non admin.")]
    OwnerByNonAdmin,
    /// Locations are changed by the service, which knows the stores.
    #[error("It's not allowed to {0} locations if locations are invisible.")]
    LocationsInvisible(&'static str),
}

// === impl Change ===

impl Change {
    /// Applies one change to the record.
    ///
    /// # Errors
    /// [`ChangeError`] when the record does not allow it; the record is then as it was.
    pub fn apply(&self, image: &mut Image, is_admin: bool) -> Result<(), ChangeError> {
        match self {
            Self::Set(attribute, how) => set(image, attribute, *how, is_admin),
            Self::SetProperty { name, value, how } => {
                let there = image.properties.contains_key(name);
                match how {
                    How::AddNew if there => return Err(ChangeError::AlreadyPresent(name.clone())),
                    How::Replace if !there => return Err(ChangeError::Missing(name.clone())),
                    How::Put | How::AddNew | How::Replace => {}
                }
                image.properties.insert(name.clone(), value.clone());
                Ok(())
            }
            Self::Remove(name) if crate::image::attribute::is_base(name) => {
                Err(ChangeError::NotRemovable(name.clone()))
            }
            Self::Remove(name) => {
                image.properties.remove(name).map(drop).ok_or_else(|| ChangeError::Missing(name.clone()))
            }
            Self::AddLocation { .. } => Err(ChangeError::LocationsInvisible("add")),
            Self::ReplaceLocations(_) => Err(ChangeError::LocationsInvisible("update")),
            Self::RemoveLocation(_) => Err(ChangeError::LocationsInvisible("remove")),
        }
    }
}

fn set(image: &mut Image, attribute: &Attribute, how: How, is_admin: bool) -> Result<(), ChangeError> {
    // The owner's rule comes first for `replace`, as in Glance; an `add` is no way around it here.
    if matches!(attribute, Attribute::Owner(_) if !is_admin) {
        return Err(ChangeError::OwnerByNonAdmin);
    }
    if how == How::AddNew {
        return Err(ChangeError::AlreadyPresent(attribute.name().to_owned()));
    }
    let formats_open = matches!(image.status, Status::Queued | Status::Importing);
    match attribute {
        Attribute::DiskFormat(_) | Attribute::ContainerFormat(_) if !formats_open => {
            return Err(ChangeError::NotQueued(attribute.name()));
        }
        Attribute::Name(it) => image.name.clone_from(it),
        Attribute::Visibility(it) => image.visibility = *it,
        Attribute::Owner(it) => image.owner = it.clone().filter(|it| !it.is_empty()),
        Attribute::Protected(it) => image.protected = *it,
        Attribute::Hidden(it) => image.hidden = *it,
        Attribute::MinDisk(it) => image.min_disk = *it,
        Attribute::MinRam(it) => image.min_ram = *it,
        Attribute::DiskFormat(it) => image.disk_format.clone_from(it),
        Attribute::ContainerFormat(it) => image.container_format.clone_from(it),
        Attribute::Tags(it) => image.tags.clone_from(it),
    }
    Ok(())
}
