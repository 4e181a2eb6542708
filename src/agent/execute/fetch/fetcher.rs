//! The steps of one fetch.

use super::{FetchError, transfer::Transfer};
use crate::admin::ImageState;
use crate::agent::{
    base_dir::{BaseDir, BaseFile, Kind, LockError, NovaLock, Published, Staging},
    execute::{
        convert::{self, Conversion},
        progress::{Board, Place},
        publish::{Hold, appear},
        staged::Staged,
    },
    index::{Known, Origin},
    plan::fetch::{Order, Reservation, Reservations, Terms, order},
};
use crate::base::sparse::Cache;
use crate::diskformat::{Rules, convert as converter};
use crate::image::ImageId;
use crate::remote::Catalogue;
use chrono::Utc;
use std::{sync::Arc, time::Duration};
use tokio_util::sync::CancellationToken;

/// Fetches images; clones share the directory, the board and the promises of room.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// Where images come from.
    pub catalogue: Catalogue,
    /// Where bases are.
    pub dir: Arc<BaseDir>,
    /// Where progress is shown.
    pub board: Board,
    /// Room that fetches in work have been promised.
    pub reservations: Reservations,
    /// What is allowed, and for how long.
    pub limits: Arc<Limits>,
}

/// What is allowed, and for how long.
#[derive(Clone, Debug, PartialEq)]
pub struct Limits {
    /// Which images are taken.
    pub terms: Terms,
    /// Which contents are taken.
    pub rules: Rules,
    /// How they are made raw.
    pub convert: converter::Settings,
    /// Bytes that stay free.
    pub min_free: u64,
    /// How long a server may be silent.
    pub patience: Duration,
    /// How often a transfer is picked up again without a byte in between.
    pub cuts: u32,
    /// How long nova's lock is held at a time.
    pub hold: Duration,
}

/// How a fetch ended well, or not yet.
#[derive(Clone, Debug, PartialEq)]
pub enum Outcome {
    /// The base is there; `new` when this fetch made it.
    There {
        /// What is known of it now.
        known: Box<Known>,
        /// Whether this fetch made it.
        new: bool,
        /// Why somebody should look at the file that was there.
        doubt: Option<String>,
    },
    /// Nova holds the lock of the base, perhaps because it is fetching it.
    Locked,
}

/// How long nova's lock is waited for before others get their turn.
const SHORT: Duration = Duration::from_millis(500);

// === impl Fetcher ===

impl Fetcher {
    /// Brings one image to its base. It ends soon after `cancel`, and then leaves nothing behind.
    ///
    /// # Errors
    /// [`FetchError`] with the step and its object.
    pub async fn fetch(&self, id: &ImageId, cancel: &CancellationToken) -> Result<Outcome, FetchError> {
        let place = self.board.place(id);
        let order = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(FetchError::Cancelled),
            order = self.ask(id) => order?,
        };
        place.named(order.name.as_deref());
        if let Some(outcome) = self.there(&order).await? {
            return Ok(outcome);
        }
        let mut room = self.reserve(&order)?;
        let Some(lock) = self.lock(id, cancel).await? else {
            place.set(ImageState::WaitingForLock);
            return Ok(Outcome::Locked);
        };
        // Nova may have made it while it held the lock.
        if let Some(outcome) = self.there(&order).await? {
            return Ok(outcome);
        }
        let hold = Hold::new(lock, self.limits.hold);
        let staged = self.make(&order, &place, &mut room, cancel).await?;
        self.publish(&order, staged, hold, cancel).await
    }

    async fn ask(&self, id: &ImageId) -> Result<Order, FetchError> {
        let image = self.catalogue.image(id).await.map_err(FetchError::Ask)?;
        order(id, &image, self.limits.terms).map_err(FetchError::Refused)
    }

    /// The base, when it is there already: it was asked for, so it counts as used now.
    async fn there(&self, order: &Order) -> Result<Option<Outcome>, FetchError> {
        let (dir, base) = (self.dir.clone(), order.id.base_name());
        let look = tokio::task::spawn_blocking(move || {
            let Some(file) = dir.look(&base)? else { return Ok(None) };
            if file.kind == Kind::Original {
                match dir.touch(&base) {
                    // It went in between: then it is not there.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => tracing::warn!(base.file = %base, %error, "cannot touch a base that was asked for"),
                    Ok(_) => {}
                }
            }
            Ok(Some(file))
        });
        let found = look.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
        match found.map_err(FetchError::Look)? {
            None => Ok(None),
            Some(file) if file.kind == Kind::Original => {
                let doubt = doubt(order, &file);
                Ok(Some(Outcome::There { known: known(order, Origin::Adopted), new: false, doubt }))
            }
            Some(_) => Err(FetchError::InTheWay { path: self.dir.base_path(&order.id) }),
        }
    }

    fn reserve(&self, order: &Order) -> Result<Reservation, FetchError> {
        let path = self.dir.path().to_owned();
        let space = self.dir.space().map_err(|source| FetchError::Space { path: path.clone(), source })?;
        let need = order.room_to_fetch.saturating_add(order.room_to_convert);
        Ok(self.reservations.reserve(path, need, space.free, self.limits.min_free)?)
    }

    async fn lock(&self, id: &ImageId, cancel: &CancellationToken) -> Result<Option<NovaLock>, FetchError> {
        match self.dir.lock(&id.base_name(), SHORT, cancel).await {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Busy { .. }) => Ok(None),
            Err(error) => Err(FetchError::Lock(error)),
        }
    }

    /// A verified file that may become the base.
    async fn make(
        &self,
        order: &Order,
        place: &Place,
        room: &mut Reservation,
        cancel: &CancellationToken,
    ) -> Result<Staged, FetchError> {
        let limits = &*self.limits;
        let transfer = Transfer { catalogue: &self.catalogue, order, limits, place, cancel };
        // What is converted is read again at once; what is not is read by guests, some day.
        let cache = if order.room_to_convert > 0 { Cache::Keep } else { Cache::Drop };
        place.fetching(0, order.size);
        let target = self.dir.staging(&order.id, Staging::Fetch);
        let staged = transfer.run(target, cache, room).await.map_err(FetchError::Transfer)?;
        let inspection = match convert::inspect(staged.path(), order, &limits.rules).await {
            Ok(inspection) => inspection,
            Err(error) => {
                staged.discard().await;
                return Err(error);
            }
        };
        if !limits.terms.force_raw || inspection.format.is_raw() {
            return Ok(staged);
        }
        let target = self.dir.staging(&order.id, Staging::Raw);
        let conversion = Conversion { settings: &limits.convert, place, room, cancel };
        conversion.run(staged, &inspection, target).await
    }

    async fn publish(
        &self,
        order: &Order,
        staged: Staged,
        hold: Hold,
        cancel: &CancellationToken,
    ) -> Result<Outcome, FetchError> {
        if cancel.is_cancelled() {
            staged.discard().await;
            return Err(FetchError::Cancelled);
        }
        let appeared = appear(&self.dir, &order.id, staged.path().to_owned(), hold, (self.limits.hold, cancel)).await;
        match appeared {
            Ok(Published::New) => {
                staged.published();
                Ok(Outcome::There { known: known(order, Origin::Fetched), new: true, doubt: None })
            }
            Ok(Published::AlreadyThere) => {
                staged.published();
                tracing::info!(image.id = %order.id, "the base had appeared meanwhile; that one stays");
                Ok(Outcome::There { known: known(order, Origin::Adopted), new: false, doubt: None })
            }
            Err(error) => {
                staged.discard().await;
                Err(FetchError::Appear(error))
            }
        }
    }
}

/// A base whose length cannot be the image's: nova uses it as it is, and a guest reads zeros where it ends.
fn doubt(order: &Order, file: &BaseFile) -> Option<String> {
    let growing = (Utc::now() - file.mtime).num_seconds() < 60;
    let expected = order.size.filter(|it| order.disk_format == "raw" && *it != file.size && !growing)?;
    Some(format!(
        "the base {} of image {} has {} bytes, and the image has {expected}: a crash of this node may have cut it; \
         remove it by `larder cache delete-cached-image`, and queue the image again",
        file.name, order.id, file.size
    ))
}

fn known(order: &Order, origin: Origin) -> Box<Known> {
    let (algorithm, value) = order.digest.clone().unzip();
    Box::new(Known {
        id: Some(order.id.clone()),
        name: order.name.clone(),
        disk_format: Some(order.disk_format.clone()),
        checksum: order.checksum.clone(),
        hash_algorithm: algorithm.map(|it| it.to_string()),
        hash_value: value,
        origin,
        ..Known::adopted(order.id.base_name(), Utc::now())
    })
}
