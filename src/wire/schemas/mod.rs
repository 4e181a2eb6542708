//! The JSON schemas of the API; `glance` builds its options from the one of an image.

mod image;
mod member;
pub mod metadef;
mod site;
mod task;
#[cfg(test)]
mod tests;

pub use image::{image, images};
pub use member::{member, members};
pub use site::{Pattern, SiteProperties};
pub use task::{task, tasks};

use serde_json::{Value, json};
use std::sync::Arc;

/// What differs from site to site: the formats that images may have, and properties that are described.
#[derive(Clone, Debug, Default)]
pub struct Formats {
    /// `[image_format] disk_formats`
    pub disk: Vec<String>,
    /// `[image_format] container_formats`
    pub container: Vec<String>,
    /// Custom properties.
    pub site: Arc<SiteProperties>,
}

/// What ids look like.
pub const ID_PATTERN: &str = "^([0-9a-fA-F]){8}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){4}-([0-9a-fA-F]){12}$";

/// A list of `item`, without pages.
fn plain_list(name: &str, item: &Value) -> Value {
    json!({
        "name": name,
        "properties": {
            name: {"type": "array", "items": item},
            "schema": {"type": "string"},
        },
        "links": [{"rel": "describedby", "href": "{schema}"}],
    })
}
