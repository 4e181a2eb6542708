//! `glance-download`: an image of another region, asked for in the caller's name.

use super::{
    order::{Order, Place},
    plugins::Changes,
    source::Source,
    verify::verified,
};
use crate::base::{chain, digest::Algorithm};
use crate::catalogue::{
    service::{BoxError, Service},
    tables::imports,
};
use crate::image::ImageId;
use crate::remote::{Auth, Catalogue, Download, RemoteError, RemoteImage, Settings};
use bytes::Bytes;
use futures_util::{StreamExt, stream::BoxStream};
use serde_json::Value;
use std::time::Duration;
use url::Url;

/// How often a connection is taken up again before a byte more has come.
const MOST_RETRIES: u32 = 5;

impl Service {
    /// Opens the image: its data, and what else comes with it.
    ///
    /// # Errors
    /// Why there is no data, for the task.
    pub(super) async fn remote_source(&self, row: &imports::Import, order: &Order) -> Result<Source, String> {
        let place = order.elsewhere.as_ref().ok_or("The import names no image of another region.")?;
        let id: ImageId = place.image.parse().map_err(|_| "The import names no image of another region.")?;
        let catalogue = self.catalogue_of(row, place).await?;
        let told = |error: RemoteError| chain(&error).to_string();
        let image = catalogue.image(&id).await.map_err(told)?;
        if image.status != "active" {
            return Err(format!("Source image status should be active instead of {}", image.status));
        }
        let size = image.size.ok_or_else(|| format!("The size of remote image {id} is not known."))?;
        let (cap, hash) = (self.settings().image_size_cap, hash(&image));
        if size > cap {
            return Err(format!("The remote image has {size} bytes, more than the {cap} that are accepted."));
        }
        let changes = self.changes_from(&image)?;
        let download = catalogue.download(&id, 0).await.map_err(told)?;
        if download.total.is_some_and(|it| it != size) {
            return Err("The remote image has another size than its data.".to_owned());
        }
        let body = resumed(catalogue, id, download, hash.is_some());
        let body = match hash {
            Some(hash) => verified(body, hash),
            None => body,
        };
        Ok(Source { body, size: Some(size), file: None, changes })
    }

    /// The image service of the region, in the caller's name.
    async fn catalogue_of(&self, row: &imports::Import, place: &Place) -> Result<Catalogue, String> {
        let held = self.desk().tokens.caller(&row.task);
        let (caller, token) = held.ok_or(
            "The caller's token is not here: the catalogue process that was asked is gone, or nobody has to log in at this \
             one. Ask for the import again.",
        )?;
        let catalog = self.authenticator().catalog(&caller).await.map_err(|error| chain(&error).to_string())?;
        let url = catalog.and_then(|it| endpoint(&it, place));
        let url = url.and_then(|it| Url::parse(&it).ok()).ok_or_else(|| {
            format!("There is no {} address of the image service in region {}.", place.interface, place.region)
        })?;
        let settings = self.settings();
        let connection = &settings.identity.keystone.connection;
        let (cafile, insecure) = (connection.cafile.clone(), connection.insecure);
        let remote =
            Settings { endpoint: Some(url), auth: Auth::Token(token), cafile, insecure, ..Settings::default() };
        // Reads certificates.
        let made = tokio::task::spawn_blocking(move || Catalogue::new(remote)).await.map_err(|it| it.to_string())?;
        made.map_err(|error| chain(&error).to_string())
    }

    /// Its formats, and the properties that come with it.
    fn changes_from(&self, image: &RemoteImage) -> Result<Changes, String> {
        let settings = self.settings();
        let format = |name: &str, value: &Option<String>, known: &[String]| match value {
            Some(format) if known.contains(format) => Ok(format.clone()),
            Some(format) => Err(format!("The remote image's {name} {format} is none that is taken here.")),
            None => Err(format!("The remote image has no {name}.")),
        };
        let disk = format("disk_format", &image.disk_format, &settings.disk_formats)?;
        let container = format("container_format", &image.container_format, &settings.container_formats)?;
        let mut changes = Changes::default();
        changes.become_(&disk, &container);
        let wanted = |name: &String| settings.download_properties.iter().any(|it| name.starts_with(it.as_str()));
        for (name, value) in image.extra.iter().filter(|it| wanted(it.0)) {
            if let Some(text) = value.as_str() {
                changes.set(name, text);
            }
        }
        Ok(changes)
    }
}

/// The address in Keystone's catalogue. Regions differ by more than case (Glance's rule).
fn endpoint(catalog: &Value, place: &Place) -> Option<String> {
    let services = catalog.as_array()?.iter().filter(|it| it["type"] == "image");
    let mut endpoints = services.filter_map(|it| it["endpoints"].as_array()).flatten();
    let interface = place.interface.trim_end_matches("URL");
    let found = endpoints.find(|it| {
        let region = it["region_id"].as_str().or_else(|| it["region"].as_str()).unwrap_or_default();
        it["interface"] == interface && region.to_lowercase() == place.region.to_lowercase()
    });
    found?["url"].as_str().map(str::to_owned)
}

/// The best hash that the other side tells.
fn hash(image: &RemoteImage) -> Option<(Algorithm, String)> {
    let algorithm = image.os_hash_algo.as_deref().and_then(|it| it.parse().ok());
    let best = algorithm.zip(image.os_hash_value.clone().filter(|it| !it.is_empty()));
    best.or_else(|| image.checksum.clone().filter(|it| !it.is_empty()).map(|it| (Algorithm::Md5, it)))
}

/// Takes up a connection that broke where it broke; only where a hash tells whether it is still the same data.
fn resumed(
    catalogue: Catalogue,
    id: ImageId,
    download: Download,
    verified: bool,
) -> BoxStream<'static, Result<Bytes, BoxError>> {
    let pieces = async_stream::try_stream! {
        let (mut body, mut at, mut retries) = (download.body, 0_u64, 0);
        loop {
            match body.next().await {
                None => break,
                Some(Ok(piece)) => {
                    (at, retries) = (at + piece.len() as u64, 0);
                    yield piece;
                }
                Some(Err(error)) => {
                    retries += 1;
                    if !verified || retries > MOST_RETRIES {
                        Err(error)?;
                    } else {
                        tokio::time::sleep(Duration::from_millis(200) * retries * retries).await;
                        tracing::info!(image.id = %id, at, "a download broke off; the rest is asked for");
                        match catalogue.download(&id, at).await {
                            Ok(rest) if rest.start == at => body = rest.body,
                            Ok(_) => Err(error)?,
                            Err(_) if retries < MOST_RETRIES => body = futures_util::stream::iter([Err(error)]).boxed(),
                            Err(later) => Err(later)?,
                        }
                    }
                }
            }
        }
    };
    pieces.boxed()
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_address_is_that_of_the_region_and_the_interface() {
        let at = |interface: &str, region: &str, url: &str| json!({"interface": interface, "region_id": region, "region": region, "url": url});
        let catalog = json!([
            {"type": "identity", "endpoints": [at("public", "West", "http://no")]},
            {"type": "image", "endpoints": [
                at("public", "East", "http://e"), at("internal", "West", "http://wi"), at("public", "West", "http://w"),
            ]},
        ]);
        let of = |region: &str, interface: &str| {
            let (region, interface) = (region.to_owned(), interface.to_owned());
            endpoint(&catalog, &Place { region, interface, image: String::new() })
        };
        assert_eq!(of("West", "public").as_deref(), Some("http://w"));
        assert_eq!(of("WEST", "internal").as_deref(), Some("http://wi"));
        assert_eq!(of("east", "public").as_deref(), Some("http://e"));
        assert_eq!((of("East", "admin"), of("North", "public")), (None, None));
        assert_eq!(
            endpoint(&json!({}), &Place { region: "x".into(), interface: "public".into(), image: String::new() }),
            None
        );
    }
}
