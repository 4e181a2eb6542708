//! What a server did not do, as errors of a store: in one line, without secrets.

use super::address::shown;
use crate::store::StoreError;
use http::StatusCode;

/// The most of a server's words that is passed on.
const MOST: usize = 200;

/// Why a request came to nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Fault {
    /// What the server answered; none when there was no answer.
    pub(super) status: Option<StatusCode>,
    what: String,
}

// === impl Fault ===

impl Fault {
    pub(super) fn new(what: impl Into<String>) -> Self {
        Self { status: None, what: what.into() }
    }

    /// Another attempt helps nothing.
    pub(super) fn settled(what: impl Into<String>) -> Self {
        Self { status: Some(StatusCode::BAD_REQUEST), what: what.into() }
    }

    /// Of an answer; `words` is the beginning of its body.
    pub(super) fn of_status(status: StatusCode, words: &str) -> Self {
        let advice = match status.as_u16() {
            401 | 403 => " (look at the user, the key and the rights on the container)",
            _ => "",
        };
        let words: String = words
            .split(['<', '\n'])
            .map(|it| it.split_once('>').map_or(it, |it| it.1).trim())
            .find(|it| !it.is_empty())
            .unwrap_or_default()
            .chars()
            .filter(|it| !it.is_control())
            .take(MOST)
            .collect();
        let what = format!("the server answers {}{advice} {words}", status.as_u16()).trim_end().to_owned();
        Self { status: Some(status), what }
    }

    /// Of a request that got no answer. The address is left out: it is told beside it.
    pub(super) fn of_request(error: reqwest::Error) -> Self {
        let error = error.without_url();
        let mut what = error.to_string();
        let mut cause = std::error::Error::source(&error);
        while let Some(it) = cause {
            let next = it.to_string();
            if !what.contains(&next) {
                what = format!("{what}: {next}");
            }
            cause = it.source();
        }
        Self::new(what)
    }

    /// Whether another attempt may help.
    pub(super) fn is_momentary(&self) -> bool {
        self.status.is_none_or(is_momentary)
    }

    pub(super) fn is_missing(&self) -> bool {
        self.status == Some(StatusCode::NOT_FOUND)
    }

    pub(super) fn words(&self) -> &str {
        &self.what
    }

    /// The error of the store for data at `url`.
    pub(super) fn into_error(self, step: &'static str, url: &str, store: &str) -> StoreError {
        match self.status.map(|it| it.as_u16()) {
            Some(404) => StoreError::NotFound { url: shown(url) },
            Some(413 | 507) => StoreError::NoRoom { store: store.to_owned(), what: self.what },
            _ => remote(step, url, &self.what),
        }
    }

    /// Likewise while data is written: an image that is written is never "not found".
    pub(super) fn into_write_error(self, url: &str, store: &str) -> StoreError {
        if self.is_missing() { remote("written", url, &self.what) } else { self.into_error("written", url, store) }
    }
}

/// What a server did wrong.
pub(super) fn remote(step: &'static str, url: &str, what: &str) -> StoreError {
    StoreError::Remote { step, url: shown(url), what: what.to_owned(), source: None }
}

pub(super) fn is_momentary(status: StatusCode) -> bool {
    matches!(status.as_u16(), 408 | 429 | 498 | 499 | 500 | 502 | 503 | 504)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_of_servers_are_one_line() {
        let said = |status: u16, body: &str| {
            let fault = Fault::of_status(StatusCode::from_u16(status).unwrap(), body);
            fault.into_error("read", "swift+http://p%3Au:KEY@k/v3/c/o", "swift")
        };
        let html = "<html><h1>Forbidden</h1><p>Access was denied.</p></html>";
        assert_eq!(
            said(403, html).to_string(),
            "swift+http://k/v3/c/o cannot be read: the server answers 403 (look at the user, the key and the rights on the \
             container) Forbidden"
        );
        assert!(matches!(said(404, ""), StoreError::NotFound { .. }));
        assert!(matches!(said(413, "Upload exceeds quota."), StoreError::NoRoom { .. }));
        assert!(matches!(said(507, ""), StoreError::NoRoom { .. }));
    }
}
