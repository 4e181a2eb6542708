//! The domain: images, their status, visibility and properties. Pure: no I/O, no clock, no SQL, no JSON shapes.

pub mod attribute;
mod change;
mod id;
mod import;
mod member;
pub mod metadef;
mod new;
pub mod query;
mod record;
mod revision;
pub mod signature;
mod status;
pub mod task;
#[cfg(test)]
mod tests;
mod visibility;

pub use attribute::Attribute;
pub use change::{Change, ChangeError, How, NewLocation, Place, Validation};
pub use id::{ImageId, InvalidImageId};
pub use import::{Elsewhere, Import, ImportMethod, Targets, UnknownMethod};
pub use member::{Answer, InvalidAnswer, Member};
pub use new::NewImage;
pub use query::ListQuery;
pub use record::{Image, Location, shown_url};
pub use status::{IllegalTransition, Status};
pub use visibility::Visibility;
