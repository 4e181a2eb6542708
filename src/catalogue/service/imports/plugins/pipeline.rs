//! The plugins, one after the other.

use super::{Changes, Plugin, decompress::decompress};
use crate::catalogue::service::{
    Service,
    imports::{order::Order, source::Source},
};
use crate::image::{Image, ImportMethod};

/// Data that is ready for the stores.
pub(in crate::catalogue::service::imports) struct Prepared {
    pub(in crate::catalogue::service::imports) source: Source,
    pub(in crate::catalogue::service::imports) changes: Changes,
}

impl Service {
    /// Leads the data of an import through the plugins.
    ///
    /// # Errors
    /// Which plugin fails, and why, for the task.
    pub(in crate::catalogue::service::imports) async fn prepare(
        &self,
        image: &Image,
        order: &Order,
        mut source: Source,
    ) -> Result<Prepared, String> {
        let settings = self.settings();
        let mut changes = Changes::default();
        if order.method().map_err(|it| it.to_string())? == ImportMethod::CopyImage {
            return Ok(Prepared { source, changes });
        }
        for plugin in &settings.plugins.order {
            match plugin {
                Plugin::NoOp => {}
                Plugin::InjectImageMetadata => changes.inject(&settings.plugins.inject, &order.roles),
                // It is meant to be so (Glance's rule).
                Plugin::ImageDecompression if image.container_format.as_deref() == Some("compressed") => {}
                Plugin::ImageDecompression => {
                    source = decompress(source, settings.plugins.decompression).await.map_err(|it| it.to_string())?;
                }
            }
        }
        Ok(Prepared { source, changes })
    }
}
