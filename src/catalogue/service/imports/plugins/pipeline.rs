//! The plugins, one after the other.

use super::{Changes, Plugin, convert::Converted, decompress::decompress, scratch::Scratch};
use crate::catalogue::{
    service::{
        Service,
        imports::{order::Order, source::Source},
    },
    tables::imports,
};
use crate::image::{Image, ImportMethod};

/// Data that is ready for the stores.
pub(in crate::catalogue::service::imports) struct Prepared {
    pub(in crate::catalogue::service::imports) source: Source,
    pub(in crate::catalogue::service::imports) changes: Changes,
    /// What the data is becomes properties once it is known.
    pub(in crate::catalogue::service::imports) introspects: bool,
    /// Files that it comes from.
    pub(in crate::catalogue::service::imports) scratch: Option<Scratch>,
}

impl Service {
    /// Leads the data of an import through the plugins.
    ///
    /// # Errors
    /// Which plugin fails, and why, for the task.
    pub(in crate::catalogue::service::imports) async fn prepare(
        &self,
        (image, row): (&Image, &imports::Import),
        order: &Order,
        mut source: Source,
    ) -> Result<Prepared, String> {
        let settings = self.settings();
        let (mut scratch, mut introspects) = (None, false);
        let mut changes = std::mem::take(&mut source.changes);
        if order.method().map_err(|it| it.to_string())? == ImportMethod::CopyImage {
            return Ok(Prepared { source, changes, introspects, scratch });
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
                Plugin::ImageConversion => {
                    let converted = self.convert((image, row), source, scratch, &mut changes).await?;
                    if std::mem::take(&mut introspects) {
                        changes.introspect(&converted.before);
                    }
                    Converted { source, scratch, .. } = converted;
                }
                // What the data is here is seen by a conversion that follows, or at the end.
                Plugin::ImageIntrospection => introspects = true,
            }
        }
        Ok(Prepared { source, changes, introspects, scratch })
    }
}
