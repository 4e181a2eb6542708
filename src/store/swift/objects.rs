//! Objects, segments, manifests and containers of an account.

use super::{
    address::word,
    fault::Fault,
    wire::{self, Ask, Session},
};
use futures_util::{FutureExt, StreamExt, TryStreamExt, future::BoxFuture, stream};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use percent_encoding::percent_decode_str;
use serde::Deserialize;

/// Entries of a page of a list, and pages at the most.
const PAGE: usize = 1000;
const PAGES: usize = 1000;

/// Segments that are removed at the same time.
const REMOVALS: usize = 8;

/// The header with the mark of the writer of an object.
pub(super) const MARK: &str = "x-object-meta-larder-upload";

/// An entry of a list of objects.
#[derive(Clone, Debug, Deserialize)]
pub(super) struct Entry {
    pub(super) name: String,
    #[serde(default)]
    pub(super) bytes: u64,
    /// Without a time zone: it is UTC.
    pub(super) last_modified: Option<chrono::NaiveDateTime>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

/// What HEAD tells of an object.
#[derive(Clone, Debug, Default)]
pub(super) struct Head {
    pub(super) len: Option<u64>,
    /// `X-Object-Manifest`, decoded: container and prefix.
    pub(super) manifest: Option<(String, String)>,
    pub(super) is_static: bool,
    /// The writer's mark.
    pub(super) mark: Option<String>,
}

/// What is told of the removal of a static large object.
#[derive(Deserialize)]
struct Removal {
    #[serde(rename = "Response Status", default)]
    status: String,
    #[serde(rename = "Errors", default)]
    errors: Vec<(String, String)>,
}

// === impl Session ===

impl Session {
    /// None when there is no such object.
    pub(super) async fn head(&self, container: &str, object: &str) -> Result<Option<Head>, Fault> {
        let answer = match self.get(&Ask { method: Method::HEAD, container, object, ..Ask::default() }).await {
            Ok(answer) => answer,
            Err(fault) if fault.is_missing() => return Ok(None),
            Err(fault) => return Err(fault),
        };
        let get = |name: &str| answer.headers().get(name).and_then(|it| it.to_str().ok());
        let manifest = get("x-object-manifest").and_then(|it| {
            let decoded = percent_decode_str(it).decode_utf8().ok()?;
            let (container, prefix) = decoded.split_once('/')?;
            Some((container.to_owned(), prefix.to_owned()))
        });
        Ok(Some(Head {
            len: get("content-length").and_then(|it| it.parse().ok()),
            manifest,
            is_static: get("x-static-large-object").is_some_and(|it| it.eq_ignore_ascii_case("true")),
            mark: get(MARK).map(str::to_owned),
        }))
    }

    /// The objects whose names begin so.
    pub(super) async fn list(&self, container: &str, prefix: &str) -> Result<Vec<Entry>, Fault> {
        let mut found: Vec<Entry> = Vec::new();
        for _ in 0..PAGES {
            let after = found.last().map(|it| it.name.as_str()).unwrap_or_default();
            let page: Vec<Entry> = self.page(container, prefix, after).await?;
            let len = page.len();
            found.extend(page);
            if len < PAGE {
                break;
            }
        }
        Ok(found)
    }

    /// The containers whose names begin so.
    pub(super) async fn containers(&self, prefix: &str) -> Result<Vec<String>, Fault> {
        let mut found: Vec<String> = Vec::new();
        for _ in 0..PAGES {
            let after = found.last().map(String::as_str).unwrap_or_default();
            let page: Vec<Named> = self.page("", prefix, after).await?;
            let len = page.len();
            found.extend(page.into_iter().map(|it| it.name));
            if len < PAGE {
                break;
            }
        }
        Ok(found)
    }

    async fn page<T: for<'de> Deserialize<'de>>(
        &self,
        container: &str,
        prefix: &str,
        after: &str,
    ) -> Result<Vec<T>, Fault> {
        let query = format!("format=json&limit={PAGE}&prefix={}&marker={}", word(prefix), word(after));
        let answer = match self.get(&Ask { container, query, ..Ask::default() }).await {
            // There is no container, so there is nothing in it.
            Err(fault) if fault.is_missing() => return Ok(Vec::new()),
            answer => answer?,
        };
        if answer.status() == StatusCode::NO_CONTENT {
            return Ok(Vec::new());
        }
        serde_json::from_slice(&wire::body(answer).await?).map_err(|_| Fault::new("the server's list is not Swift's"))
    }

    /// False when there was none.
    pub(super) async fn delete(&self, container: &str, object: &str) -> Result<bool, Fault> {
        match self.get(&Ask { method: Method::DELETE, container, object, ..Ask::default() }).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is_missing() => Ok(false),
            Err(fault) => Err(fault),
        }
    }

    /// Removes some objects, several at a time.
    pub(super) async fn delete_all(&self, container: &str, names: &[String]) -> Result<(), Fault> {
        let removals: Vec<BoxFuture<'_, _>> = names.iter().map(|it| self.delete(container, it).boxed()).collect();
        stream::iter(removals).buffer_unordered(REMOVALS).try_for_each(|_| std::future::ready(Ok(()))).await
    }

    /// Removes the objects whose names begin so.
    pub(super) async fn delete_prefix(&self, container: &str, prefix: &str) -> Result<(), Fault> {
        let names: Vec<String> = self.list(container, prefix).await?.into_iter().map(|it| it.name).collect();
        self.delete_all(container, &names).await
    }

    /// Removes an object with its segments; false when there was none. The manifest goes last: a removal that broke off is
    /// begun again.
    pub(super) async fn remove(&self, container: &str, object: &str) -> Result<bool, Fault> {
        let Some(head) = self.head(container, object).await? else { return Ok(false) };
        if head.is_static {
            return self.remove_static(container, object).await;
        }
        if let Some((there, prefix)) = head.manifest {
            // Nobody else's objects go because a manifest says so.
            if prefix.starts_with(object) {
                self.delete_prefix(&there, &prefix).await?;
            } else {
                tracing::warn!(container, object, prefix, "the segments of an image have other names; they stay");
            }
        }
        // It was there: where it is gone by now, the answer to the first attempt was lost.
        self.delete(container, object).await?;
        Ok(true)
    }

    async fn remove_static(&self, container: &str, object: &str) -> Result<bool, Fault> {
        let mut headers = HeaderMap::new();
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let query = "multipart-manifest=delete".to_owned();
        let ask = Ask { method: Method::DELETE, container, object, query, headers, ..Ask::default() };
        let report: Removal = serde_json::from_slice(&wire::body(self.get(&ask).await?).await?)
            .map_err(|_| Fault::new("the server's report of a removal is not Swift's"))?;
        let gone = !report.errors.is_empty() && report.errors.iter().all(|it| it.1.starts_with("404"));
        if report.status.starts_with("200") || gone {
            return Ok(true);
        }
        Err(Fault::new(format!("some segments could not be removed: {}", report.status)))
    }

    /// Makes the container, which may be there meanwhile.
    pub(super) async fn create(&self, container: &str) -> Result<(), Fault> {
        self.get(&Ask { method: Method::PUT, container, ..Ask::default() }).await.map(drop)
    }

    /// Whether there is this container.
    pub(super) async fn has(&self, container: &str) -> Result<bool, Fault> {
        match self.get(&Ask { method: Method::HEAD, container, ..Ask::default() }).await {
            Ok(_) => Ok(true),
            Err(fault) if fault.is_missing() => Ok(false),
            Err(fault) => Err(fault),
        }
    }
}
