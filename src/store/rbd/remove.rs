//! Removing: the snapshot, then the image.

use super::{
    aside,
    ceph::{CephError, Image, Pool},
    site::{At, Site},
};
use crate::store::StoreError;
use nix::errno::Errno;
use std::sync::{Arc, atomic::AtomicU64};

/// RBD_OPERATION_FEATURE_CLONE_PARENT: it has clones of the second kind, which need no protected snapshot.
const CLONE_PARENT: u64 = 1;

/// Names that an error tells.
const TOLD: usize = 3;

/// An answer that is no failure.
enum Outcome {
    Done,
    InUse(String),
}

/// Whether something needs the data. Nothing is changed.
pub(super) async fn in_use(site: &Site, url: &str) -> Result<(), StoreError> {
    let at = site.at_ours(url)?;
    let wanted = at.clone();
    let looked = site.link.work(move |cluster, _| {
        let pool = Pool::open(cluster, &wanted.pool)?;
        Ok(user(&pool.image_to_read(&wanted.image, wanted.snap.as_deref())?)?.map_or(Outcome::Done, Outcome::InUse))
    });
    told(site, &at, url, looked.await)
}

pub(super) async fn remove(site: &Site, url: &str) -> Result<(), StoreError> {
    let at = site.at_ours(url)?;
    let wanted = at.clone();
    let removed =
        site.link.work(move |cluster, beat| take_away(&Pool::open(cluster, &wanted.pool)?, &wanted, beat)).await;
    told(site, &at, url, removed)
}

fn told(site: &Site, at: &At, url: &str, outcome: Result<Outcome, CephError>) -> Result<(), StoreError> {
    match outcome {
        Ok(Outcome::Done) => Ok(()),
        Ok(Outcome::InUse(what)) => Err(StoreError::InUse { url: url.to_owned(), what }),
        Err(error) => Err(site.failed("removed", at, url, error)),
    }
}

fn take_away(pool: &Arc<Pool>, at: &At, beat: &AtomicU64) -> Result<Outcome, CephError> {
    let busy = |error: CephError| {
        let someone = || Outcome::InUse("somebody has the image open, or has cloned it".to_owned());
        if error.is(Errno::EBUSY) { Ok(someone()) } else { Err(error) }
    };
    // Before anything is changed.
    if let Some(watcher) = open_elsewhere(&pool.image_to_read(&at.image, None)?)? {
        return Ok(Outcome::InUse(watcher));
    }
    if let Some(snap) = &at.snap {
        let image = pool.image(&at.image)?;
        if let Err(error) = aside::take_snap_noted(&image, snap) {
            drop(image);
            let clones = pool.image_to_read(&at.image, Some(snap)).and_then(|it| it.clones());
            let known = clones.ok().and_then(|it| cloned(&it));
            return busy(error).map(|it| known.map_or(it, Outcome::InUse));
        }
    }
    match pool.remove(&at.image, beat) {
        Ok(()) => Ok(Outcome::Done),
        // Other snapshots, or clones that live on without this one: Ceph keeps what they need out of sight.
        Err(error) if error.is(Errno::ENOTEMPTY) => match pool.to_trash(&at.image) {
            Ok(()) => {
                tracing::info!(image = at.image, "an image in Ceph is needed by others: it is in the pool's trash");
                Ok(Outcome::Done)
            }
            Err(error) => busy(error),
        },
        Err(error) => busy(error),
    }
}

/// Who needs this snapshot.
fn user(image: &Image) -> Result<Option<String>, CephError> {
    if let Some(watcher) = open_elsewhere(image)? {
        return Ok(Some(watcher));
    }
    if image.operations()? & CLONE_PARENT != 0 {
        return Ok(None);
    }
    Ok(cloned(&image.clones()?))
}

fn open_elsewhere(image: &Image) -> Result<Option<String>, CephError> {
    let watchers = image.watchers()?;
    Ok((!watchers.is_empty()).then(|| format!("the image is open at {}", some(&watchers))))
}

fn cloned(clones: &[String]) -> Option<String> {
    (!clones.is_empty()).then(|| format!("it has clones: {}", some(clones)))
}

fn some(names: &[String]) -> String {
    let told = names.iter().take(TOLD).map(String::as_str).collect::<Vec<_>>().join(", ");
    if names.len() > TOLD { format!("{told} and {} more", names.len() - TOLD) } else { told }
}
