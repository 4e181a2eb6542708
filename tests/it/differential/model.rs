//! What exists on both servers, as far as the generator has to know.

use super::request::Who;

/// An image that both have.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Its number in the pair.
    pub(super) number: usize,
    pub(super) maker: Who,
}

/// What an answer changes in the model.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Effect {
    /// Nothing.
    Reads,
    /// An image comes to be.
    MakesImage,
    /// This one changes.
    Changes(usize),
    /// This one is imported, behind the answer.
    Imports(usize),
    /// This one goes.
    Deletes(usize),
    /// Something in this namespace changes, or itself.
    Namespace(String),
}

#[derive(Debug, Default)]
pub(super) struct Model {
    pub(super) images: Vec<Image>,
    /// Those of them that have just been staged.
    pub(super) staged: Vec<Image>,
}

// === impl Model ===

impl Model {
    pub(super) fn forget(&mut self, number: usize) {
        self.images.retain(|it| it.number != number);
        self.staged.retain(|it| it.number != number);
    }
}
