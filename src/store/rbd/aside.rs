//! Images that are being written. They have a name that nobody looks for, and get theirs when they are complete and their
//! snapshot is protected.
//!
//! Who writes has the image open, which Ceph shows to others (a watch, which ends half a minute after its client); an
//! image with such a name that nobody has open was left by a crash.

use super::{
    ceph::{CephError, Image, Pool},
    place::SNAP,
};
use nix::errno::Errno;
use std::{
    sync::{Arc, atomic::AtomicU64},
    time::{SystemTime, UNIX_EPOCH},
};

const PREFIX: &str = ".larder-";
const SUFFIX: &str = ".part";

/// Noted beside an image while it is removed; with it, an image that lost its snapshot already can go.
const REMOVING: &str = "larder.removing";

/// Seconds for which a new image is not taken for a leftover: it is made before it is opened.
const YOUNG: i64 = 30;

/// An image being written.
#[derive(Clone, Debug)]
pub(super) struct Names {
    /// Its name until then.
    pub(super) aside: String,
    /// Its name from then on.
    pub(super) image: String,
    /// What Ceph calls it under any name; none before it was opened.
    pub(super) internal: Option<String>,
}

// === impl Names ===

impl Names {
    /// New ones.
    pub(super) fn new(image: &str) -> Self {
        let aside = format!("{PREFIX}{image}-{:016x}{SUFFIX}", rand::random::<u64>());
        Self { aside, image: image.to_owned(), internal: None }
    }

    /// Those of an image that is listed, if it is one of ours.
    fn parse(name: &str) -> Option<Self> {
        let (image, random) = name.strip_prefix(PREFIX)?.strip_suffix(SUFFIX)?.rsplit_once('-')?;
        let ours = !image.is_empty() && random.len() == 16 && random.bytes().all(|it| it.is_ascii_hexdigit());
        ours.then(|| Self { aside: name.to_owned(), image: image.to_owned(), internal: None })
    }

    /// Removes the image, under whichever name it is. Nobody may have it open.
    pub(super) fn discard(&self, pool: &Arc<Pool>, beat: &AtomicU64) -> Result<(), CephError> {
        let name = self.settle(pool)?;
        match pool.image(name) {
            Ok(image) => take_snap(&image, SNAP)?,
            // Not made completely.
            Err(error) if error.is(Errno::ENOENT) => {}
            Err(error) => return Err(error),
        }
        absent_is_fine(pool.remove(name, beat))
    }

    /// The name that it has. A renaming that was broken off leaves two that lead to the image, of which one goes (RBD first
    /// writes the new one, then the directory, then removes the old one).
    fn settle(&self, pool: &Pool) -> Result<&str, CephError> {
        let internal = match &self.internal {
            Some(internal) => Some(internal.clone()),
            None => internal_of(pool, &self.aside)?,
        };
        if internal.is_none() || internal_of(pool, &self.image)? != internal {
            return Ok(&self.aside);
        }
        let listed = pool.exec("rbd_directory", "dir_get_name", &encoded(&internal.unwrap_or_default()));
        let listed = match listed {
            Ok(name) => decoded(&name),
            Err(error) if error.is(Errno::ENOENT) => None,
            Err(error) => return Err(error),
        };
        let (kept, other) = if listed.as_deref() == Some(&self.image) {
            (&self.image, &self.aside)
        } else {
            (&self.aside, &self.image)
        };
        absent_is_fine(pool.remove_object(&id_object(other)))?;
        Ok(kept)
    }
}

/// Whether there is an image of that name. One whose removal was broken off is removed.
pub(super) fn is_taken(pool: &Arc<Pool>, name: &str, beat: &AtomicU64) -> Result<bool, CephError> {
    if pool.object_time(&id_object(name))?.is_none() {
        return Ok(false);
    }
    let rest = match pool.image_to_read(name, None) {
        Ok(image) => image.is_noted(REMOVING)? && !image.has_snaps()? && image.watchers()?.is_empty(),
        Err(error) if error.is(Errno::ENOENT) => false,
        Err(error) => return Err(error),
    };
    if rest {
        absent_is_fine(pool.remove(name, beat))?;
        tracing::info!(image = name, "removed an image in Ceph whose removal was broken off");
    }
    Ok(!rest)
}

/// Takes the snapshot from an image that is to be removed. EBUSY: it has clones.
pub(super) fn take_snap(image: &Image, snap: &str) -> Result<(), CephError> {
    match image.unprotect(snap) {
        Ok(()) => {}
        // It is not protected (any more), or not there.
        Err(error) if error.is(Errno::EINVAL) || error.is(Errno::ENOENT) => {}
        Err(error) => return Err(error),
    }
    absent_is_fine(image.remove_snap(snap))
}

/// Likewise; until the image is gone it says of itself that it is being removed.
pub(super) fn take_snap_noted(image: &Image, snap: &str) -> Result<(), CephError> {
    image.note(REMOVING, "yes")?;
    take_snap(image, snap).inspect_err(|_| {
        if let Err(error) = image.forget(REMOVING) {
            tracing::debug!(%error, "an image in Ceph that stays is still noted as going");
        }
    })
}

/// Removes what dead writers left.
pub(super) fn tidy(pool: &Arc<Pool>, beat: &AtomicU64) -> Result<(), CephError> {
    let now = SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |it| it.as_secs());
    for names in pool.images()?.iter().filter_map(|it| Names::parse(it)) {
        beat.fetch_add(1, std::sync::atomic::Ordering::Relaxed);
        let made = pool.object_time(&id_object(&names.aside))?;
        let young = made.is_some_and(|it| now.saturating_sub_signed(it) < YOUNG.unsigned_abs());
        let open = match pool.image_to_read(&names.aside, None) {
            Ok(image) => !image.watchers()?.is_empty(),
            Err(error) if error.is(Errno::ENOENT) => false,
            Err(error) => return Err(error),
        };
        if young || open {
            continue;
        }
        match names.discard(pool, beat) {
            Ok(()) => tracing::info!(image = names.aside, "removed what an interrupted upload left in Ceph"),
            // Somebody has it open again: another one who tidies.
            Err(error) => {
                tracing::warn!(image = names.aside, %error, "what an interrupted upload left in Ceph could not be removed");
            }
        }
    }
    Ok(())
}

fn absent_is_fine(outcome: Result<(), CephError>) -> Result<(), CephError> {
    match outcome {
        Err(error) if error.is(Errno::ENOENT) => Ok(()),
        other => other,
    }
}

/// The object that leads from the name of an image to what Ceph calls it.
fn id_object(image: &str) -> String {
    format!("rbd_id.{image}")
}

fn internal_of(pool: &Pool, image: &str) -> Result<Option<String>, CephError> {
    match pool.object(&id_object(image)) {
        Ok(bytes) => Ok(decoded(&bytes)),
        Err(error) if error.is(Errno::ENOENT) => Ok(None),
        Err(error) => Err(error),
    }
}

/// A text as Ceph encodes it.
fn encoded(text: &str) -> Vec<u8> {
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&length.to_le_bytes()[..], text.as_bytes()].concat()
}

fn decoded(bytes: &[u8]) -> Option<String> {
    let (length, text) = bytes.split_first_chunk::<4>()?;
    let text = text.get(..usize::try_from(u32::from_le_bytes(*length)).ok()?)?;
    String::from_utf8(text.to_vec()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_unfinished_images_are_known_again() {
        let names = Names::new("7c1d4a0e-3d4c-4b0e-9c58-000000000001");
        // RBD takes 95 characters.
        assert!(names.aside.len() < 96, "{}", names.aside);
        assert_eq!(Names::parse(&names.aside).map(|it| it.image), Some(names.image));
        for other in [
            ".larder-x.part",
            "7c1d4a0e",
            ".larder--0123456789abcdef.part",
            ".larder-x-0123456789abcdeg.part",
            ".larder-x-0123456789abcdef",
        ] {
            assert!(Names::parse(other).is_none(), "{other}");
        }
        assert_eq!(decoded(&encoded("1033730e6534")).as_deref(), Some("1033730e6534"));
        assert_eq!((decoded(&[9, 0, 0, 0, 1]), decoded(&[1])), (None, None));
    }
}
