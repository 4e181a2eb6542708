//! What exists on both servers, as far as the generator has to know.

use super::request::Who;
use serde_json::Value;

/// An image that both have.
#[derive(Clone, Debug)]
pub(super) struct Image {
    /// Its number in the pair.
    pub(super) number: usize,
    pub(super) maker: Who,
    pub(super) state: State,
}

/// What is known of it where that is looked up: only in runs with several stores.
#[derive(Clone, Debug, Default)]
pub(super) struct State {
    /// As in the image; empty when it is new.
    pub(super) status: String,
    /// Bytes.
    pub(super) size: Option<u64>,
    pub(super) stores: Vec<String>,
    /// As in the image, with what is particular to a server made the same.
    pub(super) locations: Vec<Value>,
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
    /// Work on this one goes on behind the answer: an import, a copy, the reading of a location.
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
    /// This is how the image is now.
    pub(super) fn learn(&mut self, number: usize, state: State) {
        for image in self.images.iter_mut().filter(|it| it.number == number) {
            image.state = state.clone();
        }
    }

    pub(super) fn forget(&mut self, number: usize) {
        self.images.retain(|it| it.number != number);
        self.staged.retain(|it| it.number != number);
    }
}
