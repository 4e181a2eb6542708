//! What the server says, as errors of a store: in one line, without keys.

use super::address::shown;
use crate::store::StoreError;
use opendal::{Error, ErrorKind};

/// The most of a server's words that is passed on.
const MOST: usize = 300;

/// What a request that was for `url` failed with.
pub(super) fn of(step: &'static str, url: &str, store: &str, error: &Error) -> StoreError {
    match error.kind() {
        ErrorKind::NotFound => StoreError::NotFound { url: shown(url) },
        _ if is_full(error.message()) => StoreError::NoRoom { store: store.to_owned(), what: words(error) },
        _ => remote(step, url, &words(error)),
    }
}

/// What a server did wrong.
pub(super) fn remote(step: &'static str, url: &str, what: &str) -> StoreError {
    StoreError::Remote { step, url: shown(url), what: what.to_owned(), source: None }
}

/// Of Ceph (QuotaExceeded), of Swift (507) and of others.
fn is_full(message: &str) -> bool {
    ["QuotaExceeded", "Insufficient", "StorageFull", "XMinioStorageFull", "507"].iter().any(|it| message.contains(it))
}

/// The error and its causes, as far as they help: opendal adds headers and addresses, which do not.
pub(super) fn words(error: &Error) -> String {
    let advice = match error.kind() {
        ErrorKind::PermissionDenied => {
            "the server denies it (s3_store_access_key, s3_store_secret_key, the rights on the bucket): "
        }
        ErrorKind::ConfigInvalid => "the bucket is not there, or an option of the store is wrong: ",
        ErrorKind::RateLimited => "the server takes no more requests: ",
        _ => "",
    };
    let mut text = format!("{advice}{}", error.message());
    let mut cause = std::error::Error::source(error);
    while let Some(it) = cause {
        let next = it.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = it.source();
    }
    text.chars().map(|it| if it.is_control() { ' ' } else { it }).take(MOST).collect()
}
