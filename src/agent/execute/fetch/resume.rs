//! Where a transfer begins: at the first byte, or after what an earlier try left and a crash did not take.
//!
//! The state of a sha512 cannot be kept, so the bytes that are there are read once more, at the disk's speed: each piece
//! is compared with the journal first and goes into the hash only if it is right. The first one that is not ends it.

use super::{TransferError, sink::failed};
use crate::agent::{
    execute::staged::Staged,
    lists::{Lists, Wanted},
    plan::fetch::Order,
};
use crate::base::{
    batch::Batch,
    digest::{Algorithm, Digests},
    pieces::{Begun, Chain, Journal, PIECE_BYTES, PieceHasher},
};
use crate::image::signature::Signature;
use bytes::Bytes;
use std::{fs::File, io, os::unix::fs::FileExt, path::PathBuf};
use tokio::{sync::mpsc, task::spawn_blocking};
use tokio_util::sync::CancellationToken;

/// Where a transfer begins.
pub(super) struct Start {
    pub(super) file: File,
    /// Bytes that are there and right.
    pub(super) at: u64,
    /// Has taken them.
    pub(super) digests: Option<Digests>,
    /// Likewise.
    pub(super) hasher: PieceHasher,
    /// Says what is there; none when the image has no hash, or the folder of the lists is not usable.
    pub(super) journal: Option<Journal>,
}

const BLOCK_BYTES: u64 = 1 << 20;

/// What is there is verified, hashed, and gone on with.
pub(super) async fn begin(
    path: PathBuf,
    order: &Order,
    lists: &Lists,
    cancel: &CancellationToken,
) -> Result<(Staged, Start), TransferError> {
    let journal = lists.journal(&order.id.base_name());
    let wanted = Wanted::of(order).map(|it| it.encode());
    let hashes: Vec<Algorithm> =
        order.digest.iter().map(|it| it.0).chain(order.signature.iter().map(Signature::hash)).collect();
    let mut digests = (!hashes.is_empty()).then(|| Digests::new(&hashes));
    let (pieces, mut right) = mpsc::channel::<Vec<Bytes>>(1);
    let read = Reading {
        size: order.size,
        begun: wanted.clone().and_then(|it| begun(&journal, &it)),
        pieces,
        cancel: cancel.clone(),
    };
    let at = path.clone();
    let reading = spawn_blocking(move || read.run(at));
    while let Some(piece) = right.recv().await {
        for block in piece {
            if let Some(digests) = &mut digests {
                digests.update_batch(Batch::from(block).placed().await).await;
            }
        }
    }
    let done = match reading.await {
        Ok(done) => done,
        Err(panic) => std::panic::resume_unwind(panic.into_panic()),
    };
    let (staged, file, hasher) = done.map_err(|source| failed(source, &path, order))?;
    if cancel.is_cancelled() {
        staged.keep();
        return Err(TransferError::Cancelled);
    }
    let at = hasher.taken();
    if at > 0 {
        tracing::info!(image.id = %order.id, resumed_at = at, "the transfer goes on after what an earlier try left");
        metrics::counter!("larder_resumed_bytes_total").increment(at);
    }
    let chains: Vec<Chain> = hasher.closed().iter().copied().chain(hasher.open()).collect();
    let journal = match wanted {
        Some(wanted) => new_journal(journal, wanted, chains).await,
        None => None,
    };
    Ok((staged, Start { file, at, digests, hasher, journal }))
}

/// The journal of an earlier try, if it is about the same data.
fn begun(journal: &std::path::Path, wanted: &[u8]) -> Option<Begun> {
    match Begun::load(journal) {
        Ok(begun) => begun.filter(|it| it.label == wanted && !it.chains.is_empty()),
        Err(error) => {
            tracing::warn!(path = %journal.display(), %error, "cannot read what an earlier try noted; it begins anew");
            None
        }
    }
}

/// A fetch goes on without a journal; only a crash costs more then.
async fn new_journal(path: PathBuf, label: Vec<u8>, chains: Vec<Chain>) -> Option<Journal> {
    let shown = path.display().to_string();
    let made = spawn_blocking(move || Journal::create(&path, &label, &chains)).await;
    match made.unwrap_or_else(|died| Err(io::Error::other(died))) {
        Ok(journal) => Some(journal),
        Err(error) => {
            tracing::warn!(path = %shown, %error, "cannot note the pieces of a download: a crash would lose all of it");
            None
        }
    }
}

/// Reads what is there, on a blocking thread.
struct Reading {
    size: Option<u64>,
    begun: Option<Begun>,
    pieces: mpsc::Sender<Vec<Bytes>>,
    cancel: CancellationToken,
}

// === impl Reading ===

impl Reading {
    fn run(self, path: PathBuf) -> io::Result<(Staged, File, PieceHasher)> {
        let mut hasher = PieceHasher::default();
        let found = match &self.begun {
            Some(begun) => Staged::reopen(path.clone())?.map(|(staged, file)| (staged, file, &begun.chains)),
            None => None,
        };
        let Some((staged, file, chains)) = found else {
            let (staged, file) = Staged::create(path)?;
            return Ok((staged, file, hasher));
        };
        for (number, chain) in chains.iter().enumerate() {
            if self.cancel.is_cancelled() {
                break;
            }
            let Some(piece) = self.right(&file, number, chain, &mut hasher) else {
                hasher.truncate(number);
                tracing::info!(
                    path = %staged.path().display(), piece = number,
                    "what an earlier try left is not what was noted: it is fetched again from here on"
                );
                break;
            };
            if self.pieces.blocking_send(piece).is_err() {
                break;
            }
        }
        Ok((staged, file, hasher))
    }

    /// The blocks of a piece, if they are what was noted.
    fn right(&self, file: &File, number: usize, chain: &Chain, hasher: &mut PieceHasher) -> Option<Vec<Bytes>> {
        let start = number as u64 * PIECE_BYTES;
        let end = (start + PIECE_BYTES).min(self.size.unwrap_or(u64::MAX));
        let mut blocks = Vec::new();
        let mut at = start;
        while at < end && !self.cancel.is_cancelled() {
            let mut block = vec![0; usize::try_from((end - at).min(BLOCK_BYTES)).ok()?];
            // What cannot be read counts as lost.
            file.read_exact_at(&mut block, at).ok()?;
            hasher.update(&block);
            at += block.len() as u64;
            blocks.push(Bytes::from(block));
        }
        let got = hasher.open().or_else(|| hasher.closed().get(number).copied());
        (at == end && hasher.taken() == end && got.as_ref() == Some(chain)).then_some(blocks)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::base::pieces::Pieces;
    use std::{fs, path::Path};

    const PIECE: usize = PIECE_BYTES as usize;

    struct World {
        dir: tempfile::TempDir,
        lists: Lists,
        order: Order,
        data: Vec<u8>,
    }

    impl World {
        /// A download of three pieces and a half, all noted.
        fn new() -> Self {
            let dir = tempfile::tempdir().unwrap();
            let lists = Lists::open(dir.path().join("pieces")).unwrap();
            let mut data = vec![0; 3 * PIECE + PIECE / 2];
            blake3::Hasher::new().finalize_xof().fill(&mut data);
            let order = Order {
                id: crate::image::ImageId::from_random(1),
                name: None,
                size: Some(data.len() as u64),
                disk_format: "raw".to_owned(),
                digest: Some((Algorithm::Sha256, "ab".repeat(32))),
                signature: Some(signature()),
                checksum: None,
                room_to_fetch: 0,
                room_to_convert: 0,
            };
            let world = Self { dir, lists, order, data };
            fs::write(world.staged(), &world.data).unwrap();
            let label = Wanted::of(&world.order).unwrap().encode();
            Journal::create(&world.journal(), &label, world.pieces().chains()).unwrap();
            world
        }

        fn staged(&self) -> PathBuf {
            self.dir.path().join("staged")
        }

        fn journal(&self) -> PathBuf {
            self.lists.journal(&self.order.id.base_name())
        }

        fn pieces(&self) -> Pieces {
            let mut hasher = PieceHasher::default();
            hasher.update(&self.data);
            hasher.finish()
        }

        /// Where it begins; the hash has taken exactly that, and the journal says exactly that.
        async fn begins_at(&self) -> u64 {
            let cancel = CancellationToken::new();
            let (staged, start) = begin(self.staged(), &self.order, &self.lists, &cancel).await.unwrap();
            staged.keep();
            let at = usize::try_from(start.at).unwrap();
            if let Some(digests) = start.digests {
                let sums = digests.finish().await.unwrap();
                assert_eq!(
                    sums.len(),
                    self.order.digest.iter().count() + 1,
                    "the image's hash, and that of its signature"
                );
                for (algorithm, sum) in sums {
                    let mut want = crate::base::digest::Hasher::new(algorithm);
                    want.update(&self.data[..at]);
                    assert_eq!(sum, want.finish().unwrap());
                }
            }
            if start.journal.is_some() {
                let noted = Begun::load(&self.journal()).unwrap().unwrap().chains;
                assert_eq!(noted, self.pieces().chains()[..at.div_ceil(PIECE)]);
            }
            start.at
        }
    }

    fn signature() -> Signature {
        let property = |name: &str| match name {
            "img_signature_hash_method" => Some("SHA-384"),
            "img_signature_key_type" => Some("DSA"),
            "img_signature_certificate_uuid" => Some("3f0e8d1c-7f3b-4a55-9d36-0a3b5b0a2f11"),
            _ => Some("QUJD"),
        };
        Signature::of(property).unwrap().unwrap()
    }

    fn flip(path: &Path, at: u64) {
        let file = File::options().read(true).write(true).open(path).unwrap();
        let mut byte = [0];
        file.read_exact_at(&mut byte, at).unwrap();
        file.write_all_at(&[byte[0] ^ 8], at).unwrap();
    }

    #[tokio::test]
    async fn what_is_right_is_gone_on_with() {
        let world = World::new();
        assert_eq!(world.begins_at().await, world.data.len() as u64, "all of it, the short piece at the end too");
        // The last piece was cut.
        File::options().write(true).open(world.staged()).unwrap().set_len(3 * PIECE_BYTES + 1000).unwrap();
        assert_eq!(world.begins_at().await, 3 * PIECE_BYTES);
        flip(&world.staged(), 2 * PIECE_BYTES - 1);
        assert_eq!(world.begins_at().await, PIECE_BYTES, "from the damaged piece on");
        assert_eq!(world.begins_at().await, PIECE_BYTES, "and so it was noted");
        flip(&world.journal(), fs::metadata(world.journal()).unwrap().len() - 40);
        assert_eq!(world.begins_at().await, 0);
    }

    #[tokio::test]
    async fn other_data_or_another_file_begins_anew() {
        let mut world = World::new();
        let other = Some((Algorithm::Sha256, "cd".repeat(32)));
        let ours = std::mem::replace(&mut world.order.digest, other);
        assert_eq!(world.begins_at().await, 0, "the image's data has changed");
        assert_eq!(fs::metadata(world.staged()).unwrap().len(), 0);

        let mut world = World::new();
        fs::remove_file(world.staged()).unwrap();
        assert_eq!(world.begins_at().await, 0);

        let mut world2 = World::new();
        world2.order.digest = None;
        assert_eq!(world2.begins_at().await, 0, "nothing to tell the data by");
        world.order.digest = ours;
        fs::remove_dir_all(world.dir.path().join("pieces")).unwrap();
        assert_eq!(world.begins_at().await, 0, "without a journal, but it begins");
    }

    #[tokio::test]
    async fn a_stop_keeps_what_is_there() {
        let world = World::new();
        let cancel = CancellationToken::new();
        cancel.cancel();
        let stopped = begin(world.staged(), &world.order, &world.lists, &cancel).await;
        assert!(matches!(stopped, Err(TransferError::Cancelled)));
        assert_eq!(world.begins_at().await, world.data.len() as u64);
    }
}
