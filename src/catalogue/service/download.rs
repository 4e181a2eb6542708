//! Giving data out.

use crate::base::chain;
use crate::catalogue::{
    service::{
        BoxError, Fault, Service,
        cache::{self, Serving},
        notes::Receiver,
    },
    tables::is_sealed,
};
use crate::identity::Caller;
use crate::image::{Image, ImageId, Location, Status};
use crate::store::{Blocks, Store, StoreError, Stores};
use bytes::Bytes;
use futures_util::{
    StreamExt, TryStreamExt,
    stream::{self, BoxStream},
};
use std::{net::IpAddr, ops::Range, sync::Arc, time::Duration};
use tokio::time::timeout;

/// How long a store is waited for to say that it has the data, while others have it too.
const HASTE: Duration = Duration::from_secs(5);

/// Data on its way out.
pub struct Download {
    /// Whose data it is.
    pub image: Image,
    /// Bytes of it all.
    pub size: u64,
    pub(super) url: String,
    pub(super) store: Arc<dyn Store>,
    /// Where the image's other locations are read, and the first of them that was not tried yet.
    pub(super) more: Option<(Stores, usize)>,
    pub(super) serving: Serving,
    /// Who is told of at its end.
    pub(super) receiver: Option<Receiver>,
}

/// Data that is read from one location after the other.
struct Reading {
    image: Image,
    stores: Stores,
    /// The first location that was not tried yet.
    next: usize,
    /// What was not read yet.
    left: Range<u64>,
    blocks: Option<Blocks>,
}

impl Service {
    /// The data of an image; none when it has no data.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (deactivated, and the caller is no admin), `Unavailable`.
    pub async fn download(&self, caller: &Caller, id: &ImageId) -> Result<Option<Download>, Fault> {
        self.download_from(caller, id, &[]).await
    }

    /// Likewise, from the first of these stores that has it, if one does. The cache goes before all of them.
    ///
    /// # Errors
    /// Those of [`Self::download`]; `Invalid`: no such store.
    pub async fn download_from(
        &self,
        caller: &Caller,
        id: &ImageId,
        stores: &[String],
    ) -> Result<Option<Download>, Fault> {
        let access = self.access(caller);
        let mut image = self.find(caller, id).await?;
        access.may("download_image", &image)?;
        if image.status == Status::Deactivated && !caller.is_admin {
            let text = "The requested image has been deactivated. Image data download is forbidden.";
            return Err(Fault::Forbidden(text.to_owned()));
        }
        if !stores.is_empty() {
            access.may("download_from_store", &image)?;
            self.prefer(&mut image, stores)?;
        }
        if !matches!(image.status, Status::Active | Status::Deactivated) {
            return Ok(None);
        }
        let receiver = Receiver::new(self.notes(), caller, &image);
        if let Some(cached) = self.cached(&image).await {
            return Ok(Some(Download { receiver, ..cached }));
        }
        let serving = self.serving(&image);
        Ok(self.locate(image).await?.map(|it| Download { serving, receiver, ..it }))
    }

    /// Brings the places in these stores to the front, in this order.
    fn prefer(&self, image: &mut Image, stores: &[String]) -> Result<(), Fault> {
        let settings = self.settings();
        if settings.store.backends.is_empty() {
            let words = "Store selection for download is not available when multiple backends are not enabled.";
            return Err(Fault::Invalid(words.to_owned()));
        }
        if let Some(unknown) = stores.iter().find(|it| settings.store.backend(it).is_none()) {
            let unknown: String = unknown.chars().take(80).collect();
            return Err(Fault::Invalid(format!("Store '{unknown}' is not configured.")));
        }
        image
            .locations
            .sort_by_key(|it| stores.iter().position(|store| it.store() == Some(store)).unwrap_or(usize::MAX));
        Ok(())
    }

    /// The first location that has the data, of those in stores that work before the others; the cache is not asked.
    pub(super) async fn locate(&self, mut image: Image) -> Result<Option<Download>, Fault> {
        let stores = self.stores();
        stores.by_health(&mut image.locations);
        let Some((at, size)) = find(stores, &image, 0).await? else { return Ok(None) };
        let url = image.locations[at].url.clone();
        let (store, more) = (Arc::clone(stores.of(&image.locations[at])?), Some((stores.clone(), at + 1)));
        Ok(Some(Download { image, size, url, store, more, serving: Serving::Store, receiver: None }))
    }
}

/// The first location from `from` on that has the data, and the data's size; none when it is nowhere.
async fn find(stores: &Stores, image: &Image, from: usize) -> Result<Option<(usize, u64)>, Fault> {
    let (mut failed, mut slow) = (None, None);
    let alone = image.locations.len() <= from + 1;
    for (at, location) in image.locations.iter().enumerate().skip(from) {
        if is_sealed(&location.url) {
            tracing::error!(image.id = %image.id, "metadata_encryption_key does not open a location of the image");
            failed = Some(Fault::Unavailable("The place of the image's data cannot be read.".to_owned()));
            continue;
        }
        let measuring = measure(stores, image, location);
        match if alone { Ok(measuring.await) } else { timeout(HASTE, measuring).await } {
            Ok(Ok(size)) => return Ok(Some((at, size))),
            // Said only when no other location has the data.
            Ok(Err(fault)) => failed = fault.or(failed),
            Err(_) => {
                stores.is_slow(location);
                slow = slow.or(Some(at));
            }
        }
    }
    // Late is better than never.
    if let Some(at) = slow {
        match measure(stores, image, &image.locations[at]).await {
            Ok(size) => return Ok(Some((at, size))),
            Err(fault) => failed = fault.or(failed),
        }
    }
    failed.map_or(Ok(None), Err)
}

/// The size of the data; an error of none when it is not there.
async fn measure(stores: &Stores, image: &Image, location: &Location) -> Result<u64, Option<Fault>> {
    match stores.size(location).await {
        Ok(size) if image.size.is_none_or(|it| it == size) => Ok(size),
        Ok(size) => {
            tracing::error!(image.id = %image.id, size, wanted = image.size, "data has not the image's size");
            Err(Some(Fault::Unavailable("The image's data is damaged.".to_owned())))
        }
        Err(error @ StoreError::Unmeasured { .. }) => image.size.ok_or_else(|| Some(error.into())),
        Err(error @ StoreError::NotFound { .. }) => {
            tracing::error!(image.id = %image.id, error = %chain(&error), "an image's data is missing");
            Err(None)
        }
        Err(error) => Err(Some(error.into())),
    }
}

// === impl Download ===

impl Download {
    /// It goes to this address.
    #[must_use]
    pub fn to(mut self, address: IpAddr) -> Self {
        if let Some(receiver) = &mut self.receiver {
            receiver.address = Some(address);
        }
        self
    }

    /// The bytes of `range`, which lies within `0..size`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn read(&self, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, BoxError>>, Fault> {
        let (whole, wanted) = (range == (0..self.size), range.end - range.start);
        let pieces = match &self.serving {
            Serving::Hit(service) => cache::hit(service.clone(), self, range).await?,
            Serving::Miss(service) if whole => {
                cache::miss(service.clone(), &self.image, self.size, self.stored(range).await?)
            }
            Serving::Store | Serving::Miss(_) => self.stored(range).await?,
        };
        let counted = pieces.inspect_ok(|block| {
            metrics::counter!("larder_catalogue_download_bytes_total").increment(block.len() as u64);
        });
        let is_cached = matches!(self.serving, Serving::Hit(_));
        Ok(match self.receiver.clone() {
            Some(receiver) => receiver.count(counted.boxed(), (wanted, is_cached)),
            None => counted.boxed(),
        })
    }

    /// From the first location that gives them, and on from the next one when that breaks off.
    pub(super) async fn stored(&self, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, BoxError>>, Fault> {
        let opened = self.store.read(&self.url, range.clone()).await;
        let Some((stores, next)) = self.more.clone() else { return Ok(opened?.map_err(BoxError::from).boxed()) };
        let mut reading = Reading { image: self.image.clone(), stores, next, left: range, blocks: None };
        match opened {
            Ok(blocks) => reading.blocks = Some(blocks),
            Err(error) => reading.go_on(error).await?,
        }
        Ok(stream::unfold(reading, |mut it| async { Some((it.block().await.transpose()?, it)) }).boxed())
    }
}

// === impl Reading ===

impl Reading {
    /// The next block; none at the end, and after an error.
    async fn block(&mut self) -> Result<Option<Bytes>, BoxError> {
        loop {
            let Some(blocks) = &mut self.blocks else { return Ok(None) };
            match blocks.next().await {
                Some(Ok(block)) => {
                    self.left.start += block.len() as u64;
                    return Ok(Some(block));
                }
                None => return Ok(None),
                Some(Err(error)) => {
                    self.blocks = None;
                    self.go_on(error).await.map_err(BoxError::from)?;
                }
            }
        }
    }

    /// Opens the next location that has the data, after this error of the one before; that one's when there is none.
    async fn go_on(&mut self, mut error: StoreError) -> Result<(), StoreError> {
        loop {
            if let Some(location) = self.image.locations.get(self.next.saturating_sub(1)) {
                self.stores.failed(location, &error);
            }
            let Ok(Some((at, _))) = find(&self.stores, &self.image, self.next).await else { return Err(error) };
            tracing::warn!(image.id = %self.image.id, at = self.left.start, error = %chain(&error), "the next location is read");
            self.next = at + 1;
            let location = &self.image.locations[at];
            match self.stores.of(location)?.read(&location.url, self.left.clone()).await {
                Ok(blocks) => {
                    self.blocks = Some(blocks);
                    return Ok(());
                }
                Err(other) => error = other,
            }
        }
    }
}
