//! An image as the API prints it.

use crate::image::{Image, Location};
use crate::wire::{format_time, schemas::SiteProperties};
use serde_json::{Map, Value};
use std::sync::Arc;

/// Which of the fields that not everybody sees are printed, and how.
#[derive(Clone, Debug, Default)]
pub struct Shown {
    /// `locations` (`show_multiple_locations`).
    pub locations: bool,
    /// What is in it; else it is empty (Glance's behaviour).
    pub places: bool,
    /// `direct_url` (`show_image_direct_url`).
    pub direct_url: bool,
    /// `stores` (more than one store).
    pub stores: bool,
    /// The properties that the site describes: only those may be null.
    pub site: Arc<SiteProperties>,
}

/// Properties that serve the server only.
const HIDDEN: [&str; 2] = ["os_glance_stage_host", "os_glance_hash_op_host"];

/// The image, its fields in Glance's order: custom properties first, links last.
pub fn to_json(image: &Image, shown: &Shown) -> Value {
    let mut view = Map::new();
    for (name, value) in image.properties.iter().filter(|it| !HIDDEN.contains(&it.0.as_str())) {
        let value = match value {
            Some(text) => Value::from(text.as_str()),
            None if shown.site.describes(name) => Value::Null,
            None => Value::from(""),
        };
        view.insert(name.clone(), value);
    }
    base_fields(image, &mut view);
    link_fields(image, shown, &mut view);
    Value::Object(view)
}

/// Where the image's data is: `[{"url": …, "metadata": {…}}]`.
pub fn locations_to_json(image: &Image) -> Value {
    image.locations.iter().map(|it| serde_json::json!({"url": it.shown_url(), "metadata": it.metadata})).collect()
}

fn base_fields(image: &Image, view: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| drop(view.insert(name.to_owned(), value));
    put("name", image.name.as_deref().into());
    put("disk_format", image.disk_format.as_deref().into());
    put("container_format", image.container_format.as_deref().into());
    put("visibility", image.visibility.as_str().into());
    put("size", image.size.into());
    put("virtual_size", image.virtual_size.into());
    put("status", image.status.as_str().into());
    put("checksum", image.checksum.as_deref().into());
    put("protected", image.protected.into());
    put("min_ram", image.min_ram.into());
    put("min_disk", image.min_disk.into());
    put("owner", image.owner.as_deref().into());
    put("os_hidden", image.hidden.into());
    put("os_hash_algo", image.os_hash_algo.as_deref().into());
    put("os_hash_value", image.os_hash_value.as_deref().into());
    put("id", image.id.as_str().into());
    put("created_at", format_time(image.created_at).into());
    put("updated_at", format_time(image.updated_at).into());
}

fn link_fields(image: &Image, shown: &Shown, view: &mut Map<String, Value>) {
    let mut put = |name: &str, value: Value| drop(view.insert(name.to_owned(), value));
    if shown.locations {
        put("locations", if shown.places { locations_to_json(image) } else { Value::Array(Vec::new()) });
    }
    if let (true, Some(first)) = (shown.direct_url && shown.places, image.locations.first()) {
        put("direct_url", first.shown_url().as_ref().into());
    }
    let id = &image.id;
    put("tags", image.tags.iter().map(String::as_str).collect());
    put("self", format!("/v2/images/{id}").into());
    put("file", format!("/v2/images/{id}/file").into());
    put("schema", "/v2/schemas/image".into());
    if shown.stores && shown.places {
        let stores = image.locations.iter().filter_map(Location::store);
        let stores: Vec<&str> = stores.collect();
        if !stores.is_empty() {
            put("stores", stores.join(",").into());
        }
    }
}
