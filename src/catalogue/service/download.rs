//! Giving data out.

use crate::base::chain;
use crate::catalogue::{
    service::{
        BoxError, Fault, Service,
        cache::{self, Serving},
    },
    tables::is_sealed,
};
use crate::identity::Caller;
use crate::image::{Image, ImageId, Status};
use crate::store::{Store, StoreError};
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use std::{ops::Range, sync::Arc};

/// Data on its way out.
pub struct Download {
    /// Whose data it is.
    pub image: Image,
    /// Bytes of it all.
    pub size: u64,
    pub(super) url: String,
    pub(super) store: Arc<dyn Store>,
    pub(super) serving: Serving,
}

impl Service {
    /// The data of an image; none when it has no data.
    ///
    /// # Errors
    /// `NotFound`, `Forbidden` (deactivated, and the caller is no admin), `Unavailable`.
    pub async fn download(&self, caller: &Caller, id: &ImageId) -> Result<Option<Download>, Fault> {
        let access = self.access(caller);
        let image = self.find(caller, id).await?;
        access.may("download_image", &image)?;
        match image.status {
            Status::Active => {}
            Status::Deactivated if caller.is_admin => {}
            Status::Deactivated => {
                let text = "The requested image has been deactivated. Image data download is forbidden.";
                return Err(Fault::Forbidden(text.to_owned()));
            }
            _ => return Ok(None),
        }
        if let Some(cached) = self.cached(&image).await {
            return Ok(Some(cached));
        }
        let serving = self.serving(&image);
        Ok(self.locate(image).await?.map(|it| Download { serving, ..it }))
    }

    /// The first location that has the data; the cache is not asked.
    pub(super) async fn locate(&self, image: Image) -> Result<Option<Download>, Fault> {
        let mut failed = None;
        for location in &image.locations {
            if is_sealed(&location.url) {
                tracing::error!(image.id = %image.id, "metadata_encryption_key does not open a location of the image");
                failed = Some(Fault::Unavailable("The place of the image's data cannot be read.".to_owned()));
                continue;
            }
            match self.store().size(&location.url).await {
                Ok(size) if image.size.is_none_or(|it| it == size) => {
                    let (url, store) = (location.url.clone(), Arc::clone(self.store()));
                    return Ok(Some(Download { image, size, url, store, serving: Serving::Store }));
                }
                Ok(size) => {
                    tracing::error!(image.id = %image.id, size, wanted = image.size, "data has not the image's size");
                    failed = Some(Fault::Unavailable("The image's data is damaged.".to_owned()));
                }
                Err(error @ StoreError::NotFound { .. }) => {
                    tracing::error!(image.id = %image.id, error = %chain(&error), "an image's data is missing");
                }
                Err(error) => failed = Some(error.into()),
            }
        }
        failed.map_or(Ok(None), Err)
    }
}

// === impl Download ===

impl Download {
    /// The bytes of `range`, which lies within `0..size`.
    ///
    /// # Errors
    /// `Unavailable`.
    pub async fn read(&self, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, BoxError>>, Fault> {
        let whole = range == (0..self.size);
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
        Ok(counted.boxed())
    }

    async fn stored(&self, range: Range<u64>) -> Result<BoxStream<'static, Result<Bytes, BoxError>>, Fault> {
        Ok(self.store.read(&self.url, range).await?.map_err(BoxError::from).boxed())
    }
}
