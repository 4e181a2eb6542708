//! `larder image push`: one file becomes one image.

use super::{
    args::{PushArgs, RecordArgs},
    key_value,
    progress::Progress,
};
use crate::base::ByteSize;
use crate::commands::output::{print, print_json};
use crate::diskformat::{self, Inspection, Rules};
use crate::image::ImageId;
use crate::remote::{Catalogue, RemoteError};
use anyhow::{Context, bail};
use bytes::{Bytes, BytesMut};
use futures_util::{Stream, StreamExt, stream};
use serde_json::{Map, Value, json};
use std::{
    fs::File,
    io::{self, Read, Seek},
    path::Path,
    sync::Arc,
};
use tokio::task::spawn_blocking;

/// What is read from the file at once.
const BLOCK: usize = 1 << 20;

/// The file, and what it was found to be.
pub(super) struct Source {
    file: File,
    size: u64,
    pub(super) inspection: Inspection,
}

pub(super) async fn run(catalogue: &Catalogue, args: &PushArgs) -> anyhow::Result<()> {
    let source = open(&args.file).await?;
    let record = record(&args.record, &args.file.display().to_string(), Some(&source.inspection))?;
    let image = catalogue.create(&record).await?;
    let id: ImageId = image.id.parse().context("the catalogue gave the new image an id that is none")?;
    let size = source.size;
    // An interrupt must not leave a record without data behind.
    let sent = tokio::select! {
        sent = send(catalogue, &id, source, args) => sent.map_err(anyhow::Error::from),
        _ = tokio::signal::ctrl_c() => Err(anyhow::anyhow!("uploading image {id}: interrupted")),
    };
    if let Err(error) = sent {
        return clean_up(catalogue, &id, size, args.end.keep, error).await;
    }
    done(catalogue, &id, args.end.json).await
}

async fn done(catalogue: &Catalogue, id: &ImageId, json: bool) -> anyhow::Result<()> {
    if json { print_json(&catalogue.image(id).await?) } else { print(id.as_str()) }
}

pub(super) async fn open(path: &Path) -> anyhow::Result<Source> {
    let path = path.to_owned();
    spawn_blocking(move || {
        let shown = path.display();
        let mut file = File::open(&path).with_context(|| format!("cannot open {shown}"))?;
        let about = file.metadata().with_context(|| format!("cannot read {shown}"))?;
        if !about.is_file() {
            bail!("{shown} is not a regular file: give the image file itself");
        }
        if about.len() == 0 {
            bail!("{shown} is empty: there is nothing to upload");
        }
        let inspection = diskformat::inspect(&mut file).with_context(|| format!("cannot read {shown}"))?;
        file.rewind().with_context(|| format!("cannot read {shown}"))?;
        Ok(Source { file, size: about.len(), inspection })
    })
    .await
    .context("reading the file failed")?
}

/// The body of the request that registers the image.
pub(super) fn record(args: &RecordArgs, shown: &str, inspection: Option<&Inspection>) -> anyhow::Result<Value> {
    let found = inspection.map(|it| it.format.disk_format());
    let disk_format = args.disk_format.as_deref().or(found).context("give --disk-format")?;
    if let Some(Err(refusal)) = inspection.map(|it| it.accept_as(disk_format, &Rules::default())) {
        eprintln!("larder: {shown}: {refusal}; the catalogue may refuse it");
    }
    let mut record = Map::new();
    for property in &args.property {
        let (key, value) = key_value(property)?;
        record.insert(key.to_owned(), value.into());
    }
    record.insert("disk_format".to_owned(), disk_format.into());
    record.insert("container_format".to_owned(), args.container_format.as_str().into());
    let texts = [("name", &args.name), ("id", &args.id), ("visibility", &args.visibility)];
    for (key, value) in texts {
        if let Some(value) = value {
            record.insert(key.to_owned(), value.as_str().into());
        }
    }
    for (key, value) in [("min_disk", args.min_disk), ("min_ram", args.min_ram)] {
        if let Some(value) = value {
            record.insert(key.to_owned(), value.into());
        }
    }
    if args.protected {
        record.insert("protected".to_owned(), true.into());
    }
    if !args.tag.is_empty() {
        record.insert("tags".to_owned(), json!(args.tag));
    }
    Ok(Value::Object(record))
}

async fn send(catalogue: &Catalogue, id: &ImageId, source: Source, args: &PushArgs) -> Result<(), RemoteError> {
    let size = source.size;
    let progress = Arc::new(Progress::new(format!("uploading {}", args.file.display()), Some(size), args.end.quiet));
    let told = Arc::clone(&progress);
    let sent = catalogue.upload(id, blocks(source.file, size), Some(size), move |done| told.at(done)).await;
    progress.end();
    sent
}

/// Sends the file to the catalogue's staging folder.
pub(super) async fn stage(
    catalogue: &Catalogue,
    id: &ImageId,
    source: Source,
    (shown, quiet): (&str, bool),
) -> Result<(), RemoteError> {
    let size = source.size;
    let progress = Arc::new(Progress::new(format!("staging {shown}"), Some(size), quiet));
    let told = Arc::clone(&progress);
    let sent = catalogue.stage(id, blocks(source.file, size).boxed(), Some(size), move |done| told.at(done)).await;
    progress.end();
    sent
}

/// The file in blocks, each read on a blocking thread; it must be as long as it was.
fn blocks(file: File, size: u64) -> impl Stream<Item = io::Result<Bytes>> + Send {
    stream::try_unfold((file, size), |(mut file, left)| async move {
        if left == 0 {
            return Ok(None);
        }
        let read = move || {
            let want = BLOCK.min(usize::try_from(left).unwrap_or(BLOCK));
            let mut block = BytesMut::zeroed(want);
            file.read_exact(&mut block).map_err(|error| {
                io::Error::new(error.kind(), format!("the file cannot be read to its end: {error}"))
            })?;
            Ok::<_, io::Error>((file, block.freeze()))
        };
        let (file, block) = spawn_blocking(read).await.map_err(io::Error::other)??;
        let left = left - block.len() as u64;
        Ok(Some((block, (file, left))))
    })
}

/// After a failed upload: nothing of it stays, unless it did work and only its answer was lost.
async fn clean_up(
    catalogue: &Catalogue,
    id: &ImageId,
    size: u64,
    keep: bool,
    error: anyhow::Error,
) -> anyhow::Result<()> {
    if let Ok(image) = catalogue.image(id).await
        && image.status == "active"
        && image.size == Some(size)
    {
        eprintln!("larder: {error:#}; yet the catalogue has all {} of image {id}", ByteSize(size));
        return done(catalogue, id, false).await;
    }
    if keep {
        return Err(error.context(format!("image {id} has no data; its record is kept (--keep), in status queued")));
    }
    match catalogue.delete(id).await {
        Ok(()) => Err(error.context(format!("nothing was uploaded; the record of image {id} was removed again"))),
        Err(also) if also.is_not_found() => Err(error.context("nothing was uploaded")),
        Err(also) => {
            eprintln!("larder: {:#}", anyhow::Error::from(also));
            let left = format!("nothing was uploaded, and the record of image {id} is left: larder image delete {id}");
            Err(error.context(left))
        }
    }
}
