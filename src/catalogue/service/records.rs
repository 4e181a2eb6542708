//! Making, showing and listing.

use crate::catalogue::{
    service::{Fault, Service, access::Access, check},
    tables::{images, list},
};
use crate::db::{DbError, Tx};
use crate::identity::{Caller, quota::Resource};
use crate::image::{Image, ImageId, ListQuery, NewImage, Visibility};

/// How often a page that the policy empties is made up for.
const MOST_HIDDEN_PAGES: usize = 20;

/// A page of a listing.
#[derive(Debug)]
pub struct Page {
    /// In the order that was asked for.
    pub images: Vec<Image>,
    /// The page is full, so there may be another one after the last image.
    pub more: bool,
}

impl Service {
    /// Makes a queued image.
    ///
    /// # Errors
    /// `Conflict`: the id is or was in use; `Forbidden`: the owner is another project; `TooLarge`: quotas; `Invalid`.
    pub async fn create(&self, caller: &Caller, new: NewImage) -> Result<Image, Fault> {
        // Rules are asked about a private image when nothing was said, though it becomes a shared one (Glance's behaviour).
        let asked = new.visibility.unwrap_or(Visibility::Private);
        let image = new.into_image(ImageId::from_random(rand::random()), caller.project.clone(), self.now());
        if let Some(name) = image.properties.keys().find(|it| crate::image::attribute::is_reserved(it)) {
            return Err(Fault::Forbidden(format!("Attribute '{name}' is reserved.")));
        }
        let access = self.access(caller);
        access.may_create(&image, asked)?;
        check::record(&self.settings(), None, &image)?;
        self.enforce(caller, &[(Resource::ImageCountTotal, 1)]).await?;
        let row = image.clone();
        let made = self.db().write(move |tx| images::insert(tx, &row)).await;
        match made {
            Ok(()) => {
                self.notes().image_created(&image);
                Ok(access.readable(image))
            }
            Err(DbError::Duplicate) => Err(Fault::Conflict(format!("Image ID {} already exists!", image.id))),
            Err(other) => Err(other.into()),
        }
    }

    /// One image.
    ///
    /// # Errors
    /// `NotFound`.
    pub async fn show(&self, caller: &Caller, id: &ImageId) -> Result<Image, Fault> {
        let image = self.find(caller, id).await?;
        let access = self.access(caller);
        access.may("get_image", &image)?;
        Ok(access.readable(image))
    }

    /// An image that the caller can find, to be judged by other rules than that of looking at it.
    pub(super) async fn find(&self, caller: &Caller, id: &ImageId) -> Result<Image, Fault> {
        let (access, id) = (self.access(caller), id.clone());
        self.db().read(move |tx| seen(tx, &access, &id)).await
    }

    /// Whether the caller may list images at all.
    ///
    /// # Errors
    /// `Forbidden`.
    pub fn may_list(&self, caller: &Caller) -> Result<(), Fault> {
        self.access(caller).may_list()
    }

    /// A page of images.
    ///
    /// # Errors
    /// `Forbidden`; `Invalid`: the marker is no image that the caller sees.
    pub async fn list(&self, caller: &Caller, query: &ListQuery) -> Result<Page, Fault> {
        let access = self.access(caller);
        access.may_list()?;
        if !access.may_ask(query) {
            return Ok(Page { images: Vec::new(), more: false });
        }
        let (query, most) = (query.clone(), self.settings().api_limit_max);
        let judge = access.clone();
        self.read_judged(&judge, move |tx| page(tx, &access, query.clone(), most)).await
    }
}

/// A page of what the caller finds and the policy lets it see. Rows that the policy hides are made up for by the next
/// ones, so that a page is full while there are more.
fn page(tx: &Tx<'_>, access: &Access, mut query: ListQuery, most: usize) -> Result<Page, Fault> {
    let limit = query.limit;
    let mut marker = query.marker.take().map(|it| marker(tx, access, &it)).transpose()?;
    let mut images = Vec::new();
    if limit == 0 {
        return Ok(Page { images, more: false });
    }
    for _ in 0..MOST_HIDDEN_PAGES {
        let (mut found, rows) = list::page(tx, &access.cipher, &access.caller, &query, marker.as_ref())?;
        marker = found.last().cloned();
        found.iter_mut().for_each(|it| access.stores.arrange(&mut it.locations));
        images.extend(found.into_iter().filter(|it| access.sees(it)).map(|it| access.readable(it)));
        if images.len() >= limit || rows < query.limit || marker.is_none() {
            let more = rows == query.limit || images.len() > limit;
            images.truncate(limit);
            return Ok(Page { images, more });
        }
        query.limit = most.max(limit);
    }
    Ok(Page { more: !images.is_empty(), images })
}

/// The image, if the caller may know of it.
///
/// # Errors
/// `NotFound`.
pub(super) fn seen(tx: &Tx<'_>, access: &Access, id: &ImageId) -> Result<Image, Fault> {
    match images::find(tx, &access.cipher, id)? {
        Some(mut image) if images::is_visible(tx, &access.caller, &image)? => {
            access.stores.arrange(&mut image.locations);
            Ok(image)
        }
        _ => Err(check::not_found(id)),
    }
}

fn marker(tx: &Tx<'_>, access: &Access, text: &str) -> Result<Image, Fault> {
    let unknown = || Fault::Invalid(format!("No image found with ID {}", text.chars().take(80).collect::<String>()));
    let id: ImageId = text.parse().map_err(|_| unknown())?;
    seen(tx, access, &id).map_err(|fault| if matches!(fault, Fault::NoImage(_)) { unknown() } else { fault })
}
