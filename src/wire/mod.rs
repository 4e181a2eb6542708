//! The JSON of the Image API and of the fleet's, and the types that it stands for.

mod check;
mod error;
pub mod fleet;
pub mod image;
mod import;
pub mod member;
pub mod metadefs;
pub mod patch;
pub mod schemas;
pub mod task;
mod time;
pub mod verify;
pub mod versions;

pub use check::check_tag;
pub use error::WireError;
pub use import::parse_import;
pub use schemas::Formats;
pub use time::format_time;
