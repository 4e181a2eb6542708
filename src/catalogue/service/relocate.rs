//! Changes of an image's locations by PATCH, where the operator shows locations (`show_multiple_locations`).
//!
//! A change is judged within a transaction, which cannot wait for a web server. So a location that nobody has looked at
//! yet ends the transaction; it is looked at, and the change begins anew. All that can be refused without asking
//! anybody is refused first.

use crate::base::{chain, digest::Algorithm};
use crate::catalogue::{
    Settings,
    service::{Fault, Service, upload::has_formats},
};
use crate::image::{Change, Image, Location, NewLocation, Place, Status, Validation};
use crate::store::{self, Stores};
use std::{
    collections::HashMap,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// What clients may not point at, whatever the stores are: files of this server, logins of its operator (Glance's list),
/// and logins of their own, whose server could send this one anywhere.
const NOT_FOR_CLIENTS: [&str; 5] = ["file", "filesystem", "swift+config", "swift+http", "swift+https"];

/// What was found behind URLs. Clones share it.
#[derive(Clone, Default)]
pub(super) struct Looks(Arc<Mutex<Known>>);

#[derive(Default)]
struct Known {
    /// Bytes, by URL and store; none when nothing can be got there.
    sizes: HashMap<(String, Option<String>), Option<u64>>,
    wanted: Option<Location>,
}

// === impl Looks ===

impl Looks {
    /// What the last attempt wanted to know.
    pub(super) fn wanted(&self) -> Option<Location> {
        self.known().wanted.take()
    }

    pub(super) fn learn(&self, location: &Location, size: Option<u64>) {
        self.known().sizes.insert(key(location), size);
    }

    fn size(&self, location: &Location) -> Result<u64, Fault> {
        let mut known = self.known();
        match known.sizes.get(&key(location)) {
            Some(Some(size)) => Ok(*size),
            Some(None) => Err(Fault::Invalid("Invalid location".to_owned())),
            None => {
                known.wanted = Some(location.clone());
                Err(Fault::Unavailable("This location has not been looked at yet.".to_owned()))
            }
        }
    }

    fn known(&self) -> MutexGuard<'_, Known> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn key(location: &Location) -> (String, Option<String>) {
    (location.url.clone(), location.store().map(str::to_owned))
}

impl Service {
    /// Bytes of the data at a place that a client names; none when this server may not ask there, or gets nothing.
    pub(super) async fn look(&self, location: &Location) -> Option<u64> {
        let url = &location.url;
        let scheme = url.split_once(':').map_or("", |it| it.0).to_ascii_lowercase();
        if NOT_FOR_CLIENTS.contains(&scheme.as_str()) || self.stores().of(location).is_err() {
            return None;
        }
        let web = matches!(scheme.as_str(), "http" | "https");
        if web && !store::may_ask(&self.settings().import_filtering, url).await {
            return None;
        }
        match self.stores().size(location).await {
            Ok(size) => Some(size).filter(|it| *it > 0),
            Err(error) => {
                tracing::info!(error = %chain(&error), "a location that was to be added gives no data");
                None
            }
        }
    }
}

/// The same changes, in which places have the stores that they are in.
pub(super) fn placed(stores: &Stores, mut changes: Vec<Change>) -> Vec<Change> {
    for change in &mut changes {
        match change {
            Change::AddLocation { location, .. } => stores.note_store(&mut location.location),
            Change::ReplaceLocations(all) => all.iter_mut().for_each(|it| stores.note_store(&mut it.location)),
            Change::Set(..) | Change::SetProperty { .. } | Change::Remove(_) | Change::RemoveLocation(_) => {}
        }
    }
    changes
}

/// Whether the change gives the image data that it does not have yet, or has elsewhere.
pub(super) fn brings_data(change: &Change, image: &Image) -> bool {
    match change {
        Change::AddLocation { .. } => true,
        Change::ReplaceLocations(new) => image.locations.is_empty() && !new.is_empty(),
        _ => false,
    }
}

/// Applies a change if it is one of locations; false when it is another one.
///
/// # Errors
/// `Conflict`: not in this status, or other hashes than are known; `Invalid`: no such location, or nothing is there;
/// `TooLarge`: too many; `Forbidden`: the image would have none left.
pub(super) fn apply(settings: &Settings, looks: &Looks, change: &Change, image: &mut Image) -> Result<bool, Fault> {
    match change {
        Change::AddLocation { at, location } => {
            in_status(image, "add", &[Status::Active, Status::Queued])?;
            let hashes = hashes(settings, image, std::slice::from_ref(location))?;
            let at = match *at {
                Place::Index(at) => at.min(image.locations.len()),
                Place::Last => image.locations.len(),
                Place::Nowhere => {
                    return Err(Fault::Invalid("Invalid position for adding a location.".to_owned()));
                }
            };
            quota(settings, image.locations.len() + 1)?;
            let size = looks.size(&location.location)?;
            check_metadata(&location.location)?;
            if image.locations.contains(&location.location) {
                return Err(duplicate(&location.location));
            }
            image.locations.insert(at, location.location.clone());
            image.size = image.size.filter(|it| *it > 0).or(Some(size));
            activate(image, hashes)?;
        }
        Change::ReplaceLocations(locations) => {
            in_status(image, "replace", &[Status::Active, Status::Queued])?;
            let hashes = hashes(settings, image, locations)?;
            replace(settings, looks, image, locations)?;
            activate(image, hashes)?;
        }
        Change::RemoveLocation(at) => remove(image, *at)?,
        Change::Set(..) | Change::SetProperty { .. } | Change::Remove(_) => return Ok(false),
    }
    Ok(true)
}

/// Other URLs only in place of none; the same ones may get another order and other metadata.
fn replace(settings: &Settings, looks: &Looks, image: &mut Image, new: &[NewLocation]) -> Result<(), Fault> {
    quota(settings, new.len())?;
    let new: Vec<Location> = new.iter().map(|it| it.location.clone()).collect();
    let sorted = |locations: &[Location]| {
        let mut urls: Vec<String> = locations.iter().map(|it| it.url.clone()).collect();
        urls.sort();
        urls
    };
    if sorted(&new) != sorted(&image.locations) {
        if !image.locations.is_empty() {
            return Err(Fault::Invalid("Original locations is not empty.".to_owned()));
        }
        for (index, location) in new.iter().enumerate() {
            let size = looks.size(location)?;
            check_metadata(location)?;
            if new[..index].contains(location) {
                return Err(duplicate(location));
            }
            image.size = image.size.filter(|it| *it > 0).or(Some(size));
        }
    }
    image.locations = new;
    Ok(())
}

fn remove(image: &mut Image, at: Place) -> Result<(), Fault> {
    in_status(image, "remove", &[Status::Active])?;
    let count = image.locations.len();
    if count == 1 {
        return Err(Fault::Forbidden("Cannot remove last location in the image.".to_owned()));
    }
    let at = match at {
        Place::Index(at) => at,
        Place::Last => count.wrapping_sub(1),
        Place::Nowhere => count,
    };
    if at >= count {
        return Err(Fault::Invalid("Invalid position for removing a location.".to_owned()));
    }
    image.locations.remove(at);
    Ok(())
}

/// A queued image has its data now.
fn activate(image: &mut Image, hashes: Validation) -> Result<(), Fault> {
    if image.status != Status::Queued {
        return Ok(());
    }
    has_formats(image)?;
    image.status = Status::Active;
    if hashes.checksum.is_some() {
        image.checksum = hashes.checksum;
    }
    if !hashes.os_hash_value.is_empty() {
        (image.os_hash_algo, image.os_hash_value) = (Some(hashes.os_hash_algo), Some(hashes.os_hash_value));
    }
    Ok(())
}

/// The hashes that the image does not have yet; empty where it has them, or nobody says.
fn hashes(settings: &Settings, image: &Image, locations: &[NewLocation]) -> Result<Validation, Fault> {
    let conflict = |words: String| Err(Fault::Conflict(words));
    let mut said: Vec<(&str, &str)> = Vec::new();
    for given in locations.iter().filter_map(|it| it.validation.as_ref()) {
        let checksum = given.checksum.as_deref().map(|it| ("checksum", it));
        let rest = [("os_hash_algo", given.os_hash_algo.as_str()), ("os_hash_value", given.os_hash_value.as_str())];
        for (name, value) in checksum.into_iter().chain(rest) {
            match said.iter().find(|it| it.0 == name) {
                Some(before) if before.1 != value => return conflict(format!("Conflicting values for {name}")),
                Some(_) => {}
                None => said.push((name, value)),
            }
        }
    }
    let current = |name: &str| match name {
        "checksum" => image.checksum.as_deref(),
        "os_hash_algo" => image.os_hash_algo.as_deref(),
        _ => image.os_hash_value.as_deref(),
    };
    let mut new: HashMap<&str, String> = HashMap::new();
    for (name, value) in said {
        match current(name).filter(|it| !it.is_empty()) {
            Some(known) if known == value => {}
            Some(_) => return conflict(format!("{name} is already set with a different value")),
            None => drop(new.insert(name, value.to_owned())),
        }
    }
    if new.is_empty() {
        return Ok(Validation::default());
    }
    if image.status != Status::Queued {
        return conflict("New values of hashes may only be provided when image status is 'queued'".to_owned());
    }
    let mut take = |name: &str| new.remove(name);
    let (checksum, algo, value) = (take("checksum"), take("os_hash_algo"), take("os_hash_value"));
    if let Some(checksum) = &checksum {
        check_hex("checksum", checksum, Algorithm::Md5).map_err(Fault::Conflict)?;
    }
    let wanted = settings.hashing_algorithm;
    if algo.as_deref() != Some(&wanted.to_string()) {
        let got: String = algo.unwrap_or_default().chars().take(64).collect();
        return conflict(format!("os_hash_algo must be {wanted}, not {got}"));
    }
    let value = value.unwrap_or_default();
    check_hex("os_hash_value", &value, wanted).map_err(Fault::Conflict)?;
    Ok(Validation { checksum, os_hash_algo: wanted.to_string(), os_hash_value: value })
}

/// Hex digits of as many bytes as the algorithm gives.
///
/// # Errors
/// What is wrong, in Glance's words.
pub(super) fn check_hex(name: &str, value: &str, algorithm: Algorithm) -> Result<(), String> {
    let shown: String = value.chars().take(140).collect();
    if !value.len().is_multiple_of(2) || !value.bytes().all(|it| it.is_ascii_hexdigit()) {
        return Err(format!("{name} ({shown}) is not a valid hexadecimal value"));
    }
    let want = algorithm.bytes();
    if value.len() != 2 * want {
        return Err(format!("{name} ({shown}) is not the correct size for {algorithm} (should be {want} bytes)"));
    }
    Ok(())
}

fn quota(settings: &Settings, attempted: usize) -> Result<(), Fault> {
    match settings.image_location_quota.filter(|it| attempted as u64 > *it) {
        Some(quota) => Err(Fault::TooLarge(format!(
            "The limit has been exceeded on the number of allowed image locations. Attempted: {attempted}, \
             Maximum: {quota}"
        ))),
        None => Ok(()),
    }
}

/// Stores keep text, lists and objects of them.
fn check_metadata(location: &Location) -> Result<(), Fault> {
    fn is_fine(value: &serde_json::Value) -> bool {
        match value {
            serde_json::Value::String(_) => true,
            serde_json::Value::Array(items) => items.iter().all(is_fine),
            serde_json::Value::Object(fields) => fields.values().all(is_fine),
            _ => false,
        }
    }
    match location.metadata.iter().find(|it| !is_fine(it.1)) {
        None => Ok(()),
        Some((key, _)) => {
            let key: String = key.chars().take(80).collect();
            Err(Fault::Invalid(format!(
                "The location metadata key {key} has an invalid type. Only objects, lists and text are supported."
            )))
        }
    }
}

fn duplicate(location: &Location) -> Fault {
    Fault::Invalid(format!("The location {} already exists", location.url))
}

fn in_status(image: &Image, verb: &str, allowed: &[Status]) -> Result<(), Fault> {
    if allowed.contains(&image.status) {
        return Ok(());
    }
    let status = image.status;
    Err(Fault::Conflict(format!("It's not allowed to {verb} locations if image status is {status}.")))
}
