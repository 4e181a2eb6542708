//! The document of `POST /v2/images`.

use crate::image::{Attribute, NewImage, attribute};
use crate::wire::{Formats, WireError, check, patch};
use serde_json::{Map, Value};

/// Names that are refused before anything else is looked at.
const LINKS: [&str; 5] = ["direct_url", "self", "file", "schema", "stores"];

/// What a client wants to make.
///
/// # Errors
/// [`WireError`]; never `PatchType`.
pub fn parse_create(body: &[u8], formats: &Formats) -> Result<NewImage, WireError> {
    let Value::Object(fields) = check::document(body)? else { return Err(WireError::NotDocument) };
    if let Some(name) = LINKS.into_iter().find(|it| fields.contains_key(*it)) {
        return Err(WireError::ReadOnly(name.to_owned()));
    }
    let mut new = NewImage::default();
    for (name, value) in &fields {
        match check::attribute(name, value, formats)? {
            Some(attribute) => set(&mut new, attribute),
            None if name == "id" => new.id = Some(check::id(name, value)?),
            None if name == "locations" => patch::listed(value).map(drop)?,
            None if attribute::READ_ONLY.contains(&name.as_str()) => check::read_only(name, value)?,
            None => {
                let value = check::property(name, value, formats)?;
                new.properties.insert(name.clone(), value);
            }
        }
    }
    if let Some(name) = formats.site.required().iter().find(|it| !fields.contains_key(*it)) {
        return Err(WireError::image(format!("'{name}' is a required property")));
    }
    names(&fields)?;
    Ok(new)
}

/// That no name is the server's own; told after what is wrong with the values (Glance's order).
fn names(fields: &Map<String, Value>) -> Result<(), WireError> {
    for name in fields.keys() {
        if attribute::is_reserved(name) || name == "locations" {
            return Err(WireError::Reserved(name.clone()));
        }
        check::property_name(name)?;
    }
    match attribute::READ_ONLY.into_iter().find(|it| *it != "id" && fields.contains_key(*it)) {
        Some(name) => Err(WireError::ReadOnly(name.to_owned())),
        None => Ok(()),
    }
}

fn set(new: &mut NewImage, attribute: Attribute) {
    match attribute {
        Attribute::Name(it) => new.name = it,
        Attribute::Visibility(it) => new.visibility = Some(it),
        Attribute::Owner(it) => new.owner = Some(it),
        Attribute::Protected(it) => new.protected = it,
        Attribute::Hidden(it) => new.hidden = it,
        Attribute::MinDisk(it) => new.min_disk = it,
        Attribute::MinRam(it) => new.min_ram = it,
        Attribute::DiskFormat(it) => new.disk_format = it,
        Attribute::ContainerFormat(it) => new.container_format = it,
        Attribute::Tags(it) => new.tags = it,
    }
}
