//! The agent, as the admin socket sees it: what is asked goes to the loop, which answers.

use super::{
    reconcile::{Command, Reply},
    through::Through,
};
use crate::admin::{
    CachedImage, ImageState, ImageStatus, Pass, Plan, Priority, Pruned, Scrubbed, Status, Why,
    server::{Fault, Handler},
};
use crate::image::ImageId;
use crate::remote::Catalogue;
use futures_util::future::BoxFuture;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

/// Asks the loop; clones ask the same one.
#[derive(Clone, Debug)]
pub(super) struct Control {
    pub(super) commands: mpsc::Sender<Command>,
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) catalogue: watch::Receiver<Catalogue>,
    /// The read-through endpoint, which knows best what it does.
    pub(super) through: Option<Arc<Through>>,
}

/// A catalogue that answers later than this does not keep an image from being queued.
const QUICK: Duration = Duration::from_secs(5);

// === impl Control ===

impl Control {
    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T, Fault> {
        let stopping = || Fault::Unavailable("the agent is stopping".to_owned());
        let (reply, answer) = oneshot::channel();
        self.commands.send(command(reply)).await.map_err(|_| stopping())?;
        answer.await.map_err(|_| stopping())?
    }

    /// Queues an image without asking the catalogue first: whoever wants it knows that it is there.
    pub(super) async fn queue_unasked(&self, id: &ImageId, priority: Priority) -> Result<(), Fault> {
        self.ask(|reply| Command::Queue(id.clone(), Some(priority), reply)).await
    }

    /// Likewise, for a pin.
    pub(super) async fn pin_unasked(&self, id: &ImageId) -> Result<(), Fault> {
        self.ask(|reply| Command::Pin(id.clone(), reply)).await
    }

    /// An image that is surely none, or surely cannot be fetched, is refused at once; in doubt it is queued.
    async fn check(&self, id: &ImageId) -> Result<(), Fault> {
        let catalogue = self.catalogue.borrow().clone();
        match timeout(QUICK, catalogue.image(id)).await {
            Ok(Ok(image)) if image.status != "active" => Err(Fault::Invalid(format!(
                "image {id} is {} at the catalogue, and only active images can be cached",
                image.status
            ))),
            Ok(Err(error)) if error.is_not_found() => {
                Err(Fault::NotFound(format!("image {id} is not at the catalogue {}", catalogue.describe())))
            }
            _ => Ok(()),
        }
    }
}

impl Handler for Control {
    fn status(&self) -> Arc<Status> {
        let status = self.status.borrow().clone();
        match &self.through {
            Some(through) => Arc::new(Status { read_through: Some(through.status()), ..(*status).clone() }),
            None => status,
        }
    }

    fn why<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<Why, Fault>> {
        Box::pin(self.ask(|reply| Command::Why(id.clone(), reply)))
    }

    fn plan(&self) -> BoxFuture<'_, Result<Plan, Fault>> {
        Box::pin(self.ask(Command::Plan))
    }

    fn prefetch(&self) -> BoxFuture<'_, Result<Pass, Fault>> {
        Box::pin(self.ask(Command::Prefetch))
    }

    fn prune(&self, dry_run: bool) -> BoxFuture<'_, Result<Pruned, Fault>> {
        Box::pin(self.ask(move |reply| Command::Prune { dry_run, reply }))
    }

    fn scrub(&self) -> BoxFuture<'_, Result<Scrubbed, Fault>> {
        Box::pin(self.ask(Command::Scrub))
    }

    fn queue<'a>(&'a self, id: &'a ImageId, priority: Option<Priority>) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            self.check(id).await?;
            self.ask(|reply| Command::Queue(id.clone(), priority, reply)).await
        })
    }

    fn pin<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(async move {
            // What is there can be pinned although the catalogue has it no more: then it is needed most.
            let (base, status) = (id.base_name(), self.status());
            let is_cached = |it: &ImageStatus| it.base == base && it.state == ImageState::Cached;
            let is_there = status.images.iter().any(is_cached) || status.bases.iter().any(|it| it.base == base);
            if !is_there {
                self.check(id).await?;
            }
            self.ask(|reply| Command::Pin(id.clone(), reply)).await
        })
    }

    fn unpin<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.ask(|reply| Command::Unpin(id.clone(), reply)))
    }

    fn confirm_gone<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.ask(|reply| Command::ConfirmGone(id.clone(), reply)))
    }

    fn cached(&self) -> BoxFuture<'_, Result<Vec<CachedImage>, Fault>> {
        Box::pin(self.ask(Command::Cached))
    }

    fn queued(&self) -> BoxFuture<'_, Result<Vec<ImageId>, Fault>> {
        Box::pin(self.ask(Command::Queued))
    }

    fn delete_cached<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.ask(|reply| Command::DeleteCached(id.clone(), reply)))
    }

    fn delete_all_cached(&self) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(self.ask(Command::DeleteAllCached))
    }

    fn delete_queued<'a>(&'a self, id: &'a ImageId) -> BoxFuture<'a, Result<(), Fault>> {
        Box::pin(self.ask(|reply| Command::DeleteQueued(id.clone(), reply)))
    }

    fn delete_all_queued(&self) -> BoxFuture<'_, Result<u64, Fault>> {
        Box::pin(self.ask(Command::DeleteAllQueued))
    }
}
