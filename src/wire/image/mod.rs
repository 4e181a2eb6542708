//! An image as JSON, both ways.

mod create;
mod list;
mod location;
mod remote;
mod show;
#[cfg(test)]
mod tests;

pub use create::parse_create;
pub use list::{list_to_json, query_without_marker};
pub use location::parse_location;
pub use remote::RemoteImage;
pub use show::{Shown, locations_to_json, to_json};
