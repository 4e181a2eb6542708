//! What a record must keep to, whoever wrote it: limits of the columns and quotas.

use crate::catalogue::{Settings, service::Fault};
use crate::image::{Image, ImageId, attribute};

/// Characters of names, tags and owners.
const TEXT: usize = 255;

/// Bytes of a property's value: what Glance's column holds on MariaDB.
const VALUE: usize = 65_535;

/// Checks a record that is to be written; `before` is what it was, none when it is new.
///
/// # Errors
/// `Invalid`, `TooLarge`.
pub(super) fn record(settings: &Settings, before: Option<&Image>, image: &Image) -> Result<(), Fault> {
    text("name", image.name.as_deref())?;
    text("owner", image.owner.as_deref())?;
    for tag in &image.tags {
        text("tags", Some(tag))?;
    }
    for (name, value) in &image.properties {
        if attribute::is_base(name) {
            return Err(Fault::Forbidden(format!("Attribute '{name}' is read-only.")));
        }
        if name.chars().count() > TEXT {
            return Err(Fault::Invalid("Custom property should not be greater than 255 characters.".to_owned()));
        }
        if name.chars().any(|it| it.len_utf8() > 3) {
            return Err(Fault::Invalid("Property names can't contain 4 byte unicode.".to_owned()));
        }
        let value = value.as_deref().unwrap_or_default();
        four_bytes(name, value)?;
        if value.len() > VALUE {
            return Err(Fault::Invalid(format!("Property {name} is longer than {VALUE} bytes.")));
        }
    }
    for (name, value) in [("min_disk", image.min_disk), ("min_ram", image.min_ram)] {
        if value < 0 {
            return Err(Fault::Invalid(format!(
                "Invalid value '{value}' for parameter '{name}': Cannot be a negative value"
            )));
        }
    }
    formats(settings, before, image)?;
    quotas(settings, before, image)
}

/// Formats are checked when they are set: an image made under other settings stays as it is.
fn formats(settings: &Settings, before: Option<&Image>, image: &Image) -> Result<(), Fault> {
    let known = [
        ("disk_format", &image.disk_format, before.map(|it| &it.disk_format), &settings.disk_formats),
        (
            "container_format",
            &image.container_format,
            before.map(|it| &it.container_format),
            &settings.container_formats,
        ),
    ];
    for (name, value, old, allowed) in known {
        match value {
            Some(value) if old.and_then(Option::as_ref) != Some(value) && !allowed.contains(value) => {
                let shown: String = value.chars().take(80).collect();
                let allowed = allowed.join(", ");
                return Err(Fault::Invalid(format!("{name}: '{shown}' is not one of None, {allowed}")));
            }
            _ => {}
        }
    }
    Ok(())
}

/// What is over a quota may still become less. What Glance and Larder note of an image is nobody's property.
///
/// # Errors
/// `TooLarge`.
pub(super) fn quotas(settings: &Settings, before: Option<&Image>, image: &Image) -> Result<(), Fault> {
    let properties = |it: &Image| it.properties.keys().filter(|name| !attribute::is_reserved(name)).count();
    let counts = |it: &Image| [properties(it), it.tags.len()];
    let (old, new) = (before.map_or([0; 2], counts), counts(image));
    let rules = [("image properties", settings.image_property_quota), ("image tags", settings.image_tag_quota)];
    for (index, (what, quota)) in rules.into_iter().enumerate() {
        if let Some(quota) = quota.filter(|&it| new[index] as u64 > it && new[index] > old[index]) {
            return Err(Fault::TooLarge(format!(
                "The limit has been exceeded on the number of allowed {what}. Attempted: {}, Maximum: {quota}",
                new[index]
            )));
        }
    }
    Ok(())
}

/// The answer for an image that is not there, or that the caller may not know of.
pub(super) fn not_found(id: &ImageId) -> Fault {
    Fault::NoImage(id.to_string())
}

pub(super) fn text(name: &str, value: Option<&str>) -> Result<(), Fault> {
    let value = value.unwrap_or_default();
    if value.chars().count() > TEXT {
        return Err(Fault::Invalid(format!("{name} is longer than {TEXT} characters.")));
    }
    four_bytes(name, value)
}

/// Each word of `name` with a capital (Python's `str.title`, in which Glance names what it refuses).
fn title(name: &str) -> String {
    let mut title = String::with_capacity(name.len());
    let mut begins = true;
    for letter in name.chars() {
        if begins {
            title.extend(letter.to_uppercase())
        } else {
            title.extend(letter.to_lowercase())
        }
        begins = !letter.is_alphabetic();
    }
    title
}

/// Glance's tables on MariaDB hold three bytes of UTF-8 per character, and so no emoji.
fn four_bytes(name: &str, value: &str) -> Result<(), Fault> {
    if value.chars().any(|it| it.len_utf8() > 3) {
        Err(Fault::Invalid(format!("{} can't contain 4 byte unicode characters.", title(name))))
    } else {
        Ok(())
    }
}
