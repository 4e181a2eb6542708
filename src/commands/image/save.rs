//! `larder image save`: the data of an image, verified before it has its name.

use super::{args::SaveArgs, parse_id, progress::Progress};
use crate::base::{
    atomic_file::fsync_dir,
    digest::{Algorithm, Digests},
};
use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteImage};
use anyhow::{Context, bail};
use bytes::Bytes;
use futures_util::StreamExt;
use std::{
    fs::{self, File},
    io::{self, Write},
    path::{Path, PathBuf},
};
use tokio::task::spawn_blocking;

/// How often a cut transfer is picked up again without a byte in between.
const CUTS: u32 = 5;

pub(super) async fn run(catalogue: &Catalogue, args: &SaveArgs) -> anyhow::Result<()> {
    let id = parse_id(&args.id)?;
    let target = args.file.clone();
    if target.symlink_metadata().is_ok() {
        bail!("{} is there already: give another name, or remove it", target.display());
    }
    let image = catalogue.image(&id).await?;
    let Some((algorithm, want)) = expected(&image) else {
        bail!("image {id} has no hash, so its data cannot be verified (status {})", image.status);
    };
    let part = part_of(&target)?;
    let file = File::options()
        .write(true)
        .create_new(true)
        .open(&part)
        .with_context(|| format!("cannot write {}", part.display()))?;
    let progress = Progress::new(format!("saving {}", target.display()), image.size, args.quiet);
    let got = tokio::select! {
        got = fetch(catalogue, &id, file, algorithm, &progress) => got,
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("downloading image {id}: interrupted")),
    };
    progress.end();
    let placed = match got {
        Ok(hash) if hash != want => Err(anyhow::anyhow!(
            "image {id} arrived with {algorithm} {hash}, but its record says {want}: the data is not the image"
        )),
        Ok(_) => place(part.clone(), target).await,
        Err(error) => Err(error),
    };
    if placed.is_err() {
        let _ = fs::remove_file(&part);
    }
    placed
}

/// The hash that the data must have.
fn expected(image: &RemoteImage) -> Option<(Algorithm, String)> {
    let named = image.os_hash_algo.as_ref().and_then(|name| name.parse::<Algorithm>().ok());
    match (named, &image.os_hash_value, &image.checksum) {
        (Some(algorithm), Some(value), _) => Some((algorithm, value.to_lowercase())),
        (_, _, Some(checksum)) => Some((Algorithm::Md5, checksum.to_lowercase())),
        _ => None,
    }
}

/// A name beside the target that no second run shares.
fn part_of(target: &Path) -> anyhow::Result<PathBuf> {
    let name = target.file_name().with_context(|| format!("{} is no name of a file", target.display()))?;
    let name = format!(".{}.{}.part", name.to_string_lossy(), std::process::id());
    Ok(target.with_file_name(name))
}

/// Writes the data and gives its hash.
async fn fetch(
    catalogue: &Catalogue,
    id: &ImageId,
    mut file: File,
    algorithm: Algorithm,
    progress: &Progress,
) -> anyhow::Result<String> {
    let mut digests = Digests::new(&[algorithm]);
    let (mut done, mut cuts) = (0_u64, 0);
    'again: loop {
        let mut download = match catalogue.download(id, done).await {
            Err(error) if error.is_transient() && done > 0 && cuts < CUTS => {
                cuts += 1;
                tokio::time::sleep(std::time::Duration::from_secs(u64::from(cuts))).await;
                continue;
            }
            other => other?,
        };
        if download.start != done {
            bail!("downloading image {id}: it was cut after {done} bytes, and the server can only start over");
        }
        while let Some(bytes) = download.body.next().await {
            match bytes {
                Ok(bytes) => {
                    done += bytes.len() as u64;
                    cuts = 0;
                    digests.update(bytes.clone()).await;
                    file = write(file, bytes).await.with_context(|| format!("writing image {id} failed"))?;
                    progress.at(done);
                }
                Err(error) if error.is_transient() && cuts < CUTS => {
                    cuts += 1;
                    continue 'again;
                }
                Err(error) => return Err(error.into()),
            }
        }
        break;
    }
    spawn_blocking(move || file.sync_all()).await?.with_context(|| format!("writing image {id} failed"))?;
    let hashes = digests.finish().await?;
    hashes.into_iter().next().map(|(_, hash)| hash).context("there is no hash")
}

async fn write(mut file: File, bytes: Bytes) -> io::Result<File> {
    spawn_blocking(move || file.write_all(&bytes).map(|()| file)).await.map_err(io::Error::other)?
}

/// Gives the finished file its name; a file that came there meanwhile stays.
async fn place(part: PathBuf, target: PathBuf) -> anyhow::Result<()> {
    spawn_blocking(move || {
        fs::hard_link(&part, &target).with_context(|| format!("cannot name the file {}", target.display()))?;
        let _ = fs::remove_file(&part);
        let folder = target.parent().filter(|it| !it.as_os_str().is_empty()).unwrap_or(Path::new("."));
        fsync_dir(folder).with_context(|| format!("cannot keep {}", target.display()))
    })
    .await?
}
