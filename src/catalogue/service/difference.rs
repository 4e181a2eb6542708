//! Whether data is that of an image.

use crate::image::Image;
use crate::store::Ingested;

/// What is not as it should be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Difference {
    /// `size`, `checksum` or `os_hash_value`.
    pub(super) what: &'static str,
    /// What the data has.
    pub(super) found: String,
    /// What the image's record says.
    pub(super) wanted: String,
}

/// The first difference between data and an image's record; what the record does not know differs in nothing.
pub(super) fn difference(image: &Image, facts: &Ingested) -> Option<Difference> {
    let mut known = vec![
        ("size", image.size.map(|it| it.to_string()), facts.size.to_string()),
        ("checksum", image.checksum.clone(), facts.checksum.clone()),
    ];
    if image.os_hash_algo.as_deref() == Some(facts.hash_algo.as_str()) {
        known.push(("os_hash_value", image.os_hash_value.clone(), facts.hash_value.clone()));
    }
    known.into_iter().find_map(|(what, wanted, found)| {
        let wanted = wanted.filter(|it| !it.eq_ignore_ascii_case(&found))?;
        Some(Difference { what, found, wanted })
    })
}
