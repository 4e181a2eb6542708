//! Bringing an image back before its data is removed.

use crate::base::chain;
use crate::catalogue::{
    scrub::{Scrubber, pass::without_password},
    tables::{
        is_sealed,
        locations::Leftover,
        pending::{self, Deleted},
    },
};
use crate::db::DbError;
use crate::image::Status;
use crate::store::StoreError;
use serde::Serialize;

/// What came back.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Restored {
    /// The image.
    pub id: String,
    /// Places that its data is at.
    pub locations: usize,
    /// What could not be brought back or checked, in words.
    pub warnings: Vec<String>,
}

/// The image cannot come back.
#[derive(Debug, thiserror::Error)]
pub enum RestoreError {
    /// The database.
    #[error("cannot use the catalogue's database")]
    Db(#[from] DbError),
    /// There is none.
    #[error("No image found with ID {0}")]
    NotFound(String),
    /// It is not waiting for the scrubber.
    #[error("cannot restore the image from {0} to active (wanted from_state=pending_delete)")]
    Status(String),
    /// There is nothing to bring back.
    #[error("the data of image {id} is gone: {why}")]
    NoData {
        /// The image.
        id: String,
        /// Of each location.
        why: String,
    },
    /// The store cannot be asked.
    #[error("cannot look for the data of image {id}: {why}")]
    Store {
        /// The image.
        id: String,
        /// What it said.
        why: String,
    },
}

impl Scrubber {
    /// `pending_delete` → `active`, with the image's properties, tags and members, and with those of its locations that
    /// have data. (Glance's own `--restore` brings back the image alone, without data.) Scrubbers may run meanwhile: an
    /// image is either claimed by one or brought back.
    ///
    /// # Errors
    /// [`RestoreError`]; nothing is changed then.
    pub async fn restore(&self, id: &str) -> Result<Restored, RestoreError> {
        let (wanted, cipher) = (id.to_owned(), self.cipher.clone());
        let found = self.db.read::<_, DbError, _>(move |tx| {
            let Some(image) = pending::find(tx, &wanted)? else { return Ok(None) };
            let locations = pending::last_locations(tx, &cipher, &wanted, &image)?;
            Ok(Some((image, locations)))
        });
        let Some((image, locations)) = found.await? else { return Err(RestoreError::NotFound(id.to_owned())) };
        if image.status != Status::PendingDelete.as_str() || !image.deleted {
            return Err(RestoreError::Status(image.status));
        }
        let (mut rows, mut warnings) = (Vec::new(), Vec::new());
        for location in &locations {
            match self.look(&image, location).await {
                Ok(doubt) => {
                    rows.push(location.row);
                    warnings.extend(doubt);
                }
                Err(Missing::Gone(why)) => warnings.push(why),
                Err(Missing::Unknown(why)) => return Err(RestoreError::Store { id: id.to_owned(), why }),
            }
        }
        if rows.is_empty() {
            let why = if warnings.is_empty() { "it has no location".to_owned() } else { warnings.join("; ") };
            return Err(RestoreError::NoData { id: id.to_owned(), why });
        }
        let (wanted, kept, now) = (id.to_owned(), rows.clone(), self.now());
        let restored =
            self.db.write::<_, DbError, _>(move |tx| pending::restore(tx, &wanted, &image, &kept, now)).await?;
        if !restored {
            return Err(RestoreError::Status("a status that another scrubber has just given it".to_owned()));
        }
        tracing::info!(image.id = id, locations = rows.len(), "image restored");
        Ok(Restored { id: id.to_owned(), locations: rows.len(), warnings })
    }

    /// Whether a location has the image's data; a doubt when nobody can tell.
    async fn look(&self, image: &Deleted, location: &Leftover) -> Result<Option<String>, Missing> {
        let row = location.row;
        if is_sealed(&location.location.url) {
            return Err(Missing::Unknown(format!("metadata_encryption_key does not open location {row}")));
        }
        let url = without_password(&location.location.url);
        match self.stores.size(&location.location).await {
            Ok(size) if image.size.is_none_or(|it| it == size) => Ok(None),
            Ok(size) => {
                let wanted = image.size.unwrap_or(0);
                Err(Missing::Gone(format!("{url} has {size} bytes, the image {wanted}")))
            }
            Err(StoreError::NotFound { .. }) => Err(Missing::Gone(format!("there is none at {url}"))),
            Err(StoreError::Foreign { .. }) => {
                Ok(Some(format!("{url} is not in this server's store; nobody looked whether it has data")))
            }
            Err(error) => Err(Missing::Unknown(chain(&error).to_string())),
        }
    }
}

enum Missing {
    Gone(String),
    Unknown(String),
}
