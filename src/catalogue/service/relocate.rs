//! Changes of an image's locations by PATCH, where the operator shows locations (`show_multiple_locations`).
//!
//! Clients may not point at files of the server (Glance's rule), and this build stores nowhere else, so no location can
//! be added; what does not change anything is accepted.

use crate::catalogue::service::Fault;
use crate::image::{Change, Image, NewLocation, Status};

/// Applies a change if it is one of locations; false when it is another one.
///
/// # Errors
/// `Conflict`: not in this status; `Invalid`: no such location, or none of a kind that clients may add; `Forbidden`:
/// the image would have none left.
pub(super) fn apply(change: &Change, image: &Image) -> Result<bool, Fault> {
    match change {
        Change::AddLocation { location, .. } => {
            in_status(image, "add", &[Status::Active, Status::Queued])?;
            Err(refused(location))
        }
        Change::ReplaceLocations(locations) => replace(image, locations).map(|()| true),
        Change::RemoveLocation(at) => {
            in_status(image, "remove", &[Status::Active])?;
            let last = image.locations.len().saturating_sub(1);
            if image.locations.is_empty() || at.unwrap_or(last) > last {
                return Err(Fault::Invalid("Invalid position for removing a location.".to_owned()));
            }
            if last == 0 {
                return Err(Fault::Forbidden("Cannot remove last location in the image.".to_owned()));
            }
            Err(Fault::Forbidden("A single location of an image cannot be removed by this server.".to_owned()))
        }
        Change::Set(..) | Change::SetProperty { .. } | Change::Remove(_) => Ok(false),
    }
}

fn replace(image: &Image, locations: &[NewLocation]) -> Result<(), Fault> {
    if locations.is_empty() {
        return Err(Fault::Forbidden("Cannot set locations to empty list.".to_owned()));
    }
    in_status(image, "replace", &[Status::Active, Status::Queued])?;
    match locations.iter().find(|new| image.locations.iter().all(|old| old.url != new.location.url)) {
        Some(foreign) => Err(refused(foreign)),
        None if locations.len() == image.locations.len() => Ok(()),
        None => Err(Fault::Invalid("Original locations is not empty.".to_owned())),
    }
}

fn in_status(image: &Image, verb: &str, allowed: &[Status]) -> Result<(), Fault> {
    if allowed.contains(&image.status) {
        return Ok(());
    }
    let status = image.status;
    Err(Fault::Conflict(format!("It's not allowed to {verb} locations if image status is {status}.")))
}

fn refused(location: &NewLocation) -> Fault {
    let url: String = location.location.url.chars().take(80).collect();
    Fault::Invalid(format!("Invalid location {url}: this server takes no locations of that kind."))
}
