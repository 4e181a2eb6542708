//! A conversion's failure in words for the client: nothing of the server's folders.

use crate::base::chain;
use crate::diskformat::convert::ConvertError;
use std::path::Path;

pub(super) fn told(error: ConvertError, paths: &[&Path]) -> String {
    let words = match &error {
        ConvertError::ReadSource { .. } => "the data cannot be read".to_owned(),
        ConvertError::WriteTarget { .. } => "the staging folder cannot be written to".to_owned(),
        ConvertError::Start { .. } => "the conversion process cannot be started".to_owned(),
        ConvertError::NoRoom { .. } => "the staging folder has no room left".to_owned(),
        // What qemu-img says names the files.
        _ => chain(&error).to_string(),
    };
    let clean = |words: String, path: &&Path| words.replace(&*path.to_string_lossy(), "(the image)");
    format!("image_conversion: {}", paths.iter().fold(words, clean))
}
