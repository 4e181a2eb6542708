//! Where the data of an import comes from.

use super::{order::Order, plugins::Changes};
use crate::catalogue::{
    service::{BoxError, Fault, Service, external},
    tables::imports,
};
use crate::image::{Image, ImportMethod};
use crate::store::StoreError;
use bytes::Bytes;
use futures_util::{StreamExt, TryStreamExt, stream::BoxStream};
use std::path::PathBuf;

/// Data that is about to be read.
pub(super) struct Source {
    pub(super) body: BoxStream<'static, Result<Bytes, BoxError>>,
    /// Its bytes, when that is known.
    pub(super) size: Option<u64>,
    /// The file that it is all of, if it is one.
    pub(super) file: Option<PathBuf>,
    /// What comes with it.
    pub(super) changes: Changes,
}

impl Service {
    /// Opens it.
    ///
    /// # Errors
    /// Why there is no data, for the task.
    pub(super) async fn source(&self, image: &Image, row: &imports::Import, order: &Order) -> Result<Source, String> {
        match order.method().map_err(|it| it.to_string())? {
            ImportMethod::GlanceDirect => self.staged_source(image, row).await,
            ImportMethod::CopyImage => self.stored_source(image).await,
            ImportMethod::GlanceDownload => self.remote_source(row, order).await,
            ImportMethod::WebDownload => {
                let uri = order.uri.as_deref().unwrap_or_default();
                let settings = self.settings();
                let cap = settings.image_size_cap;
                let opened = external::open(&settings.import_filtering, uri, cap).await;
                let opened = opened.map_err(|error| crate::base::chain(&error).to_string())?;
                Ok(Source {
                    size: opened.size(),
                    body: opened.read().map_err(BoxError::from).boxed(),
                    file: None,
                    changes: Changes::default(),
                })
            }
        }
    }

    async fn staged_source(&self, image: &Image, row: &imports::Import) -> Result<Source, String> {
        let folder = self.staging().await.map_err(|it| it.to_string())?;
        if !folder.has(row) {
            return Err("No catalogue process that has the staging folder of the image took its import.".to_owned());
        }
        let url = folder.store.url(&image.id);
        let opened = async {
            let size = folder.store.size(&url).await?;
            Ok::<_, StoreError>((size, folder.store.read(&url, 0..size).await?))
        };
        match opened.await {
            Ok((size, _)) if image.size.is_some_and(|it| it != size) => {
                Err(format!("The staged data has {size} bytes, and not those that were staged."))
            }
            Ok((size, blocks)) => {
                let file = Some(folder.path(&image.id));
                Ok(Source {
                    size: Some(size),
                    body: blocks.map_err(BoxError::from).boxed(),
                    file,
                    changes: Changes::default(),
                })
            }
            Err(StoreError::NotFound { .. }) => Err("The staged data of the image is not there any more.".to_owned()),
            Err(error) => Err(Fault::from(error).to_string()),
        }
    }

    /// From a store that has the image, straight: nothing is staged.
    async fn stored_source(&self, image: &Image) -> Result<Source, String> {
        let found = self.locate(image.clone()).await.map_err(|it| it.to_string())?;
        let Some(found) = found else { return Err("Image not found in any configured store".to_owned()) };
        let body = found.read(0..found.size).await.map_err(|it| it.to_string())?;
        Ok(Source { body, size: Some(found.size), file: None, changes: Changes::default() })
    }
}
