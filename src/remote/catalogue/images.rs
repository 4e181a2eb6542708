//! Create, list, show, patch and delete.

use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError, RemoteImage, transport::Call};
use chrono::{DateTime, Utc};
use reqwest::Response;
use serde::{Deserialize, de::DeserializeOwned};
use serde_json::Value;
use std::collections::HashSet;

/// Most images that a listing gives; a server that never ends its pages is stopped here.
const MAX_IMAGES: usize = 100_000;
const MAX_PAGES: usize = 10_000;

/// Images on a page, unless the caller says otherwise; servers cap it at their `api_limit_max`.
const PAGE: &str = "500";

const LISTING: &str = "listing images";

const JSON_PATCH: &str = "application/openstack-images-v2.1-json-patch";

#[derive(Deserialize)]
struct Page {
    images: Vec<RemoteImage>,
    #[serde(default)]
    next: Option<String>,
}

impl Catalogue {
    /// Shows one image.
    pub async fn image(&self, id: &ImageId) -> Result<RemoteImage, RemoteError> {
        let doing = format!("asking for image {id}");
        let (call, response) =
            self.session.call(&doing, &format!("/v2/images/{id}"), |client, url| client.get(url)).await?;
        let image: RemoteImage = call.json(call.check(response).await?).await?;
        // A cache or a proxy that mixes answers up would give this image another's hash.
        if image.id == id.as_str() { Ok(image) } else { Err(call.malformed("it is about another image")) }
    }

    /// Asks for one image, to see that the catalogue answers and knows this login; the answer is its `Date`, if it has one.
    pub async fn probe(&self) -> Result<Option<DateTime<Utc>>, RemoteError> {
        let (call, response) =
            self.session.call("looking for the catalogue", "/v2/images?limit=1", |client, url| client.get(url)).await?;
        let response = call.check(response).await?;
        let date = response.headers().get(http::header::DATE).and_then(|it| it.to_str().ok());
        let date = date.and_then(|it| DateTime::parse_from_rfc2822(it).ok()).map(|it| it.with_timezone(&Utc));
        let _: Page = call.json(response).await?;
        Ok(date)
    }

    /// Lists images by Glance's filters, all pages; a `limit` in the query is the length of a page.
    pub async fn images(&self, query: &[(&str, &str)]) -> Result<Vec<RemoteImage>, RemoteError> {
        self.images_up_to(query, usize::MAX).await
    }

    /// The same, but no more than `max` images, and no pages after that.
    pub async fn images_up_to(&self, query: &[(&str, &str)], max: usize) -> Result<Vec<RemoteImage>, RemoteError> {
        let mut images = Vec::new();
        let mut endless = false;
        self.pages_of_images(query, |page| {
            images.extend(page);
            endless = images.len() > MAX_IMAGES && images.len() < max;
            images.len() < max && !endless
        })
        .await?;
        if endless {
            return Err(self.listing().malformed(format!("it has more than {MAX_IMAGES} images")));
        }
        images.truncate(max);
        Ok(images)
    }

    /// Lists images page by page, for as long as `take` wants more: no more than a page is held at a time.
    pub async fn pages_of_images(
        &self,
        query: &[(&str, &str)],
        mut take: impl FnMut(Vec<RemoteImage>) -> bool,
    ) -> Result<(), RemoteError> {
        let mut path = first_page(query);
        let mut seen = HashSet::new();
        for _ in 0..MAX_PAGES {
            let (call, response) = self.session.call(LISTING, &path, |client, url| client.get(url)).await?;
            let page: Page = call.json(call.check(response).await?).await?;
            if !take(page.images) {
                return Ok(());
            }
            let Some(next) = page.next else { return Ok(()) };
            // Under a folder, servers leave the folder out; a host of the server's choice gets no token of ours.
            let start = next.find("/v2/images").ok_or_else(|| call.malformed("its `next` is no page of images"))?;
            next[start..].clone_into(&mut path);
            if !seen.insert(path.clone()) {
                return Err(call.malformed("its pages go round in a circle"));
            }
        }
        Err(self.listing().malformed("its pages never end"))
    }

    /// Registers an image; `image` is the body of Glance's `POST /v2/images`.
    pub async fn create(&self, image: &Value) -> Result<RemoteImage, RemoteError> {
        let (call, response) =
            self.session.call("registering an image", "/v2/images", |client, url| client.post(url).json(image)).await?;
        call.json(call.check(response).await?).await
    }

    /// Changes an image; `changes` is a list of `{"op", "path", "value"}`.
    pub async fn patch(&self, id: &ImageId, changes: &Value) -> Result<RemoteImage, RemoteError> {
        let body = changes.to_string();
        let make = |client: &reqwest::Client, url| {
            client.patch(url).header(http::header::CONTENT_TYPE, JSON_PATCH).body(body.clone())
        };
        let (call, response) =
            self.session.call(&format!("changing image {id}"), &format!("/v2/images/{id}"), make).await?;
        call.json(call.check(response).await?).await
    }

    /// Deletes an image.
    pub async fn delete(&self, id: &ImageId) -> Result<(), RemoteError> {
        let doing = format!("deleting image {id}");
        let (call, response) =
            self.session.call(&doing, &format!("/v2/images/{id}"), |client, url| client.delete(url)).await?;
        call.check(response).await.map(drop)
    }

    fn listing(&self) -> Call {
        Call { doing: LISTING.to_owned(), url: self.describe() }
    }

    pub(in crate::remote) async fn get<T: DeserializeOwned>(&self, doing: &str, path: &str) -> Result<T, RemoteError> {
        let (call, response): (Call, Response) = self.session.call(doing, path, |client, url| client.get(url)).await?;
        call.json(call.check(response).await?).await
    }
}

fn first_page(query: &[(&str, &str)]) -> String {
    let mut pairs = url::form_urlencoded::Serializer::new(String::new());
    if !query.iter().any(|(key, _)| *key == "limit") {
        pairs.append_pair("limit", PAGE);
    }
    format!("/v2/images?{}", pairs.extend_pairs(query).finish())
}
