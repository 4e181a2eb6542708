//! The steps of one fetch.

use super::{FetchError, transfer::Transfer};
use crate::admin::ImageState;
use crate::agent::{
    base_dir::{BaseDir, BaseFile, Kind, LockError, NovaLock, PublishError, Published, Staging},
    execute::{
        convert::{self, Conversion},
        gate::Gate,
        progress::{Board, Place},
        publish::{AppearError, Hold, appear},
        staged::Staged,
    },
    index::{How, Known, Origin, Verified},
    lists::{FileId, Label, Lists, Trust},
    plan::fetch::{Bounds, Ledger, Order, Reservation, Terms, order},
    signatures::Signers,
};
use crate::base::{
    chain,
    pieces::{Block, Manner, PieceHasher, Pieces, Way, walk},
    sparse::Cache,
    throttle::Throttle,
};
use crate::diskformat::{Inspection, Rules, convert as converter};
use crate::image::{ImageId, signature::Signer};
use crate::remote::Catalogue;
use chrono::Utc;
use std::{ops::ControlFlow, path::PathBuf, sync::Arc, time::Duration};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Fetches images; clones share the directory, the board and the promises of room.
#[derive(Clone, Debug)]
pub struct Fetcher {
    /// Where images come from.
    pub catalogue: Catalogue,
    /// Who has signed them.
    pub signers: Signers,
    /// Where bases are.
    pub dir: Arc<BaseDir>,
    /// Where progress is shown.
    pub board: Board,
    /// Where the lists of pieces are.
    pub lists: Arc<Lists>,
    /// Room that fetches in work have been promised.
    pub ledger: Ledger,
    /// What all fetches together are held to.
    pub throttle: Arc<Throttle>,
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
    /// How much room there may be taken.
    pub bounds: Bounds,
    /// How long a fetch stands still on a full disk before it gives back what it has.
    pub hold_full: Duration,
    /// Whether its disk accesses give way to everybody else's.
    pub idle_io: bool,
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

/// What the steps of one fetch share.
pub(in crate::agent::execute) struct Work<'a> {
    pub(in crate::agent::execute) place: Arc<Place>,
    pub(in crate::agent::execute) room: Arc<Reservation>,
    pub(in crate::agent::execute) gate: Gate,
    pub(in crate::agent::execute) cancel: &'a CancellationToken,
}

/// How often a conversion that found the disk full looks whether there is room again.
const LOOK_AGAIN: Duration = Duration::from_secs(1);
/// How long nova's lock is waited for before others get their turn.
const SHORT: Duration = Duration::from_millis(500);

// === impl Fetcher ===

impl Fetcher {
    /// Brings one image to its base. It ends soon after `cancel`; what has come stays for the next try then, until
    /// [`Fetcher::discard`].
    ///
    /// # Errors
    /// [`FetchError`] with the step and its object.
    pub async fn fetch(&self, id: &ImageId, gate: Gate, cancel: &CancellationToken) -> Result<Outcome, FetchError> {
        let done = self.try_once(id, gate, cancel).await;
        let over = match &done {
            Ok(Outcome::There { .. }) => true,
            Ok(Outcome::Locked) => false,
            Err(error) => !error.may_go_on(),
        };
        if over {
            self.discard(id).await;
        }
        done
    }

    /// Removes what an interrupted fetch of this image has left, if anything.
    pub async fn discard(&self, id: &ImageId) {
        let (lists, base) = (self.lists.clone(), id.base_name());
        let staging = self.dir.staging(id, Staging::Fetch);
        let step = move || {
            lists.remove_journal(&base);
            match std::fs::remove_file(&staging) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                    tracing::warn!(path = %staging.display(), %error, "cannot remove what an interrupted fetch left");
                }
                _ => {}
            }
        };
        let _ = tokio::task::spawn_blocking(step).await;
    }

    async fn try_once(&self, id: &ImageId, gate: Gate, cancel: &CancellationToken) -> Result<Outcome, FetchError> {
        let place = Arc::new(self.board.place(id));
        let order = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(FetchError::Cancelled),
            order = self.ask(id) => order?,
        };
        place.named(order.name.as_deref());
        if let Some(outcome) = self.there(&order).await? {
            return Ok(outcome);
        }
        let signer = tokio::select! {
            biased;
            () = cancel.cancelled() => return Err(FetchError::Cancelled),
            signer = self.signer(&order) => signer?,
        };
        let room = Arc::new(self.reserve(&order).await?);
        let Some(lock) = self.lock(id, cancel).await? else {
            place.set(ImageState::WaitingForLock);
            return Ok(Outcome::Locked);
        };
        // Nova may have made it while it held the lock.
        if let Some(outcome) = self.there(&order).await? {
            return Ok(outcome);
        }
        let hold = Hold::new(lock, self.limits.hold, gate.clone());
        let made = self.make(&order, signer.as_ref(), &Work { place, room, gate, cancel }).await?;
        self.publish(&order, made, hold, cancel).await
    }

    async fn ask(&self, id: &ImageId) -> Result<Order, FetchError> {
        let image = self.catalogue.image(id).await.map_err(FetchError::Ask)?;
        order(id, &image, self.limits.terms).map_err(FetchError::Refused)
    }

    /// Whose signature the bytes must have, before the first of them.
    async fn signer(&self, order: &Order) -> Result<Option<Signer>, FetchError> {
        let Some(signature) = &order.signature else { return Ok(None) };
        self.signers.find(signature).await.map(Some).map_err(|error| FetchError::Signer(Box::new(error)))
    }

    /// The base, when it is there already: it was asked for, so it counts as used now.
    async fn there(&self, order: &Order) -> Result<Option<Outcome>, FetchError> {
        let (dir, base) = (self.dir.clone(), order.id.base_name());
        let look = tokio::task::spawn_blocking(move || {
            let Some(file) = dir.look(&base).map_err(FetchError::Look)? else { return Ok::<_, FetchError>(None) };
            if file.kind == Kind::Original {
                // An earlier try may have published it without getting that to the disk; once noted, nobody asks again.
                dir.sync_names().map_err(|source| {
                    let path = dir.path().to_owned();
                    FetchError::Appear(AppearError::Publish(PublishError::Sync { path, source }))
                })?;
                match dir.touch(&base, Utc::now()) {
                    // It went in between: then it is not there.
                    Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
                    Err(error) => tracing::warn!(base.file = %base, %error, "cannot touch a base that was asked for"),
                    Ok(_) => {}
                }
            }
            Ok(Some(file))
        });
        let found = look.await.unwrap_or_else(|died| std::panic::resume_unwind(died.into_panic()));
        match found? {
            None => Ok(None),
            Some(file) if file.kind == Kind::Original => {
                let listed = self.listed(&file.name);
                let doubt = doubt(order, &file).or(unsigned(order, &file, listed.as_ref().map(|it| &it.1)));
                Ok(Some(Outcome::There { known: found_again(order, listed), new: false, doubt }))
            }
            Some(_) => Err(FetchError::InTheWay { path: self.dir.base_path(&order.id) }),
        }
    }

    /// What was noted of this very file when its list was made.
    fn listed(&self, base: &str) -> Option<(Pieces, Label)> {
        let found = FileId::from(&std::fs::symlink_metadata(self.dir.path().join(base)).ok()?);
        self.lists.load(base, found).ok().flatten()
    }

    async fn lock(&self, id: &ImageId, cancel: &CancellationToken) -> Result<Option<NovaLock>, FetchError> {
        match self.dir.lock(&id.base_name(), SHORT, cancel).await {
            Ok(lock) => Ok(Some(lock)),
            Err(LockError::Busy { .. }) => Ok(None),
            Err(error) => Err(FetchError::Lock(error)),
        }
    }

    /// A verified file that may become the base; its pieces, unless it was converted.
    async fn make(
        &self,
        order: &Order,
        signer: Option<&Signer>,
        work: &Work<'_>,
    ) -> Result<(Staged, Option<Pieces>), FetchError> {
        let limits = &*self.limits;
        let transfer = Transfer { catalogue: &self.catalogue, lists: &self.lists, order, limits, signer, work };
        // What is converted is read again at once; what is not is read by guests, some day.
        let cache = if order.room_to_convert > 0 { Cache::Keep } else { Cache::Drop };
        work.place.fetching(0, order.size);
        let target = self.dir.staging(&order.id, Staging::Fetch);
        let (staged, pieces) = transfer.run(target, cache).await.map_err(FetchError::Transfer)?;
        let inspection = match convert::inspect(staged.path(), order, &limits.rules).await {
            Ok(inspection) => inspection,
            Err(error) => {
                staged.discard().await;
                return Err(error);
            }
        };
        if !limits.terms.force_raw || inspection.format.is_raw() {
            return Ok((staged, Some(pieces)));
        }
        let made = self.convert(order, &staged, &inspection, work).await;
        match &made {
            // The download is whole: the next try need not repeat it.
            Err(error) if error.is_stop() || error.may_go_on() => staged.keep(),
            _ => staged.discard().await,
        }
        made.map(|raw| (raw, None))
    }

    /// Makes it raw; a disk that somebody else fills meanwhile does not cost the download.
    async fn convert(
        &self,
        order: &Order,
        staged: &Staged,
        inspection: &Inspection,
        work: &Work<'_>,
    ) -> Result<Staged, FetchError> {
        let limits = &*self.limits;
        // By now it is known how large it is.
        let (mut need, most) = self.raw_room(order, staged.path(), inspection).await;
        let end = Instant::now() + limits.hold_full;
        loop {
            // Who lacks room gives way to others, and goes on with the download later.
            self.promise(need, work).await?;
            let target = self.dir.staging(&order.id, Staging::Raw);
            let conversion = Conversion { settings: &limits.convert, work, promised: need };
            let error = match conversion.run(staged.path(), inspection, target).await {
                Ok(raw) => return Ok(raw),
                Err(it) if it.error.is_full() => {
                    need = if it.overran { most } else { need };
                    it.error
                }
                Err(it) => return Err(it.error),
            };
            if Instant::now() >= end {
                return Err(error);
            }
            work.place.held(chain(&error).to_string());
            tokio::select! {
                () = work.cancel.cancelled() => return Err(FetchError::Cancelled),
                () = sleep(LOOK_AGAIN) => {}
            }
        }
    }

    async fn publish(
        &self,
        order: &Order,
        (staged, pieces): (Staged, Option<Pieces>),
        hold: Hold,
        cancel: &CancellationToken,
    ) -> Result<Outcome, FetchError> {
        if cancel.is_cancelled() {
            staged.discard().await;
            return Err(FetchError::Cancelled);
        }
        // Before the base is there: a crash in between leaves a list without a base, which goes, and not the reverse.
        let listed = match pieces {
            Some(pieces) => self.keep_list(order, staged.path().to_owned(), Some(pieces)).await,
            None => None,
        };
        let appeared = appear(&self.dir, &order.id, staged.path().to_owned(), hold, (self.limits.hold, cancel)).await;
        match appeared {
            Ok(Published::New) => {
                staged.published();
                let verified = match listed {
                    Some(verified) => Some(verified),
                    // What was converted is in the page cache still.
                    None => self.keep_list(order, self.dir.base_path(&order.id), None).await,
                };
                let known = Box::new(Known { verified, ..*known(order, Origin::Fetched) });
                Ok(Outcome::There { known, new: true, doubt: None })
            }
            Ok(Published::AlreadyThere) => {
                staged.published();
                self.lists.remove(&order.id.base_name());
                tracing::info!(image.id = %order.id, "the base had appeared meanwhile; that one stays");
                Ok(Outcome::There { known: known(order, Origin::Adopted), new: false, doubt: None })
            }
            // It is there, whole; the next try notes it, by its list.
            Err(error @ AppearError::Publish(PublishError::Sync { .. })) => {
                staged.published();
                Err(FetchError::Appear(error))
            }
            Err(error) => {
                staged.discard().await;
                self.lists.remove(&order.id.base_name());
                Err(FetchError::Appear(error))
            }
        }
    }

    /// Keeps the pieces of the file at `path` as those of the base; they are made from it when there are none yet. A base
    /// is good without: its list is made in the background then.
    async fn keep_list(&self, order: &Order, path: PathBuf, pieces: Option<Pieces>) -> Option<Verified> {
        let (lists, base) = (self.lists.clone(), order.id.base_name());
        let signed_by = order.signature.as_ref().map(|it| it.certificate().to_string());
        let step = move || -> std::io::Result<Verified> {
            let file = FileId::from(&std::fs::symlink_metadata(&path)?);
            let pieces = match pieces {
                Some(pieces) => pieces,
                None => pieces_of(&path)?,
            };
            let label = Label { file, trust: Trust::Fetched, signed_by, made_at: Utc::now() };
            lists.save(&base, &pieces, &label)?;
            Ok(Verified { at: label.made_at, how: How::Fetched, damage: None, blake3: Some(pieces.root()) })
        };
        let kept = tokio::task::spawn_blocking(step).await;
        let kept = kept.unwrap_or_else(|died| Err(std::io::Error::other(died)));
        kept.inspect_err(|error| {
            tracing::warn!(image.id = %order.id, %error, "cannot keep the piece list of the base; it is made later");
        })
        .ok()
    }
}

/// Of a file that was written just now; blocking.
fn pieces_of(path: &std::path::Path) -> std::io::Result<Pieces> {
    let size = std::fs::symlink_metadata(path)?.len();
    let (mut hasher, mut trouble) = (PieceHasher::default(), None);
    walk(path, (0, size), Manner::quick(Way::Cache), |block| match block {
        Block::Data(bytes) => {
            hasher.update(bytes);
            ControlFlow::Continue(())
        }
        Block::Unreadable(_, error) => {
            trouble = Some(error);
            ControlFlow::Break(())
        }
    })?;
    trouble.map_or_else(|| Ok(hasher.finish()), Err)
}

/// A base that this agent has not verified by the image's signature, though it would now. It is kept all the same:
/// instances may stand on it, and nova-compute takes it as it is.
fn unsigned(order: &Order, file: &BaseFile, label: Option<&Label>) -> Option<String> {
    let signature = order.signature.as_ref()?;
    if label.and_then(|it| it.signed_by.as_ref()).is_some_and(|it| *it == signature.certificate().as_str()) {
        return None;
    }
    Some(format!(
        "the base {} of image {} was there already, and this agent has not verified it by the image's signature; to have \
         it verified, remove it by `larder cache delete-cached-image` while nothing uses it, and queue the image again",
        file.name, order.id
    ))
}

/// A base that was there: somebody else's, or one of this agent's own whose record a crash has lost.
fn found_again(order: &Order, listed: Option<(Pieces, Label)>) -> Box<Known> {
    match listed.filter(|(_, it)| it.trust == Trust::Fetched) {
        Some((pieces, label)) => {
            let blake3 = Some(pieces.root());
            let verified = Some(Verified { at: label.made_at, how: How::Fetched, damage: None, blake3 });
            Box::new(Known { verified, ..*known(order, Origin::Fetched) })
        }
        None => known(order, Origin::Adopted),
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
