//! Reading the copies of an image where they are, and comparing them with what its record says.

use crate::base::{chain, digest::Algorithm};
use crate::catalogue::{
    service::{Fault, Service, difference::difference},
    tables::is_sealed,
};
use crate::identity::Caller;
use crate::image::{Image, ImageId, Location, Status};
use crate::store::{self, IngestError, StoreError};
use crate::wire::verify::{Outcome, VerifiedCopy};
use async_stream::stream;
use futures_util::{Stream, StreamExt, TryStreamExt};
use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

/// Images that a process reads at a time for this; others are refused.
pub(super) const AT_ONCE: usize = 2;

/// How often it is told how far it is.
const PERIOD: Duration = Duration::from_secs(1);

impl Service {
    /// Reads every copy of an image's data, one after the other, and tells how far it is and what came out. Nothing is
    /// changed. Dropping the stream ends it.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (it is for those who may change the image); `Conflict`: the image has no data; `Unavailable`:
    /// as many are read already as may be.
    pub async fn verify(
        &self,
        caller: &Caller,
        id: &ImageId,
    ) -> Result<impl Stream<Item = VerifiedCopy> + Send + 'static, Fault> {
        let image = self.find(caller, id).await?;
        self.access(caller).may_change("modify_image", &image)?;
        if !matches!(image.status, Status::Active | Status::Deactivated) {
            return Err(Fault::Conflict(format!("Image {id} has no data: its status is {}.", image.status)));
        }
        let Ok(place) = Arc::clone(self.verifying()).try_acquire_owned() else {
            let words = format!("{AT_ONCE} images are being verified already; try again later.");
            return Err(Fault::Unavailable(words));
        };
        let (service, inside) = (self.clone(), caller.is_admin);
        Ok(stream! {
            for (at, location) in image.locations.iter().enumerate() {
                let read = Arc::new(AtomicU64::new(0));
                let copy = |outcome, why| VerifiedCopy {
                    location: at,
                    store: location.store().map(str::to_owned),
                    read: read.load(Ordering::Relaxed),
                    size: image.size,
                    outcome,
                    why,
                };
                yield copy(None, None);
                let mut judged = Box::pin(service.judge_copy(&image, location, &read, inside));
                loop {
                    match tokio::time::timeout(PERIOD, &mut judged).await {
                        Err(_) => yield copy(None, None),
                        Ok((outcome, why)) => {
                            yield copy(Some(outcome), why);
                            break;
                        }
                    }
                }
            }
            drop(place);
        })
    }

    async fn judge_copy(
        &self,
        image: &Image,
        location: &Location,
        read: &Arc<AtomicU64>,
        inside: bool,
    ) -> (Outcome, Option<String>) {
        let (outcome, why) = match self.read_copy(image, location, read).await {
            Ok(None) if image.checksum.is_none() && image.os_hash_value.is_none() => (Outcome::Unhashed, None),
            Ok(None) => (Outcome::Sound, None),
            Ok(Some(why)) => (Outcome::Damaged, Some(why)),
            Err(StoreError::NotFound { .. }) => (Outcome::Missing, None),
            // Folders and servers are told to those only who run them.
            Err(error) => {
                let words = if inside { chain(&error).to_string() } else { "its store does not give it".to_owned() };
                (Outcome::Unreadable, Some(words))
            }
        };
        let labels = [("outcome", outcome.as_str())];
        metrics::counter!("larder_catalogue_verified_copies_total", &labels).increment(1);
        match outcome {
            Outcome::Sound => tracing::info!(image.id = %image.id, store = location.store(), "a copy is sound"),
            Outcome::Unhashed => {
                tracing::info!(image.id = %image.id, store = location.store(), "a copy has no hash to compare with")
            }
            _ => {
                let outcome = outcome.as_str();
                tracing::error!(image.id = %image.id, store = location.store(), outcome, why, "a copy is not sound");
            }
        }
        (outcome, why)
    }

    /// What the copy differs in, if it does.
    async fn read_copy(
        &self,
        image: &Image,
        location: &Location,
        read: &Arc<AtomicU64>,
    ) -> Result<Option<String>, StoreError> {
        let url = &location.url;
        if is_sealed(url) {
            let (store, why) = ("database".to_owned(), "metadata_encryption_key does not open it");
            return Err(StoreError::Foreign { url: "a location".to_owned(), store, why });
        }
        let size = match (self.stores().size(location).await, image.size) {
            (Err(StoreError::Unmeasured { .. }), Some(size)) => size,
            (size, _) => size?,
        };
        if let Some(wanted) = image.size.filter(|it| *it != size) {
            return Ok(Some(format!("it has {size} bytes, not {wanted}")));
        }
        let known = image.os_hash_algo.as_deref().and_then(|it| it.parse().ok());
        let hash: Algorithm = known.unwrap_or(self.settings().hashing_algorithm);
        let counter = Arc::clone(read);
        let body = self.stores().of(location)?.read(url, 0..size).await?.inspect_ok(move |it| {
            counter.fetch_add(it.len() as u64, Ordering::Relaxed);
        });
        let limits = store::Limits { size_cap: u64::MAX, expected: Some(size), hash, also: None };
        match store::measure(body.boxed(), limits).await {
            Ok(facts) => {
                Ok(difference(image, &facts).map(|it| format!("its {} is {}, not {}", it.what, it.found, it.wanted)))
            }
            Err(IngestError::Body { got, source }) => match source.downcast::<StoreError>() {
                Ok(error) => Err(*error),
                Err(source) => Err(unreadable(url, got, Some(source))),
            },
            Err(IngestError::Size { got, .. }) => Ok(Some(format!("it ends after {got} bytes"))),
            Err(other) => Err(unreadable(url, read.load(Ordering::Relaxed), Some(other.into()))),
        }
    }
}

fn unreadable(url: &str, at: u64, source: Option<Box<dyn std::error::Error + Send + Sync>>) -> StoreError {
    StoreError::Remote { step: "read", url: url.to_owned(), what: format!("it broke off at byte {at}"), source }
}
