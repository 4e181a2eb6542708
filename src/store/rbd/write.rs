//! Writing: some blocks are on their way at the same time, into an image that nobody looks for yet.

use super::{
    alone::Alone,
    aside::{Names, is_taken},
    ceph::{CephError, Cluster, Opened, Pool},
    cut::{Cutter, Pieces, data},
    place::{Place, SNAP},
    room::room,
    site::{At, Site},
};
use crate::base::{Batch, ByteSize};
use crate::image::ImageId;
use crate::store::{StagedData, StoreError, Writing};
use futures_util::{FutureExt, StreamExt, future::BoxFuture, stream::FuturesUnordered};
use nix::errno::Errno;
use std::{
    sync::{Arc, atomic::AtomicU64},
    thread,
};

/// Writes on their way.
const DEPTH: usize = 8;

/// Names that are tried before it is an error.
const ATTEMPTS: usize = 4;

/// The steps by which an image of unknown size grows (Glance's).
const FIRST_STEP: u64 = 16 << 20;
const LAST_STEP: u64 = 8 << 30;

/// RBD_FEATURE_LAYERING: it can be cloned.
const LAYERING: u64 = 1;

/// Whose the data is to be.
#[derive(Clone)]
struct Target {
    site: Arc<Site>,
    at: At,
    url: String,
}

/// An image that is removed when this is dropped.
struct Unfinished {
    image: Arc<Opened>,
    names: Names,
}

/// An image under its name, which is removed unless it is told that somebody knows of it.
struct Published(Option<(Names, Arc<Pool>)>);

struct RbdWriting {
    target: Target,
    unfinished: Unfinished,
    cutter: Cutter,
    /// Bytes that were sent on.
    at: u64,
    /// Bytes that the image has.
    size: u64,
    step: u64,
    under_way: FuturesUnordered<BoxFuture<'static, Result<(), CephError>>>,
}

struct RbdStaged {
    target: Target,
    unfinished: Unfinished,
}

pub(super) async fn begin(
    site: Arc<Site>,
    id: &ImageId,
    expected: Option<u64>,
) -> Result<Box<dyn Writing>, StoreError> {
    let (pool, image) = (site.pool().to_owned(), id.as_str().to_owned());
    let url = Place::url(site.link.fsid(), &pool, &image);
    if let Some(wanted) = expected.filter(|_| !site.link.settings.rbd_thin_provisioning)
        && let Ok(Some(room)) = room(&site).await
        && room.free < wanted
    {
        let what = format!("the pool {pool} of Ceph has {} free, {} wanted", ByteSize(room.free), ByteSize(wanted));
        return Err(StoreError::NoRoom { store: site.link.store.clone(), what });
    }
    let target = Target { at: At { pool, image, snap: Some(SNAP.to_owned()) }, site, url };
    let (at, order, size) = (target.at.clone(), target.site.link.settings.order(), expected.unwrap_or(0));
    let made = target.site.link.work(move |cluster, beat| make(cluster, &at, (size, order), beat));
    let made = made.await.map_err(|error| target.failed("written", error))?;
    let unfinished = made.ok_or_else(|| StoreError::Duplicate { url: target.url.clone() })?;
    let writing = RbdWriting {
        target,
        unfinished,
        cutter: Cutter::default(),
        at: 0,
        size,
        step: FIRST_STEP,
        under_way: FuturesUnordered::new(),
    };
    Ok(Box::new(writing))
}

/// Makes and opens the image; none when there is one under the name that it is to get.
fn make(
    cluster: &Arc<Cluster>,
    at: &At,
    (size, order): (u64, u32),
    beat: &AtomicU64,
) -> Result<Option<Unfinished>, CephError> {
    let pool = Pool::open(cluster, &at.pool)?;
    // Said now, before the client has sent it all; the renaming finds out for sure.
    if is_taken(&pool, &at.image, beat)? {
        return Ok(None);
    }
    // What the site wants of images, as Glance does.
    let features = cluster.get("rbd_default_features").and_then(|it| it.trim().parse().ok()).unwrap_or(0);
    for _ in 0..ATTEMPTS {
        let mut names = Names::new(&at.image);
        let made = pool.create(&names.aside, size, features | LAYERING, order);
        let opened = made.and_then(|()| pool.image(&names.aside)).and_then(|it| Ok((it.id()?, it)));
        match opened {
            Ok((internal, image)) => {
                names.internal = Some(internal);
                return Ok(Some(Unfinished::new(Opened::new(image), names)));
            }
            // Somebody took it for a leftover before it was opened.
            Err(error) if error.is(Errno::ENOENT) && error.call == "rbd_open" => {}
            Err(error) => {
                give_up(&names, &pool);
                return Err(error);
            }
        }
    }
    Err(CephError::new("rbd_open", Errno::EAGAIN))
}

fn give_up(names: &Names, pool: &Arc<Pool>) {
    if let Err(error) = names.discard(pool, &AtomicU64::new(0)) {
        let image = &names.aside;
        tracing::warn!(image, %error, "an unfinished image in Ceph could not be removed; that is tried again later");
    }
}

// === impl Unfinished ===

impl Unfinished {
    fn new(image: Opened, names: Names) -> Self {
        let (pool, of) = (Arc::clone(image.pool()), names.clone());
        // After the last write has come back, and after it was closed: an image that is open is not removed.
        image.then(Some(Box::new(move || give_up(&of, &pool))));
        Self { image: Arc::new(image), names }
    }

    /// Gives it its name; none where there is one of that name already. Blocks.
    fn publish(self, beat: &AtomicU64) -> Result<Option<Published>, CephError> {
        let Self { image, names } = self;
        let alone = Alone::take(image.pool(), &names.image, &names.aside, beat)?;
        if is_taken(image.pool(), &names.image, beat)? {
            return Ok(None);
        }
        match image.pool().rename(&names.aside, &names.image) {
            Ok(()) => {}
            Err(error) if error.is(Errno::EEXIST) => return Ok(None),
            Err(error) => return Err(error),
        }
        drop(alone);
        let pool = Arc::clone(image.pool());
        image.then(None);
        // All writes have come back, so that nobody else holds it; whoever wants to remove it next finds it closed.
        if let Some(image) = Arc::into_inner(image) {
            image.close();
        }
        Ok(Some(Published(Some((names, pool)))))
    }
}

impl Drop for Published {
    fn drop(&mut self) {
        if let Some((names, pool)) = self.0.take() {
            let image = names.image.clone();
            tracing::info!(image, "an upload was given up while it was published; it is removed from Ceph");
            let removing = thread::Builder::new().name("rbd-remove".to_owned()).spawn(move || give_up(&names, &pool));
            if let Err(error) = removing {
                tracing::error!(image, %error, "no thread to remove it");
            }
        }
    }
}

// === impl RbdWriting ===

impl RbdWriting {
    /// Sends a block on; waits when too many are on their way.
    async fn send(&mut self, block: Pieces) -> Result<(), CephError> {
        let length: u64 = block.iter().map(|it| it.len() as u64).sum();
        if self.at + length > self.size {
            self.resize(self.size + self.step).await?;
            self.step = (self.step * 2).min(LAST_STEP);
        }
        let thin = self.target.site.link.settings.rbd_thin_provisioning;
        let runs = if thin { data(block) } else { vec![(0, block)] };
        for (offset, run) in runs {
            while self.under_way.len() >= DEPTH {
                self.one_done().await?;
            }
            let (site, written) = (Arc::clone(&self.target.site), self.unfinished.image.write(self.at + offset, run));
            self.under_way.push(async move { site.link.answer(written).await }.boxed());
        }
        self.at += length;
        Ok(())
    }

    async fn one_done(&mut self) -> Result<(), CephError> {
        self.under_way.next().await.unwrap_or(Ok(()))
    }

    async fn resize(&mut self, size: u64) -> Result<(), CephError> {
        let image = Arc::clone(&self.unfinished.image);
        self.target.site.link.work(move |_, beat| image.resize(size, beat)).await?;
        self.size = size;
        Ok(())
    }

    /// All of it is safe, and can be cloned.
    async fn complete(&mut self) -> Result<(), CephError> {
        if let Some(last) = self.cutter.take() {
            self.send(last).await?;
        }
        while !self.under_way.is_empty() {
            self.one_done().await?;
        }
        if self.size != self.at {
            self.resize(self.at).await?;
        }
        let link = &self.target.site.link;
        link.answer(self.unfinished.image.flush()).await?;
        let image = Arc::clone(&self.unfinished.image);
        link.work(move |_, _| {
            image.make_snap(SNAP)?;
            image.protect(SNAP)
        })
        .await
    }
}

impl Writing for RbdWriting {
    fn write(&mut self, batch: Batch) -> BoxFuture<'_, Result<(), StoreError>> {
        async move {
            // Others may have its place: what is on its way is bounded here.
            let pieces = batch.pieces().to_vec();
            drop(batch);
            for piece in pieces {
                for block in self.cutter.push(piece) {
                    self.send(block).await.map_err(|error| self.target.failed("written", error))?;
                }
            }
            Ok(())
        }
        .boxed()
    }

    fn finish(mut self: Box<Self>) -> BoxFuture<'static, Result<Box<dyn StagedData>, StoreError>> {
        async move {
            self.complete().await.map_err(|error| self.target.failed("written", error))?;
            let Self { target, unfinished, .. } = *self;
            Ok(Box::new(RbdStaged { target, unfinished }) as Box<dyn StagedData>)
        }
        .boxed()
    }
}

// === impl RbdStaged ===

impl StagedData for RbdStaged {
    fn url(&self) -> &str {
        &self.target.url
    }

    fn commit(self: Box<Self>) -> BoxFuture<'static, Result<(), StoreError>> {
        async move {
            let Self { target, unfinished } = *self;
            let published = target.site.link.work(move |_, beat| unfinished.publish(beat));
            let published = published.await.map_err(|error| target.failed("published", error))?;
            let mut published = published.ok_or_else(|| StoreError::Duplicate { url: target.url.clone() })?;
            published.0 = None;
            Ok(())
        }
        .boxed()
    }
}

// === impl Target ===

impl Target {
    /// There is no data at its URL that could be missing.
    fn failed(&self, step: &'static str, error: CephError) -> StoreError {
        self.site.link.failed(step, &self.at.pool, &self.url, error)
    }
}
