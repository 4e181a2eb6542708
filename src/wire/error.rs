//! What is wrong with a document that a client sent; the words are Glance's.

/// A document that the API does not take.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// There is none.
    #[error("Body expected in request.")]
    NoBody,
    /// It is no JSON.
    #[error("Malformed JSON in request body.")]
    Malformed,
    /// It is JSON, but not an object or a list.
    #[error("Unexpected body type. Expected list/dict.")]
    NotDocument,
    /// A value that the schema does not allow.
    #[error("Provided object does not match schema '{schema}': {reason}")]
    Schema {
        /// `image`…
        schema: &'static str,
        /// What is wrong with which value.
        reason: String,
    },
    /// A value or an operation that makes no sense.
    #[error("{0}")]
    Invalid(String),
    /// Only the server writes this.
    #[error("Attribute '{0}' is read-only.")]
    ReadOnly(String),
    /// The server keeps this name for itself.
    #[error("Attribute '{0}' is reserved.")]
    Reserved(String),
    /// A PATCH in another media type.
    #[error("Image PATCH expects Content-Type one of: {allowed}", allowed = crate::wire::patch::MEDIA_TYPES.join(", "))]
    PatchType,
}

// === impl WireError ===

impl WireError {
    pub(super) fn image(reason: String) -> Self {
        Self::Schema { schema: "image", reason }
    }
}
