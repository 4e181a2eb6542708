//! The state that an image has to have for a change to be made.

use crate::catalogue::service::Fault;
use crate::image::Image;

/// What a client knows of an image that it wants to change; by default nothing. It is compared in the transaction of
/// the change.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Expected {
    /// One of these revisions, as the client may see them.
    pub one_of: Option<Vec<String>>,
    /// None of these.
    pub none_of: Vec<String>,
    /// That there is no such image.
    pub absent: bool,
}

// === impl Expected ===

impl Expected {
    /// Compares the image, without what the caller may not read.
    ///
    /// # Errors
    /// `Stale`.
    pub(super) fn check(&self, image: &Image) -> Result<(), Fault> {
        if *self == Self::default() {
            return Ok(());
        }
        let revision = image.revision();
        let is_one = self.one_of.as_ref().is_none_or(|it| it.contains(&revision));
        if is_one && !self.absent && !self.none_of.contains(&revision) {
            return Ok(());
        }
        Err(Fault::Stale(format!("Image {} has another state than the request expects; look at it again.", image.id)))
    }
}
